"""Designs side by side: which draws less, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

from cosim.evaluation.stream_rate import check_stream_rate
from cosim.report.figures import quantity_text
from cosim.report.figures.numbers import digits_text
from energy_models.analysis import Comparison, Design, compare, sample_designs, spread
from energy_models.errors import PriceError
from energy_models.hardware import HardwareProfile, Site, load_profile, load_site
from energy_models.pricing import Array, EnergyReport, VectorisedEstimate, estimate
from energy_models.workload import Workload

Part = Literal["decoder", "device"]
AT = "@"


@dataclass(frozen=True, slots=True)
class DesignSource:
    """A workload and a machine, and what the caller calls them; empty: by their own names."""

    workload: Workload
    profile: str | Path | HardwareProfile
    name: str = ""



@dataclass(frozen=True, slots=True)
class NamedDesign:
    """A design as it was asked for, its estimate and its sampled power [W]."""

    name: str
    report: EnergyReport
    power_w: Array

    @property
    def flaw(self) -> str:
        """Why its power is no answer; empty where it is one."""
        if self.report.unaccounted:
            return "incomplete"
        return "does not fit the machine" if self.report.infeasibilities else ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is behind the flaw."""
        return self.report.unaccounted or self.report.infeasibilities


@dataclass(frozen=True, slots=True)
class Pair:
    """Two designs, by name; `found` is None where one of them cannot be run or priced whole."""

    first: str
    second: str
    found: Comparison | None


def compared(
    sources: Sequence[DesignSource], site: str | Path | Site | None, *,
    decode_rate_hz: float, part: Part, draws: int, seed: int,
) -> tuple[list[NamedDesign], list[Pair]]:
    """Return the designs, least median power first, and every pair of them.

    Parameters
    ----------
    sources : sequence of DesignSource
    site : str, Path, Site or None
        One place for all.
    decode_rate_hz : float
        Decisions per second [Hz].
    part : {'decoder', 'device'}
        Whose power is compared.
    draws, seed : int
        Of the uncertain constants; draws a power of two. All designs are priced on the same draws.

    Raises
    ------
    CosimError
        Fewer than two designs, one given twice, or anything that cannot be read or priced.
    """
    place = None if site is None else load_site(site)
    designs = [_design(source, decode_rate_hz) for source in sources]
    names = [source.name or f"{one.workload.name}{AT}{one.profile.name}"
             for source, one in zip(sources, designs, strict=True)]
    if len(set(names)) < len(names) or len(names) < 2:
        raise PriceError(
            f"{len(names)} designs, {len(set(names))} of them different", where="compare",
            remedy="Name two or more, each once, as WORK@PROFILE or as pairs of a workload and a machine; "
            "two workloads of one name on one machine need other names (workload.replace(name=...))",
        )
    placed = [Design(one.workload, one.profile, place, one.decode_rate_hz) for one in designs]
    sampled = sample_designs(placed, draws=draws, seed=seed)
    found = [
        NamedDesign(
            name, estimate(one.workload, one.profile, place, decode_rate_hz=decode_rate_hz), _power_w(points, part)
        )
        for name, one, points in zip(names, placed, sampled, strict=True)
    ]
    found.sort(key=lambda one: spread(one.power_w)[1])
    return found, [_pair(first, second) for first, second in combinations(found, 2)]


def _design(source: DesignSource, decode_rate_hz: float) -> Design:
    workload = source.workload
    if workload.mode == "stream":
        check_stream_rate(decode_rate_hz, workload.step_rate_hz, where="decode_rate_hz")
    return Design(workload, load_profile(source.profile), None, decode_rate_hz)


def design_parts(text: str) -> tuple[str, str]:
    """Return what stands before and behind the last ``@`` of a design's text: a network and a machine.

    Raises
    ------
    PriceError
        One of them is missing.
    """
    work, at, profile = text.rpartition(AT)
    if not at or not work or not profile:
        remedy = f"Give WORK{AT}PROFILE, such as eegnet.json{AT}gap9"
        raise PriceError(f"{text!r:.60} is no design", where="compare", remedy=remedy)
    return work, profile


def _power_w(points: VectorisedEstimate, part: Part) -> Array:
    return points.decoder_power_w if part == "decoder" else points.total_power_w


def _pair(first: NamedDesign, second: NamedDesign) -> Pair:
    known = not (first.flaw or second.flaw)
    return Pair(first.name, second.name, compare(first.power_w, second.power_w) if known else None)


def design_rows(designs: Sequence[NamedDesign]) -> list[dict[str, object]]:
    """Return one row a design: quantiles of its power, and what must be said with it."""
    rows: list[dict[str, object]] = []
    for one in designs:
        least = "≥ " if one.report.unaccounted else ""
        cells = (f"{least}{quantity_text(value, 'W')}" for value in spread(one.power_w))
        rows.append({"design": one.name, **dict(zip(("5 %", "50 %", "95 %"), cells, strict=True)), "remark": one.flaw})
    return rows


def pair_rows(pairs: Sequence[Pair]) -> list[dict[str, object]]:
    """Return one row a pair that can be compared: how surely the first takes less, the quotient of their powers."""
    return [
        {
            "takes less": pair.first, "than": pair.second, "probability": f"{pair.found.probability_less:.3f}",
            "power over power, 5 / 50 / 95 %": " / ".join(digits_text(value, 3) for value in pair.found.ratio),
        }
        for pair in pairs
        if pair.found is not None
    ]
