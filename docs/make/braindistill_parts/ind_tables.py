"""Two tables of the page on BrainDistill's power: what its network does, and what it draws on our machines."""

from __future__ import annotations

from markdown_tables import number, row

from braindistill_parts import text
from energy_models.analysis.published_models.charges import FETCHES, NETWORK, WAVELETS, total_products, workloads
from energy_models.analysis.published_models.reconcile import operations, published_w
from energy_models.hardware import load_profile
from energy_models.pricing import EnergyReport, estimate

MACHINES = ("asic22_fdx", "asic45_reference", "asic65_near_memory", "gap9", "cortex_m33_u575", "cortex_m4f")


def counts_section() -> str:
    """Return what one decision takes, after the wavelets and with them, at both widths."""
    rows = [("textbook products", total_products(NETWORK), total_products(WAVELETS))]
    ours, whole = workloads(NETWORK), workloads(WAVELETS)
    measures = {"other operations": operations} | {f"bits: {what}": fetch for what, fetch in FETCHES.items()}
    for what, fetch in measures.items():
        rows += [
            (f"{what}, FP32", fetch(ours.float32), fetch(whole.float32)),
            (f"{what}, W8A8", fetch(ours.w8a8), fetch(whole.w8a8)),
        ]
    weights = sum(layer.weights + layer.biases for layer in ours.float32.layers)
    lines = [row((name, f"{first:,.0f}", f"{second:,.0f}")) for name, first, second in rows]
    return text.COUNTS.format(weights=f"{weights:,}", rows="".join(lines))


def machines_section(rate_hz: float) -> str:
    """Return what our estimate gives for the network after its wavelets on some machines."""
    rows: list[str] = []
    for name in MACHINES:
        machine = load_profile(name)
        reports = [
            estimate(work, machine, None, decode_rate_hz=rate_hz)
            for work in (workloads(NETWORK).float32, workloads(NETWORK).w8a8)
        ]
        float32, w8a8 = (report.decoder_power_w.nominal for report in reports)
        ratio = "" if _unpriced(reports[0]) else f"{float32 / w8a8:.2f}"
        rows.append(row((f"`{name}`", *map(_drawn, reports), ratio, number(published_w().w8a8 / w8a8))))
    return text.MACHINES.format(rate=number(rate_hz), rows="".join(rows))


def _unpriced(report: EnergyReport) -> bool:
    return any(gap.startswith("unpriced") for gap in report.incomplete)


def _drawn(report: EnergyReport) -> str:
    if _unpriced(report):
        return "no float units"
    band = report.decoder_power_w
    return f"{_milliwatt(band.nominal)} [{_milliwatt(band.low)}, {_milliwatt(band.high)}]"


def _milliwatt(power_w: float) -> str:
    return number(power_w * 1e3)
