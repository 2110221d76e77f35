"""Which distillation helps small decoders, on real recordings: ``benchmarks/distillation.py [--part NAME]``.

A part is one set of recordings in a few cells: label budgets, or all labels with targets in and out of sample. In each
cell every student is trained from labels alone, by controls that need no teacher, and by methods that learn from one.
A part that was interrupted goes on where it stopped. Each finished cell is archived in ``docs/results/distillation``
and the page ``docs/distillation.md`` is made again; ``--reprice`` makes the page alone. ``--cell``, ``--student``,
``--method`` and ``--form`` train some of a part; what was left out of a cell is listed on the page. A selection that
lacks trainings of the archived cell is refused. Recordings are read from the folder that ``COSIM_DATA`` names.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillation_parts import CONTROLS, PARTS, cells_of, without_teacher

import cosim
from cosim.engine.files import read_json
from cosim.engine.local_store import LocalStore
from cosim.engine.record import RECORD
from cosim.engine.run_folder import POINTS
from cosim.engine.store import StageKey
from cosim.tables.archive import write_archive
from cosim.tables.results import Score, read_parquet
from cosim.tables.scores import SCORES
from energy_models.errors import StudyError
from students.models.store import load_extra, load_student

ROOT = Path(__file__).resolve().parents[1]
ARCHIVES = ROOT / "docs" / "results" / "distillation"
LEFT_OUT = "left_out.json"
"""Beside an archived cell: what of its students, methods and forms was not trained."""
RELEVANCE = "relevance.json"
"""Beside an archived cell: task relevance (TSR) of every projection, and the validation score of its student."""


FEWEST_SEEDS = 2


@dataclass(frozen=True, slots=True)
class Some:
    """What of a part is trained; an empty tuple is all of it.

    Parameters
    ----------
    cells, students, methods, forms : tuple of str
        Labels of students, names of methods beside labels alone, forms beside float32.
    """

    cells: tuple[str, ...] = ()
    students: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()


def some_of(study: dict[str, Any], some: Some) -> tuple[dict[str, Any], list[str]]:
    """Return a study with some of its students, methods and forms, and what that leaves out of it, student by student.

    A student that distils nothing any more has no method but labels alone; without any that does, there is no teacher.
    """
    kept, left_out = list[dict[str, Any]](), list[str]()
    for student in study["students"]:
        if some.students and student["label"] not in some.students:
            left_out.append(student["label"])
            continue
        taken: dict[str, list[Any]] = {"method_choices": [], "forms": []}
        for key, wanted, named in (("method_choices", some.methods, _name), ("forms", some.forms, str)):
            for one in student.get(key, []):
                if not wanted or named(one) in (*wanted, "float32"):
                    taken[key].append(one)
                else:
                    left_out.append(f"{student['label']}, `{_told(one)}`")
        kept.append({**student, **{key: value for key, value in taken.items() if key in student}})
    cut = {**study, "students": kept}
    taught = any(_name(one) not in {_name(control) for control in CONTROLS} for student in kept
                 for one in student["method_choices"])  # fmt: skip
    return cut if taught else without_teacher(cut), left_out


def _name(method: dict[str, Any]) -> str:
    return str(method["name"])


def _told(one: dict[str, Any] | str) -> str:
    """Return a form, or a method with its option of unlabelled examples, as the page calls it."""
    if isinstance(one, str):
        return one
    left_out = "unlabelled" in one.get("options", {})
    return f"{_name(one)} unlabelled=left_out" if left_out else _name(one)


def run_part(name: str, seeds: int | None, folder: Path, workers: int, some: Some) -> None:
    """Train what is not finished of a part, or of some of it, cell by cell, and archive each.

    Without a number of seeds a cell takes as many as it is archived with.
    """
    for cell in cells_of(name, [0]):
        if some.cells and cell not in some.cells:
            continue
        taken = archived_seeds(ARCHIVES / name / cell) if seeds is None else seeds
        study, left_out = some_of(cells_of(name, list(range(taken)))[cell], some)
        refuse_fewer(ARCHIVES / name / cell, study)
        run = cosim.run(study, out=folder / name / cell, workers=workers)
        archive = write_archive(run.folder, ARCHIVES / name / cell)
        (archive / LEFT_OUT).write_text(json.dumps(left_out, indent=1) + "\n", encoding="utf-8")
        found = relevance_of(run.folder)
        if found:
            (archive / RELEVANCE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        _write_page()


def archived_seeds(archive: Path) -> int:
    """Return with how many seeds the students of an archived cell were trained, two at least; two where none is."""
    if not (archive / SCORES).is_file():
        return FEWEST_SEEDS
    rows = read_parquet(archive / SCORES, Score).to_dict("records")
    return max(FEWEST_SEEDS, *(int(one["seed"]) + 1 for one in rows if one["role"] == "student"))


def refuse_fewer(archive: Path, study: dict[str, Any]) -> None:
    """Refuse a study that lacks trainings of an archived cell, which archiving it would take off the page.

    Parameters
    ----------
    archive : Path
        Folder of the cell; where it holds no archived run, nothing is refused.
    study : dict
        With the students, methods, forms and seeds that are to be trained.

    Raises
    ------
    StudyError
        With what the archived cell has and the study has not.
    """
    if not (archive / SCORES).is_file():
        return
    rows = read_parquet(archive / SCORES, Score).to_dict("records")
    had = {
        (str(one["student"]), str(one["form"]), _without_weight(str(one["method"])), int(one["seed"]))
        for one in rows if one["role"] == "student"
    }  # fmt: skip
    has = {
        (student["label"], form, told, seed)
        for student in study["students"] for form in student.get("forms", ["float32"])
        for told in ("", *map(_told, student["method_choices"])) for seed in study["study"]["seeds"]
    }  # fmt: skip
    lost = [f"{student} {form} {method or 'labels alone'}, seed {seed}" for student, form, method, seed in
            sorted(had - has)]  # fmt: skip
    if lost:
        raise StudyError(
            f"the archived cell has {len(lost)} trainings that this selection has not, among them {lost[0]}",
            where=str(archive.relative_to(ARCHIVES)) if archive.is_relative_to(ARCHIVES) else archive.name,
            remedy="Name all that it has and what is to be added (--student, --method, --form, --seeds); finished ones "
                   "are not trained again",
        )


def _without_weight(method: str) -> str:
    """Return a method as `_told` calls it."""
    return " ".join(word for word in method.split() if not word.startswith("weight="))


def relevance_of(run: Path) -> list[dict[str, Any]]:
    """Return, of every student of a run that learned from a projection of features, TSR and score on validation.

    The students are those of the run's points; other stages in its folder are of earlier settings.
    """
    rows: list[dict[str, Any]] = []
    for folder in distilled_in(run):
        extra, (_, spec) = load_extra(folder), load_student(folder)
        if "method_tsr" in extra and spec.method is not None:
            rows.append({
                "family": spec.family, "method": spec.method.name, "seed": spec.seed, "tsr": float(extra["method_tsr"]),
                "validation_score": float(extra["validation_score"]),
            })  # fmt: skip
    return rows


def distilled_in(run: Path) -> list[Path]:
    """Return the folders of the distilled students of a run, in the order of its points."""
    store, folders = LocalStore(run), dict[Path, None]()
    for key in (StageKey(point["stage"], point["digest"]) for point in read_json(run / POINTS)["points"]):
        student = read_json(store.folder(key) / RECORD)["parents"].get("student", "")
        kind, _, digest = student.partition("/")
        if kind == "distilled":
            folders[store.folder(StageKey(kind, digest))] = None
    return list(folders)


def _write_page() -> None:
    sys.path.insert(0, str(ROOT / "docs" / "make"))
    from distillation_page import write_page

    write_page()


def main() -> None:
    """Run parts and make the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, action="append", help="one of them; default: all, cheapest first")
    parser.add_argument("--cell", action="append", default=[], help="one cell of the parts; default: all")
    parser.add_argument("--student", action="append", default=[], help="label of one student; default: all")
    parser.add_argument("--method", action="append", default=[], help="one method beside labels alone; default: all")
    parser.add_argument("--form", action="append", default=[], help="one form beside float32; default: all")
    parser.add_argument("--seeds", type=int, help="how many seeds; default: as archived, 2 at least")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--runs", type=Path, default=Path("runs/distillation"), help="folder of the unfinished runs")
    parser.add_argument("--reprice", action="store_true", help="make the page from the archived runs; train nothing")
    given = parser.parse_args()
    some = Some(tuple(given.cell), tuple(given.student), tuple(given.method), tuple(given.form))
    for name in [] if given.reprice else given.part or PARTS:
        run_part(name, given.seeds, given.runs, given.workers, some)
    _write_page()


if __name__ == "__main__":
    main()
