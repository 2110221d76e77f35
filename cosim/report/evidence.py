"""The charts behind the scores of a page: bits, differences, layers, groups, confusion, trajectory, learning curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from cosim.report.charts import layers_of
from cosim.report.figures.axes import Chart
from cosim.report.figures.evidence import (
    Band,
    Series,
    confusion_chart,
    curves_chart,
    differences_chart,
    series_chart,
    trajectory_chart,
)
from cosim.report.figures.points import METRICS
from cosim.report.headline import Answer
from cosim.report.inputs import Row, Run
from cosim.report.selection import drawn_differences, names_text

MOST_SERIES, MOST_DIFFERENCES, MOST_CURVES = 24, 40, 6
NOT_KEPT = "not kept: this run was made before cosim kept it. Run the study again to have it."
MICROWATT_W = 1e-6
PAIRS = {
    "classical": "network − classical", "form": "form − float", "distillation": "distilled − labels alone",
    "control": "distilled − best control",
}  # fmt: skip


class Exhibit(NamedTuple):
    """A chart with its name on the page, its title, and what must be known of it; without a chart `note` says why."""

    key: str
    title: str
    chart: Chart | None
    note: str


def featured(run: Run, found: Sequence[Answer]) -> tuple[Row, ...]:
    """Return the decoders a page looks into: the pick, and the best network and classical decoder on validation."""
    rows = {str(row["decoder_id"]): row for row in run.decoders}
    gap = next((one for one in run.differences if one.kind == "classical"), None)
    wanted = [str(answer.pick["decoder_id"]) for answer in found[:1]]
    wanted += [] if gap is None else [gap.decoder_id, gap.against_id]
    return tuple(rows[name] for name in dict.fromkeys(wanted) if name in rows)


def bit_charts(run: Run, found: Sequence[Answer]) -> list[Exhibit]:
    """Return score, and power on the pick's machine, against the widths of every student."""
    students = [row for row in run.decoders if row["role"] == "student"]
    if not students:
        return [Exhibit("bits-score", "Score", None, "This study has no network.")]
    order = list(dict.fromkeys(str(row["form"]) for row in sorted(students, key=_width)))
    names = _names(students)
    score = str(run.study["metric"])
    score = METRICS.get(score, score)
    charts = [Exhibit("bits-score", "Score", series_chart(
        _by_student(students, _score_band, names), order, title=score, scale="score", x_title="form"), "")]  # fmt: skip
    if not found:
        return charts
    machine = str(found[0].pick["profile"])
    priced = [row for row in run.at(machine, run.sites[0]) if row["infeasibilities"] == "[]"]
    running = [row for row in priced if row["role"] == "student"]
    missing = sorted({str(row["decoder"]) for row in students} - {str(row["decoder"]) for row in running})
    note = f"Cannot run on {machine}: {names_text(missing)}." if missing else ""
    power = series_chart(_by_student(running, _power_band, names), order, title="decoder power [µW]", scale="power",
                         x_title="form") if running else None  # fmt: skip
    return [*charts, Exhibit("bits-power", f"Power of the decoder on {machine}", power, note)]


def _width(row: Row) -> tuple[bool, int, int, str]:
    return row["form"] != "float32", -int(row["weight_bits"]), -int(row["activation_bits"]), str(row["form"])


def _score_band(row: Row) -> Band:
    return float(row["score_low"]), float(row["score_mean"]), float(row["score_high"])


def _power_band(row: Row) -> Band:
    low, nominal, high = (float(row[f"decoder_power_{end}_w"]) / MICROWATT_W for end in ("low", "nominal", "high"))
    return low, nominal, high


def _names(rows: Sequence[Row]) -> dict[str, str]:
    """Return by decoder id the line it belongs to: its student, and the method where that has several."""
    methods: dict[str, set[str]] = {}
    for row in rows:
        methods.setdefault(str(row["student"]), set()).add(str(row["method"]))
    return {
        str(row["decoder_id"]): f"{row['student']}, {_taught(str(row['method']))}"
        if len(methods[str(row["student"])]) > 1 else str(row["student"])
        for row in rows
    }  # fmt: skip


def _taught(method: str) -> str:
    return f"distilled ({method})" if method else "labels alone"


def _by_student(rows: Sequence[Row], band: Callable[[Row], Band], names: Mapping[str, str]) -> list[Series]:
    """Return one line for each name, in the order of the names; of very many the first."""
    values: dict[str, dict[str, Band]] = {name: {} for name in names.values()}
    for row in rows:
        values[names[str(row["decoder_id"])]][str(row["form"])] = band(row)
    lines = [Series(name, found, place) for place, (name, found) in enumerate(values.items())]
    return [one for one in lines if one.values][:MOST_SERIES]


def difference_chart(run: Run) -> Exhibit:
    """Return every paired difference with its interval, of very many those of `drawn_differences`."""
    shown = drawn_differences(run.differences, MOST_DIFFERENCES)
    rows = [(f"{one.decoder}<br>− {one.against}", PAIRS[one.kind], (one.low, one.mean, one.high)) for one in shown]
    left = len(run.differences) - len(rows)
    note = (f"{len(rows)} of {len(run.differences)} are drawn: against a classical decoder first, then of "
            f"distillation, then of forms, of a kind the largest; the other {left} stand in the table.") if left else ""
    drawn = differences_chart(rows, metric=str(run.study["metric"])) if rows else None
    return Exhibit("differences", "Paired differences", drawn, note if rows else "There is no pair to compare.")


def layer_charts(run: Run, found: Sequence[Answer]) -> list[Exhibit]:
    """Return the energy by layer of the pick, and of the network beside a classical one."""
    shown = [row for answer in found[:1] for row in (answer.network, answer.pick) if row is not None]
    return [
        Exhibit(f"layers-{index}", f"Energy of one decode by layer: {row['decoder']} on {row['profile']}",
                layers_of(run, row), "")
        for index, row in enumerate(shown) if row["infeasibilities"] == "[]"
    ]  # fmt: skip


def behind_scores(run: Run, found: Sequence[Answer]) -> list[Exhibit]:
    """Return what stands behind the scores: by group, confusion or trajectory, learning curves."""
    shown = featured(run, found)
    if not run.outcomes:
        titles = ("Scores by group", "Confusion matrix or trajectory", "Learning curves")
        return [Exhibit(f"missing-{index}", title, None, f"{title}: {NOT_KEPT}") for index, title in enumerate(titles)]
    return [_groups(run, shown), *_confusions(run, shown), *_trajectories(run, shown), _curves(run, shown)]


def _groups(run: Run, shown: Sequence[Row]) -> Exhibit:
    groups = cast("Mapping[str, Any]", run.outcomes["groups"])
    names: list[str] = groups["names"]
    others = [row for row in run.decoders if all(row["decoder_id"] != one["decoder_id"] for one in shown)]
    series: list[Series] = []
    for row in (*shown, *others):
        scores: Sequence[float | None] = groups["scores"].get(row["decoder_id"], ())
        known = {name: (math.nan, value, math.nan) for name, value in zip(names, scores, strict=False)
                 if value is not None}  # fmt: skip
        if known:
            series.append(Series(str(row["decoder"]), known, len(series)))
    title = f"Scores of single {groups['over']}"
    metric = METRICS.get(str(run.study["metric"]), str(run.study["metric"]))
    if len(names) == 1:
        return Exhibit("groups", title, None, f"All that is held out is one {str(groups['over'])[:-1]}: {names[0]}.")
    if not series:
        return Exhibit("groups", title, None, f"{title}: no group holds enough to be scored alone.")
    drawn = series_chart(series[:MOST_SERIES], names, title=metric, scale="score", x_title=str(groups["over"]),
                         most=max(len(shown), 1))
    return Exhibit("groups", title, drawn, "Mean over seeds. Choose decoders in the legend.")


def _confusions(run: Run, shown: Sequence[Row]) -> Iterator[Exhibit]:
    for index, row in enumerate(shown):
        counts = run.outcomes.get("confusion", {}).get(row["decoder_id"])
        if counts is not None:
            drawn = confusion_chart(counts, run.outcomes["output_names"])
            yield Exhibit(f"confusion-{index}", f"Confusion matrix: {row['decoder']}", drawn,
                          "Per cent of each true class, and examples over all folds and seeds.")  # fmt: skip


def _trajectories(run: Run, shown: Sequence[Row]) -> Iterator[Exhibit]:
    kept = run.outcomes.get("trajectory")
    if kept is None:
        return
    known = [row for row in shown if row["decoder_id"] in kept["estimates"]]
    for index, axis in enumerate(run.outcomes["output_names"]):
        lines = {str(row["decoder"]): kept["estimates"][row["decoder_id"]][index] for row in known}
        drawn = trajectory_chart(kept["times_s"], kept["target"][index], lines, axis=str(axis))
        yield Exhibit(f"trajectory-{index}", f"Held-out trajectory: {axis}", drawn, "Of the first seed.")


def _curves(run: Run, shown: Sequence[Row]) -> Exhibit:
    kept = cast("Mapping[str, Mapping[str, Any]]", run.outcomes.get("curves", {}))
    students = [*(row for row in shown if row["role"] == "student"), *run.decoders]
    wanted = {str(row["decoder_id"]): str(row["decoder"]) for row in students if row["decoder_id"] in kept}
    curves = {name: kept[decoder] for decoder, name in list(wanted.items())[:MOST_CURVES]}
    if not curves:
        return Exhibit("curves", "Learning curves", None, f"Learning curves: {NOT_KEPT}")
    note = ("Solid: validation part; dotted: training part. Mean over folds and seeds; a training that stopped earlier "
            "counts with its last losses. "
            "Choose decoders in the legend.")  # fmt: skip
    return Exhibit("curves", "Learning curves", curves_chart(curves), note)
