"""The results of a run as one flat table a person can open: who, how well, where, at what price, does it fit."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosim.engine.files import disk_errors, record_errors, write_atomically
from cosim.tables.decoders import DECODERS, DETECTION, DecoderScore
from cosim.tables.price_files import read_prices, read_prices_by_machine, rows_of
from cosim.tables.prices import PRICED, refresh_prices
from cosim.tables.pruned import PRUNED, pruned_frame, read_pruned
from cosim.tables.readable import readable_prices
from cosim.tables.results import Score, read_parquet
from cosim.tables.scores import SCORES
from cosim.tables.summary import Power, score_table, summarise_part
from cosim.tables.widths import firing_text, widths_by_layer
from cosim.tables.workloads import read_workloads
from energy_models.workload import Workload

RESULTS_CSV, RESULTS = "results.csv", "results.parquet"
MOST_ROWS = 200_000
"""Of prices, of which the results are one file; a CSV of more is over 150 MB and read by nobody."""
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
    parts = list(flat_parts(scores, decoders, [priced], workloads, power=power))
    return pd.concat(parts, ignore_index=True)


def flat_parts(
    scores: pd.DataFrame, decoders: pd.DataFrame, priced: Iterable[pd.DataFrame], workloads: Mapping[str, Workload], *,
    power: Power = "decoder_power",
) -> Iterator[pd.DataFrame]:
    """Yield `flat_results` in parts of equal columns: one of each table of prices, then what has no price.

    No two tables of prices hold rows of one machine and site, whose front is theirs together.
    """
    table: Any = score_table(scores, decoders)
    widths = {
        decoder: (*widths_by_layer(workloads[digest]), firing_text(workloads[digest])) if digest else ("", "", "")
        for decoder, digest in first_workloads(scores).items()
    }
    found, like = set[str](), None
    for prices in priced:
        summary: Any = summarise_part(table, scores, prices, power=power)
        if len(summary):
            found |= set(summary["decoder_id"])
            part = _priced_part(summary, widths)
            like = part if like is None else like
            yield part
    unpriced: Any = table[~table["decoder_id"].isin(found)]
    if len(unpriced):
        told = _told(unpriced, widths)
        yield told if like is None else filled(told, like)


def _priced_part(summary: Any, widths: Mapping[str, tuple[str, str, str]]) -> pd.DataFrame:
    place: Any = summary[list(WHERE)]
    marks: Any = summary[["complete", "front", "membership"]].copy()
    marks["complete"] &= (summary["incomplete"] == "[]") & (summary["infeasibilities"] == "[]")
    return pd.concat(
        [_told(summary, widths), place.rename(columns=WHERE), readable_prices(summary), marks], axis=1
    )


def filled(table: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the columns of another table: an empty text, false or nan where they have nothing to say."""
    whole: Any = pd.concat([like.iloc[:0], table], ignore_index=True)
    for name in like.columns:
        kind = like[name].dtype
        if pd.api.types.is_bool_dtype(kind):
            whole[name] = np.where(whole[name].isna(), False, whole[name]).astype(bool)
        elif not pd.api.types.is_numeric_dtype(kind):
            whole[name] = whole[name].fillna("").astype(kind)
    return whole[list(like.columns)]


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
    return pd.concat(_parts(root, [read_prices(refresh_prices(root))], power), ignore_index=True)


def _parts(root: Path, priced: Iterable[pd.DataFrame], power: Power) -> Iterator[pd.DataFrame]:
    """Yield the flat table of a run in parts; last what its search gave up: a reason, and no numbers."""
    scores, decoders = read_parquet(root / SCORES, Score), read_parquet(root / DECODERS, DecoderScore)
    wanted = [digest for digest in first_workloads(scores).values() if digest]
    workloads = read_workloads(root, dict.fromkeys(wanted)) if wanted else {}
    like = None
    for part in flat_parts(scores, decoders, priced, workloads, power=power):
        like = part if like is None else like
        yield part
    pruned = read_pruned(root)
    if like is not None and pruned:
        yield filled(pruned_frame(pruned, like), like)


def current_flat(root: Path, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the flat table of a run, or some of its columns, from its file, written again where its parts changed.

    Raises
    ------
    CosimError
        As `write_flat`.
    """
    write_flat(root)
    kept = None if columns is None else list(columns)
    try:
        return pd.read_parquet(root / RESULTS, columns=kept)
    except (OSError, ValueError):  # damaged since: its parts, which are checked, say the same
        whole: Any = read_flat(root)
        return whole if kept is None else whole[kept]


def write_flat(root: Path) -> None:
    """Write the flat table of a run as ``results.csv`` and ``results.parquet`` where its parts have changed since.

    Of more than `MOST_ROWS` prices ``results.parquet`` is a folder of files, one a machine, and there is no CSV.

    Raises
    ------
    CosimError
        As `read_flat`, or the disk is full.
    """
    refresh_prices(root)
    there = [name for name in (SCORES, DECODERS, PRICED, PRUNED) if name != PRUNED or (root / name).is_file()]
    changed = max((root / name).stat().st_mtime_ns for name in there)
    large = rows_of(root / PRICED) > MOST_ROWS
    written = [root / RESULTS] if large else [root / RESULTS, root / RESULTS_CSV]
    there_as = Path.is_dir if large else Path.is_file
    if all(there_as(path) and path.stat().st_mtime_ns >= changed for path in written):
        return
    with record_errors(root):
        if large:
            write_files(_parts(root, read_prices_by_machine(root / PRICED), "decoder_power"), root / RESULTS)
            (root / RESULTS_CSV).unlink(missing_ok=True)
            return
    table = read_flat(root)
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    if (root / RESULTS).is_dir():
        shutil.rmtree(root / RESULTS)
    write_atomically(root / RESULTS, buffer.getvalue())
    write_atomically(root / RESULTS_CSV, table.to_csv(index=False))


def write_files(parts: Iterable[pd.DataFrame], folder: Path) -> None:
    """Write tables of equal columns as Parquet files of one folder, which takes the place of what was there.

    Raises
    ------
    CosimError
        The disk is full, or the folder cannot be written.
    """
    with disk_errors(folder):
        working = Path(tempfile.mkdtemp(prefix=".results-", dir=folder.parent))
        try:
            whole = dict[str, str]()  # columns of integers, of which what has no price lacks some
            for number, part in enumerate(parts):
                whole = whole or {name: "Int64" for name in part if pd.api.types.is_integer_dtype(part[name].dtype)}
                machine: Any = part["machine"].iloc[0] if "machine" in part else ""
                path = working / f"{number:04d}-{machine or 'unpriced'}.parquet"
                part.astype(whole).to_parquet(path, index=False)
            if folder.is_dir():
                shutil.rmtree(folder)
            folder.unlink(missing_ok=True)
            working.rename(folder)
        finally:
            shutil.rmtree(working, ignore_errors=True)
