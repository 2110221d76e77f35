"""One row per decoder, machine and site: score with its interval, price with its bounds, place on the front."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from cosim.evaluation.feasibility import ANSWERS
from cosim.evaluation.pareto import Bounds, front_membership, pareto_front

PRICES = (
    ("decode_energy", "j"), ("decoder_power", "w"), ("total_power", "w"), ("latency", "s"),
)
LISTS = ("infeasibilities", "incomplete", "sources", "assumed")
PLACE = ["profile", "site", "decode_rate_hz"]
WORST_LAST = {answer: rank for rank, answer in enumerate(ANSWERS)}
IDENTITY = (
    "study", "dataset", "protocol", "split", "role", "decoder_id", "decoder", "student", "family", "options", "form",
    "spiking", "method",
)  # fmt: skip
Power = Literal["decoder_power", "total_power"]
NOT_COMPARED = "not compared"  # it does not fit the machine, or part of its work could not be counted


def score_table(scores: pd.DataFrame, decoders: pd.DataFrame) -> pd.DataFrame:
    """Return one row per decoder: what it is, its score with a 95 % interval, and what that ranges over.

    Columns: `IDENTITY`, those of `cosim.tables.decoders.DecoderScore`, validation_mean, runs, parameters (median),
    weight_bits, activation_bits, complete, distilled_from.

    Parameters
    ----------
    scores, decoders : DataFrame
        Rows of `cosim.tables.results.Score` and of `cosim.tables.decoders.DecoderScore`.
    """
    pooled = {row.pop("decoder_id"): row for row in decoders.to_dict("records")}
    columns: dict[str, list[Any]] = {str(name): scores[name].tolist() for name in scores}
    places: dict[str, list[int]] = {}
    for place, name in enumerate(columns["decoder_id"]):
        places.setdefault(name, []).append(place)
    rows: list[dict[str, Any]] = []
    for name, group in places.items():
        first, taught = group[0], {columns["distilled_from"][place] for place in group}
        rows.append({
            **{column: columns[column][first] for column in IDENTITY}, **pooled[name],
            "validation_mean": _known_mean([columns["validation_score"][place] for place in group]),
            "runs": len(group),
            "parameters": round(float(np.median([columns["parameters"][place] for place in group]))),
            "weight_bits": int(columns["weight_bits"][first]),
            "activation_bits": int(columns["activation_bits"][first]),
            "complete": all(columns["complete"][place] for place in group),
            "distilled_from": ", ".join(sorted(filter(None, taught))),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _known_mean(values: Sequence[float]) -> float:
    """Return the mean of those that are numbers; nan where none is."""
    found = np.asarray(values, float)
    known = ~np.isnan(found)
    return float(np.where(known, found, 0.0).sum() / known.sum()) if known.any() else math.nan


def summarise(
    scores: pd.DataFrame, decoders: pd.DataFrame, priced: pd.DataFrame, *, power: Power = "decoder_power"
) -> pd.DataFrame:
    """Return one row per decoder, machine and site, cheapest first within its machine and site.

    Every fold and seed has its own workload, and these differ slightly: a nominal price is their mean, its bounds
    are the lowest low and the highest high, the verdict is the worst of them, and `workload_digest` names whose that
    is. `score_table`'s columns come first, then those of `Priced` that were read, and at the end ``front`` (on nominal
    values) and ``membership`` (within bounds: ``surely``, ``possibly``, ``dominated``, or ``not compared`` for what
    does not fit the machine or is not fully counted).

    Parameters
    ----------
    scores, decoders, priced : DataFrame
        Rows of `Score` and `Priced` of `cosim.tables.results`, and of `cosim.tables.decoders.DecoderScore`.
        Decoders without a priced workload (teachers) have no row here.
    power : {'decoder_power', 'total_power'}
        Which power the front weighs against the score.
    """
    return summarise_part(score_table(scores, decoders), scores, priced, power=power)


def summarise_part(
    table: pd.DataFrame, scores: pd.DataFrame, priced: pd.DataFrame, *, power: Power = "decoder_power"
) -> pd.DataFrame:
    """Return `summarise` of some places' prices, of which all may not fit memory; `table` is `score_table`."""
    owner = scores[["decoder_id", "workload_digest"]]  # a workload that several runs share counts once for each
    joined: Any = owner.merge(priced, on="workload_digest", how="inner")
    if joined.empty:
        return pd.DataFrame(columns=[*table.columns, *PLACE, "front", "membership"])
    prices = _prices(joined)
    rows: Any = table.set_index("decoder_id", drop=False).loc[prices["decoder_id"]].reset_index(drop=True)
    return _with_front(pd.concat([rows, prices.drop(columns="decoder_id")], axis=1), power)


def _prices(joined: Any) -> Any:
    """Return the price of each decoder at each place over its folds and seeds, in the order they come."""
    number = joined.groupby(["decoder_id", *PLACE], sort=False).ngroup().to_numpy()
    rank = joined["verdict"].map(WORST_LAST).to_numpy()
    order = np.lexsort((-joined["headroom"].to_numpy(dtype=float), rank, number))
    last = np.flatnonzero(np.diff(number[order], append=number.max() + 1))
    worst: Any = joined.iloc[order[last]].reset_index(drop=True)
    groups, row = joined.groupby(number), worst[["decoder_id", *PLACE, "profile_hash", "site_hash"]].copy()
    for name, unit in PRICES:
        for end, function in (("low", "min"), ("nominal", "mean"), ("high", "max")):
            row[f"{name}_{end}_{unit}"] = groups[f"{name}_{end}_{unit}"].agg(function).to_numpy(dtype=float)
    row["memory_used_bits"] = groups["memory_used_bits"].max().to_numpy(dtype=float)
    row["memory_capacity_bits"] = worst["memory_capacity_bits"].to_numpy(dtype=float)
    for name in ("verdict", "binding_limit", "headroom", "checks", "workload_digest"):
        if name in worst:
            row[name] = worst[name]
    for name in LISTS:
        if name in worst:
            row[name] = _merged_texts(joined[name], number, _union)
    if "power_by_cause" in worst:
        row["power_by_cause"] = _merged_texts(joined["power_by_cause"], number, merged_causes)
    if "energy_by_layer" in worst:
        row["energy_by_layer"] = worst["energy_by_layer"]
    return row


def _merged_texts(texts: Any, number: Any, merge: Callable[[Sequence[Any]], Any]) -> Any:
    """Return for each group what its JSON texts come to; groups of the same texts share one object."""
    order = np.argsort(number, kind="stable")
    edges = np.flatnonzero(np.diff(number[order])) + 1
    sorted_texts = texts.to_numpy(dtype=object)[order].tolist()
    known: dict[tuple[str, ...], str] = {}
    found: list[str] = []
    for start, stop in itertools.pairwise([0, *edges.tolist(), len(order)]):
        group = tuple(sorted_texts[start:stop])
        if group not in known:
            known[group] = json.dumps(merge([json.loads(text) for text in group]))
        found.append(known[group])
    return pd.Series(found, dtype=object)  # pandas' own type for texts would hold each of them anew


def _union(lists: Sequence[Sequence[str]]) -> list[str]:
    return sorted({item for one in lists for item in one})


def merged_causes(tables: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """Return per cause the lowest low, the mean nominal and the highest high."""
    causes = list(dict.fromkeys(cause for table in tables for cause in table))
    merged: dict[str, list[float]] = {}
    for cause in causes:
        bands = np.asarray([table.get(cause, (0.0, 0.0, 0.0)) for table in tables], float)
        merged[cause] = [float(bands[:, 0].min()), float(bands[:, 1].mean()), float(bands[:, 2].max())]
    return merged


def _with_front(table: Any, power: Power) -> pd.DataFrame:
    """Return the table with each place's front marked, cheapest first."""
    parts: list[Any] = []
    for _, part in table.groupby(PLACE, sort=False):
        place = part.sort_values(f"{power}_nominal_w", kind="stable").reset_index(drop=True)
        fits = ((place["infeasibilities"] == "[]") & place["complete"]).to_numpy(dtype=bool)
        membership, front = np.full(len(place), NOT_COMPARED, object), np.zeros(len(place), bool)
        if fits.any():
            kept = place[fits]
            scores = Bounds(*(_column(kept, f"score_{end}") for end in ("low", "mean", "high")))
            powers = Bounds(*(_column(kept, f"{power}_{end}_w") for end in ("low", "nominal", "high")))
            membership[fits] = front_membership(scores, powers)
            front[fits] = pareto_front(scores.nominal, powers.nominal)
        parts.append(place.assign(front=front, membership=membership))
    return pd.concat(parts, ignore_index=True)


def _column(table: Any, name: str) -> Any:
    return table[name].to_numpy(dtype=float)
