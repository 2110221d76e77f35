"""The page of cost models that disagree: ``python docs/make/published_models_page.py > docs/published_models.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from citations import source_lines
from markdown_tables import number, row
from spiking_parts.section import SOURCE, spiking_section

from energy_models.analysis import Design, sample_designs, spread
from energy_models.analysis.published_models import (
    MacOnlyModel,
    eegnet_int8,
    mac_only_energy,
    ratio,
    shipped_cost_models,
    snn_22_32_4,
)
from energy_models.hardware import load_profile, profile_names
from energy_models.pricing import estimate
from energy_models.quantities import Band
from energy_models.workload import Workload

DRAWS, SEED = 1024, 0
MICRO, NANO = 1e6, 1e9

HEADER = """# Published cost models

The same network, priced by others and by us. A *MAC-only* model multiplies products by one energy and stops: no
memory, no control, no leakage, no time. It stands beside our estimate as a model of its own
(`energy_models.analysis.published_models`), never inside it; `cosim estimate` prints MINDFUL's with every estimate, and
how many times ours is. BrainDistill's published power has [its own page](braindistill.md).

Made by `python docs/make/published_models_page.py > docs/published_models.md`; a test keeps it current. Our figures are
one decode's energy on the machine itself (nothing static, no front end, no radio); their band is the central 90 % of
1,024 draws of all constants.

"""
EEGNET = """## EEGNet-8,2, 22 x 1000, 8 bit, one inference

{products:,.0f} textbook products. Activations and weights of 8 bits are assumed, sums of their exact range.

"""
SNN = """## Spiking 22-32-4, 100 steps, one decode

41,600 synaptic events, 3,600 neuron updates, 2,700 messages: the same spikes in every model.

"""
EEGNET_AFTER = """
MAC-only models and silicon differ by a factor of {widest} because they price different things: a multiplier, an
array with its memories, a processor that fetches instructions.

"""
SNN_AFTER = """
The peers spread {spread}-fold, from 0.9 pJ an addition to the same spikes with neurons and messages. The 8-bit
addition is left out of that: a sum of 8-bit weights needs a wider one.

"""


@dataclass(frozen=True, slots=True)
class Line:
    """The price of one network under one model [J]: a value, perhaps a band, and what must be said with it."""

    model: str
    kind: str
    energy_j: float
    band_j: tuple[float, float] | None
    remark: str


def accounts_page() -> str:
    """Return the page, as markdown."""
    eegnet, snn = eegnet_int8(), snn_22_32_4()
    products = sum(layer.products.dense_full.mean for layer in eegnet.layers if layer.products is not None)
    first, second = model_lines(eegnet), model_lines(snn)
    peers = [line.energy_j for line in second if line.kind != "ours" and line.model != _title("horowitz_int8")]
    parts = [
        HEADER, EEGNET.format(products=products), _table(first, _title("mindful"), MICRO, "uJ"), _left_out(eegnet),
        EEGNET_AFTER.format(widest=number(first[-1].energy_j / first[0].energy_j)),
        SNN, _table(second, _title("horowitz_fp32"), NANO, "nJ"),
        SNN_AFTER.format(spread=number(max(peers) / min(peers))), spiking_section(), "## Sources\n\n", *_sources(),
    ]
    return "".join(parts)


def model_lines(workload: Workload) -> list[Line]:
    """Return the prices of a network under every model, ours on each machine that can run it included, least first."""
    lines = [_peer(workload, model) for model in shipped_cost_models().models.values() if model.prices(workload)]
    for one in shipped_cost_models().quoted:
        if one.network == workload.name:
            where = one.energy.where
            lines.append(Line(one.title, "run", one.energy.band.nominal, _ends(one.energy.band), where))
    lines += [_ours(workload, name) for name in profile_names() if not _unpriced(workload, name)]
    return sorted(lines, key=lambda line: (line.energy_j, line.model))


def _peer(workload: Workload, model: MacOnlyModel) -> Line:
    band = mac_only_energy(workload, model)
    measured = "measured" in model.title
    return Line(model.title, "measured" if measured else "MAC-only", band.nominal, _ends(band), "")


def _ours(workload: Workload, name: str) -> Line:
    profile = load_profile(name)
    report = estimate(workload, profile, None, decode_rate_hz=1.0)
    (points,) = sample_designs((Design(workload, profile, None, 1.0),), draws=DRAWS, seed=SEED)
    low, _, high = spread(points.decode_energy_j)
    remark = "does not fit" if report.infeasibilities else ""
    return Line(f"`{name}`", "ours", report.decode_energy_j.nominal, (low, high), remark)


def _unpriced(workload: Workload, name: str) -> tuple[str, ...]:
    """What of a network a machine has no price for: a sum without it is no price of that network."""
    report = estimate(workload, load_profile(name), None, decode_rate_hz=1.0)
    return report.unaccounted


def _left_out(workload: Workload) -> str:
    names = [f"`{name}`" for name in profile_names() if _unpriced(workload, name)]
    return f"\nNot ours to price, for want of units this network needs: {', '.join(names)}.\n" if names else ""


def _ends(band: Band) -> tuple[float, float] | None:
    return (band.low, band.high) if band.low < band.high else None


def _table(lines: Iterable[Line], base: str, scale: float, unit: str) -> str:
    found = list(lines)
    reference = next(line.energy_j for line in found if line.model == base)
    rows = [row(("model", "kind", unit, "band", f"times {base}", "")), "|---|---|---:|---:|---:|---|\n"]
    for line in found:
        band = "" if line.band_j is None else " to ".join(number(end * scale) for end in line.band_j)
        times = ratio(_point(line.energy_j), _point(reference))
        text = "" if times is None else number(times.nominal)
        name = f"**{line.model}**" if line.kind == "ours" else line.model
        rows.append(row((name, line.kind, number(line.energy_j * scale), band, text, line.remark)))
    return "".join(rows)


def _point(value: float) -> Band:
    return Band(value, value, value)


def _title(name: str) -> str:
    return shipped_cost_models().models[name].title


def _sources() -> list[str]:
    costs = [
        cost for model in shipped_cost_models().models.values()
        for cost in (model.multiply_accumulate, model.accumulate, model.update) if cost is not None
    ]
    costs += [one.energy for one in shipped_cost_models().quoted]
    return source_lines((SOURCE, *(cost.source for cost in costs)))


if __name__ == "__main__":
    sys.stdout.write(accounts_page())
