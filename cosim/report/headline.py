"""The answer first: for every site the decoder to take, and whether a network was worth it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cosim.report.figures.front import METRICS
from cosim.report.figures.numbers import band_text, ratio_text, score_text
from cosim.report.inputs import Row, Run, site_title
from energy_models.feasibility import LIMIT_VERDICTS

LIMIT_WORDS = {
    "power_budget": "power budget", "power_density": "power density", "temperature": "temperature rise",
    "temperature_sphere": "temperature rise, sphere", "harvest": "harvested power",
    "battery": "battery life", "link": "radio link", "deadline": "deadline",
}  # fmt: skip
CLOSE = 0.02  # of a score: less than what folds and seeds scatter by in these corpora
RANGES = {"balanced_accuracy": (0.0, 1.0), "r2": (-math.inf, 1.0)}
DAGGER = "†"
RANK = {verdict: rank for rank, verdict in enumerate(LIMIT_VERDICTS)}


@dataclass(frozen=True, slots=True)
class Answer:
    """One site's answer.

    Parameters
    ----------
    site, title : str
    verdict : str
        Of `pick`; ``exceeds`` where nothing fits, and `pick` is then what comes closest.
    pick : Row
        Of the decoders with the best verdict and a mean score within `CLOSE` of the best of them, the one whose whole
        device draws least.
    best : Row or None
        The best mean score with that verdict, where it is another one than `pick`.
    network : Row or None
        Where `pick` is a classical decoder: what `pick` would be among networks.
    """

    site: str
    title: str
    verdict: str
    pick: Row
    best: Row | None
    network: Row | None


def answers(run: Run) -> tuple[Answer, ...]:
    """Return one answer per site; a site at which nothing runs on any machine has none."""
    found: list[Answer] = []
    for site in run.sites:
        rows = [row for row in run.summary if row["site"] == site and row["verdict"] in RANK]
        if not rows:
            continue
        rank = min(RANK[str(row["verdict"])] for row in rows)
        rows = [row for row in rows if RANK[str(row["verdict"])] == rank]
        if rank == RANK["exceeds"]:
            nearest = max(rows, key=lambda row: float(row["headroom"]))
            found.append(Answer(site, site_title(site), "exceeds", nearest, None, None))
            continue
        best, pick = _best(rows), _cheapest_close(rows)
        networks = [row for row in rows if row["role"] == "student"]
        network = _cheapest_close(networks) if networks and pick["role"] == "baseline" else None
        shown = best if best is not pick and best is not network else None
        found.append(Answer(site, site_title(site), str(pick["verdict"]), pick, shown, network))
    return tuple(found)


def _best(rows: Sequence[Row]) -> Row:
    return min(rows, key=lambda row: (-float(row["score_mean"]), _power(row)))


def _cheapest_close(rows: Sequence[Row]) -> Row:
    """Return the row whose whole device draws least among those close to the best score."""
    least = float(_best(rows)["score_mean"]) - CLOSE
    close = [row for row in rows if float(row["score_mean"]) >= least]
    return min(close, key=lambda row: (_power(row), -float(row["score_mean"])))


def _power(row: Row) -> float:
    return float(row["total_power_nominal_w"])


def score_of(row: Row) -> str:
    """Return a row's score with its interval, marked where a bound passes the metric's range."""
    text = score_text(float(row["score_mean"]), float(row["score_low"]), float(row["score_high"]))
    return text + DAGGER if _passed(row) else text


def _passed(row: Row) -> float | None:
    """Return the end of the metric's range that the row's interval passes."""
    lowest, highest = RANGES.get(str(row["metric"]), (-math.inf, math.inf))
    if float(row["score_high"]) > highest:
        return highest
    return lowest if float(row["score_low"]) < lowest else None


def range_note(run: Run) -> str:
    """Return the footnote of marked scores; empty where no interval passes the metric's range."""
    passing = [(row, end) for row in run.decoders if (end := _passed(row)) is not None]
    if not passing:
        return ""
    kinds = sorted({str(row["score_over"]) for row, _ in passing})
    over = sorted({f"{row[str(row['score_over'])]} {row['score_over']}" for row, _ in passing})
    ends = " or ".join(f"{end:g}" for end in sorted({end for _, end in passing}))
    few = f"too few {' or '.join(kinds)} to say"
    return f"{DAGGER} A t-interval over {' or '.join(over)} may pass {ends}: read it as “{few}”."


def selection_note(run: Run) -> str:
    """Return how the two that are compared were found, and on what each kind was fitted."""
    counts = {role: sum(row["role"] == role for row in run.decoders) for role in ("student", "baseline")}
    note = (
        f"The network is the one of {counts['student']} with the best mean validation score; networks are trained "
        "without the validation part, classical decoders with it."
    )
    if counts["baseline"] > 1:
        note += f" The classical decoder has the best test score of {counts['baseline']}, which flatters it."
    return note


def power_of(row: Row, power: str) -> str:
    """Return a row's power with its bounds; `power` is ``decoder_power`` or ``total_power``."""
    low, nominal, high = (float(row[f"{power}_{end}_w"]) for end in ("low", "nominal", "high"))
    return band_text(low, nominal, high, "W")


def binding_of(row: Row) -> str:
    """Return which limit binds and by how much."""
    limit = str(row["binding_limit"])
    text = f"{LIMIT_WORDS.get(limit, limit)}, {ratio_text(float(row['headroom']))}"
    return f"{text} at nominal values" if row["verdict"] in ("fits nominally", "fits only at best") else text


def headline(run: Run, found: Sequence[Answer]) -> str:
    """Return the page's first sentence."""
    if not found:
        return "No decoder runs on any of the machines priced."
    first = found[0]
    row = first.pick
    says = {
        "fits": f"fits {first.site}",
        "fits nominally": f"fits {first.site} at nominal values",
        "fits only at best": f"fits {first.site} only at best",
        "exceeds": f"exceeds {first.site}, and every other decoder does too",
    }
    return (
        f"{row['decoder']} decodes at {score_of(row)} and needs {power_of(row, 'decoder_power')} on {row['profile']}; "
        f"with everything around it {power_of(row, 'total_power')}. It {says[first.verdict]}; "
        f"binding limit: {binding_of(row)}."
    )


def comparison(run: Run) -> dict[str, Any] | None:
    """Return whether the network picked on validation beats the best classical decoder on the same folds.

    None where there are not both kinds.

    Keys: ``verdict`` (``better``, ``worse``, ``no clear difference``, ``cannot tell``), ``text``.
    """
    chosen = run.best_on_validation()
    student = next((row for row in run.decoders if row["decoder_id"] == chosen), None)
    baseline = next((row for row in run.decoders if row["role"] == "baseline"), None)
    if student is None or baseline is None:
        return None
    gap = run.difference(str(student["decoder_id"]), str(baseline["decoder_id"]))
    if gap.over == "none":
        verdict, words = "cannot tell", "one repetition: the scatter is unknown"
    else:
        verdict = "better" if gap.low > 0 else "worse" if gap.high < 0 else "no clear difference"
        words = f"95 % interval over {gap.count} {gap.over}, paired by fold"
        if gap.over == "seeds":
            words += "; it covers training chance on this one held-out part, not another stretch or subject"
    opening = {
        "better": "The network picked on validation beats the best classical decoder",
        "worse": "The network picked on validation does not beat the best classical decoder: it is worse",
        "no clear difference": "The network picked on validation is not clearly better than the best classical decoder",
        "cannot tell": "Whether the network picked on validation beats the best classical decoder cannot be told",
    }[verdict]
    metric = METRICS.get(str(student["metric"]), str(student["metric"]))
    text = (
        f"{opening}: {student['decoder']} {score_of(student)} against {baseline['decoder']} {score_of(baseline)}, "
        f"difference {_signed(gap.mean, gap.low, gap.high)} {metric} ({words})."
    )
    return {"verdict": verdict, "text": text}


def _signed(mean: float, low: float, high: float) -> str:
    text = f"{mean:+.3f}"
    return (text if math.isnan(low) else f"{text} [{low:+.3f}, {high:+.3f}]").replace("-", "−")
