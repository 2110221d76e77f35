"""What a run says of itself: decoders being computed, time left, best validation score; on bars and lines alike."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from toy_stages import BOTTOM, MIDDLE, TOP, MemoryStore

from cosim.api import progress
from cosim.api.progress import facts_text, lines_on_stderr
from cosim.engine.points import Decoder, Point, Role
from cosim.engine.progress import Best, Journal, Status
from cosim.engine.record import StageTime
from cosim.engine.stage import RESULT, Stage, make_stage


def decoder(student: str, form: str, role: Role = "student") -> Decoder:
    return Decoder(role, student, student, f"{student} {form}".strip(), "family", {}, form, False, "", {})


def point(one: Decoder, fold: str, result: Stage) -> Point:
    return Point(one, 0, fold, result)


def took(stage: Stage, seconds: float) -> StageTime:
    return StageTime(stage.kind, stage.digest, "", seconds, "")


def scored(store: MemoryStore, stage: Stage, score: float) -> Stage:
    with store.create(stage.key) as folder:
        (folder / RESULT).write_text(json.dumps({"validation_score": score}))
    return stage


def test_a_stage_is_named_by_the_decoders_that_build_on_it(tmp_path: Path) -> None:
    journal = Journal(MemoryStore(tmp_path))
    fold = make_stage(TOP, {"name": "fold"})
    trained = make_stage(MIDDLE, {"student": "A"}, top=fold)
    eight, four = (make_stage(BOTTOM, {"form": form}, middle_0=trained) for form in ("w8a8", "w4a4"))
    other = make_stage(MIDDLE, {"student": "B"}, top=fold)
    for form, result in (("w8a8", eight), ("w4a4", four)):
        journal.asked(point(decoder("A", form), "0", result))
    journal.asked(point(decoder("B", "float32"), "0", other))
    told = ("A w8a8 (bottom)", "A (middle)", "top", "B float32 (middle)")
    assert journal.names([eight, trained, fold, other]) == told
    assert journal.names([eight, eight]) == ("2 × A w8a8 (bottom)",)


def test_the_best_decoder_is_so_by_the_mean_of_its_folds(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path)
    journal = Journal(store)
    assert journal.best() is None
    for name, fold, score in (("A", "0", 0.9), ("A", "1", 0.5), ("B", "0", 0.8)):
        stage = scored(store, make_stage(TOP, {"name": name, "fold": fold}), score)
        journal.scored(point(decoder(name, ""), fold, stage))
    assert journal.best() == Best("B", 0.8)  # A: 0.7 over both of its folds


def test_the_time_that_is_left_follows_what_points_of_each_kind_took(tmp_path: Path) -> None:
    journal = Journal(MemoryStore(tmp_path))
    slow, quick = make_stage(TOP, {"name": "student"}), make_stage(TOP, {"name": "baseline"})
    first, second = point(decoder("A", ""), "0", slow), point(decoder("lda", "", "baseline"), "0", quick)
    journal.asked(first)
    journal.asked(second)
    journal.computed([took(quick, 2.0)])
    journal.finished_here(second)
    assert journal.seconds_left({"student": 3, "baseline": 0}, 2) is None  # no student's time is known
    journal.computed([took(quick, 2.0), took(slow, 40.0)])
    journal.finished_here(first)
    # 3 students at 40 s and 2 baselines at 2 s, two at a time
    assert journal.seconds_left({"student": 3, "baseline": 2}, 2) == pytest.approx((3 * 40 + 2 * 2) / 2)


def status(done: int, computed: int, seconds_left: float | None = 130.0) -> Status:
    return Status(done, 4, computed, ("A w4a4 (quantised)", "fold"), seconds_left, Best("A w8a8", 0.8125))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "unknown time left"), (59.0, "less than a minute left"), (130.0, "about 2 min left"),
     (3570.0, "about 1 h 0 min left"), (7500.0, "about 2 h 5 min left")],
)  # fmt: skip
def test_facts_are_one_line(seconds: float | None, said: str) -> None:
    rest = "best on validation 0.812 (A w8a8); now A w4a4 (quantised), fold"
    assert facts_text(status(1, 1, seconds)) == f"{said}; {rest}"
    assert facts_text(dataclasses.replace(status(4, 9), running=())) == "best on validation 0.812 (A w8a8)"


def test_lines_come_at_stages_and_intervals_and_the_last_one_always(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    watch = lines_on_stderr()

    def lines(at_s: float, *states: Status) -> int:
        now[0] = at_s
        for one in states:
            watch(one)
        return len(capsys.readouterr().err.splitlines())

    assert lines(0.0, status(0, 0), status(0, 0)) == 1
    assert lines(0.5, status(0, 1), status(0, 2)) == 0  # too soon
    assert lines(1.5, status(0, 2), status(0, 2)) == 1  # once a state
    assert lines(30.0, status(0, 2)) == 0
    assert lines(62.0, status(0, 2), status(0, 2)) == 1  # nothing ended, and a minute passed
    assert lines(62.1, status(4, 9), status(4, 9)) == 1  # the end is told, however soon
