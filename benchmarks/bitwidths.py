"""Scores of shipped decoders in every form, on real recordings: ``python benchmarks/bitwidths.py [--part NAME]``.

Each part is a shipped study cut down to one decoder, in every form, made three ways: rounded after training, trained
with the rounding in the loop from labels, and from labels and the float student's outputs. A part that was interrupted
goes on where it stopped. When it is finished its scores and workloads are archived in ``docs/results/bitwidths`` and
the page ``docs/bitwidths.md`` is made again; ``--reprice`` makes the page alone. Recordings are read from the folder
that ``COSIM_DATA`` names.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import cosim
from cosim.tables.archive import write_archive

ROOT = Path(__file__).resolve().parents[1]
ARCHIVES = ROOT / "docs" / "results" / "bitwidths"

TRAINED = (
    "w8a8", "w6a6", "w5a5", "w4a4", "w4a4 edge=8", "w3a3", "w2a4", "w2a4 edge=8", "w2a2", "ternary-a4", "binary-a4",
)  # fmt: skip
AFTER_TRAINING = (*(f"ptq {form}" for form in TRAINED), "gptq w4a4", "gptq w3a3", "gptq w2a4")
TAUGHT = "taught by its float form"
MACHINES = ["asic65_near_memory", "gap9", "cortex_m4f"]


@dataclass(frozen=True, slots=True)
class Part:
    """One set of recordings and the decoder that is tried on them.

    Parameters
    ----------
    study : str
        A shipped study, whose recordings, split, options and training settings are taken.
    student : str
        Label of its decoder.
    """

    study: str
    student: str


PARTS = {
    "motor_imagery": Part("motor_imagery", "EEGNet-4"),
    "velocity_42_units": Part("intracortical_brown42", "MLP"),
    "velocity_95_channels": Part("intracortical", "MLP"),
    "seizure": Part("seizure", "EEGNet-4"),
    "ssvep": Part("ssvep_headset", "EEGNet-8"),
}
"""Cheapest first."""


def study_of(name: str, seeds: list[int]) -> dict[str, Any]:
    """Return the tables of a part's study."""
    part = PARTS[name]
    shipped = files("cosim.study") / "shipped" / f"{part.study}.toml"
    tables = tomllib.loads(shipped.read_text(encoding="utf-8"))
    (student,) = (one for one in tables["students"] if one["label"] == part.student)
    plain = {key: value for key, value in student.items() if key != "method"}
    return {
        "study": {**tables["study"], "name": f"bitwidths_{name}", "seeds": seeds},
        "dataset": tables["dataset"],
        "split": tables["split"],
        "students": [
            {**plain, "forms": ["float32", *TRAINED, *AFTER_TRAINING]},
            {**plain, "label": f"{part.student} {TAUGHT}", "forms": ["float32", *TRAINED], "method": {"name": "kl"}},
        ],
        "training": {key: value for key, value in tables["training"].items() if key != "teacher"},
        "hardware": {**tables["hardware"], "profiles": MACHINES},
    }


def run_part(name: str, seeds: list[int], folder: Path, workers: int) -> None:
    """Train what is not finished of a part and archive it."""
    run = cosim.run(study_of(name, seeds), out=folder / name, workers=workers)
    write_archive(run.folder, ARCHIVES / name)


def main() -> None:
    """Run parts and make the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, action="append", help="one of them; default: all, cheapest first")
    parser.add_argument("--seeds", type=int, default=2, help="how many seeds (2)")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--runs", type=Path, default=Path("runs/bitwidths"), help="folder of the unfinished runs")
    parser.add_argument("--reprice", action="store_true", help="make the page from the archived runs; train nothing")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT / "docs" / "make"))
    from bitwidths_page import write_page

    for name in [] if given.reprice else given.part or PARTS:
        run_part(name, list(range(given.seeds)), given.runs, given.workers)
        write_page()
    write_page()


if __name__ == "__main__":
    main()
