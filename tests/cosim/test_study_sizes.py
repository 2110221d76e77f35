"""Studies that ask for too much: counted before anything is built, in a moment, with the lists that make the number."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Generator
from pathlib import Path

import pytest
from tiny_study import TINY, cosim

from cosim.study.check import check_study
from cosim.study.choices import MAX_POINTS
from cosim.study.document import override, read_document
from cosim.study.schema import Study
from energy_models.errors import StudyError

SECONDS = 20.0


@pytest.fixture(autouse=True)
def _at_once() -> Generator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < SECONDS


def changed(*settings: str) -> Study:
    return check_study(override(tomllib.loads(TINY), settings), where="tiny")


def values(count: int, first: int = 1) -> str:
    return str(list(range(first, first + count)))


HUGE = (
    f"students.0.options.temporal_filters={values(1000)}",
    f"students.0.options.depth={values(1000)}",
    f"students.0.options.pool_1={values(1000)}",
)


def test_a_grid_of_a_thousand_million_is_counted_and_its_lists_are_named() -> None:
    with pytest.raises(StudyError) as caught:
        changed(*HUGE)
    said = str(caught.value)
    assert f"a grid of {1000**3 * 2 * 2 + 2:,} points" in said  # two forms, two seeds; one of the other student
    assert "students.0: options.temporal_filters 1,000 × options.depth 1,000 × options.pool_1 1,000" in said
    assert "forms 2 × study.seeds 2" in said
    assert "[search] sampler" in said


def test_a_sampler_may_search_where_a_grid_may_not() -> None:
    assert changed(*HUGE, "search.sampler=random", "search.trials=3", 'search.objectives=["score"]').search.trials == 3
    with pytest.raises(StudyError, match=r"students.0.options.pool_1: Input should be greater than or equal to 1"):
        changed(*HUGE[:2], f"students.0.options.pool_1={values(1000, 0)}", "search.sampler=random", "search.trials=3",
                'search.objectives=["score"]')  # fmt: skip


def test_the_largest_grid() -> None:
    def of(seeds: int) -> Study:
        return changed(f"study.seeds={values(seeds)}", "students.0.forms=['float32']",
                       f"students.0.options.temporal_filters={values(9)}")  # fmt: skip

    assert len(of(MAX_POINTS // 10).students) == 2
    with pytest.raises(StudyError, match="has more than 1000 entries"):
        of(MAX_POINTS // 10 + 1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["students.0.options.temporal_filters={ low = 1, high = 1e9, type = 'int', step = 1 }"], "a step of 1 makes"),
        (["students.0.options.temporal_filters={ low = 1, high = 999999, type = 'int', step = 1 }"], "a grid of 3,99"),
        (["students.0.options.dropout={ low = -1e308, high = 1e308, type = 'float' }"], "too far apart"),
        (["students.0.options.dropout={ low = 0.0, high = 0.5, type = 'float', step = 5e-324 }"], "a step of"),
        ([f"study.seeds={values(5000)}"], "study.seeds: has more than 1000 entries"),
        (["study.fold_seed=4294967296"], "study.fold_seed"),
        (["hardware.observed_examples=999999999999"], "hardware.observed_examples"),
        (["search.trials=999999999999"], "search.trials"),
        (["split={ method = 'stratified_folds', folds = 1000000000 }"], "split.folds"),
        ([f"hardware.profiles={['gap9'] * 5000}"], "hardware.profiles: has more than 1000 entries"),
        (["dataset.options.sessions=1000000000"], "dataset.options.sessions"),
        (["dataset.options.trials=1000000000"], "dataset.options.trials"),
        (["dataset.options.rate_hz=1e300"], "dataset.options"),
        (["dataset.options.trial_s=1e300"], "dataset.options"),
        (["dataset.options.sessions=900", "dataset.options.runs=900", "dataset.options.trials=900"], "values"),
        (["training.student.epochs=1000000000000"], "training.student.epochs"),
        (["training.student.batch_size=1000000000000"], "training.student.batch_size"),
        (["students.0.options.temporal_filters=1000000000000"], "temporal_filters is above 1,048,576"),
        (["teacher.options.seeds=1000000000"], "teacher.options.seeds"),
    ],
)
def test_each_size_has_a_limit(settings: list[str], said: str) -> None:
    with pytest.raises(StudyError) as caught:
        changed(*settings)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "setting",
    ["study.title=" + "[" * 5000, "study.title=" + "9" * 5000, ".".join("a" * 5000) + "=1", "students.²=1",
     "students." + "9" * 5000 + "=1", "study.title=\udcff", "study.title=" + "[" * 100 + "]" * 100],
)  # fmt: skip
def test_odd_settings_are_told(setting: str) -> None:
    with pytest.raises(StudyError):
        override(tomllib.loads(TINY), [setting])


def test_a_byte_order_mark_changes_nothing_in_a_study(tmp_path: Path) -> None:
    (tmp_path / "plain.toml").write_text(TINY)
    (tmp_path / "marked.toml").write_bytes(b"\xef\xbb\xbf" + TINY.encode())
    assert read_document(str(tmp_path / "plain.toml")) == read_document(str(tmp_path / "marked.toml"))


@pytest.mark.parametrize("content", [TINY.encode("utf-16"), b"a\0b", b"\xff", b"a = " + b"[" * 100_000,
                                     b"a = " + b"9" * 9999, b".".join([b"a"] * 5000) + b" = 1"])  # fmt: skip
def test_odd_study_files_are_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    code, out, err = cosim("run", str(path))
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["a" * 5000, "", ".", "/", "a/\udcff"])
def test_odd_study_names_are_told(name: str) -> None:
    assert cosim("run", name)[0] == 2
