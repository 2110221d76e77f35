"""The answer first: for every site the decoder to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cosim.report.figures.numbers import band_text, ratio_text, score_of
from cosim.report.inputs import Row, Run, read_run, site_title
from cosim.tables.differences import best_on_validation
from energy_models.feasibility import LIMIT_VERDICTS

LIMIT_WORDS = {
    "power_budget": "power budget", "power_density": "power density", "temperature": "temperature rise",
    "temperature_sphere": "temperature rise, sphere", "harvest": "harvested power",
    "battery": "battery life", "link": "radio link", "deadline": "deadline",
}  # fmt: skip
SIGNIFICANT = 0.05
CLOSE = 0.02  # of a score: less than what folds and seeds scatter by in these corpora
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


def answers(run: Run) -> tuple[Answer, ...]:
    """Return one answer per site; a site at which nothing runs on any machine has none.

    One decoder on one machine is the study's pick: at the first site, of the decoders with the best verdict and a mean
    score within `CLOSE` of the best of them, the one whose whole device draws least. It is the pick of every other site
    at which nothing has a better verdict; elsewhere the same rule gives the site's own.
    """
    found: list[Answer] = []
    for site in run.sites:
        running = [row for row in run.at_site(site) if row["verdict"] in RANK]
        if not running:
            continue
        rank = min(_verdict_rank(row) for row in running)
        rows = [row for row in running if _verdict_rank(row) == rank]
        first = found[0].pick if found else None
        same = next((row for row in rows if first is not None and _is_same(row, first)), None)
        nearest = max(rows, key=lambda row: float(row["headroom"]))
        pick = nearest if rank == RANK["exceeds"] else same or _cheapest_close(rows)
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


def _best(rows: Sequence[Row]) -> Row:
    return min(rows, key=lambda row: (-float(row["score_mean"]), _power(row)))


def _cheapest_close(rows: Sequence[Row]) -> Row:
    """Return the row whose whole device draws least among those close to the best score."""
    least = float(_best(rows)["score_mean"]) - CLOSE
    close = [row for row in rows if float(row["score_mean"]) >= least]
    return min(close, key=lambda row: (_power(row), -float(row["score_mean"])))


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
        f"{row['decoder']} decodes at {score_of(row)}{_chance_note(row)} "
        f"and needs {power_of(row, 'decoder_power')} on {row['profile']}; "
        f"with everything around it {power_of(row, 'total_power')}. It {says[first.verdict]}; "
        f"binding limit: {binding_of(row)}."
    )


def answer_line(folder: Path) -> str:
    """Return the first sentence of a finished run's page.

    Raises
    ------
    CosimError
        As `cosim.report.inputs.read_run`.
    """
    run = read_run(folder)
    return headline(run, answers(run))
