"""Paired differences that a study is asked for: a form against float, distilled against not, network against classical.

Both decoders of a pair are scored on the same held-out examples and seeds.
"""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd

from cosim.engine.files import Json, read_json, to_json, write_atomically
from cosim.evaluation.held_out import SeedTable, paired_difference
from cosim.evaluation.predictions import Provenance
from energy_models.errors import CosimError

DIFFERENCES = "differences.json"
FLOAT = "float32"
SAME = 1e-9
"""Two means of validation scores that differ by less are the same, summed in another order."""
Kind = Literal["form", "distillation", "control", "classical"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The score of one decoder less that of another, paired by held-out example and seed.

    Parameters
    ----------
    kind : {'form', 'distillation', 'control', 'classical'}
        A student's form less its float form; a distilled float student less the same trained from labels alone; one
        whose method learns from a teacher less the best of those that need none, where the study has such methods; the
        best network less the best classical decoder. The best are chosen on validation. Where no teacher passed its
        gate, the first of a pair is the student of labels alone, and its difference is stated as any other.
    decoder_id, against_id : str
        Join `cosim.tables.results.Score`.
    decoder, against : str
        Their labels.
    mean, low, high : float
        With its 95 % interval; nan where there is none.
    over : str
        What the interval ranges over, as `cosim.tables.decoders.DecoderScore.score_over`.
    count, seeds : int
    method : str
    reason : str
        Why there is no interval.
    """

    kind: Kind
    decoder_id: str
    against_id: str
    decoder: str
    against: str
    mean: float
    low: float
    high: float
    over: str
    count: int
    seeds: int
    method: str
    reason: str


def differences(
    scores: pd.DataFrame, provenance: Provenance, predictions: Mapping[str, SeedTable], taught: Collection[str]
) -> list[Difference]:
    """Return the differences of a run, by kind and then in the order of its decoders.

    Parameters
    ----------
    scores : DataFrame
        Rows of `cosim.tables.results.Score`.
    provenance : Provenance
    predictions : mapping of str to mapping
        Pooled predictions by decoder id and seed.
    taught : collection of str
        Ids of the decoders whose method learns from a teacher, whether or not one passed its gate.
    """
    found: list[Difference] = []
    for kind, decoder, against in _pairs(scores, taught):
        mine, other = str(decoder["decoder_id"]), str(against["decoder_id"])
        gap = paired_difference(provenance, predictions[mine], predictions[other])
        found.append(Difference(
            kind=kind, decoder_id=mine, against_id=other, decoder=str(decoder["decoder"]),
            against=str(against["decoder"]), mean=gap.mean, low=gap.low, high=gap.high, over=gap.over,
            count=gap.count, seeds=gap.seeds, method=gap.method, reason=gap.reason,
        ))  # fmt: skip
    return found


def _pairs(
    scores: pd.DataFrame, taught: Collection[str]
) -> list[tuple[Kind, Mapping[str, Any], Mapping[str, Any]]]:
    rows = cast(list[dict[str, Any]], scores.drop_duplicates("decoder_id").to_dict("records"))
    students = [row for row in rows if row["role"] == "student"]
    pairs: list[tuple[Kind, Mapping[str, Any], Mapping[str, Any]]] = []
    for row in students:
        floats = [other for other in students if _same_student(row, other) and other["form"] == FLOAT]
        undistilled = next((other for other in floats if not other["method"]), None)
        if row["form"] != FLOAT:
            taught_alike = next((other for other in floats if other["method"] == row["method"]), undistilled)
            if taught_alike is not None:
                pairs.append(("form", row, taught_alike))
        elif row["method"] and undistilled is not None:
            pairs.append(("distillation", row, undistilled))
            alone = [other for other in floats if other["decoder_id"] not in taught]
            if row["decoder_id"] in taught and any(other["method"] for other in alone):
                control = _control(scores, alone, str(undistilled["decoder_id"]))
                pairs.append(("control", row, control))
    network, classical = (best_on_validation(scores, role) for role in ("student", "baseline"))
    if network is not None and classical is not None:
        of_id = {row["decoder_id"]: row for row in rows}
        pairs.append(("classical", of_id[network], of_id[classical]))
    return sorted(pairs, key=lambda pair: ("classical", "form", "distillation", "control").index(pair[0]))


def _control(scores: pd.DataFrame, alone: Sequence[Mapping[str, Any]], undistilled: str) -> Mapping[str, Any]:
    """Return the student of labels alone that is best on validation; a method only where it is above none."""
    of_id = {str(one["decoder_id"]): one for one in alone}
    mine: Any = scores[scores["decoder_id"].isin(list(of_id))]
    means = mine.groupby("decoder_id", sort=False)["validation_score"].mean()
    best = str(means.idxmax())
    return of_id[undistilled if means[undistilled] >= means[best] - SAME else best]


def _same_student(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[name] == other[name] for name in ("student", "family", "options"))


def best_on_validation(scores: pd.DataFrame, role: Literal["student", "baseline"]) -> str | None:
    """Return the id of the decoder with the best mean validation score, no test score considered; None without any."""
    mine: Any = scores[scores["role"] == role]
    means = mine.groupby("decoder_id", sort=False)["validation_score"].mean().dropna()
    return None if means.empty else str(means.idxmax())


def write_differences(found: Sequence[Difference], path: Path) -> None:
    """Write the differences as JSON; what is not a number becomes null."""
    rows = [
        {name: None if isinstance(value, float) and math.isnan(value) else value
         for name, value in dataclasses.asdict(one).items()}
        for one in found
    ]  # fmt: skip
    write_atomically(path, to_json({"differences": rows}))


def read_differences(path: Path) -> list[Difference]:
    """Return the differences of a file that `write_differences` wrote.

    Raises
    ------
    CosimError
        If it is missing or holds something else.
    """
    rows = cast(list[dict[str, Json]], read_json(path).get("differences", []))
    numbers = ("mean", "low", "high")
    try:
        return [
            Difference(**cast(Any, row | {n: math.nan for n in numbers if row[n] is None})) for row in rows
        ]
    except (KeyError, TypeError) as error:
        raise CosimError(f"no file of differences ({error})", where=str(path),
                         remedy="It was written by another version; run the study again.") from error  # fmt: skip
