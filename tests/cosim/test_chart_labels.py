"""Charts of score against power: what they mark, and labels that keep clear of each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from madeup_run import write_madeup_run

from cosim.report.charts import front_of
from cosim.report.figures.front import front_chart
from cosim.report.figures.labels import CHARACTER, Sheet, place_labels
from cosim.report.figures.points import Point
from cosim.report.headline import answers
from cosim.report.inputs import Run, read_run
from energy_models.errors import StudyError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return read_run(write_madeup_run(tmp_path_factory.mktemp("run")))


def point(label: str, score: float, power: float, *, front: bool = True) -> Point:
    return Point(label, 1, "quantised", (score - 0.02, score, score + 0.02), (power / 2, power, power * 2), front)


def drawn(points: list[Point], **levels: float) -> dict[str, Any]:
    return front_chart(points, metric="r2", power_label="p", levels=levels)


def marks(chart: dict[str, Any]) -> list[str]:
    return [note["text"] for note in chart["layout"]["annotations"]]


def test_a_decoder_at_chance_does_not_press_the_others_together() -> None:
    chart = drawn([point("good", 0.9, 1e-6), point("better", 0.92, 1e-5), point("trivial", 0.25, 1e-9)], chance=0.25)
    assert "<b>1 trivial 0.25 ↓</b>" in marks(chart)
    assert "chance 0.25 ↓" in marks(chart)
    assert chart["layout"]["yaxis"]["range"][0] > 0.3  # the axis starts far above
    assert not chart["layout"]["shapes"]


def test_chance_is_a_line_where_it_is_near() -> None:
    chart = drawn([point("a", 0.61, 1e-6), point("b", 0.66, 1e-5)], chance=0.5)
    assert "chance 0.50" in marks(chart)
    assert [shape["y0"] for shape in chart["layout"]["shapes"]] == [0.5]


def test_labels_do_not_cover_each_other() -> None:
    places = [(100.0 + i, 100.0) for i in range(8)]
    found = place_labels([Sheet(places, (0, 0, 400, 300))], [[f"decoder {i}"] for i in range(8)], size=12)
    centres = [(x + one.dx, y + one.dy) for (x, y), one in zip(places, found, strict=True) if one is not None]
    assert len(centres) == 8
    for i, (x, y) in enumerate(centres):
        for other_x, other_y in centres[i + 1 :]:
            assert abs(y - other_y) >= 12 or abs(x - other_x) >= 9 * 12 * CHARACTER


def _boxes(chart: dict[str, Any], width: float) -> list[tuple[float, float, float, float]]:
    """Return where labels of points stand in a chart that is so wide [px]."""
    layout = chart["layout"]
    margin, (left, right), (low, high) = layout["margin"], layout["xaxis"]["range"], layout["yaxis"]["range"]
    wide, tall = width - margin["l"] - margin["r"], layout["height"] - margin["t"] - margin["b"]
    found: list[tuple[float, float, float, float]] = []
    for mark in layout["annotations"]:
        if mark["showarrow"]:
            x = (mark["x"] - left) / (right - left) * wide + mark["ax"]
            y = (high - mark["y"]) / (high - low) * tall + mark["ay"]
            half = len(mark["text"].replace("<b>", "").replace("</b>", "")) * 12 * CHARACTER / 2
            found.append((x - half, y - 6, x + half, y + 6))
    return found


@pytest.mark.parametrize("width", [350.0, 1340.0])
@pytest.mark.parametrize("machine", ["all machines", "gap9"])
def test_a_chart_that_stands_alone_labels_every_decoder_at_any_width(run: Run, machine: str, width: float) -> None:
    chart = front_of(run, answers(run), machine, run.sites[0], "decoder_power")
    assert chart is not None
    machines = run.machines if machine == "all machines" else (machine,)
    rows = [r for name in machines for r in run.at(name, run.sites[0]) if r["infeasibilities"] == "[]"]
    boxes = _boxes(chart, width)
    assert len(boxes) == len(rows)
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            assert min(one[2], other[2]) <= max(one[0], other[0]) or min(one[3], other[3]) <= max(one[1], other[1])
    named = {trace["name"] for trace in chart["data"] if trace.get("showlegend") is not False}
    assert {f"{row['number']} {row['decoder']}" for row in rows} <= named
    assert chart["layout"]["yaxis"]["range"][1] <= 1


def test_the_name_of_a_level_keeps_off_the_points() -> None:
    right = [point(f"decoder {n}", 0.805 + 0.002 * n, 1e-3 * (1 + 0.1 * n)) for n in range(4)]
    charts = (
        drawn([*right, point("far", 0.9, 1e-6)], chance=0.5, teacher=0.8),
        drawn([point("far", 0.9, 1e-3), point("near", 0.805, 1e-6)], chance=0.5, teacher=0.8),
    )
    sides = [
        mark["xanchor"] for chart in charts for mark in chart["layout"]["meta"]["narrow"]
        if mark["text"].startswith("teacher")
    ]  # fmt: skip
    assert sides == ["left", "right"]


def test_a_label_that_finds_no_place_is_its_short_text() -> None:
    """40 px hold 4 characters of 12 px at 0.68 of their size (33 px), and not 11."""
    found = place_labels([Sheet([(20.0, 50.0)], (0, 0, 40, 100))], [["a long name", "1"]], size=12)
    assert [one.text for one in found if one is not None] == ["1"]
    assert place_labels([Sheet([(20.0, 50.0)], (0, 0, 40, 100))], [[]], size=12) == [None]


def test_a_machine_without_power_is_refused() -> None:
    with pytest.raises(StudyError, match="above zero"):
        drawn([point("a", 0.9, 0.0)])


@pytest.mark.parametrize("scores", [(0.4, 0.45), (0.5, 0.5), (0.45,), (0.1, 0.4, 0.5)])
def test_decoders_at_or_below_chance_have_a_figure(scores: tuple[float, ...]) -> None:
    points = [point(f"decoder {n}", score, 1e-6 * (n + 1)) for n, score in enumerate(scores)]
    chart = drawn(points, chance=0.5)
    json.dumps(chart, allow_nan=False)
    assert any(f"decoder {len(scores) - 1}" in mark for mark in marks(chart))
    negative = [point(f"decoder {n}", -score, 1e-6 * (n + 1)) for n, score in enumerate(scores)]
    assert any("chance 0.00" in mark for mark in marks(drawn(negative, chance=0.0)))
