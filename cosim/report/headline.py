"""The answer first: for every site the decoder to take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cosim.engine.files import record_errors
from cosim.report.figures.numbers import band_text, ratio_text, score_of
from cosim.report.figures.points import METRICS
from cosim.report.inputs import Row, Run, opened, site_title
from cosim.tables.differences import best_on_validation
from energy_models.feasibility import LIMIT_VERDICTS

LIMIT_WORDS = {
    "power_budget": "power budget", "power_density": "power density", "temperature": "temperature rise",
    "temperature_sphere": "temperature rise, sphere", "harvest": "harvested power",
    "battery": "battery life", "link": "radio link", "deadline": "deadline",
}  # fmt: skip
SIGNIFICANT = 0.05
CLOSE = 0.02  # of a score: less than what folds and seeds scatter by in these corpora
CHOOSING = {"validation": "validation_mean", "test": "score_mean"}  # column of a summary by what the pick is made on
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
        The study's pick, wherever it has the best verdict that any decoder has; else the site's own.
    network : Row or None
        Where `pick` is a classical decoder: the network that is best on validation, as `cosim.report.comparison` has
        it, on the machine with the best verdict and then the least power.
    """

    site: str
    title: str
    verdict: str
    pick: Row
    network: Row | None


def chosen_on(run: Run) -> Literal["validation", "test"]:
    """Return which scores decoders are picked by: those of the validation part, where the run kept any."""
    return "validation" if any(math.isfinite(float(row["validation_mean"])) for row in run.summary) else "test"


def choice_note(run: Run) -> str:
    """Return how the picks were made, as a sentence or two for a reader of the page."""
    kept = chosen_on(run) == "validation"
    part = "on validation" if kept else "on the test part"
    return (
        f"The pick: of the decoders that fit the first site and score {part} within {CLOSE} of the best that fits, the "
        "one whose whole device draws least; where nothing fits, what comes closest. It stays the pick of every site "
        "where nothing has a better verdict. "
        + ("No test score enters the choice." if kept else "Chosen on test scores (validation scores not kept).")
    )


def best_first(run: Run, rows: Sequence[Row]) -> list[Row]:
    """Return rows by the score that picks are made on, the best first; those whose score is undefined last."""
    column = CHOOSING[chosen_on(run)]
    return sorted(rows, key=lambda row: -_merit(row, column))


def answers(run: Run) -> tuple[Answer, ...]:
    """Return one answer per site; a site at which nothing runs on any machine has none.

    One decoder on one machine is the study's pick: at the first site, of the decoders with the best verdict and a mean
    score within `CLOSE` of the best of them, the one whose whole device draws least. It is the pick of every other site
    at which nothing has a better verdict; elsewhere the same rule gives the site's own. The score is that of
    `chosen_on`, so that the test score of a pick is of data that had no part in choosing it.
    """
    found: list[Answer] = []
    column = CHOOSING[chosen_on(run)]
    for site in run.sites:
        running = [row for row in run.at_site(site) if row["verdict"] in RANK]
        if not running:
            continue
        rank = min(_verdict_rank(row) for row in running)
        rows = [row for row in running if _verdict_rank(row) == rank]
        first = found[0].pick if found else None
        same = next((row for row in rows if first is not None and _is_same(row, first)), None)
        nearest = max(rows, key=lambda row: float(row["headroom"]))
        pick = nearest if rank == RANK["exceeds"] else same or _cheapest_close(rows, column)
        found.append(Answer(site, site_title(site), str(pick["verdict"]), pick, _network(run, pick, running)))
    return tuple(found)


def _verdict_rank(row: Row) -> int:
    return RANK[str(row["verdict"])]


def _is_same(row: Row, other: Row) -> bool:
    return row["decoder_id"] == other["decoder_id"] and row["profile"] == other["profile"]


def _network(run: Run, pick: Row, running: Sequence[Row]) -> Row | None:
    name = best_on_validation(run.scores, "student")
    rows = [row for row in running if row["decoder_id"] == name]
    if pick["role"] != "baseline" or not rows:
        return None
    return min(rows, key=lambda row: (_verdict_rank(row), _power(row)))


def _cheapest_close(rows: Sequence[Row], column: str) -> Row:
    """Return the row whose whole device draws least among those whose score is close to the best."""
    least = max(_merit(row, column) for row in rows) - CLOSE
    close = [row for row in rows if _merit(row, column) >= least]
    return min(close, key=lambda row: (_power(row), -_merit(row, column)))


def _merit(row: Row, column: str) -> float:
    """Return a score, below all others where it is undefined."""
    return float(row[column]) if math.isfinite(float(row[column])) else -math.inf


def _power(row: Row) -> float:
    return float(row["total_power_nominal_w"])


def power_of(row: Row, power: str) -> str:
    """Return a row's power with its bounds; `power` is ``decoder_power`` or ``total_power``."""
    low, nominal, high = (float(row[f"{power}_{end}_w"]) for end in ("low", "nominal", "high"))
    return band_text(low, nominal, high, "W")


def binding_of(row: Row) -> str:
    """Return which limit binds and by how much."""
    limit = str(row["binding_limit"])
    text = f"{LIMIT_WORDS.get(limit, limit)}, {ratio_text(float(row['headroom']))}"
    return f"{text} at nominal values" if row["verdict"] in ("fits nominally", "fits only at best") else text


def _chance_note(row: Row) -> str:
    """Return what must stand beside a score that chance reaches as well; empty where it does not."""
    p_value = float(row["p_value"])
    return f", which chance reaches too (p = {p_value:.2f})," if p_value > SIGNIFICANT else ""


def _chosen(run: Run, answer: Answer) -> str:
    """Return on what a pick was made: its validation score, or that these were not kept; empty where power decided."""
    if answer.verdict == "exceeds":
        return ""
    if chosen_on(run) == "test":
        return " (chosen on test scores: validation scores not kept)"
    score = float(answer.pick["validation_mean"])
    return f" (chosen on validation: {score:.3f})".replace("-", "−") if math.isfinite(score) else ""


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
    metric = METRICS.get(str(run.study["metric"]), str(run.study["metric"]))
    return (
        f"{row['decoder']} decodes at {metric} {score_of(row)} on the test part{_chosen(run, first)}"
        f"{_chance_note(row)} and needs {power_of(row, 'decoder_power')} on {row['profile']}; "
        f"with everything around it {power_of(row, 'total_power')}. It {says[first.verdict]}; "
        f"binding limit: {binding_of(row)}."
    )


def answer_line(run: Path | Run) -> str:
    """Return the first sentence of a finished run's page; `run` is its folder, or what `opened` returned.

    Raises
    ------
    CosimError
        As `cosim.report.inputs.opened`.
    """
    found = opened(run)
    with record_errors(found.folder):
        return headline(found, answers(found))
