"""The results of a run as one flat table a person can open: who, how well, where, at what price, does it fit."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosim.engine.files import record_errors, write_atomically
from cosim.tables.decoders import DECODERS, DETECTION, DecoderScore
from cosim.tables.prices import PRICED, refresh_prices
from cosim.tables.pruned import PRUNED, pruned_frame, read_pruned
from cosim.tables.readable import readable_prices
from cosim.tables.results import Score, read_parquet, read_prices
from cosim.tables.scores import SCORES
from cosim.tables.summary import Power, score_table, summarise
from cosim.tables.widths import firing_text, widths_by_layer
from cosim.tables.workloads import read_workloads
from energy_models.workload import Workload

RESULTS_CSV, RESULTS = "results.csv", "results.parquet"
WHO = (
    "study", "dataset", "protocol", "decoder", "role", "student", "family", "options", "form", "weight_bits",
    "activation_bits", "weight_bits_by_layer", "activation_bits_by_layer", "spiking", "firing", "method",
    "distilled_from", "parameters",
)  # fmt: skip
HOW_WELL = {
    "metric": "metric", "score_mean": "score", "score_low": "score_low", "score_high": "score_high",
    "score_over": "score_over", "score_count": "score_count", "chance": "chance", "p_value": "p_value",
    "validation_mean": "validation_score", "folds": "folds", "seeds": "seeds",
    "itr_bits_per_min": "itr_bits_per_min", **{name: name for name in DETECTION},
    "latency_s": "detection_latency_s",
}  # fmt: skip
WHERE = {"profile": "machine", "site": "site", "decode_rate_hz": "decode_rate_hz"}


def flat_results(
    scores: pd.DataFrame, decoders: pd.DataFrame, priced: pd.DataFrame, workloads: Mapping[str, Workload], *,
    power: Power = "decoder_power",
) -> pd.DataFrame:
    """Return one row per decoder, machine and site, teachers without a price last; no cell holds a table.

    Columns: who (labels, family, options, form, widths [bits] as the form says them, and as the products have them,
    layer by layer; how often neurons fire, `firing_text`), how well (``score`` with its 95 % interval), where
    (``machine``, ``site``, ``decode_rate_hz``), the answer (``verdict``, ``binding_limit``, ``headroom``), power [W] of
    the device (``power_w``) and of the decoder with bounds, energy [J], latency [s], memory [bits], and whether the
    decoder is on the front of its machine and site. Where a machine cannot run a decoder, ``infeasibilities`` says why.
    ``complete``: all work was counted and priced on a machine that runs it; false where a figure is a lower bound, or
    there is none.

    Parameters
    ----------
    scores, decoders, priced : DataFrame
        As for `cosim.tables.summary.summarise`.
    workloads : mapping of str to Workload
        By digest, at least those of `first_workloads`.
    power : {'decoder_power', 'total_power'}
        Which power the front weighs against the score.
    """
    summary: Any = summarise(scores, decoders, priced, power=power)
    table: Any = score_table(scores, decoders)
    unpriced: Any = table[~table["decoder_id"].isin(set(summary["decoder_id"]))]
    widths = {
        decoder: (*widths_by_layer(workloads[digest]), firing_text(workloads[digest])) if digest else ("", "", "")
        for decoder, digest in first_workloads(scores).items()
    }
    parts = [_told(unpriced, widths)]
    if len(summary):
        place: Any = summary[list(WHERE)]
        marks: Any = summary[["complete", "front", "membership"]].copy()
        marks["complete"] &= (summary["incomplete"] == "[]") & (summary["infeasibilities"] == "[]")
        columns = [_told(summary, widths), place.rename(columns=WHERE), readable_prices(summary), marks]
        parts = [pd.concat(columns, axis=1), *parts]
    whole: Any = pd.concat([part for part in parts if len(part)], ignore_index=True)
    for name in ("machine", "site", "verdict", "binding_limit", "infeasibilities", "membership"):
        if name in whole:
            whole[name] = whole[name].fillna("")
    for name in ("complete", "front"):
        if name in whole:
            whole[name] = np.where(whole[name].isna(), False, whole[name]).astype(bool)
    return whole


def first_workloads(scores: pd.DataFrame) -> dict[str, str]:
    """Return the digest of one workload of each decoder, whose widths all others have too; empty for teachers."""
    first: Any = scores.drop_duplicates("decoder_id")
    return dict(zip(first["decoder_id"].tolist(), first["workload_digest"].tolist(), strict=True))


def _told(table: Any, widths: Mapping[str, tuple[str, str, str]]) -> Any:
    """Return who decodes and how well, with options as words instead of a table."""
    texts: Any = [widths[decoder] for decoder in table["decoder_id"].tolist()]
    weights, activations, firing = zip(*texts, strict=True) if texts else ((), (), ())
    table = table.assign(
        weight_bits_by_layer=list(weights), activation_bits_by_layer=list(activations), firing=list(firing)
    )
    told = pd.concat([table[list(WHO)], table[list(HOW_WELL)].rename(columns=HOW_WELL)], axis=1)
    words: Any = {text: _words(text) for text in set(told["options"])}
    told["options"] = told["options"].map(words)
    told["decoder_id"] = table["decoder_id"]
    return told


def _words(options: str) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(json.loads(options).items()))


def read_flat(root: Path, *, power: Power = "decoder_power") -> pd.DataFrame:
    """Return the flat table of a run, prices brought up to date.

    Raises
    ------
    CosimError
        If the folder holds no finished run, or a machine or site cannot be loaded.
    """
    with record_errors(root):
        return _flat(root, power)


def _flat(root: Path, power: Power) -> pd.DataFrame:
    priced = read_prices(refresh_prices(root))
    scores = read_parquet(root / SCORES, Score)
    wanted = [digest for digest in first_workloads(scores).values() if digest]
    workloads = read_workloads(root, dict.fromkeys(wanted)) if wanted else {}
    table = flat_results(scores, read_parquet(root / DECODERS, DecoderScore), priced, workloads, power=power)
    return with_given_up(table, read_pruned(root))


def with_given_up(table: pd.DataFrame, pruned: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the flat table with a row for every configuration that a search gave up: a reason, and no numbers."""
    if not pruned:
        return table
    whole: Any = pd.concat([table, pruned_frame(pruned, table)], ignore_index=True)
    for name in table.columns:
        kind = table[name].dtype
        if pd.api.types.is_bool_dtype(kind):
            whole[name] = np.where(whole[name].isna(), False, whole[name]).astype(bool)
        elif not pd.api.types.is_numeric_dtype(kind):
            whole[name] = whole[name].fillna("")
    return whole[list(table.columns)]


def current_flat(root: Path) -> pd.DataFrame:
    """Return the flat table of a run from its file, which is written again where its parts have changed since.

    Raises
    ------
    CosimError
        As `write_flat`.
    """
    write_flat(root)
    try:
        return pd.read_parquet(root / RESULTS)
    except (OSError, ValueError):  # damaged since: its parts, which are checked, say the same
        return read_flat(root)


def write_flat(root: Path) -> None:
    """Write the flat table of a run as ``results.csv`` and ``results.parquet`` where its parts have changed since.

    Raises
    ------
    CosimError
        As `read_flat`, or the disk is full.
    """
    refresh_prices(root)
    there = [name for name in (SCORES, DECODERS, PRICED, PRUNED) if name != PRUNED or (root / name).is_file()]
    parts = [(root / name).stat().st_mtime_ns for name in there]
    written = [path.stat().st_mtime_ns if path.is_file() else 0 for path in (root / RESULTS_CSV, root / RESULTS)]
    if min(written) >= max(parts):
        return
    table = read_flat(root)
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_atomically(root / RESULTS, buffer.getvalue())
    write_atomically(root / RESULTS_CSV, table.to_csv(index=False))
