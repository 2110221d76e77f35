"""One row per decoder, machine and site: score with its interval, price with its bounds, place on the front."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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
    pooled: Any = decoders.set_index("decoder_id")
    rows: list[dict[str, Any]] = []
    for name, group in scores.groupby("decoder_id", sort=False):
        first = group.iloc[0]
        rows.append({
            **{column: first[column] for column in IDENTITY}, **pooled.loc[str(name)].to_dict(),
            "validation_mean": float(np.mean(group["validation_score"])), "runs": len(group),
            "parameters": round(float(np.median(group["parameters"]))),
            "weight_bits": int(first["weight_bits"]), "activation_bits": int(first["activation_bits"]),
            "complete": bool(group["complete"].all()),
            "distilled_from": ", ".join(sorted({text for text in group["distilled_from"] if text})),
        })  # fmt: skip
    return pd.DataFrame(rows)


def summarise(
    scores: pd.DataFrame, decoders: pd.DataFrame, priced: pd.DataFrame, *, power: Power = "decoder_power"
) -> pd.DataFrame:
    """Return one row per decoder, machine and site, cheapest first within its machine and site.

    Every fold and seed has its own workload, and these differ slightly: a nominal price is their mean, its bounds
    are the lowest low and the highest high, the verdict is the worst of them. `score_table`'s columns come first, then
    `Priced`'s, and at the end ``front`` (on nominal values) and ``membership`` (within bounds: ``surely``,
    ``possibly``, ``dominated``, or ``not compared`` for what does not fit the machine or is not fully counted).

    Parameters
    ----------
    scores, decoders, priced : DataFrame
        Rows of `Score` and `Priced` of `cosim.tables.results`, and of `cosim.tables.decoders.DecoderScore`.
        Decoders without a priced workload (teachers) have no row here.
    power : {'decoder_power', 'total_power'}
        Which power the front weighs against the score.
    """
    table = score_table(scores, decoders).set_index("decoder_id", drop=False)
    owner = scores[["decoder_id", "workload_digest"]]  # a workload that several runs share counts once for each
    joined: Any = owner.merge(priced, on="workload_digest", how="inner")
    rows: list[dict[str, Any]] = [
        {**table.loc[key[0]].to_dict(), **_price(group)}
        for key, group in joined.groupby(["decoder_id", *PLACE], sort=False)
    ]
    if not rows:
        return pd.DataFrame(columns=[*table.columns, *PLACE, "front", "membership"])
    return _with_front(pd.DataFrame(rows), power)


def _price(group: Any) -> dict[str, Any]:
    """Return the price of one decoder at one place over its folds and seeds."""
    worst = group.iloc[int(np.lexsort((-group["headroom"], group["verdict"].map(WORST_LAST)))[-1])]
    row: dict[str, Any] = {name: worst[name] for name in (*PLACE, "profile_hash", "site_hash")}
    for name, unit in PRICES:
        row[f"{name}_low_{unit}"] = float(group[f"{name}_low_{unit}"].min())
        row[f"{name}_nominal_{unit}"] = float(group[f"{name}_nominal_{unit}"].mean())
        row[f"{name}_high_{unit}"] = float(group[f"{name}_high_{unit}"].max())
    row["memory_used_bits"] = float(group["memory_used_bits"].max())
    row["memory_capacity_bits"] = float(worst["memory_capacity_bits"])
    row |= {name: worst[name] for name in ("verdict", "binding_limit", "headroom", "checks")}
    row |= {name: json.dumps(_union(group[name])) for name in LISTS}
    row["power_by_cause"] = json.dumps(_merged([json.loads(text) for text in group["power_by_cause"]]))
    row["energy_by_layer"] = worst["energy_by_layer"]
    return row


def _union(texts: Iterable[str]) -> list[str]:
    return sorted({item for text in texts for item in json.loads(text)})


def _merged(tables: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
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
