"""Prices a network on a machine at a site: what it draws, what decides it, whether it fits."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from cosim.api.arguments import rate_of
from cosim.api.places import Machine, Place, placed
from cosim.api.works import Work, workload_of
from cosim.report.estimate_tables import EstimateTables, estimate_tables, few_layers
from energy_models.analysis import BreakEven, Design, StreamingComparison, break_even, compare_raw_streaming
from energy_models.errors import PriceError, StudyError
from energy_models.feasibility import Lever, battery_life_s, levers
from energy_models.hardware import HardwareProfile, Site
from energy_models.pricing import EnergyReport
from energy_models.quantities import Band, html_table, load_sources, prefixed_band, prefixed_floor
from energy_models.workload import Workload

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

Rows = Literal["layers", "power", "limits", "levers"]
NO_SITE = "no site"
SOURCE = ("authors", "year", "title", "locator")


@dataclass(frozen=True, repr=False)
class Estimate:
    """One network priced on one machine, at a site or alone.

    Parameters
    ----------
    workload : Workload
    machine : HardwareProfile
    site : Site or None
    tables : EstimateTables
        Everything that is known of it.
    """

    workload: Workload
    machine: HardwareProfile
    site: Site | None
    tables: EstimateTables

    @property
    def report(self) -> EnergyReport:
        """Energy by layer and cause, power by cause, latency, memory, each with its bounds."""
        return self.tables.report

    @property
    def verdict(self) -> str:
        """As `cosim.evaluation.feasibility.Verdict` has it, such as ``fits`` or ``exceeds``; or ``no site``."""
        if self.tables.verdict is not None:
            return self.tables.verdict.verdict
        return "does not fit the machine" if self.report.infeasibilities else NO_SITE

    @property
    def answer(self) -> str:
        """The verdict as a sentence, with the limit that binds, or what is missing in the figures."""
        return self.tables.headline

    @cached_property
    def _power(self) -> str:
        decoder, device = (self._band(one, "W") for one in (self.report.decoder_power_w, self.report.total_power_w))
        return f"decoder {decoder}, device {device}"

    def _band(self, band: Band, unit: str) -> str:
        """Return a sum with its bounds: a lower bound, its high unknown, where some work is in no figure."""
        return (prefixed_floor if self.report.unaccounted else prefixed_band)(band, unit)

    def summary(self) -> str:
        """Return the answer, power, energy, latency and memory, with what is left out and what decides, as text."""
        report = self.report
        lines = [self.tables.title, *self.tables.answer, f"power: {self._power}",
                 f"one decode: {self._band(report.decode_energy_j, 'J')} in {self._band(report.latency_s, 's')}"]
        lines += [f"memory {use.memory}: {use.used_bits:,.0f} of {use.capacity_bits:,.0f} bit"
                  for use in report.memories]  # fmt: skip
        lines += [f"does not fit: {few_layers(line)}" for line in self.tables.unfit]
        lines += [f"note: {few_layers(line)}" for line in self.tables.cautions]
        return "\n".join([*lines, *(f"decides: {line}" for line in self.tables.swings[:3])])

    def to_frame(self, rows: Rows = "layers") -> pd.DataFrame:
        """Return a table whose columns name their units.

        Parameters
        ----------
        rows : {'layers', 'power', 'limits', 'levers'}
            Energy per decode by layer and cause [J]; average power by cause [W]; every limit of the site, in SI; how
            far each constant must fall or may rise for all limits to be just held.

        Raises
        ------
        PriceError
            Rows of another kind.
        """
        import pandas as pd

        if rows == "layers":
            return pd.DataFrame(self.tables.layer_rows())
        if rows == "power":
            return pd.DataFrame(self._power_rows())
        if rows == "limits":
            return pd.DataFrame(self._limit_rows())
        if rows == "levers":
            return pd.DataFrame([asdict(lever) for lever in self.levers()])
        remedy = "Give 'layers', 'power', 'limits' or 'levers'"
        raise PriceError(f"there are no rows {rows!r}", where="to_frame", remedy=remedy)

    def levers(self) -> tuple[Lever, ...]:
        """Return what would make it fit, or how much room there is: each constant moved alone, least change first.

        Raises
        ------
        PriceError
            Without a site there is no limit.
        """
        if self.site is None:
            raise PriceError("there is no limit without a site", where="levers", remedy="Estimate at a site")
        return levers(self.workload, self.machine, self.site, decode_rate_hz=self.report.decode_rate_hz)

    def break_even(self, other: Estimate, *, draws: int = 1024, seed: int = 0) -> BreakEven:
        """Return the spikes per input and step at which this decoder draws what another one does, with its band.

        Neurons are updated in every step however silent the network is; all else grows with the number of spikes.

        Parameters
        ----------
        other : Estimate
            Of the other decoder, with its own machine, site and rate.
        draws, seed : int
            Of the uncertain constants, drawn once for both; draws a power of two.

        Raises
        ------
        WorkloadError
            When no spike was counted here.
        """
        designs = [Design(one.workload, one.machine, one.site, one.report.decode_rate_hz) for one in (self, other)]
        return break_even(*designs, basis="decoder power", draws=draws, seed=seed)

    def against_raw_streaming(self) -> StreamingComparison:
        """Return what the device would draw if it sent every sample of the network's channels, and which is cheaper.

        Raises
        ------
        PriceError
            Without a site or its radio, or where some of the network's work has no price.
        """
        if self.site is None:
            raise PriceError("nothing is sent without a site", where="raw streaming", remedy="Estimate at a site")
        self._check_whole(where="raw streaming")
        return compare_raw_streaming(self.site, self.report, channels=self.workload.channels)

    def battery_life_s(self) -> Band | None:
        """Return how long the site's battery carries the whole device [s]; None where it has none.

        Raises
        ------
        PriceError
            Where some of the network's work has no price: the life would be too long.
        """
        if self.site is None or self.site.battery is None:
            return None
        self._check_whole(where="battery life")
        return battery_life_s(self.site.battery, self.report.total_power_w)

    def _check_whole(self, *, where: str) -> None:
        """Refuse a network of which some work has no room or no price: what is derived from it would be too good."""
        if lacks := (*self.report.infeasibilities, *self.report.unaccounted):
            raise PriceError(f"{self.tables.title}: {lacks[0]}", where=where,
                             remedy="Choose a machine that runs and prices all of it")  # fmt: skip

    def _power_rows(self) -> list[dict[str, object]]:
        outside = [("decoder", self.report.decoder_power_w), ("device", self.report.total_power_w)]
        return [
            {"cause": cause, "power_low_w": band.low, "power_w": band.nominal, "power_high_w": band.high}
            for cause, band in [*self.report.power_w.items(), *outside]
        ]

    def _limit_rows(self) -> list[dict[str, object]]:
        compared: list[dict[str, object]] = [
            {
                "limit": check.name, "unit": check.unit, "allowed": check.limit.nominal, "used": check.value.nominal,
                "headroom": check.headroom, "verdict": check.verdict,
            }
            for check in self.tables.limits
        ]
        none = {"unit": "", "allowed": math.nan, "used": math.nan, "headroom": math.nan}
        return compared + [
            {"limit": name, **none, "verdict": f"not checked: {why}"} for name, why in self.tables.unchecked_parts
        ]

    def sources(self) -> pd.DataFrame:
        """Return where every constant that was used comes from: key, authors, year, title, locator."""
        import pandas as pd

        known = {**load_sources(), **self.machine.sources, **({} if self.site is None else self.site.sources)}
        rows = [{"source": key, **known[key].model_dump(include=set(SOURCE))} for key in self.report.sources]
        return pd.DataFrame(rows, columns=["source", *SOURCE])

    def plot(self) -> Figure:
        """Return the power of the device, of the decoder and of each cause with their bounds, as a plotly figure.

        Raises
        ------
        StudyError
            Where the machine cannot run the network: the priced part alone would mislead.
        """
        from cosim.api.plots import figure_of
        from cosim.report.figures.powers import bands_chart

        if self.report.infeasibilities:
            raise StudyError(f"{self.tables.title}: {self.report.infeasibilities[0]}", where="plot",
                             remedy="Choose a machine that can run it, or other widths")  # fmt: skip
        causes = sorted(self.report.power_w.items(), key=lambda one: -one[1].nominal)
        whole = [("whole device", self.report.total_power_w), ("decoder", self.report.decoder_power_w)]
        rows = [(name, (band.low, band.nominal, band.high)) for name, band in (*whole, *causes)]
        least = "power, at least" if self.report.unaccounted else "power"
        return figure_of(bands_chart(rows, title=least), self.tables.title)

    def __repr__(self) -> str:
        return f"<Estimate: {self.tables.title}: {self._power}; {self.verdict}>"

    def _repr_html_(self) -> str:
        return html_table(f"{self.tables.title}. {self.answer}", self.tables.power_lines())


def estimate(
    work: Work,
    machine: Machine,
    site: Place | None = None,
    *,
    decode_rate_hz: float | str,
    budget: float | str | None = None,
    constants: Mapping[str, object] | None = None,
    draws: int = 4096,
    seed: int = 0,
) -> Estimate:
    """Return what a network draws on a machine, and whether it fits where it is meant to live.

    Parameters
    ----------
    work : Workload, trained student, str or Path
        What `cosim.count` returned, a workload file, an architecture's name, a trained student, a decoder of a run.
    machine : str, Path or HardwareProfile
        A name of `cosim.machines`, the path of a TOML file, or the machine itself.
    site : str, Path or Site, optional
        A name of `cosim.sites` and so on; None: the machine alone, held against no limit.
    decode_rate_hz : float or str
        Decisions per second [Hz], or a text with a unit.
    budget : float or str, optional
        What the whole device may draw at the site [W], or a text such as ``"1 mW"``.
    constants : mapping of str to float or str, optional
        Constants of machine and site by path, such as ``{"site.front_end.power": "3 uW/channel"}``; numbers in SI.
    draws, seed : int
        Of the uncertain constants, for the sampled quantiles; draws a power of two.

    Raises
    ------
    CosimError
        An unknown name, a wrong kind of argument, an impossible rate, a unit of another dimension.
    """
    workload = workload_of(work, where="cosim.estimate, work")
    profile, place = placed(machine, site, constants=constants, budget=budget, where="cosim.estimate, budget")
    rate_hz = rate_of(decode_rate_hz, where="cosim.estimate, decode_rate_hz")
    tables: Any = estimate_tables(workload, profile, place, decode_rate_hz=rate_hz, draws=draws, seed=seed)
    return Estimate(workload, profile, place, tables)
