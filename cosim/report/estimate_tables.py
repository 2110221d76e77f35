"""One estimate as rows: by layer and cause, by cause, against the limits, with what decides it."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.evaluation.feasibility import Verdict, judge
from cosim.evaluation.stream_rate import check_stream_rate
from cosim.report.figures import duration_text, quantity_text, ratio_text
from cosim.report.figures.numbers import digits_text
from cosim.tables.widths import lag_text
from energy_models.analysis import Design, Swing, sample_designs, spread, tornado
from energy_models.analysis.published_models import load_cost_model, mac_only_energy, ratio
from energy_models.feasibility import LimitCheck
from energy_models.hardware import HardwareProfile, Site, load_profile, load_site
from energy_models.mapping import AccessCount, access_counts
from energy_models.pricing import EnergyReport, Reload, estimate
from energy_models.quantities import Band
from energy_models.workload import Workload

MAC_ONLY = "mindful"
"""The model that stands beside every estimate: what the only other implant framework charges."""


def bounds(band: Band, unit: str) -> dict[str, object]:
    """Return the three cells of a quantity."""
    return {"low": quantity_text(band.low, unit), "nominal": quantity_text(band.nominal, unit),
            "high": quantity_text(band.high, unit)}


def bounds_below(band: Band, unit: str) -> dict[str, object]:
    """Return the three cells of a quantity of which only a part is known."""
    return {"low": f"≥ {quantity_text(band.low, unit)}", "nominal": f"≥ {quantity_text(band.nominal, unit)}",
            "high": "unknown"}


NO_PRICE = "no price"
NOT_CHECKED = " not checked: "
NO_FLOAT = " prices no float "
SPIKING_STYLES = ("event_driven", "event_table", "event_cycles")
"""Styles whose machines update neurons, and do no other work on single elements."""
FLOAT_HINT = (
    "a network of floats on a machine for integers: count a quantised one, or assume widths: add --sweep bits=8 "
    "(weight_bits=8 where the network cannot be built again), in Python over={'weight_bits': [8]} of cosim.sweep; a "
    "workload file takes them with cosim workload --weight-bits 8 --activation-bits 8 ..."
)
MOST_LAYERS = 3
_NEEDED = re.compile(r"\(needed by ([^()]*)\)")


def few_layers(line: str) -> str:
    """Return a reason for people, of whose layers the first are named and the others counted."""

    def few(found: re.Match[str]) -> str:
        names = found[1].split(", ")
        rest = len(names) - MOST_LAYERS
        return found[0] if rest < 2 else f"(needed by {', '.join(names[:MOST_LAYERS])} and {rest} more)"

    return _NEEDED.sub(few, line)


@dataclass(frozen=True, slots=True)
class EstimateTables:
    """One estimate and what is derived from it.

    Parameters
    ----------
    title : str
    report : EnergyReport
    verdict : Verdict or None
        The answer at the site, with all its limits; None without one.
    quantiles_w : tuple of float
        5 %, 50 % and 95 % points of the whole device's power [W].
    decoder_quantiles_w : tuple of float
        The same of the decoder alone [W].
    tornado : tuple of Swing
    accesses : tuple of AccessCount
        Per decode, by layer, operand and memory level.
    mac_only_j : Band or None
        One decode under MINDFUL's MAC-only model [J]; None where that has no price for what the network does.
    notes : tuple of str
        What a reader may take for something else.
    """

    title: str
    report: EnergyReport
    verdict: Verdict | None
    quantiles_w: tuple[float, float, float]
    decoder_quantiles_w: tuple[float, float, float]
    tornado: tuple[Swing, ...]
    accesses: tuple[AccessCount, ...]
    mac_only_j: Band | None
    notes: tuple[str, ...] = ()

    @property
    def limits(self) -> tuple[LimitCheck, ...]:
        """Every limit of the site, tightest first; empty without a site."""
        return () if self.verdict is None else self.verdict.checks

    @property
    def unchecked(self) -> tuple[str, ...]:
        """A line for each limit of the site that cannot be compared for want of a figure."""
        return () if self.verdict is None else self.verdict.unchecked

    @property
    def unchecked_parts(self) -> tuple[tuple[str, str], ...]:
        """The name of each limit that cannot be compared, and why."""
        return tuple((name, why) for name, _, why in (line.partition(NOT_CHECKED) for line in self.unchecked))

    @property
    def unfit(self) -> tuple[str, ...]:
        """Why it does not fit the machine, beside work without a price, which is a gap."""
        return tuple(line for line in self.report.infeasibilities if f"unpriced: {line}" not in self.report.unaccounted)

    @property
    def headline(self) -> str:
        """What a reader must know before any figure: the answer at the site, or that there is none."""
        if self.report.unaccounted:
            also = " Nor does it fit the machine." if self.unfit else ""
            return f"INCOMPLETE: some of the network's work is in no figure. Each sum is a lower bound.{also}"
        if self.report.infeasibilities:
            return "Does not fit the machine."
        if self.verdict is None:
            return "No site given: the machine alone, held against no limit."
        binding = self.verdict.binding
        return f"{self.verdict.verdict.capitalize()}. Tightest limit: {binding.name}, {ratio_text(binding.headroom)}."

    @property
    def answer(self) -> tuple[str, ...]:
        """The headline and, where the site has a power budget, how it is used and what takes most of it."""
        found = [check for check in self.limits if check.name == "power_budget"]
        if not found or self.report.infeasibilities:
            return (self.headline,)
        used, limit = found[0].value, found[0].limit.nominal
        rest = limit - used.nominal
        cause, most = max(self.report.power_w.items(), key=lambda one: one[1].nominal)
        least = "at least " if self.report.unaccounted else ""
        return (
            self.headline,
            f"Budget {quantity_text(limit, 'W')}: {found[0].verdict}. The device draws {least}"
            f"{quantity_text(used.nominal, 'W')} (most of it {cause}, {quantity_text(most.nominal, 'W')}); "
            f"{quantity_text(abs(rest), 'W')} {'too much' if rest < 0 else 'left'}.",
        )

    @property
    def cautions(self) -> tuple[str, ...]:
        """What is left out of the figures or may be taken for something else, and what to do about it."""
        floats = any(NO_FLOAT in line for line in self.report.unaccounted)
        return (*((FLOAT_HINT,) if floats else ()), *self.report.incomplete, *self.notes)

    def _bounds(self, band: Band, unit: str) -> dict[str, object]:
        return bounds_below(band, unit) if self.report.unaccounted else bounds(band, unit)

    @property
    def mac_only_ratio(self) -> Band | None:
        """Our energy of a decode over the MAC-only model's; None where that has none."""
        return None if self.mac_only_j is None else ratio(self.report.decode_energy_j, self.mac_only_j)

    @property
    def swings(self) -> tuple[str, ...]:
        """One line for each constant that moves the device's power by a shown digit, the strongest first."""
        ends = [(one, quantity_text(one.low_w, "W"), quantity_text(one.high_w, "W")) for one in self.tornado]
        return tuple(
            f"{one.path} moves the device from {low} to {high} ({one.basis}, {one.source})"
            for one, low, high in ends
            if low != high
        )

    def layer_rows(self) -> list[dict[str, object]]:
        """Return energy per decode by layer and cause [J], plain numbers; None for what has no price or no count."""
        none: dict[str, object] = {"energy_low_j": None, "energy_j": None, "energy_high_j": None}
        rows: list[dict[str, object]] = []
        for layer in self.report.layers:
            name: dict[str, object] = {"layer": layer.layer, "kind": layer.kind}
            rows += [
                {**name, "cause": cause, "energy_low_j": band.low, "energy_j": band.nominal, "energy_high_j": band.high}
                for cause, band in layer.energy_j.items()
                if band.high > 0 or not layer.unpriced  # beside a gap, zero is what is left of an unknown
            ]
            if layer.unpriced:
                rows.append({**name, "cause": NO_PRICE, **none})
        uncounted = [line for line in self.report.unaccounted if line.startswith("uncounted: ")]
        return [*rows, *({"layer": "", "kind": "", "cause": line, **none} for line in uncounted)]

    def layer_lines(self) -> list[dict[str, object]]:
        """Return the same for reading, with what has no price, and the sum last."""
        lines: list[dict[str, object]] = []
        for layer in self.report.layers:
            name = {"layer": layer.layer, "kind": layer.kind}
            lines += [{**name, "cause": cause, **bounds(j, "J")} for cause, j in layer.energy_j.items() if j.high > 0]
            if layer.unpriced:
                lines.append({**name, "cause": NO_PRICE, "low": "unknown", "nominal": "unknown", "high": "unknown"})
        whole = self._bounds(self.report.decode_energy_j, "J")
        return [*lines, {"layer": "one decode", "kind": "", "cause": "", **whole}]

    def power_lines(self) -> list[dict[str, object]]:
        """Return average power by cause, the decoder's and the device's sum last."""
        lines: list[dict[str, object]] = [
            {"power": cause, **bounds(band, "W")} for cause, band in self.report.power_w.items() if band.high > 0
        ]
        decoder, device = self.report.decoder_power_w, self.report.total_power_w
        return [
            *lines, {"power": "decoder", **self._bounds(decoder, "W")}, {"power": "device", **self._bounds(device, "W")}
        ]

    def summary_lines(self) -> list[dict[str, object]]:
        """Return latency, sampled power and memory."""
        names = ("low", "nominal", "high")
        sampled = {
            "decoder, 5 / 50 / 95 %": self.decoder_quantiles_w, "device, 5 / 50 / 95 %": self.quantiles_w,
        }
        lines: list[dict[str, object]] = [{"figure": "latency", **self._bounds(self.report.latency_s, "s")}]
        if not self.report.unaccounted:  # quantiles and ratios of a part say nothing of the whole
            for name, values in sampled.items():
                lines.append({"figure": name, **{n: quantity_text(v, "W") for n, v in zip(names, values, strict=True)}})
            lines += self._account_lines()
        for use in self.report.memories:
            share = f"{use.used_bits:,.0f} of {use.capacity_bits:,.0f} bit"
            lines.append({"figure": f"memory {use.memory}", "low": "", "nominal": share, "high": ", ".join(use.holds)})
        return [*lines, *_reload_lines(self.report.reload)]

    def _account_lines(self) -> list[dict[str, object]]:
        """Return the MAC-only model and how many times ours is; nothing where it has no price."""
        if self.mac_only_j is None or self.mac_only_ratio is None:
            return []
        times = self.mac_only_ratio
        cells = {end: f"{digits_text(getattr(times, end), 3)} times" for end in ("low", "nominal", "high")}
        return [
            {"figure": f"mac_only ({MAC_ONLY})", **bounds(self.mac_only_j, "J")},
            {"figure": "decode over mac_only", **cells},
        ]

    def limit_lines(self) -> list[dict[str, object]]:
        """Return every limit of the site, tightest first, and last those that cannot be compared, with the reason."""
        columns = ("allowed", "used", "headroom", "to spare", "lasts")
        unchecked: list[dict[str, object]] = [
            {"limit": name, **dict.fromkeys(columns, ""), "used": "unknown", "verdict": f"not checked: {why}"}
            for name, why in self.unchecked_parts
        ]
        return [*(self._limit_line(check) for check in self.limits), *unchecked]

    def _limit_line(self, check: LimitCheck) -> dict[str, object]:
        partly = bool(self.report.unaccounted) and check.name != "link"
        least, most = ("≥ ", "≤ ") if partly else ("", "")
        return {
            "limit": check.name,
            "allowed": quantity_text(check.limit.nominal, check.unit),
            "used": f"{least}{quantity_text(check.value.nominal, check.unit)}",
            "headroom": f"{most}{digits_text(check.headroom, 4)}",
            "to spare": "" if check.spare_w is None else f"{most}{quantity_text(check.spare_w.nominal, 'W')}",
            "lasts": "" if check.lasts_s is None else f"{most}{duration_text(check.lasts_s.nominal)}",
            "verdict": check.verdict,
        }

    def document(self) -> dict[str, Any]:
        """Return everything as JSON holds it, in SI, under the names of results (``power_w`` is the device's)."""
        report = dataclasses.asdict(self.report)
        for name, known in (("profile", "machine"), ("profile_hash", "machine_hash"), ("power_w", "power_by_cause_w")):
            report[known] = report.pop(name)
        if self.report.reload is not None:
            report["reload"]["break_even_s"] = _finite(self.report.reload.break_even_s)
        derived = {
            "decode_energy_j": dataclasses.asdict(self.report.decode_energy_j),
            "decoder_power_w": dataclasses.asdict(self.report.decoder_power_w),
            "power_w": dataclasses.asdict(self.report.total_power_w),
        }
        sampled = {"power_w": list(self.quantiles_w), "decoder_power_w": list(self.decoder_quantiles_w)}
        limits = [
            {**dataclasses.asdict(check), "headroom": _finite(check.headroom), "lasts_s": _finite_band(check.lasts_s)}
            for check in self.limits
        ]
        swings = [dataclasses.asdict(one) for one in self.tornado]
        model = None
        if self.mac_only_j is not None and self.mac_only_ratio is not None:
            both = {"energy_j": self.mac_only_j, "decode_over_it": self.mac_only_ratio}
            model = {"model": MAC_ONLY, **{name: dataclasses.asdict(band) for name, band in both.items()}}
        found = {
            "verdict": None if self.verdict is None else self.verdict.verdict, "incomplete": self.report.incomplete,
            "notes": list(self.notes),
            "quantiles_5_50_95": sampled, "limits": limits, "unchecked_limits": list(self.unchecked),
            "tornado": swings, "mac_only": model,
            "accesses": [dataclasses.asdict(one) for one in self.accesses],
        }
        return {**report, **derived, **found}


def _reload_lines(reload: Reload | None) -> list[dict[str, object]]:
    """Return what keeping and reloading the weights cost, and the time off at which they cost the same."""
    if reload is None:
        return []
    even = "no time off" if reload.break_even_s == float("inf") else f"{duration_text(reload.break_even_s)} off"
    found = f"break-even at {even}; off for {duration_text(reload.off_s)}: {reload.choice}"
    return [
        {"figure": f"keeping {reload.memory}", **bounds(reload.kept_w, "W")},
        {"figure": f"reloading it from {reload.store}", **bounds(reload.energy_j, "J")},
        {"figure": f"weights in {reload.memory}", "low": "", "nominal": found, "high": ""},
    ]


def _finite(value: float) -> float | None:
    return value if value < float("inf") else None


def _finite_band(band: Band | None) -> dict[str, float | None] | None:
    return None if band is None else {end: _finite(value) for end, value in dataclasses.asdict(band).items()}


def estimate_tables(
    workload: Workload, profile: str | Path | HardwareProfile, site: str | Path | Site | None, *,
    decode_rate_hz: float, draws: int, seed: int,
) -> EstimateTables:
    """Return one workload priced on one machine.

    Parameters
    ----------
    workload : Workload
    profile, site
        Machine and place: names, paths of TOML files, or objects; no site: None.
    decode_rate_hz : float
        Decisions per second [Hz].
    draws, seed : int
        Of the uncertain constants; draws a power of two.

    Raises
    ------
    CosimError
        An unknown name, an impossible rate, one a stream does not have, or draws that are no power of two.
    """
    machine, place = load_profile(profile), None if site is None else load_site(site)
    report = estimate(workload, machine, place, decode_rate_hz=decode_rate_hz)
    if workload.mode == "stream":
        check_stream_rate(decode_rate_hz, workload.step_rate_hz, where="--decode-rate")
    design = Design(workload, machine, place, decode_rate_hz)
    (points,) = sample_designs((design,), draws=draws, seed=seed)
    where = "no site" if place is None else place.title
    return EstimateTables(
        title=f"{workload.name} on {machine.title}, {where}, {decode_rate_hz:g} decisions a second",
        report=report,
        verdict=None if place is None else judge(place, report),
        quantiles_w=spread(points.total_power_w),
        decoder_quantiles_w=spread(points.decoder_power_w),
        tornado=tornado(design),
        accesses=access_counts(workload, machine),
        mac_only_j=_mac_only(workload),
        notes=_notes(workload, machine, place),
    )


def _notes(workload: Workload, machine: HardwareProfile, site: Site | None) -> tuple[str, ...]:
    found = [lag_text(workload)] if workload.lag_s else []
    by_hand = _state_by_hand(workload) if machine.execution.style in SPIKING_STYLES else None
    if by_hand:
        found.append(
            f"state carried by hand ({by_hand}): its element-wise work is counted as written, and {machine.name} "
            "prices updates of neurons only; the same neurons written as layers (snntorch.Leaky, students.neurons) "
            "are priced"
        )
    if site is not None and site.channels != workload.channels:
        found.append(
            f"front end and converter are charged for the network's {workload.channels} channels, where {site.name} "
            f"has {site.channels}"
        )
    return tuple(found)


def _state_by_hand(workload: Workload) -> str:
    """Return the layers that carry state beside comparisons, as neurons that are not written as such; empty: none."""
    fires = any(layer.kind == "elementwise" and "compare" in layer.operations for layer in workload.layers)
    carried = [layer.name for layer in workload.layers if layer.kind == "elementwise" and layer.state_elements]
    return ", ".join(carried) if fires else ""


def _mac_only(workload: Workload) -> Band | None:
    """Return the MAC-only energy; None for spiking networks, for which the model has no price."""
    model = load_cost_model(MAC_ONLY)
    return mac_only_energy(workload, model) if model.prices(workload) else None
