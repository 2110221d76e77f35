"""The one schema of results: a row per score, a row per price, and what becomes of them on a page.

Joules, watts and seconds are SI, and the suffix of a column names the unit. Columns that hold lists or tables hold
them as JSON text, so that a Parquet file stays flat and readable anywhere.
"""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_type_hints

import pandas as pd
import pyarrow as _arrow
from pyarrow import parquet as _parquet

from cosim.engine.files import write_atomically
from cosim.evaluation.feasibility import Verdict
from energy_models.errors import CosimError, StudyError
from energy_models.feasibility import LimitCheck
from energy_models.pricing import EnergyReport, LayerEnergy, model_digest
from energy_models.quantities import Band

arrow: Any = _arrow  # neither has type hints
parquet: Any = _parquet
Role = Literal["student", "baseline", "teacher"]
Detail = Literal["power_by_cause", "energy_by_layer", "checks"]
FORMAT = "cosim.results/2"
MOST_TEXTS = 4096  # remembered: few distinct ones stand in very many rows
ROWS_AT_ONCE = 4096
SHARED_TEXTS = ("infeasibilities", "incomplete", "sources", "assumed")  # equal ones are one object when read
DETAILS = ("power_by_cause", "energy_by_layer", "checks")  # long texts of `Priced`, which few readers need


class PriceKey(NamedTuple):
    """Names a row of prices."""

    workload_digest: str
    profile: str
    site: str


@dataclass(frozen=True, slots=True)
class Score:
    """How well one trained decoder did on one fold.

    Parameters
    ----------
    study, dataset : str
    protocol, split : str
        How the recordings were divided, in words; the split's method.
    role : {'student', 'baseline', 'teacher'}
    decoder_id : str
        Names the decoder over all its folds and seeds; tables are grouped and joined by it.
    decoder, student : str
        Labels for people, never taken apart: of the decoder, and what all forms of one student share.
    family : str
        Architecture, or name of the baseline.
    options : str
        JSON table of the family's options as the study gives them.
    form : str
        ``float32``, ``w4a4`` and the like; empty for a baseline.
    spiking : bool
        Whether it computes with spikes.
    method : str
        Name of the distillation method; empty where it learns from labels alone.
    spec_digest : str
    seed : int
    fold : str
    metric : str
    score : float
        On the held-out part of this fold; nan where that part lacks a class, which pooled predictions do not.
    validation_score : float
        On the validation part.
    parameters : int
    weight_bits, activation_bits : int
    workload_digest : str
        Joins `Priced`; empty where no workload was observed (teachers).
    complete : bool
        Whether the workload counted everything.
    distilled_from : {'teacher', 'float student', ''}
    versions : str
        JSON table of package versions.
    """

    study: str
    dataset: str
    protocol: str
    split: str
    role: Role
    decoder_id: str
    decoder: str
    student: str
    family: str
    options: str
    form: str
    spiking: bool
    method: str
    spec_digest: str
    seed: int
    fold: str
    metric: str
    score: float
    validation_score: float
    parameters: int
    weight_bits: int
    activation_bits: int
    workload_digest: str
    complete: bool
    distilled_from: str
    versions: str


@dataclass(frozen=True, slots=True)
class Priced:
    """What one workload costs on one machine at one site, priced by the code that `model_hash` names.

    Whose workload it is, `Score` says: decoders that do the same work share a price.

    `power_by_cause` is ``{cause: [low, nominal, high]}`` in W, `energy_by_layer` a list of
    ``{layer, kind, energy_j: {cause: [low, nominal, high]}}``, `checks` a list of limits held against the report.
    """

    workload_digest: str
    model_hash: str
    profile: str
    profile_hash: str
    site: str
    site_hash: str
    decode_rate_hz: float
    decode_energy_low_j: float
    decode_energy_nominal_j: float
    decode_energy_high_j: float
    decoder_power_low_w: float
    decoder_power_nominal_w: float
    decoder_power_high_w: float
    total_power_low_w: float
    total_power_nominal_w: float
    total_power_high_w: float
    latency_low_s: float
    latency_nominal_s: float
    latency_high_s: float
    memory_used_bits: float
    memory_capacity_bits: float
    verdict: str
    binding_limit: str
    headroom: float
    infeasibilities: str
    incomplete: str
    sources: str
    assumed: str
    power_by_cause: str
    energy_by_layer: str
    checks: str


def _band(band: Band) -> list[float]:
    return [band.low, band.nominal, band.high]


def price_cells(report: EnergyReport, verdict: Verdict | None) -> dict[str, Any]:
    """Return the plain numbers and texts of a price: energy, powers, latency, memory, the answer at a site if any."""
    bands = {"decode_energy": ("j", report.decode_energy_j), "decoder_power": ("w", report.decoder_power_w),
             "total_power": ("w", report.total_power_w), "latency": ("s", report.latency_s)}  # fmt: skip
    cells: dict[str, Any] = {
        f"{name}_{end}_{unit}": getattr(band, end)
        for name, (unit, band) in bands.items()
        for end in ("low", "nominal", "high")
    }
    cells["memory_used_bits"] = sum(memory.used_bits for memory in report.memories)
    cells["memory_capacity_bits"] = sum(memory.capacity_bits for memory in report.memories)
    cells["infeasibilities"] = _list_text(report.infeasibilities)
    if verdict is not None:
        return cells | {
            "verdict": verdict.verdict, "binding_limit": verdict.binding.name, "headroom": verdict.binding.headroom,
        }
    answer = "does not fit the machine" if report.infeasibilities else ""
    return cells | {"verdict": answer, "binding_limit": "", "headroom": math.nan}


def layers_text(layers: Iterable[LayerEnergy]) -> str:
    """Return the column `energy_by_layer`; the same at every site."""
    return json.dumps([
        {"layer": layer.layer, "kind": layer.kind, "energy_j": {c: _band(b) for c, b in layer.energy_j.items()}}
        for layer in layers
    ])  # fmt: skip


def priced_row(
    report: EnergyReport, verdict: Verdict, *, workload_digest: str, site: str, site_hash: str, layers: str = ""
) -> Priced:
    """Return the row of one report and its verdict; `layers` is `layers_text` where it is known already."""
    return Priced(
        workload_digest=workload_digest, model_hash=model_digest(),
        profile=report.profile, profile_hash=report.profile_hash,
        site=site, site_hash=site_hash, decode_rate_hz=report.decode_rate_hz,
        **price_cells(report, verdict),
        incomplete=_list_text(report.incomplete),
        sources=_union_text(report.sources, verdict.sources), assumed=_union_text(report.assumed, verdict.assumed),
        power_by_cause=json.dumps({cause: _band(band) for cause, band in report.power_w.items()}),
        energy_by_layer=layers or layers_text(report.layers),
        checks=json.dumps([_check_cells(check) for check in verdict.checks]),
    )  # fmt: skip


def _check_cells(check: LimitCheck) -> dict[str, Any]:
    return {
        "name": check.name, "unit": check.unit, "limit": _band(check.limit), "value": _band(check.value),
        "headroom": check.headroom, "verdict": check.verdict,
        "spare_w": None if check.spare_w is None else _band(check.spare_w),
        "lasts_s": None if check.lasts_s is None else _band(check.lasts_s),
    }  # fmt: skip


@lru_cache(maxsize=MOST_TEXTS)
def _list_text(lines: tuple[str, ...]) -> str:
    return json.dumps(lines)


@lru_cache(maxsize=MOST_TEXTS)
def _union_text(lines: tuple[str, ...], more: tuple[str, ...]) -> str:
    return json.dumps(sorted({*lines, *more}))


def to_frame(rows: Iterable[Any]) -> pd.DataFrame:
    """Return rows of one dataclass as a table whose columns are exactly the fields, in order.

    Raises
    ------
    StudyError
        When there is no row: a table without rows would have no types.
    """
    table = list(rows)
    if not table:
        raise _no_row()
    names = [field.name for field in dataclasses.fields(table[0])]
    return pd.DataFrame({name: [getattr(row, name) for row in table] for name in names})


def write_parquet(rows: Iterable[Any], path: Path) -> None:
    """Write rows of one dataclass so that readers see the old file or the new one, never a part.

    Rows are taken `ROWS_AT_ONCE` at a time, so that a table may be larger than what memory holds as objects.

    Raises
    ------
    CosimError
        When there is no row, the disk is full, or the folder cannot be written.
    """
    remaining: Iterator[Any] = iter(rows)
    first: Any = next(remaining, None)
    if first is None:
        raise _no_row()
    kind: type[Any] = first.__class__
    schema, buffer = schema_of(kind), io.BytesIO()
    with parquet.ParquetWriter(buffer, schema, compression="zstd", write_page_checksum=True) as writer:
        part = [first, *islice(remaining, ROWS_AT_ONCE - 1)]
        while part:
            columns = {name: [getattr(row, name) for row in part] for name in schema.names}
            writer.write_table(arrow.table(columns, schema=schema))
            part = list(islice(remaining, ROWS_AT_ONCE))
    write_atomically(path, buffer.getvalue())


def schema_of(kind: type[Any]) -> Any:
    """Return the columns of a dataclass with their types in the file; a choice of texts is a text."""
    types = {int: arrow.int64(), float: arrow.float64(), bool: arrow.bool_()}
    hints = get_type_hints(kind)
    return arrow.schema([(one.name, types.get(hints[one.name], arrow.string())) for one in dataclasses.fields(kind)])


def _check_types(path: Path, found: Any, kind: type[Any]) -> None:
    """Raise where columns hold another kind of values than those of a dataclass."""
    wrong = [
        f"{one.name} holds {found.field(one.name).type}" for one in schema_of(kind)
        if _kind_of(found.field(one.name).type) != _kind_of(one.type)
    ]  # fmt: skip
    if wrong:
        raise CosimError(
            f"columns differ from the schema {FORMAT}: {', '.join(wrong)}", where=str(path),
            remedy="It was edited, or written by another version; run the study again, finished points are kept.",
        )


def _kind_of(found: Any) -> str:
    """Return what the values of a column are, whatever number of bits they have in the file."""
    types = arrow.types
    if types.is_dictionary(found):
        return _kind_of(found.value_type)
    if types.is_boolean(found) or types.is_integer(found) or types.is_floating(found):
        return "truth" if types.is_boolean(found) else "whole" if types.is_integer(found) else "real"
    return "text" if types.is_string(found) or types.is_large_string(found) else str(found)


def not_parquet(path: Path, error: Exception) -> CosimError:
    """Return the error of a file that is not Parquet."""
    said = str(error).partition("\n")[0]
    return CosimError(f"not a Parquet file ({said})", where=str(path), remedy="Run the study again.")


def _no_row() -> StudyError:
    return StudyError("there is no finished point", where="results", remedy="Let at least one point finish first.")


def read_parquet(path: Path, kind: type[Any], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a table that `write_parquet` wrote, after checking that it has the columns of `kind`.

    Parameters
    ----------
    path : Path
    kind : type
        Dataclass of its rows.
    columns : sequence of str or None
        What is read of it; None: everything.

    Raises
    ------
    CosimError
        When the file is missing, is not Parquet, or has other columns.
    """
    kept = [field.name for field in dataclasses.fields(kind)] if columns is None else list(columns)
    shared = [name for name in SHARED_TEXTS if name in kept]
    table = read_table(path, kind, kept, shared)
    try:
        frame: Any = table.to_pandas()
    except (OSError, ValueError) as error:
        raise not_parquet(path, error) from error
    return frame.assign(**{name: frame[name].astype(object) for name in shared})[kept]


def read_table(path: Path, kind: type[Any], columns: Sequence[str], shared: Sequence[str]) -> Any:
    """Return an arrow table of some columns after the checks of `read_parquet`; `shared` hold each text once."""
    if not path.is_file():
        raise CosimError("this file is missing", where=str(path), remedy="Run the study to the end first.")
    wanted = [field.name for field in dataclasses.fields(kind)]
    try:
        schema: Any = parquet.read_schema(path)
        found: list[str] = schema.names
        if sorted(found) == sorted(wanted):
            _check_types(path, schema, kind)
            table = parquet.read_table(path, columns=list(columns), read_dictionary=list(shared),
                                       page_checksum_verification=True)  # fmt: skip
            if not table.num_rows:
                raise CosimError("it holds no row", where=str(path), remedy="Run the study again.")
            return table
    except (OSError, ValueError) as error:
        raise not_parquet(path, error) from error
    lacking, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    raise CosimError(
        f"columns differ from the schema {FORMAT}: missing {lacking or 'none'}, unknown {extra or 'none'}",
        where=str(path), remedy="It was written by another version; run the study again, finished points are kept.",
    )  # fmt: skip
