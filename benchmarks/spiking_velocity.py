"""Velocity from spike counts on real recordings: the delay net beside the float perceptron, one-bit neurons and w4a4.

    python benchmarks/spiking_velocity.py --out runs/spiking --seeds 5 --quantised 2 > table.md

Needs the recordings (`COSIM_DATA`). What is trained stays in the folder, so that an interrupted command goes on, and a
second one with more seeds trains these only. Settings are those of the shipped studies, without a teacher.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import cosim
from energy_models.workload import Workload

TRAINING = {"epochs": 120, "batch_size": 8, "learning_rate": 5e-3, "patience": 25}
ONE_BIT = {"epochs": 80, "batch_size": 4, "learning_rate": 5e-3, "patience": 20}
QUANTISED = {"epochs": 20, "batch_size": 8, "learning_rate": 1e-3, "patience": 8}
RECORDINGS = {
    "m1_brown42": {"method": "given_parts", "validation_fraction": 0.15, "gap_steps": 10},
    "m1_contdata95": {
        "method": "blocked_in_time", "test_fraction": 0.2, "validation_fraction": 0.15, "gap_steps": 10,
    },
}  # fmt: skip
DECODERS = {
    "MLP": ("mlp", TRAINING, "standardised", {}),
    "spiking delay net": ("spiking_delay", TRAINING, "standardised", {}),
    "one-bit LIF": ("spiking_mlp", ONE_BIT, "raw", {"dropout": 0.2}),
}
MACHINES = ("event_core_28nm", "asic65_near_memory", "cortex_m4f")
SITE, RATE_HZ = "implant_utah96", {"m1_brown42": 1 / 0.07, "m1_contdata95": 20.0}


def events(work: Workload) -> float | None:
    """Return the events per neuron and bin, one of value k as k, over all layers that fire; None without any."""
    layers = [layer for layer in work.layers if layer.kind == "neuron" and layer.output_events is not None]
    units = sum(count.mean for layer in layers if (count := layer.output_units or layer.output_events) is not None)
    return units / sum(layer.outputs for layer in layers) if layers else None


def powers(work: Workload, recording: str) -> list[str]:
    """Return the decoder's power on each machine [uW]; a word where the machine cannot take it."""
    found: list[str] = []
    for machine in MACHINES:
        report = cosim.estimate(work, machine, SITE, decode_rate_hz=RATE_HZ[recording]).report
        refused = [line for line in report.unaccounted if "prices no" in line]
        found.append("refused" if refused else f"{report.decoder_power_w.nominal * 1e6:,.3g}")
    return found


def row(recording: str, label: str, students: list[cosim.Student]) -> str:
    """Return a row of the table."""
    scores, works = [one.test_score for one in students], [one.workload() for one in students]
    spread = f" ± {statistics.stdev(scores):.3f}" if len(scores) > 1 else ""
    rates = [rate for work in works if (rate := events(work)) is not None]
    sites = statistics.mean(work.products.effective.mean for work in works if work.products is not None)
    cells = [
        recording, label, len(scores), f"{statistics.mean(scores):.3f}{spread}",
        f"{statistics.mean(one.validation_score for one in students):.3f}",
        f"{statistics.mean(rates):.2f}" if rates else "-", f"{sites:,.0f}", *powers(works[0], recording),
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/spiking"))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--quantised", type=int, default=2, help="of these seeds, how many are quantised to w4a4")
    given = parser.parse_args()
    heads = ["recording", "decoder", "seeds", "R², held out", "R², validation", "events", "products", *MACHINES]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for recording, split in RECORDINGS.items():
        data = cosim.load_dataset(recording, outputs="velocity")
        for label, (family, training, inputs, options) in DECODERS.items():
            students = [
                cosim.train(
                    family, data, split=split, seed=seed, options=options, training=training, inputs=inputs,
                    out=given.out / recording,
                )
                for seed in range(given.seeds)
            ]  # fmt: skip
            print(row(recording, f"{label} float32", students), flush=True)
            small = [cosim.quantize(one, "w4a4", training=QUANTISED) for one in students[: given.quantised]]
            if small:
                print(row(recording, f"{label} w4a4", small), flush=True)


if __name__ == "__main__":
    main()
