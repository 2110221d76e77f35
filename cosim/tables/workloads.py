"""The workloads of a run as one table, each once: what prices are made from when no stage is there any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cosim.engine.files import read_json
from cosim.engine.stage import RESULT, WORKLOAD
from cosim.tables.results import read_parquet, write_parquet
from energy_models.errors import CosimError
from energy_models.workload import Workload, parse_workload, read_workload, text_digest, workload_text

WORKLOADS = "workloads.parquet"


@dataclass(frozen=True, slots=True)
class StoredWorkload:
    """A workload as a row: the hash of its content, and its JSON text."""

    workload_digest: str
    workload: str


def write_workloads(root: Path, results: Iterable[Path]) -> None:
    """Write the workloads of result stages as one table of a run folder; those of equal content once.

    Parameters
    ----------
    root : Path
        Run folder.
    results : iterable of Path
        Folders of finished results; those of teachers hold no workload.

    Raises
    ------
    CosimError
        If a file is missing or malformed, or the disk is full.
    """
    found: dict[str, StoredWorkload] = {}
    for folder in results:
        digest = read_json(folder / RESULT).get("workload_digest")
        if isinstance(digest, str) and digest not in found:
            found[digest] = StoredWorkload(digest, workload_text(read_workload(folder / WORKLOAD)))
    if found:
        write_parquet(found.values(), root / WORKLOADS)


def read_workloads(root: Path, wanted: Iterable[str]) -> dict[str, Workload]:
    """Return workloads of a run folder by their content hashes, in the order wanted.

    Raises
    ------
    CosimError
        If the table is missing or malformed, lacks a wanted one, or holds one whose content is not what its hash says.
    """
    path = root / WORKLOADS
    try:
        table: Any = read_parquet(path, StoredWorkload)
    except CosimError as error:
        raise _damaged(path, error.what) from error
    columns = (cast(list[str], table[name].tolist()) for name in ("workload_digest", "workload"))
    texts = dict(zip(*columns, strict=True))
    found: dict[str, Workload] = {}
    for digest in wanted:
        if digest not in texts:
            raise _damaged(path, f"it lacks the workload {digest} of a score")
        where = f"{path}, {digest}"
        found[digest] = parse_workload(texts[digest], where=where)
        if text_digest(texts[digest], where=where) != digest:
            raise _damaged(path, f"the workload {digest} is not what was written")
    return found


def _damaged(path: Path, what: str) -> CosimError:
    remedy = f"`cosim resume {path.parent}` writes it again; nothing finished is trained again."
    return CosimError(what, where=str(path), remedy=remedy)
