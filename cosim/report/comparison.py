"""Comparisons of decoders in words: paired differences, with what their intervals range over."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cosim.report.figures.numbers import score_of
from cosim.report.figures.points import METRICS
from cosim.report.inputs import Row, Run
from cosim.tables.differences import Difference

OVER = {
    "subjects": "another subject of this kind", "sessions": "another session of this subject",
    "runs": "another run of this session", "recordings": "another recording of this kind",
    "segments": "another part of this recording", "trials": "other trials like these",
}  # fmt: skip
KINDS = {
    "classical": "network against classical decoder, each the best on validation",
    "form": "against its float form",
    "distillation": "distilled against trained from labels alone",
    "control": "distilled against the best way to train from labels alone, on validation",
}


def comparison(run: Run) -> dict[str, Any] | None:
    """Return whether the network that is best on validation beats the classical decoder that is.

    None where there are not both kinds.

    Keys: ``verdict`` (``better``, ``worse``, ``no clear difference``, ``cannot tell``), ``text``.
    """
    gap = next((one for one in run.differences if one.kind == "classical"), None)
    rows = {row["decoder_id"]: row for row in run.decoders}
    if gap is None or gap.decoder_id not in rows or gap.against_id not in rows:
        return None
    verdict = verdict_of(gap)
    opening = {
        "better": "The network that is best on validation beats the best classical decoder",
        "worse": "The network that is best on validation does not beat the best classical decoder: it is worse",
        "no clear difference": "The network that is best on validation is not clearly better than the best classical "
        "decoder",
        "cannot tell": "Whether the network that is best on validation beats the best classical decoder cannot be told",
    }[verdict]
    network, classical = rows[gap.decoder_id], rows[gap.against_id]
    metric = METRICS.get(str(network["metric"]), str(network["metric"]))
    text = (
        f"{opening}: {network['decoder']} {score_of(network)} against {classical['decoder']} {score_of(classical)}, "
        f"difference {difference_text(gap)} {metric} ({_words(gap)})."
    )
    return {"verdict": verdict, "text": text}


def verdict_of(gap: Difference) -> str:
    """Return what an interval of a difference says."""
    if math.isnan(gap.low):
        return "cannot tell"
    return "better" if gap.low > 0 else "worse" if gap.high < 0 else "no clear difference"


def _words(gap: Difference) -> str:
    if math.isnan(gap.low):
        return f"{gap.reason}: the scatter is unknown"
    speaks_of = OVER.get(gap.over, f"other {gap.over}, as the data names them")
    return f"95 % interval {over_text(gap.count, gap.over)}, paired by example; it speaks of {speaks_of}"


def over_text(count: int, over: str) -> str:
    """Return what an interval ranges over."""
    return "without an interval" if over == "none" else f"over {count} {over}"


def difference_text(gap: Difference) -> str:
    """Return a difference with its interval, signed."""
    text = f"{gap.mean:+.3f}"
    return (text if math.isnan(gap.low) else f"{text} [{gap.low:+.3f}, {gap.high:+.3f}]").replace("-", "−")


def difference_rows(gaps: Sequence[Difference]) -> list[dict[str, str]]:
    """Return paired differences as texts: the two decoders, the difference, what it ranges over, what it says."""
    return [
        {
            "kind": KINDS[gap.kind], "decoder": gap.decoder, "against": gap.against, "difference": difference_text(gap),
            "over": over_text(gap.count, gap.over) if not gap.reason else gap.reason, "verdict": verdict_of(gap),
        }
        for gap in gaps
    ]  # fmt: skip


def selection_note(run: Run) -> str:
    """Return how the two that are compared were found."""
    counts = {role: sum(row["role"] == role for row in run.decoders) for role in ("student", "baseline")}
    return (
        f"Each is the one of its kind with the best mean validation score, of {_number(counts['student'], 'network')} "
        f"and {_number(counts['baseline'], 'classical decoder')}; no test score entered."
    )


def _number(count: int, name: str) -> str:
    return f"{count} {name}{'s' if count != 1 else ''}"


def task_rows(rows: Sequence[Row]) -> list[Mapping[str, str]]:
    """Return per decoder what stands beside its price: score, interval, chance, and the task's metrics."""
    return [score_row(row) for row in rows]


def score_row(row: Mapping[str, Any]) -> dict[str, str]:
    """Return a decoder's scores as texts."""
    return {
        "decoder": str(row["decoder"]), "score": score_of(row),
        "over": over_text(int(row["score_count"]), str(row["score_over"])),
        "p": p_text(float(row["p_value"])), "validation": number_text(float(row["validation_mean"]), 3),
        "task": task_text(row),
    }  # fmt: skip


def p_text(value: float) -> str:
    """Return a p value: at least a thousandth, as permutations give it."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def number_text(value: float, digits: int) -> str:
    """Return a number, or a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def task_text(row: Mapping[str, Any]) -> str:
    """Return the task's own metrics in words; empty where it has none."""
    if not math.isnan(float(row["itr_bits_per_min"])):
        return f"{float(row['itr_bits_per_min']):.1f} bit/min"
    if math.isnan(float(row["sensitivity"])) and math.isnan(float(row["specificity"])):
        return ""
    names = (
        ("auroc", "AUROC", 3, ""), ("sensitivity", "sensitivity", 3, ""), ("specificity", "specificity", 3, ""),
        ("false_alarms_per_hour", "false alarms", 2, " per hour"), ("latency_s", "latency", 1, " s"),
    )
    said = [f"{name} {number_text(float(row[key]), digits)}{unit}" for key, name, digits, unit in names
            if not math.isnan(float(row[key]))]  # fmt: skip
    if not math.isnan(float(row["events"])):
        found = f"{float(row['events_found']):.1f}".removesuffix(".0")
        said.append(f"{found} of {float(row['events']):g} events found")
    return ", ".join(said)
