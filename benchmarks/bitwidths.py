"""Scores of shipped decoders in every form, on real recordings: ``python benchmarks/bitwidths.py [--part NAME]``.

Each part is a shipped study cut down to one decoder. Its forms are made in three sets, each a run of its own: uniform
widths and mixed ones, rounded after training, trained with the rounding in the loop from labels, and from labels and
the float student's outputs; and some of both taught by a teacher. A set that was interrupted goes on where it stopped.
When it is finished its scores and workloads are archived in ``docs/results/bitwidths`` and the page
``docs/bitwidths.md`` is made again; ``--reprice`` makes the page alone. Recordings are read from the folder that
``COSIM_DATA`` names.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import cosim
from cosim.tables.archive import write_archive

ROOT = Path(__file__).resolve().parents[1]
ARCHIVES = ROOT / "docs" / "results" / "bitwidths"

UNIFORM = (
    "w8a8", "w6a6", "w5a5", "w4a4", "w4a4 edge=8", "w3a3", "w2a4", "w2a4 edge=8", "w2a2", "ternary-a4", "binary-a4",
)  # fmt: skip
OF_EEGNET = ("w8a8 conv=w4a4", "w4a4 conv=w3a4", "w4a4 conv=w2a4", "w4a4 linear=w2a4", "w2a4 edge=4")
OF_MLP = ("w8a8 body.1=w4a4", "w4a4 body.1=w3a4", "w4a4 body.1=w2a4", "w4a4 body.5=w2a4", "w2a4 edge=4")
"""Mixed forms; every product of a perceptron that decodes step by step is a convolution, the first one body.1."""

BY_GPTQ = ("gptq w4a4", "gptq w3a3", "gptq w2a4")
TAUGHT = ("w8a8", "w4a4", "w3a3", "w2a4")
"""Uniform forms that a teacher teaches, beside the mixed ones."""

SETS = ("uniform", "mixed", "teacher")
BY_FLOAT = "taught by its float form"
BY_TEACHER = "taught by a teacher"
MACHINES = ["asic65_near_memory", "gap9", "cortex_m4f"]


@dataclass(frozen=True, slots=True)
class Part:
    """One set of recordings and the decoder that is tried on them.

    Parameters
    ----------
    study : str
        A shipped study, whose recordings, split, options, training settings and teacher are taken.
    student : str
        Label of its decoder.
    mixed : tuple of str
        Forms whose layers have several widths.
    teacher : mapping
        Another teacher than the study's; empty: the study's.
    """

    study: str
    student: str
    mixed: tuple[str, ...]
    teacher: Mapping[str, Any] = field(default_factory=dict[str, Any])


CORRELATIONS = {"name": "classical", "options": {"baseline": "cca_logistic", "options": {"inverse_penalty": 1.0}}}
PARTS = {
    "motor_imagery": Part("motor_imagery", "EEGNet-4", OF_EEGNET),
    "velocity_42_units": Part("intracortical_brown42", "MLP", OF_MLP),
    "velocity_95_channels": Part("intracortical", "MLP", OF_MLP),
    "seizure": Part("seizure", "EEGNet-4", OF_EEGNET),
    "ssvep": Part("ssvep_headset", "EEGNet-8", OF_EEGNET, CORRELATIONS),
}
"""Cheapest first."""


def study_of(name: str, forms: str, seeds: Sequence[int], only: Collection[str] = ()) -> dict[str, Any]:
    """Return the tables of the study of one set of forms of a part, or of some of them."""
    part = PARTS[name]
    shipped = files("cosim.study") / "shipped" / f"{part.study}.toml"
    tables = tomllib.loads(shipped.read_text(encoding="utf-8"))
    (student,) = (one for one in tables["students"] if one["label"] == part.student)
    plain = {key: value for key, value in student.items() if key != "method"}
    study = {
        "study": {**tables["study"], "name": f"bitwidths_{name}_{forms}", "seeds": list(seeds)},
        "dataset": tables["dataset"],
        "split": tables["split"],
        "students": [found for entry in _students(plain, forms, part.mixed) if (found := _some(entry, only))],
        "training": tables["training"],
        "hardware": {**tables["hardware"], "profiles": MACHINES},
    }
    return study | {"teacher": part.teacher or tables["teacher"]} if forms == "teacher" else study


def _students(plain: Mapping[str, Any], forms: str, mixed: Sequence[str]) -> list[dict[str, Any]]:
    """Return the entries of a student: by itself and taught by its float form, or taught by the study's teacher."""
    trained = {"uniform": UNIFORM, "mixed": mixed, "teacher": (*TAUGHT, *mixed)}[forms]
    label, method = plain["label"], {"name": "kl"}
    if forms == "teacher":
        return [{**plain, "label": f"{label} {BY_TEACHER}", "forms": ["float32", *trained], "method": method}]
    rounded = [f"ptq {form}" for form in trained] + list(BY_GPTQ if forms == "uniform" else ())
    return [
        {**plain, "forms": ["float32", *trained, *rounded]},
        {**plain, "label": f"{label} {BY_FLOAT}", "forms": ["float32", *trained], "method": method},
    ]


def _some(entry: dict[str, Any], only: Collection[str]) -> dict[str, Any]:
    """Return a student with some of its forms, float first; empty where it has none of them."""
    kept = [form for form in entry["forms"] if form in only]
    return entry if not only else {**entry, "forms": ["float32", *kept]} if kept else {}


def run_set(name: str, forms: str, study: dict[str, Any], folder: Path, workers: int) -> None:
    """Train what is not finished of the study of a set of forms of a part and archive it."""
    run = cosim.run(study, out=folder / name / forms, workers=workers)
    write_archive(run.folder, ARCHIVES / name / forms)


def main() -> None:
    """Run parts and make the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, action="append", help="one of them; default: all, cheapest first")
    parser.add_argument("--forms", choices=SETS, action="append", help="one of the sets; default: all of them")
    parser.add_argument("--only", action="append", help="one form beside float32, such as 'ptq w4a4'; default: all")
    parser.add_argument("--seeds", type=int, default=2, help="how many seeds (2)")
    parser.add_argument("--minutes", type=float, default=90.0, help="of a set, after which no form is begun (90)")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--runs", type=Path, default=Path("runs/bitwidths"), help="folder of the unfinished runs")
    parser.add_argument("--reprice", action="store_true", help="make the page from the archived runs; train nothing")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT / "docs" / "make"))
    from bitwidths_page import write_page

    for name in [] if given.reprice else given.part or PARTS:
        for forms in given.forms or SETS:
            study = study_of(name, forms, range(given.seeds), given.only or ())
            run_set(name, forms, study | {"budget": {"seconds": 60 * given.minutes}}, given.runs, given.workers)
            write_page()
    write_page()


if __name__ == "__main__":
    main()
