"""Reads tables of prices: without their long texts, machine by machine where there are many, or one text of few."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as _arrow
from pyarrow import compute as _compute
from pyarrow import parquet as _parquet

from cosim.tables.results import (
    DETAILS,
    SHARED_TEXTS,
    Detail,
    Priced,
    PriceKey,
    not_parquet,
    read_parquet,
    read_table,
    schema_of,
)
from energy_models.errors import CosimError

arrow: Any = _arrow  # none has type hints
compute: Any = _compute
parquet: Any = _parquet


def rows_of(path: Path) -> int:
    """Return how many rows a Parquet file has.

    Raises
    ------
    CosimError
        If it is missing or not Parquet.
    """
    if not path.is_file():
        raise CosimError("this file is missing", where=str(path), remedy="Run the study to the end first.")
    try:
        return int(parquet.read_metadata(path).num_rows)
    except (OSError, ValueError) as error:
        raise not_parquet(path, error) from error


def read_prices(path: Path) -> pd.DataFrame:
    """Return a table of prices without its `DETAILS`, which `read_detail` reads of chosen rows.

    Raises
    ------
    CosimError
        As `read_parquet`.
    """
    names = [field.name for field in dataclasses.fields(Priced) if field.name not in DETAILS]
    return read_parquet(path, Priced, names)


def read_prices_by_machine(path: Path) -> Iterator[pd.DataFrame]:
    """Yield a table of prices without its `DETAILS`, machine by machine in their order: all of it may not fit memory.

    Raises
    ------
    CosimError
        As `read_parquet`.
    """
    names = [field.name for field in dataclasses.fields(Priced) if field.name not in DETAILS]
    texts = [name for name in names if schema_of(Priced).field(name).type == arrow.string()]
    table = read_table(path, Priced, names, texts)
    machines = table["profile"].cast(arrow.string())
    for machine in compute.unique(machines).to_pylist():
        part = table.filter(compute.equal(machines, machine))
        columns = {
            name: part[name] if name in SHARED_TEXTS or not arrow.types.is_dictionary(part[name].type)
            else part[name].cast(arrow.string()) for name in names
        }
        frame: Any = arrow.table(columns).to_pandas()
        yield frame.assign(**{name: frame[name].astype(object) for name in SHARED_TEXTS})[names]


def read_detail(path: Path, detail: Detail, rows: Iterable[PriceKey]) -> dict[PriceKey, Any]:
    """Return what one of the `DETAILS` holds, parsed, of chosen rows of a table of prices.

    Parameters
    ----------
    path : Path
        A file that `read_prices` read.
    detail : str
    rows : iterable of PriceKey
    """
    wanted = list(dict.fromkeys(rows))
    if not wanted:
        return {}
    try:
        groups = _groups_of(path, path.stat().st_mtime_ns)
        digests = {row.workload_digest for row in wanted}
        held = sorted({group for digest in digests for group in groups.get(digest, ())})
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read_row_groups(held, columns=[*PriceKey._fields, detail])
        chosen = [compute.is_in(table[name], arrow.array(sorted({getattr(row, name) for row in wanted})))
                  for name in PriceKey._fields]  # fmt: skip
        table = table.filter(functools.reduce(compute.and_, chosen))
        texts = (table[name].to_pylist() for name in (*PriceKey._fields, detail))
        found = {PriceKey(digest, profile, site): text for digest, profile, site, text in zip(*texts, strict=True)}
        return {row: json.loads(found[row]) for row in wanted if row in found}
    except (OSError, TypeError, ValueError) as error:
        raise not_parquet(path, error) from error


@functools.lru_cache(maxsize=2)
def _groups_of(path: Path, mtime_ns: int) -> dict[str, list[int]]:
    """Return in which row groups of a table of prices each workload is; `mtime_ns` makes it another file's."""
    found: dict[str, list[int]] = {}
    with parquet.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            digests = file.read_row_group(group, columns=["workload_digest"]).column(0)
            for digest in compute.unique(digests).to_pylist():
                found.setdefault(digest, []).append(group)
    return found
