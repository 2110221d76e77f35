"""``docs/distillation.md`` is what its archived runs give, and its command's studies are studies."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from distillation_page import (
    ARCHIVES,
    CELLS,
    CELLS_OF,
    DOCS,
    TITLES,
    few_labels_bar,
    title_of,
    verdict_of,
    where_it_helps,
    write_page,
)
from distillation_rows import Banded, Cell, correlation, read_cell
from pyarrow import parquet

from cosim.engine.files import to_json, write_atomically
from cosim.engine.local_store import LocalStore
from cosim.engine.record import RECORD
from cosim.engine.run_folder import POINTS
from cosim.engine.store import StageKey
from cosim.study.check import check_study
from cosim.tables.scores import SCORES
from energy_models.errors import StudyError

COMMAND = Path(__file__).parents[2] / "benchmarks" / "distillation.py"
STALE = "{} is not what its archived runs give today: python benchmarks/distillation.py --reprice writes it again"


def test_the_page_is_what_its_archived_runs_give(tmp_path: Path) -> None:
    write_page(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    parts = [path.name for path in ARCHIVES.iterdir() if path.is_dir()] if ARCHIVES.is_dir() else []
    assert names == {"distillation.md", *(f"distillation_{name}.svg" for name in parts)}
    for name in names:
        assert (tmp_path / name).read_bytes() == (DOCS / name).read_bytes(), STALE.format(name)


@pytest.mark.parametrize(("found", "said"), [
    (None, "undecided: no control"), (Banded(0.1, None, None), "undecided: no interval"),
    (Banded(0.03, 0.001, 0.06), "met"), (Banded(0.03, -0.001, 0.06), "undecided"),
    (Banded(0.01, 0.005, 0.015), "missed"), (Banded(0.0, 0.0, 0.0), "missed"), (Banded(-0.1, -0.3, 0.05), "undecided"),
])  # fmt: skip
def test_a_bar_is_met_by_a_mean_that_reaches_it_and_an_interval_above_zero(found: Banded | None, said: str) -> None:
    assert verdict_of(found, 0.02) == said


def test_recordings_on_which_every_student_and_some_student_meets_the_bar_of_few_labels() -> None:
    def row(name: str, said: str) -> list[str]:
        return [name, "a student", "`kl`", "0.02", "–", said]

    said = few_labels_bar([
        row("Few labels: one", "met"), row("Few labels: one", "met"), row("Few labels: two", "met"),
        row("Few labels: two", "missed"), row("Few labels: three", "undecided"),
        row("SSVEP, a subject left out", "met"),
    ])  # fmt: skip
    assert "met by every student on 1 of 3 recordings (one), by some student on 2; the bar asks for 3" in said


def test_where_a_use_of_the_teacher_helps_names_recordings_and_of_some_the_students() -> None:
    found = [("one", "A", True, 0.1), ("one", "B", True, 0.2), ("two", "A", False, 0.1), ("two", "B", True, 0.0),
             ("three", "A", False, 0.3)]  # fmt: skip
    assert where_it_helps(found) == "3 of 5 students (one; two: B)"
    assert where_it_helps(found[-1:]) == "0 of 1 students"


def test_the_correlation_of_task_relevance_and_score_by_hand() -> None:
    """Scores that rise with TSR except one: r of (0, 1, 2, 3) and (0, 1, 3, 2) is 0.8."""
    rows = tuple({"tsr": x, "validation_score": y} for x, y in ((0.0, 0.0), (0.1, 0.1), (0.2, 0.3), (0.3, 0.2)))
    found = correlation(rows)
    assert found is not None
    assert (found[0], round(found[1].mean, 6)) == (4, 0.8)
    assert found[1].low is not None
    assert math.isfinite(found[1].low)
    assert correlation(rows[:3]) is None
    assert correlation(({"tsr": 1.0, "validation_score": 0.5},) * 5) is None


@pytest.mark.parametrize(("kept", "title"), [
    ("as many", "4 a class"), ("all", "4 a class (and all labels of validation)"),
])  # fmt: skip
def test_a_cell_whose_choices_saw_labels_beyond_its_budget_says_so(kept: str, title: str) -> None:
    protocol = f"leave one run out; labels of 4 a class to train on and of {kept} to choose on"
    assert title_of(Cell("4_a_class", "accuracy", "3 runs", 2, protocol, None, (), ())) == title


def test_relevance_is_read_of_the_stages_of_the_points_alone(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for kind, digest, student in (("distilled", "mine", ""), ("distilled", "stale", ""), ("undistilled", "plain", ""),
                                  ("result", "a", "distilled/mine"), ("result", "b", "undistilled/plain")):  # fmt: skip
        with store.create(StageKey(kind, digest)) as folder:
            parents = {"student": student} if student else {}
            write_atomically(folder / RECORD, to_json({"parents": parents, "files": {}}))
    points = [{"stage": "result", "digest": digest} for digest in "ab"]
    write_atomically(tmp_path / POINTS, to_json({"points": points}))
    with _command() as distillation:
        assert distillation.distilled_in(tmp_path) == [store.folder(StageKey("distilled", "mine"))]


def test_every_part_is_studies_with_controls_and_a_ceiling_or_targets_out_of_sample() -> None:
    with _command() as distillation:
        _check_parts(distillation)


def test_a_student_that_failed_on_a_fold_has_no_row_and_is_listed(tmp_path: Path) -> None:
    cell = ARCHIVES / "labels_motor_imagery" / "2_a_class"
    for one in cell.iterdir():
        (tmp_path / one.name).write_bytes(one.read_bytes())
    scores = parquet.read_table(cell / SCORES)
    rows = list(zip(scores["student"].to_pylist(), scores["method"].to_pylist(), strict=True))
    lost = rows.index(("MiC", "noise"))
    parquet.write_table(scores.take([n for n in range(len(scores)) if n != lost]), tmp_path / SCORES)
    failures = {"failures": [{"decoder": "MiC float32 noise", "fold": "a", "seed": 0}]}
    write_atomically(tmp_path / "failures.json", to_json(failures))
    whole, found = read_cell(cell), read_cell(tmp_path)
    assert len(found.lines) == len(whole.lines) - 1
    assert ("MiC", "noise") not in [(one.student, one.method) for one in found.lines]
    assert found.left_out == (f"MiC float32 noise failed in 1 of {rows.count(('MiC', 'noise'))} trainings",)


def test_some_of_a_part_says_what_it_leaves_out() -> None:
    with _command() as distillation:
        whole = distillation.cells_of("subjects_ssvep", [0])["in_sample"]
        study, left_out = distillation.some_of(
            whole, distillation.Some(students=("EEGNet-8", "IND"), methods=("kl", "noise"), forms=("w4a4",))
        )
        alone, _ = distillation.some_of(whole, distillation.Some(methods=("noise",)))
        full, nothing = distillation.some_of(whole, distillation.Some())
    found = check_study(study, where="some")
    assert [one.label for one in found.students] == ["EEGNet-8", "IND"]
    assert [str(form) for form in found.students[0].forms] == ["float32", "w4a4"]
    assert [one.name for one in found.students[1].method_choices] == ["kl", "noise"]
    assert {"MiC", "LIF conv", "EEGNet-8, `w2a4`", "EEGNet-8, `relational`", "IND, `mixup`"} <= set(left_out)
    assert check_study(alone, where="controls").teacher is None
    assert (full, nothing) == (whole, [])


def test_few_labels_leave_out_the_two_uses_of_unlabelled_examples_under_names_of_their_own() -> None:
    with _command() as distillation:
        cell = distillation.cells_of("labels_ssvep", [0])["2_a_class"]
        _, left_out = distillation.some_of(cell, distillation.Some(students=("MiC",), methods=("noise",)))
    assert "MiC, `kl`" in left_out
    assert "MiC, `kl unlabelled=left_out`" in left_out


def test_a_smaller_selection_does_not_take_trainings_off_the_page() -> None:
    cell = ARCHIVES / "subjects_ssvep" / "in_sample"
    with _command() as distillation:
        whole, more, fewer = (
            distillation.cells_of("subjects_ssvep", seeds)["in_sample"] for seeds in ([0, 1], [0, 1, 7], [0])
        )
        some = [distillation.Some(students=("MiC",)), distillation.Some(students=("EEGNet-8",), methods=("kl",)),
                distillation.Some(students=("EEGNet-8",), forms=("w2a4",))]  # fmt: skip
        smaller = [fewer, *(distillation.some_of(whole, one)[0] for one in some)]
        for study in smaller:
            with pytest.raises(StudyError, match=r"has \d+ trainings that this selection has not, among them EEGNet-8"):
                distillation.refuse_fewer(cell, study)
        for study in (more, whole):
            distillation.refuse_fewer(cell, study)
        distillation.refuse_fewer(cell.with_name("never_run"), fewer)
        budget = distillation.cells_of("labels_ssvep", [*range(5)])["2_a_class"]
        distillation.refuse_fewer(ARCHIVES / "labels_ssvep" / "2_a_class", budget)
        alone = distillation.some_of(budget, distillation.Some(methods=("noise",)))[0]
        with pytest.raises(StudyError, match="kl"):
            distillation.refuse_fewer(ARCHIVES / "labels_ssvep" / "2_a_class", alone)


def test_without_a_number_of_seeds_no_archived_training_is_lost() -> None:
    """The page's first command: a cell takes the seeds of its archive, five or two, and two where there is none."""
    with _command() as distillation:
        found = {}
        for part in distillation.PARTS:
            for cell in distillation.cells_of(part, [0]):
                found[part, cell] = distillation.archived_seeds(ARCHIVES / part / cell)
                whole = distillation.cells_of(part, list(range(found[part, cell])))[cell]
                distillation.refuse_fewer(ARCHIVES / part / cell, whole)
        assert distillation.archived_seeds(ARCHIVES / "never_run") == 2
    assert found["labels_ssvep", "2_a_class"] == 5
    assert set(found.values()) <= {2, 5}


def test_bars_of_a_part_that_was_added_later_are_exploratory() -> None:
    text = (DOCS / "distillation.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if "`kl` less labels alone" in line]
    assert len(rows) >= 2
    assert ["chosen on another" in line for line in rows] == ["exploratory" in line for line in rows]
    assert any("exploratory" in line for line in rows)


@contextmanager
def _command() -> Iterator[Any]:
    """Give the command as a module."""
    found = spec_from_file_location("distillation", COMMAND)
    assert found is not None
    assert found.loader is not None
    sys.modules[found.name] = distillation = module_from_spec(found)
    try:
        found.loader.exec_module(distillation)
        yield distillation
    finally:
        del sys.modules[found.name]


def _check_parts(distillation: Any) -> None:
    assert list(distillation.PARTS) == list(TITLES)
    for name in TITLES:
        cells = distillation.cells_of(name, [0, 1])
        assert set(cells) == set(CELLS_OF[name]) <= set(CELLS)
        assert ("all" in cells) != ("out_of_fold" in cells)
        for cell, tables in cells.items():
            study = check_study(tables, where=f"{name}, {cell}")
            assert (study.teacher is None) == (cell == "all")
            for student in study.students:
                methods = [method.name for method in student.method_choices]
                assert {"label_smoothing", "mixup", "noise", "self_kd"} <= set(methods)
                assert methods.count("kl") == (0 if cell == "all" else 2 if study.labels is not None else 1)
