"""The page on BrainDistill's power: ``python docs/make/braindistill_page.py > docs/braindistill.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from braindistill_parts import text
from braindistill_parts.ind_tables import counts_section, machines_section
from citations import source_lines
from markdown_tables import number, percent, row

from energy_models.analysis.published_models.charges import (
    NETWORK,
    ONCE,
    WAVELETS,
    Charge,
    charges,
    total_products,
    workloads,
)
from energy_models.analysis.published_models.reconcile import (
    Split,
    arithmetic_j,
    no_arithmetic,
    no_traffic,
    published_w,
    shipped,
)
from energy_models.analysis.published_models.static_free import (
    RADIO,
    WIDTH_RATIO,
    arithmetic_ratio,
    nearest,
    static_free,
    static_free_traffic,
)
from energy_models.quantities import quantities

MILLI, NANO, PICO, MEGA = 1e3, 1e9, 1e12, 1e-6
TOKENS, MANY_TOKENS = 20, 100


def braindistill_page() -> str:
    """Return the page, as markdown."""
    sources = source_lines(one.source for _, one in quantities(shipped()))
    tables = (_published(), counts_section(), _cases(), _both_figures(), machines_section(_rate_hz()))
    return "".join((_answer(), *tables, *sources))


def _rate_hz() -> float:
    return shipped().published.rate.band.nominal


def _mw(power_w: float) -> str:
    return number(power_w * MILLI)


def _signed(power_w: float) -> str:
    return f"{power_w * MILLI:+.2f}"


def _span(values: Iterable[float]) -> str:
    found = sorted(values)
    return f"{number(found[0])} to {number(found[-1])}"


def _answer() -> str:
    power, found = published_w(), charges()
    held = [one for one in found if one.holds]
    wavelets, network = ([one for one in held if (one.scope == WAVELETS) is with_them] for with_them in (True, False))
    link = next(one.energy_per_bit_j for one in static_free_traffic() if one.what == RADIO)
    band = shipped().carriers["bluetooth"].energy.band
    return text.ANSWER.format(
        float32=f"{power.float32 * MILLI:.2f}", w8a8=f"{power.w8a8 * MILLI:.2f}",
        most=number(max(one.static_w for one in network) * MILLI), rates=_span(one.rate_hz for one in network),
        link=number(link * NANO), radio=_span((band.low * NANO, band.high * NANO)),
        slow=_span(one.rate_hz for one in wavelets), static=_span(one.static_w * MILLI for one in wavelets),
        once=number(min(one.rate_hz for one in found if one.fetched.startswith(ONCE))),
    )


def _published() -> str:
    given = shipped().published
    named = {"power, FP32": given.float32, "power, W8A8": given.w8a8, "decisions (not published)": given.rate}
    rows = [row((name, f"{one.value:g} {one.unit}", one.basis, one.where)) for name, one in named.items()]
    return text.PUBLISHED.format(rows="".join(rows), rate=number(_rate_hz()))


def _cases() -> str:
    found, each = charges(), arithmetic_j(workloads(NETWORK)).map(lambda energy: energy / total_products(NETWORK))
    return text.CASES.format(
        float32=number(each.float32 * PICO), w8a8=number(each.w8a8 * PICO), rate=number(_rate_hz()),
        rows="".join(_case(one) for one in found),
        off=percent(max(one.off for one in found if one.verdict == "**nearly**")),
    )


def _case(one: Charge) -> str:
    power, rates = one.power_w(_rate_hz()), one.rates_hz
    return row((
        one.scope, one.fetched, _mw(power.float32), _mw(power.w8a8), f"{power.float32 / power.w8a8:.2f}",
        number(rates.float32), number(rates.w8a8),
        f"{number(one.rate_hz)}/s, {_signed(one.static_w)} mW", one.verdict,
    ))


def _both_figures() -> str:
    power, factor = published_w(), arithmetic_ratio()
    least, middle, most = static_free()
    busy = no_traffic(power, arithmetic_ratio=factor)
    each_j = arithmetic_j(workloads(NETWORK)).float32
    slow, rate, fast = (one.arithmetic_w / each_j for one in (least, middle, most))
    by_digits = f"arithmetic {_mw(least.arithmetic_w)} to {_mw(most.arithmetic_w)} by the last digits"
    corners = (
        ("no arithmetic", no_arithmetic(power, width_ratio=WIDTH_RATIO), "impossible: static below zero"),
        ("nothing static", middle, by_digits),
        ("no traffic", busy, f"static is {percent(busy.static_w / power.w8a8)} of the W8A8 figure"),
    )
    return text.SPLIT.format(
        ratio=f"{power.float32 / power.w8a8:.3f}", factor=number(factor), most=percent(busy.static_w / power.float32),
        corners="".join(_corner(*one) for one in corners), share=percent(middle.traffic_w / power.float32),
        per_s=number(rate * total_products(NETWORK) * MEGA),
        pace=number(rate), slow=number(slow), fast=number(fast), tokens=TOKENS, many=MANY_TOKENS,
        rare=number(rate * TOKENS / MANY_TOKENS), flows="".join(_flows()),
    )


def _corner(name: str, parts: Split, remark: str) -> str:
    return row((name, _mw(parts.arithmetic_w), _mw(parts.traffic_w), _signed(parts.static_w), remark))


def _flows() -> Iterable[str]:
    for one in static_free_traffic():
        carrier, times = nearest(one.energy_per_bit_j)
        near = f"{carrier.title}'s" if times == 1 else f"{number(times)} times {carrier.title}'s"
        yield row((one.what, number(one.bits_per_s * MEGA), number(one.energy_per_bit_j * PICO), near))


if __name__ == "__main__":
    sys.stdout.write(braindistill_page())
