"""One point of a sweep: a network on a machine at a site, what it costs there and whether it fits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from cosim.api.sweeps.grid import AS_COUNTED, BITS, CHANNELS, LOST, RATE, GridPoint
from cosim.api.sweeps.own_machine import own_machine
from cosim.evaluation.feasibility import Verdict, judge
from cosim.evaluation.stream_rate import check_stream_rate
from cosim.tables.feasibility import (
    allowed_cells,
    band_cells,
    battery_cells,
    cause_cells,
    limit_cells,
    recalibration_cells,
    streaming_cells,
)
from cosim.tables.readable import CANNOT_RUN
from cosim.tables.results import price_cells
from energy_models.analysis import Design, StreamingComparison, compare_raw_streaming
from energy_models.design import Choices, Task
from energy_models.errors import StudyError
from energy_models.feasibility import (
    RecalibrationCost,
    added_power_w,
    average_power_w,
    battery_life_s,
    off_power_w,
    recalibration_cost,
    recalibration_draws_w,
)
from energy_models.hardware import Absent, HardwareProfile, Site, with_constants, with_lost_electrodes
from energy_models.pricing import Array, EnergyReport, estimate
from energy_models.quantities import ZERO, Band
from energy_models.workload import Recalibration, Workload

DESIGNED = "designed"
"""Stands for a machine that is sized to each network: that of least power at the point's node and supply."""
UNKNOWN = Band(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class SweepPoint:
    """What a point is; what follows from it is worked out by `priced`.

    Parameters
    ----------
    counted : Workload
        The network as it was counted.
    grid : GridPoint
    base : HardwareProfile or None
        The machine as it was asked for; None: designed for the network.
    home : Site or None
        The site as it was asked for.
    learning : Recalibration or None
        How the network learns on the device, where it does.
    """

    counted: Workload
    grid: GridPoint
    base: HardwareProfile | None
    home: Site | None
    learning: Recalibration | None = None

    def priced(self) -> PricedPoint:
        """Return the point with all its values set, priced and judged.

        Raises
        ------
        CosimError
            More electrodes lost than there are, a node or supply outside the laws, a constant that does not exist, or
            a stream asked for decisions more often than it takes steps.
        """
        work = self.grid.workload(self.counted)
        machine, place, asked = self._placed(work)
        rate_hz, share = self.grid.decode_rate_hz, self.grid.duty_cycle
        if work.mode == "stream":
            check_stream_rate(rate_hz, work.step_rate_hz, where=RATE)
        report = estimate(work, machine, place, decode_rate_hz=rate_hz)
        off_w = None if place is None or share is None else off_power_w(work, machine, place)
        average_w = None if off_w is None or share is None else average_power_w(report.total_power_w, off_w, share)
        learnt = None if self.learning is None else self._in_time(
            recalibration_cost(work, machine, self.learning), report
        )  # fmt: skip
        least_w = self._added_w(learnt, report, place)
        if least_w is not None:
            average_w = (average_w or report.total_power_w) + least_w
        cannot, unknown = ((), ()) if learnt is None else (
            [f"recalibration: {line}" for line in lines] for lines in (learnt.infeasibilities, learnt.unaccounted)
        )
        verdict = None if place is None else judge(
            place, report, average_w=average_w, cannot=cannot, unknown=unknown
        )  # fmt: skip
        added_w = None if cannot or unknown else least_w
        return PricedPoint(self, work, machine, place, asked, report, verdict, off_w, average_w, learnt, added_w)

    def _in_time(self, learnt: RecalibrationCost, report: EnergyReport) -> RecalibrationCost:
        """Return the cost with a line where decisions and samples leave less time than a recalibration takes."""
        interval_s = self.grid.recalibration_interval_s
        left_s = math.inf if interval_s is None else interval_s * (1.0 - self._busy(report))
        if learnt.time_s.nominal <= left_s:
            return learnt
        line = f"a recalibration takes {learnt.time_s.nominal:.3g} s; decisions leave {max(0.0, left_s):.3g} s for it"
        return replace(learnt, infeasibilities=(*learnt.infeasibilities, line))

    def _busy(self, report: EnergyReport) -> float:
        """Return the share of the time in which the machine works on decisions and samples."""
        return (self.grid.duty_cycle or 1.0) * report.busy.nominal

    def _added_w(self, learnt: RecalibrationCost | None, report: EnergyReport, place: Site | None) -> Band | None:
        """Return the mean power that learning adds, what of it is priced [W]: none where it cannot run."""
        interval_s = self.grid.recalibration_interval_s
        if interval_s is None or learnt is None:
            return None
        if learnt.infeasibilities:
            return ZERO
        if place is None:
            return learnt.power_w(interval_s)
        return added_power_w(report, place, learnt.power_w(interval_s))

    def _placed(self, work: Workload) -> tuple[HardwareProfile, Site | None, Site | None]:
        """Return the machine, the site as its live channels draw, and the site with every channel alive."""
        lost = self.grid.electrodes_lost or 0
        if lost >= work.channels:
            raise StudyError(
                f"{lost} of {work.channels} electrodes", where=f"over, {LOST}",
                remedy=f"Give less than the {work.channels} channels of {work.name}",
            )
        if self.home is None and (self.grid.electrodes_lost is not None or self.grid.duty_cycle is not None):
            raise StudyError(
                "nothing is known of the device around the machine", where="over",
                remedy=f"Name a site for {LOST} and duty_cycle",
            )
        if self.base is None:
            machine, place = with_constants(self._designed, self.home, self.grid.constants)
        else:
            machine, place = self.grid.place(self.base, self.home)
        return machine, place if place is None else with_lost_electrodes(place, lost, of=work.channels), place

    @cached_property
    def _designed(self) -> HardwareProfile:
        node, supply = self.grid.node_nm, self.grid.supply_v
        choices = Choices() if node is None else Choices(nodes_nm=(node,))
        choices = choices if supply is None else replace(choices, supplies_v=(supply,))
        between = 1.0 / self.grid.decode_rate_hz
        given = None if self.home is None or self.home.deadline is None else self.home.deadline.band.nominal
        work = self.grid.workload(self.counted)
        task = Task(work, self.grid.decode_rate_hz, between if given is None else min(given, between))
        return own_machine(task, choices)


@dataclass(frozen=True, slots=True)
class PricedPoint:
    """A point of a sweep with its price.

    Parameters
    ----------
    point : SweepPoint
    work : Workload
        The network at the point's widths.
    machine, site
        With all that the point sets.
    asked : Site or None
        The site as it is where no electrode is dead: its constants are those of a live channel.
    report : EnergyReport
        What the device draws while it is on.
    verdict : Verdict or None
        None without a site.
    off_w, average_w : Band or None
        What the device draws while it is off, and on average [W]; None where it is always on and does not learn.
    learnt : RecalibrationCost or None
        What one recalibration costs.
    added_w : Band or None
        Mean power that recalibrations add [W]; None where there are none, or it is not known whole.
    """

    point: SweepPoint
    work: Workload
    machine: HardwareProfile
    site: Site | None
    asked: Site | None
    report: EnergyReport
    verdict: Verdict | None
    off_w: Band | None
    average_w: Band | None
    learnt: RecalibrationCost | None = None
    added_w: Band | None = None

    @property
    def design(self) -> Design:
        """The point as `energy_models.analysis` takes it."""
        return Design(self.work, self.machine, self.site, self.report.decode_rate_hz)

    @property
    def whole(self) -> bool:
        """Whether the machine runs the network and learns as it is asked to, and all of it has a price."""
        learns = self.learnt is None or self.added_w is not None
        return learns and not (self.report.infeasibilities or self.report.unaccounted)

    @property
    def lost(self) -> int:
        """Channels whose electrode is dead."""
        return self.point.grid.electrodes_lost or 0

    @property
    def learning_w(self) -> Band:
        """Mean power of learning on the machine itself [W]; zero where it does not learn."""
        interval_s = self.point.grid.recalibration_interval_s
        if self.learnt is None or interval_s is None or self.added_w is None:
            return ZERO
        return self.learnt.power_w(interval_s)

    def learning_draws_w(self, constants: Mapping[str, Array]) -> Array | None:
        """Return draws of `learning_w`, spread over the time in which the device is on; None where it does not learn.

        Parameters
        ----------
        constants : mapping of path to array, shape (draws,)
        """
        grid, how = self.point.grid, self.point.learning
        if how is None or grid.recalibration_interval_s is None:
            return None
        found = recalibration_draws_w(self.work, self.machine, how, grid.recalibration_interval_s, constants)
        return found / (grid.duty_cycle or 1.0)

    @property
    def sent_channels(self) -> int:
        """Channels that a device would send raw: those whose electrode is alive."""
        return self.work.channels - self.lost

    @property
    def compares(self) -> bool:
        """Whether it can be held against raw streaming: something is sent, and the power is known whole."""
        site = self.site
        return site is not None and site.link is not None and not isinstance(site.radio, Absent) and self.whole

    def against_raw(self) -> StreamingComparison | None:
        """Return the device beside one that sends every sample; None where they cannot be compared.

        Both are on; what learning draws is spread over the time in which they are.
        """
        if self.site is None or not self.compares:
            return None
        return compare_raw_streaming(
            self.site, self.report, channels=self.sent_channels, recorded=self.work.channels,
            learning_w=self.learning_w.times(1.0 / (self.point.grid.duty_cycle or 1.0)),
        )  # fmt: skip

    def charge_lasts_s(self) -> Band | None:
        """Return how long one charge lasts [s]; None without a battery, or where the power is not known whole."""
        if self.site is None or self.site.battery is None or not self.whole:
            return None
        return battery_life_s(self.site.battery, self.average_w or self.report.total_power_w)

    def given_cells(self) -> dict[str, object]:
        """Return what the point is: network, machine, site and all that was varied.

        A machine that is scaled keeps its name; its node and supply are columns.
        """
        grid, base = self.point.grid, self.point.base
        asked = {CHANNELS: grid.channels, BITS: grid.bits, "weight_bits": grid.weight_bits,
                 "activation_bits": grid.activation_bits}  # fmt: skip
        return {
            "workload": self.work.name, "machine": DESIGNED if base is None else base.name,
            "site": "" if self.site is None else self.site.name,
            **{name: value for name, value in asked.items() if value is not None},
            "widths": self.work.provenance.get("widths", AS_COUNTED), **grid.cells(self.machine, self.asked),
        }

    def price_cells(self) -> dict[str, object]:
        """Return what it costs and whether it fits, under the names of a price."""
        cells = price_cells(self.report, self.verdict)
        cannot = self.verdict is None and self.learnt is not None and self.learnt.infeasibilities
        return {**cells, "verdict": CANNOT_RUN} if cannot else cells

    def study_cells(self) -> dict[str, object]:
        """Return whether all work has a price, verdicts of all limits, power by cause, raw streaming, the battery."""
        cells: dict[str, object] = {
            "complete": not (self.report.unaccounted or (self.learnt is not None and self.learnt.unaccounted)),
            **limit_cells(self.report, self.verdict),
            **allowed_cells(self.verdict, self.report.total_power_w, self.average_w),
            **cause_cells(self.report, self.site),
        }
        runs = not self.report.infeasibilities
        if self.off_w is not None:
            cells |= band_cells("off_power", "w", self.off_w if runs else UNKNOWN)
        if self.learnt is not None:
            cells |= recalibration_cells(self.learnt, self.added_w, self.point.grid.recalibration_interval_s)
        if self.off_w is not None or self.learnt is not None:
            known = runs and self.average_w is not None and (self.learnt is None or self.added_w is not None)
            cells |= band_cells("average_power", "w", (self.average_w if known else None) or UNKNOWN)
        cells |= streaming_cells(self.against_raw())
        return cells | battery_cells(self.site, self.charge_lasts_s(), self.point.grid.charge_cycles)
