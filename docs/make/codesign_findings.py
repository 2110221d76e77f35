"""What networks ask of their machines, in words and figures, from the rows of ``benchmarks/codesign.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from textwrap import fill
from typing import Any

from codesign_text import ASKED, ASKS
from markdown_tables import number, percent

from energy_models.technology import machine_laws
from energy_models.technology.machine_laws import at

MICRO, MILLI, WIDTH = 1e6, 1e3, 120
KEPT = ("retention", "static")
SAME = 1.001
"""Factor of power within which a deadline is said to change nothing."""
Row = Mapping[str, Any]
Rows = Sequence[Row]


def findings(parts: Mapping[str, Rows]) -> str:
    """Return the section of a page that says what networks ask of their machines."""
    studies = parts["studies"]
    said = {**_kept(studies), **_rates(parts["rates"]), **_geometry(studies, parts["bits"]),
            **_deadlines(parts["deadlines"]), **_gains(studies, parts["bits"]), "widths": _widths(studies)}  # fmt: skip
    bullets = (fill(line.format(**said), WIDTH, initial_indent="- ", subsequent_indent="  ") for line in ASKED)
    return ASKS + "\n" + "\n".join(bullets) + "\n"


def _kept(studies: Rows) -> dict[str, str]:
    shares = [sum(one["causes_w"].get(cause, 0.0) for cause in KEPT) / sum(one["causes_w"].values()) for one in studies]
    smallest = min(studies, key=lambda one: float(one["power_w"]))
    rates = [float(one["rate_hz"]) for one in studies]
    return {
        "kept_least": percent(round(min(shares), 2)), "kept_most": percent(round(max(shares), 2)),
        "kept_middle": percent(round(median(shares), 2)), "decoders": str(len(studies)),
        "rate_least": number(min(rates)), "rate_most": number(max(rates)),
        "floor": number(at(machine_laws().always_on.power, "nominal") * MICRO), "smallest": _name(smallest),
        "smallest_power": number(smallest["power_w"] * MICRO),
    }  # fmt: skip


def _rates(rates: Rows) -> dict[str, str]:
    first, last = rates[0], rates[-1]
    return {
        "rate_first": f"{first['rate_hz']:g}", "rate_last": f"{last['rate_hz']:g}", "led_first": _led(first),
        "led_last": _led(last), "growth": f"{last['power_w'] / first['power_w']:.0f} times",
        "times": f"{last['rate_hz'] / first['rate_hz']:.0f}",
    }


def _led(one: Row) -> str:
    whole, causes = sum(one["causes_w"].values()), one["causes_w"]
    first = sorted(causes, key=causes.__getitem__, reverse=True)[:3]
    return ", ".join(f"{name} {percent(round(causes[name] / whole, 2))}" for name in first)


def _geometry(studies: Rows, bits: Rows) -> dict[str, str]:
    eegnet = next(one for one in bits if one["form"] == "w4a4")
    multipliers = [_multipliers(one) for one in studies]
    products = [one["products"]["reduction"] * one["products"]["filters"] for one in studies]
    work = [_work(one) for one in studies]
    slack = min(one["deadline_s"] / one["latency_s"] for one in studies)
    return {
        "k": f"{eegnet['products']['reduction']:g}", "n": f"{eegnet['products']['filters']:g}",
        "array": f"{eegnet['rows']:g} × {eegnet['columns']:g}",
        "work": number(_work(eegnet)), "less_least": number(min(work)), "less_most": number(max(work)),
        "few_least": f"{min(multipliers):g}", "few_most": f"{max(multipliers):g}",
        "few_middle": f"{median(multipliers):g}",
        "kn_most": number(max(products)), "slack": number(float(f"{slack:.2g}")),
    }


def _work(one: Row) -> float:
    return float(one["products"]["reduction"] * one["products"]["filters"] * one["products"]["positions"])


def _multipliers(one: Row) -> float:
    return float(one["columns"] if one["style"] == "input_broadcast" else one["rows"] * one["columns"])


def _deadlines(rows: Rows) -> dict[str, str]:
    free = rows[0]
    same = [one for one in rows if one["power_w"] <= SAME * free["power_w"]]
    tight = [
        f"{one['deadline_s'] * MILLI:g} ms costs {percent(round(one['power_w'] / free['power_w'] - 1, 3))} more "
        f"({one['supply_v']:g} V, {one['rows']:g} × {one['columns']:g})"
        for one in rows if one not in same
    ]  # fmt: skip
    return {
        "free_ms": number(free["latency_s"] * MILLI), "same_ms": f"{same[-1]['deadline_s'] * MILLI:g}",
        "tight": f"{', '.join(tight)}." if tight else "",
    }


def _gains(studies: Rows, bits: Rows) -> dict[str, str]:
    eegnet = next(one for one in bits if one["form"] == "w4a4")
    went = sum(eegnet["fixed_causes_w"].get(cause, 0.0) - eegnet["causes_w"].get(cause, 0.0) for cause in KEPT)
    gains = {_name(one): _least(one) / one["power_w"] for one in studies if any(one["fixed_w"].values())}
    least, most = (choose(gains, key=gains.__getitem__) for choose in (min, max))
    return {
        "gain_least": f"{gains[least]:.1f}", "gain_most": f"{gains[most]:.1f}", "gain_least_name": least,
        "gain_most_name": most, "went": percent(round(went / (eegnet["fixed_w"] - eegnet["power_w"]), 2)),
    }


def _least(one: Row) -> float:
    return min(power for power in one["fixed_w"].values() if power is not None)


def _widths(studies: Rows) -> str:
    named = {(one["study"], one["decoder"]): one for one in studies}
    found: list[str] = []
    for (study, decoder), wide in named.items():
        narrow = named.get((study, decoder.replace("w8a8", "w2a4")))
        if "w8a8" in decoder and narrow is not None:
            saved = 1 - narrow["power_w"] / wide["power_w"]
            found.append(f"{_name(wide).removesuffix(' w8a8')} saves {percent(round(saved, 3))}")
    return "; ".join(found)


def _name(one: Row) -> str:
    return f"{one['study'].replace('_', ' ')} {one['decoder']}"
