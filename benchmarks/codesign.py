"""Decoders on machines of their own: what is gained, what the network asks of its machine, and how surely.

    python benchmarks/codesign.py                 # every part, then docs/codesign.md
    python benchmarks/codesign.py --part nodes    # one of them
    python benchmarks/codesign.py --page          # the page again, nothing searched

Nothing is trained: decoders are those of the archived studies, with the work that was counted in them. A part writes
its rows to ``docs/results/codesign`` when it is done.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosim.engine.files import to_json, write_atomically
from cosim.tables.prices import planned_hardware
from cosim.tables.workloads import read_workloads
from energy_models.design import DESIGNED_STYLES, KIB, Choices, Designed, Task, search, win_shares
from energy_models.design.grid import price_machines
from energy_models.design.room import needed_banks
from energy_models.design.widths import datapath_widths
from energy_models.hardware import load_profile, load_site
from energy_models.mapping import matrix_product
from energy_models.pricing import estimate
from energy_models.workload import Workload, at_widths, read_workload

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "docs" / "results" / "codesign"
STUDIES = ROOT / "docs" / "results" / "data"
RATE_HZ, DEADLINE_S = 0.5, 0.5
NODES = (90, 65, 45, 32, 22)
RATES_HZ = (0.1, 0.5, 2.0, 8.0, 32.0)
DEADLINES_S = (0.5, 0.1, 0.02, 0.005, 0.002, 0.001, 0.0005)
USUAL = Choices(bank_bits=(KIB, 2 * KIB, 4 * KIB, 16 * KIB), gated=(True,))
EACH = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
Rows = list[dict[str, Any]]


def eegnet(weight_bits: int, activation_bits: int) -> Workload:
    """Return the shipped EEGNet-8,2 at two widths."""
    path = Path(str(files("energy_models.data"))) / "workloads" / "eegnet_8_2.json"
    return at_widths(read_workload(path), weight_bits=weight_bits, activation_bits=activation_bits)


def chosen(one: Designed) -> dict[str, Any]:
    """Return a machine as a row: power, area, latency and what was chosen."""
    machine = one.machine
    return {
        "power_w": one.power_w, "area_m2": one.area_m2, "latency_s": max(one.latency_s),
        "style": machine.style, "node_nm": machine.node_nm, "supply_v": machine.supply_v,
        "clock_hz": one.profile.clock.band.nominal, "rows": machine.rows, "columns": machine.columns,
        "weight_cell": machine.weight_cell, "data_cell": machine.data_cell,
        "weight_bank_bits": machine.weight_bank_bits, "data_bank_bits": machine.data_bank_bits,
        "weight_word_bits": machine.weight_word_bits, "data_word_bits": machine.data_word_bits,
        "edges": list(one.edges),
    }


def causes(work: Workload, one: Designed, rate_hz: float) -> dict[str, float]:
    """Return the decoder's power by cause on a machine [W]."""
    report = estimate(work, one.profile, None, decode_rate_hz=rate_hz)
    return {cause: band.nominal for cause, band in report.power_w.items() if band.nominal > 0}


def studies() -> Rows:
    """Every decoder in integers of every archived study: on each fixed machine, and on its own."""
    return [row for folder in sorted(STUDIES.iterdir()) for row in study_rows(folder)]


def study_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield one row a decoder of an archived study: its score, its power on fixed machines, and its own machine."""
    scores = pd.read_parquet(folder / "scores.parquet")
    means = pd.read_parquet(folder / "decoders.parquet").set_index("decoder_id")
    hardware = planned_hardware(folder)
    site = load_site(hardware.sites[0])
    rate_hz = hardware.decode_rate_hz
    deadline = 1 / rate_hz if site.deadline is None else min(1 / rate_hz, site.deadline.band.nominal)
    first = scores[scores["workload_digest"] != ""].drop_duplicates("decoder_id")
    works = read_workloads(folder, first["workload_digest"].tolist())
    for _, one in first.iterrows():
        work = works[str(one["workload_digest"])]
        if any(layer.arithmetic == "float" for layer in work.layers):
            continue
        reports = {name: estimate(work, load_profile(name), None, decode_rate_hz=rate_hz) for name in hardware.profiles}
        mean = means.loc[one["decoder_id"]]
        best = search([Task(work, rate_hz, deadline)], USUAL).best
        yield {
            "study": folder.name, "decoder": str(one["decoder"]), "metric": str(one["metric"]),
            "kind": "spiking" if one["spiking"] else "quantised" if one["role"] == "student" else "classical",
            "score": float(mean["score_mean"]), "score_low": float(mean["score_low"]),
            "score_high": float(mean["score_high"]), "rate_hz": rate_hz,
            "fixed_w": {name: None if report.infeasibilities else report.decoder_power_w.nominal
                        for name, report in reports.items()},
            "deadline_s": deadline, "products": largest_product(work), "causes_w": causes(work, best, rate_hz),
            **chosen(best),
        }


def largest_product(work: Workload) -> dict[str, float]:
    """Return the layer with most products of a network as a matrix product: K products an output, N filters."""
    layers = [layer for layer in work.layers if layer.products is not None]
    shapes = [matrix_product(layer) for layer in layers]
    one = max(shapes, key=lambda shape: shape.reduction * shape.filters * shape.positions)
    return {"reduction": one.reduction, "filters": one.filters, "positions": one.positions}


def bits() -> Rows:
    """EEGNet-8,2 by width: on a fixed machine and on its own."""
    found: Rows = []
    for weight, activation in ((8, 8), (6, 6), (4, 4), (2, 4), (2, 2)):
        work = eegnet(weight, activation)
        fixed = estimate(work, load_profile("asic65_near_memory"), None, decode_rate_hz=RATE_HZ)
        best = search([Task(work, RATE_HZ, DEADLINE_S)], Choices()).best
        row = {"form": f"w{weight}a{activation}", "fixed_w": fixed.decoder_power_w.nominal, **chosen(best)}
        causes_fixed = {cause: band.nominal for cause, band in fixed.power_w.items() if band.nominal > 0}
        row |= {"causes_w": causes(work, best, RATE_HZ), "fixed_causes_w": causes_fixed}
        found.append(row | {"products": largest_product(work)})
    return found


def rates() -> Rows:
    """EEGNet-8,2 at w4a4 by decodes a second: what leads, and which machine."""
    work = eegnet(4, 4)
    found: Rows = []
    for rate_hz in RATES_HZ:
        best = search([Task(work, rate_hz, min(DEADLINE_S, 1 / rate_hz))], USUAL).best
        found.append({"rate_hz": rate_hz, **chosen(best), "causes_w": causes(work, best, rate_hz)})
    return found


def deadlines() -> Rows:
    """EEGNet-8,2 at w4a4 by the time a decode may take."""
    work = eegnet(4, 4)
    found: Rows = []
    for deadline_s in DEADLINES_S:
        best = search([Task(work, RATE_HZ, deadline_s)], USUAL).best
        found.append({"deadline_s": deadline_s, **chosen(best), "causes_w": causes(work, best, RATE_HZ)})
    return found


def nodes() -> Rows:
    """EEGNet-8,2 at w4a4 by node and style: the best of each, and in which share of the draws it draws least."""
    task = [Task(eegnet(4, 4), RATE_HZ, DEADLINE_S)]
    found = search(task, replace(USUAL, nodes_nm=NODES))
    shares = win_shares(found.contenders, task, draws=4096)
    return [
        {**chosen(one), "share": share, "power_quantiles_w": list(points)}
        for one, share, points in zip(found.contenders, shares.machines, shares.power_w, strict=True)
    ]


def bounds() -> Rows:
    """What each choice is worth to EEGNet-8,2 at w4a4: the optimum with the choice taken away."""
    task = [Task(eegnet(4, 4), RATE_HZ, DEADLINE_S)]
    without: Mapping[str, Choices] = {
        "nothing taken away": Choices(),
        "supply of 0.8 V": Choices(supplies_v=(0.8,)),
        "supply of 0.6 V": Choices(supplies_v=(0.6,)),
        "an array of 16 x 8": Choices(rows=(16,), columns=(8,)),
        "SRAM for both memories": Choices(weight_cells=("sram",), data_cells=("sram",)),
        "banks of 4 KiB": Choices(bank_bits=(4 * KIB,)),
        "words of 32 bits": Choices(word_bits=(32,)),
        "logic that leaks on in sleep": Choices(gated=(False,)),
        "at most 2 mm2": Choices(most_area_m2=2e-6),
        "at most 3 mm2": Choices(most_area_m2=3e-6),
        **{f"only {style.replace('_', ' ')}": Choices(styles=(style,)) for style in DESIGNED_STYLES[:3]},
    }
    return [{"bound": name, **chosen(search(task, choices).best)} for name, choices in without.items()]


def array() -> Rows:
    """Power of EEGNet-8,2 at w4a4 over rows and columns of a weight-stationary array, all else as in the best one."""
    work = eegnet(4, 4)
    best = search([Task(work, RATE_HZ, DEADLINE_S)], Choices()).best
    sides = np.asarray(EACH, np.float64)
    many = replace(best.machine, rows=sides.reshape(-1, 1), columns=sides.reshape(1, -1))
    prices = price_machines(
        work, many, needed_banks(work, many), datapath_widths([work]), decode_rate_hz=RATE_HZ, deadline_s=DEADLINE_S
    )
    power = np.broadcast_to(np.asarray(prices.decoder_power_w), (len(EACH), len(EACH)))
    return [{"sides": list(EACH), "power_w": power.tolist()}]


PARTS: Mapping[str, Callable[[], Rows]] = {
    "bits": bits, "array": array, "rates": rates, "deadlines": deadlines, "nodes": nodes, "bounds": bounds,
    "studies": studies,
}


def main() -> int:
    """Search for the parts asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--page", action="store_true", help="write the page from the rows that are there")
    asked = parser.parse_args()
    for name in [] if asked.page else asked.part or PARTS:
        print(name, flush=True)
        write_atomically(ROWS / f"{name}.json", to_json({"rows": PARTS[name]()}))
    sys.path.insert(0, str(ROOT / "docs" / "make"))
    from codesign_page import write_page

    write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
