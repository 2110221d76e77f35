"""What the sections of a page show are the numbers of the run's tables."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from madeup_run import CLASS_NAMES, write_madeup_run

from cosim.report import write_report
from cosim.report.downloads import downloads_text
from cosim.report.evidence import NOT_KEPT, behind_scores, featured
from cosim.report.headline import answers
from cosim.report.inputs import Run, read_run
from cosim.report.sections import shown_rows, table_rows
from cosim.tables.outcomes import OUTCOMES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_madeup_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return read_run(folder)


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def charts(html: str) -> dict[str, Any]:
    return embedded(html, "charts")


def embedded(html: str, name: str) -> dict[str, Any]:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', html, flags=re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def placed(html: str) -> set[str]:
    return set(re.findall(r'data-chart="([^"]+)"', html))


def test_every_chart_has_its_place_and_is_one_that_plotly_takes(html: str, charts: dict[str, Any]) -> None:
    from plotly.graph_objects import Figure

    views = {key for key in charts if key.startswith(("front/", "bars/"))}
    assert len(views) == 2 * 5 * 4  # fronts and bars of machines and all, and powers
    assert placed(html) == {"front/", "bars/"} | (set(charts) - views)
    for chart in charts.values():
        Figure(chart)  # refuses an unknown property


def test_every_decoder_is_labelled_by_its_number(run: Run, charts: dict[str, Any]) -> None:
    layout = charts["front/gap9/decoder"]["layout"]
    numbers = {str(row["number"]) for row in run.at("gap9", run.sites[0]) if row["infeasibilities"] == "[]"}
    for notes in (layout["annotations"], layout["meta"]["narrow"]):
        marks = [re.sub("<[^>]*>", "", note["text"]).partition(" ")[0] for note in notes if "ax" in note]
        assert sorted(marks) == sorted(numbers)


def test_score_axes_end_at_one(charts: dict[str, Any]) -> None:
    for key, chart in charts.items():
        if key.startswith("front/") or key in ("bits-score", "groups"):
            assert chart["layout"]["yaxis"]["range"][1] <= 1, key


def test_score_and_power_against_bits(run: Run, charts: dict[str, Any]) -> None:
    pick = answers(run)[0].pick
    for key, rows, column, unit in (
        ("bits-score", run.decoders, "score_mean", 1.0),
        ("bits-power", run.at(str(pick["profile"]), run.sites[0]), "decoder_power_nominal_w", 1e-6),
    ):
        line = next(trace for trace in charts[key]["data"] if trace["name"] == "EEGNet-8")
        wanted = {str(row["form"]): float(row[column]) / unit for row in rows
                  if row["student"] == "EEGNet-8" and row.get("infeasibilities", "[]") == "[]"}  # fmt: skip
        assert dict(zip(line["x"], line["y"], strict=True)) == pytest.approx(wanted)
    assert charts["bits-score"]["layout"]["xaxis"]["categoryarray"] == ["float32", "w8a8", "w4a4", "w2a4"]


def test_paired_differences_are_drawn_with_their_intervals(run: Run, charts: dict[str, Any]) -> None:
    drawn = {
        pair: (mean - low, mean, mean + high)
        for trace in charts["differences"]["data"]
        for pair, mean, low, high in zip(
            trace["y"], trace["x"], trace["error_x"]["arrayminus"], trace["error_x"]["array"], strict=True
        )
    }
    assert len(drawn) == len(run.differences) > 5
    for one in run.differences:
        assert drawn[f"{one.decoder}<br>− {one.against}"] == pytest.approx((one.low, one.mean, one.high))


def test_layers_are_those_of_the_pick_and_add_up(run: Run, charts: dict[str, Any], html: str) -> None:
    pick = answers(run)[0].pick
    assert f"Energy of one decode by layer: {pick['decoder']} on {pick['profile']}" in html
    axis = charts["layers-0"]["layout"]["xaxis"]["title"]["text"]
    factor = {"nJ": 1e-9, "µJ": 1e-6}[axis.partition("[")[2].rstrip("]")]
    total = sum(value for trace in charts["layers-0"]["data"] for value in trace["x"]) * factor
    (wanted,) = [
        sum(band[1] for layer in run.layers(row) for band in layer["energy_j"].values()) for row in (pick,)
    ]  # fmt: skip
    assert total == pytest.approx(wanted)


def test_the_network_beside_a_classical_pick_has_its_layers(run: Run) -> None:
    from cosim.report.evidence import layer_charts

    lifted = tuple({**r, "validation_mean": 0.99} if r["decoder"] == "CSP+LDA" else r for r in run.summary)
    found = answers(dataclasses.replace(run, summary=lifted))
    titles = [one.title for one in layer_charts(run, found)]
    assert found[0].network is not None
    assert str(found[0].network["decoder"]) in titles[0]
    assert "CSP+LDA" in titles[1]


def test_confusions_count_every_held_out_example(run: Run, charts: dict[str, Any]) -> None:
    shown = featured(run, answers(run))
    kept = run.outcomes["confusion"]
    for index, row in enumerate(shown):
        heat = charts[f"confusion-{index}"]["data"][0]
        counts = kept[row["decoder_id"]]
        assert heat["x"] == heat["y"] == list(CLASS_NAMES)
        assert sum(map(sum, counts)) == 4 * 25 * 5 * int(row["seeds"])  # classes, trials, sessions, seeds
        recall = sum(row[index] / sum(row) for index, row in enumerate(counts)) / 4
        assert recall == pytest.approx(float(row["score_mean"]))  # balanced accuracy is the mean of the diagonal
        assert sum(heat["z"][index][index] for index in range(4)) / 400 == pytest.approx(recall)


def test_scores_by_group_average_to_the_score(run: Run, charts: dict[str, Any]) -> None:
    line = charts["groups"]["data"][0]
    pick = answers(run)[0].pick
    assert line["name"] == pick["decoder"]
    assert line["x"] == [f"session-{number}" for number in range(5)]
    assert sum(line["y"]) / 5 == pytest.approx(float(pick["score_mean"]), abs=1e-4)


def test_learning_curves_are_those_kept(charts: dict[str, Any]) -> None:
    traces = [trace for trace in charts["curves"]["data"] if trace["name"] == "EEGNet-8 float32"]
    (validation,) = [trace["y"] for trace in traces if trace["line"]["dash"] == "solid"]
    assert validation == [1.3, 1.0, 0.95]
    assert [trace["showlegend"] for trace in traces].count(True) == 1  # one entry a decoder, for both of its lines
    assert len({trace["legendgroup"] for trace in traces}) == 1
    across = charts["curves"]["layout"]["xaxis"]
    assert (across["title"]["text"], across["dtick"]) == ("epoch", 1)


def test_what_a_run_did_not_keep_is_said(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.name not in (OUTCOMES, "report.html"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert page.count(NOT_KEPT) == 3
    assert not [key for key in embedded(page, "charts") if key.startswith(("groups", "confusion", "curves"))]


def test_a_regression_shows_a_trajectory(run: Run) -> None:
    decoder = answers(run)[0].pick["decoder_id"]
    kept = {
        "output_names": ["x", "y"], "groups": {"over": "folds", "names": ["a"], "scores": {}}, "curves": {},
        "trajectory": {"times_s": [0.0, 0.1], "target": [[1.0, None], [2.0, 3.0]],
                       "estimates": {decoder: [[0.9, 0.8], [2.1, 2.9]]}},
    }  # fmt: skip
    found = {one.key: one for one in behind_scores(dataclasses.replace(run, outcomes=kept), answers(run))}
    assert found["trajectory-0"].chart is not None
    assert [trace["y"] for trace in found["trajectory-0"].chart["data"]] == [[1.0, None], [0.9, 0.8]]
    assert found["trajectory-1"].title == "Held-out trajectory: y"
    assert found["groups"].chart is None
    assert "All that is held out is one fold: a." in found["groups"].note


def test_tables_are_saved_with_plain_numbers_and_units(run: Run, html: str) -> None:
    tables = embedded(html, "downloads")
    rows = shown_rows(run)
    assert downloads_text(run, table_rows(run, rows), rows) == json.dumps(tables, separators=(",", ":")).replace(
        "<", "\\u003c"
    )
    frame = pd.read_csv(io.StringIO(tables["decoders"]["csv"]))
    assert len(frame) == 13 * 4
    for row, saved in zip(rows, frame.to_dict("records"), strict=True):
        assert saved["decoder"] == row["decoder"]
        if row["infeasibilities"] == "[]":
            assert saved["decoder_power_nominal_uw"] == pytest.approx(float(row["decoder_power_nominal_w"]) / 1e-6)
            assert saved["latency_nominal_ms"] == pytest.approx(float(row["latency_nominal_s"]) / 1e-3)
        else:
            assert math.isnan(saved["decoder_power_nominal_uw"])
    assert len(pd.read_csv(io.StringIO(tables["scores"]["csv"]))) == 14
    assert len(pd.read_csv(io.StringIO(tables["differences"]["csv"]))) == len(run.differences)
    assert all("\\begin{longtable}" in table["latex"] for table in tables.values())
    assert "decoder power [µW]" in tables["decoders"]["latex"]


def test_columns_name_their_units(html: str) -> None:
    heads = [" ".join(head.split()) for head in re.findall(r"<th[^>]*>([^<]*)</th>", html)]
    for head in ("decoder power [µW]", "energy per decode [µJ]", "latency [ms]", "memory [kB]"):
        assert head in heads
