"""The answer first: for every site the decoder to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosim.report.figures.numbers import band_text, ratio_text, score_of
from cosim.report.inputs import Row, Run, site_title
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
        rows = [row for row in run.at_site(site) if row["verdict"] in RANK]
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
