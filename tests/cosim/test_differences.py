"""Which decoders are compared, and that the differences survive their file."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from held_out_tables import session_answers
from test_results import SCORE

from cosim.engine.points import Decoder, Point
from cosim.engine.stage import Stage
from cosim.evaluation.predictions import Predictions, Provenance
from cosim.report.selection import drawn_differences
from cosim.tables.decoders import Question, decoder_score
from cosim.tables.differences import Difference, differences, read_differences, write_differences
from cosim.tables.results import Score, to_frame
from cosim.tables.scores import learning_from_a_teacher
from energy_models.errors import CosimError

LEVELS = {  # id: form, method, accuracy of each of three sessions, validation
    "plain": ("float32", "", (0.60, 0.70, 0.80), 0.70),
    "taught": ("float32", "kl", (0.65, 0.75, 0.85), 0.75),
    "w4a4": ("w4a4", "kl", (0.55, 0.70, 0.85), 0.72),
}


def _rows() -> list[Score]:
    rows = [
        dataclasses.replace(SCORE, decoder_id=name, decoder=name, form=form, method=method, validation_score=validation)
        for name, (form, method, _, validation) in LEVELS.items()
    ]
    classical = dataclasses.replace(SCORE, role="baseline", form="", method="", student="lda", family="lda")
    return [
        *rows,
        dataclasses.replace(classical, decoder_id="lda", decoder="lda", validation_score=0.8),
        dataclasses.replace(classical, decoder_id="csp", decoder="csp", validation_score=0.6),
    ]


def _tables() -> tuple[Provenance, dict[str, dict[int, Predictions]]]:
    levels = {name: level for name, (_, _, level, _) in LEVELS.items()}
    levels |= {"lda": (0.60, 0.60, 0.60), "csp": (0.95, 0.95, 0.95)}
    where = session_answers((0.5, 0.5, 0.5))[0]
    return where, {name: {0: session_answers(level)[1]} for name, level in levels.items()}


def test_pairs_and_their_differences_by_hand() -> None:
    where, predictions = _tables()
    every = differences(to_frame(_rows()), where, predictions, {"taught"})
    found = {(gap.kind, gap.decoder_id, gap.against_id): gap for gap in every}
    # The network picked on validation (taught) against the classical decoder picked there (lda, not csp): .75 - .60.
    # The quantised form against the float student taught alike, not the undistilled one: .70 - .75.
    assert {key: round(gap.mean, 6) for key, gap in found.items()} == {
        ("classical", "taught", "lda"): 0.15, ("form", "w4a4", "taught"): -0.05,
        ("distillation", "taught", "plain"): 0.05,
    }  # fmt: skip
    # Distilled less undistilled is .05 in every session: no scatter.
    taught = found["distillation", "taught", "plain"]
    assert (taught.low, taught.high) == pytest.approx((0.05, 0.05))
    # w4a4: -.10, -.05, 0: s .05, half width 4.3027 * .05 / sqrt 3 = .12421.
    form = found["form", "w4a4", "taught"]
    assert form.high - form.mean == pytest.approx(0.12421, abs=1e-4)
    assert (form.over, form.count) == ("sessions", 3)


def test_a_taught_student_is_held_against_the_best_control_on_validation() -> None:
    """Of the plain student (.70) and two controls (.72, .71) the second is best on validation, not on test (.90)."""
    rows, (where, predictions) = _rows(), _tables()
    taught = next(row for row in rows if row.decoder_id == "taught")
    rows[rows.index(taught)] = dataclasses.replace(taught, distilled_from="teacher")
    for name, level, validation in (("smooth", 0.60, 0.72), ("noisy", 0.90, 0.71)):
        again = {"decoder_id": name, "decoder": name, "method": name, "validation_score": validation}
        rows.append(dataclasses.replace(rows[0], distilled_from="", **again))
        predictions[name] = {0: session_answers((level, level, level))[1]}
    found = [gap for gap in differences(to_frame(rows), where, predictions, {"taught"}) if gap.kind == "control"]
    assert [(gap.decoder_id, gap.against_id, round(gap.mean, 6)) for gap in found] == [("taught", "smooth", 0.15)]


@pytest.mark.parametrize(("validation", "against", "mean"), [(0.70, "plain", 0.0), (0.71, "smooth", 0.1)])
def test_a_student_whose_teacher_never_passed_is_held_against_the_best_control(
    validation: float, against: str, mean: float
) -> None:
    """It is the plain one; a control that is no better than plain on validation is not preferred to it."""
    where, predictions = _tables()
    plain = next(row for row in _rows() if row.decoder_id == "plain")
    rows = [dataclasses.replace(plain, decoder_id="smooth", method="label_smoothing", validation_score=validation),
            dataclasses.replace(plain, decoder_id="taught", method="kl", distilled_from=""), plain]  # fmt: skip
    predictions["taught"] = predictions["plain"]
    predictions["smooth"] = {0: session_answers((0.50, 0.60, 0.70))[1]}
    found = [gap for gap in differences(to_frame(rows), where, predictions, {"taught"}) if gap.kind == "control"]
    assert [(gap.decoder_id, gap.against_id, round(gap.mean, 6)) for gap in found] == [("taught", against, mean)]


def test_a_decoder_learns_from_a_teacher_where_its_student_is_of_a_distilled_stage() -> None:
    """Passed or not, the stage is there; a control is of an undistilled one."""
    def point(label: str, kind: str) -> Point:
        student = Stage(kind, {}, {}, f"{label}, trained", "point")
        decoder = Decoder("student", label, label, label, "mlp", {}, "float32", False, "", {})
        return Point(decoder, 0, "fold", Stage("result", {}, {"student": student}, label, "point"))

    points = [point("taught", "distilled"), point("smooth", "undistilled")]
    assert learning_from_a_teacher(points) == {points[0].decoder.id}


def test_a_form_is_held_against_the_undistilled_float_where_none_is_taught() -> None:
    where, predictions = _tables()
    rows = [row for row in _rows() if row.decoder_id in ("plain", "w4a4")]
    found = differences(to_frame(rows), where, predictions, {"taught"})
    assert [(gap.kind, gap.against_id) for gap in found] == [("form", "plain")]


def test_other_options_make_another_student() -> None:
    where, predictions = _tables()
    rows = [dataclasses.replace(row, options=f'{{"n": {n}}}') for n, row in enumerate(_rows()[:3])]
    assert differences(to_frame(rows), where, predictions, {"taught"}) == []


def test_differences_survive_their_file(tmp_path: Path) -> None:
    where, predictions = _tables()
    found = differences(to_frame(_rows()), where, predictions, {"taught"})
    found[0] = dataclasses.replace(found[0], low=math.nan, high=math.nan, over="none", reason="one unit")
    write_differences(found, tmp_path / "differences.json")
    assert "NaN" not in (tmp_path / "differences.json").read_text()
    again = read_differences(tmp_path / "differences.json")
    assert again[1:] == found[1:]
    assert math.isnan(again[0].low)
    (tmp_path / "differences.json").write_text('{"differences": [{"kind": "form"}]}')
    with pytest.raises(CosimError, match="no file of differences"):
        read_differences(tmp_path / "differences.json")


def test_a_decoders_row_states_chance_rate_and_reasons() -> None:
    # Sessions at .9 of two classes, windows of 1 s, one decision a second: Wolpaw's .5310 bit a window, 31.86 a minute.
    where, found = session_answers((0.9, 0.9, 0.9))
    row = decoder_score("a", where, {0: found}, Question(2, 1.0, None))
    assert (row.chance, row.p_value, row.folds, row.seeds) == (0.5, 0.001, 3, 1)
    assert row.itr_bits_per_min == pytest.approx(31.86, abs=0.01)
    assert math.isnan(row.sensitivity)
    assert json.loads(row.unstated) == {"detection": "the study names no positive class"}


def test_of_too_many_differences_the_largest_of_the_first_kinds_are_drawn_in_their_order() -> None:
    def one(kind: Any, mean: float) -> Difference:
        return Difference(kind, "a", "b", "a", "b", mean, mean, mean, "trials", 9, 1, "t", "")

    forms = [one("form", mean) for mean in (0.1, -0.3, 0.2, math.nan)]
    distilled = [one("distillation", mean) for mean in (0.01, -0.02)]
    every = [one("classical", 0.0), *forms, *distilled]
    assert drawn_differences(every, 5) == [every[0], forms[1], forms[2], *distilled]
    assert drawn_differences(every, 2) == [every[0], distilled[1]]
    assert drawn_differences(every, 7) == every
