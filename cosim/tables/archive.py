"""An archived run: a run folder without stages, a few files small enough to be kept beside the code.

It holds what tables, prices and pages are made from, and nothing of recordings, weights and predictions. The commands
that read a finished run read it as well; nothing in it can be resumed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from cosim.engine.files import read_json, to_json, write_atomically
from cosim.engine.run_folder import FAILURES, PLAN, load_plan
from cosim.tables.decoders import DECODERS
from cosim.tables.differences import DIFFERENCES
from cosim.tables.outcomes import OUTCOMES
from cosim.tables.pruned import PRUNED
from cosim.tables.scores import GATES, SCORES, STUDY
from cosim.tables.workloads import WORKLOADS
from energy_models.errors import CosimError, StudyError

ARCHIVE = "archive.json"  # the hash of every file of an archived run
TABLES = (SCORES, DECODERS, WORKLOADS, DIFFERENCES, GATES)
_DIGEST_BYTES = 16
_PART = r"""[^/"',\[\]]+"""
_ABSOLUTE = re.compile(rf"(?<![\w/:.~-])/(?:{_PART}/)*({_PART})")  # whole words and inside settings, not of an URL


def write_archive(run: Path, folder: Path) -> Path:
    """Write an archived run into a folder and return the folder; an archived run stays as it is.

    Commands are kept without the folders of the machine they were typed on. Prices are left out: they are made from
    the workloads.

    Parameters
    ----------
    run : Path
        Folder of a finished run, or of an archived one.
    folder : Path
        Created where absent.

    Raises
    ------
    CosimError
        If a file of the run is missing or damaged, or the folder cannot be written.
    """
    check_archive(run)
    if os.path.realpath(folder) == os.path.realpath(run):
        return folder
    kept = [*TABLES, *(name for name in (OUTCOMES, PRUNED) if (run / name).is_file())]  # older runs have no outcomes
    contents = {name: _read(run / name) for name in kept} | _documents(run)
    hashes = {name: _hash(content) for name, content in contents.items()}
    for name, content in contents.items():
        write_atomically(folder / name, content)
    write_atomically(folder / ARCHIVE, to_json({"blake2b": hashes}))
    return folder


def check_archive(root: Path) -> None:
    """Raise where a folder holds an archived run with a file that is not what was written.

    Raises
    ------
    CosimError
        Naming the file.
    """
    if not (root / ARCHIVE).is_file():
        return
    try:
        hashes = read_json(root / ARCHIVE).get("blake2b")
    except CosimError as error:
        raise _damaged(root / ARCHIVE, "the list of the files of an archived run cannot be read") from error
    if not isinstance(hashes, dict) or not {*TABLES, PLAN, STUDY} <= hashes.keys():
        raise _damaged(root / ARCHIVE, "it does not name the files of an archived run")
    for name, written in cast(dict[str, str], hashes).items():
        if not (root / name).is_file():
            raise _damaged(root / name, "this file of an archived run is missing")
        if _hash(_read(root / name)) != written:
            raise _damaged(root / name, "this file of an archived run is not what was written")


def refuse_archive(root: Path) -> None:
    """Raise a `StudyError` where a folder holds an archived run: without stages nothing of it can be computed again."""
    if os.path.isfile(root / ARCHIVE):  # false too where no such name can be: making the folder says so
        raise StudyError("this folder holds an archived run: it has no stages, so nothing can go on from it",
                         where=str(root),
                         remedy="Make its page with `cosim report`, or run the study into another folder.")  # fmt: skip


def portable(command: str) -> str:
    """Return a command without the folders of the machine it was typed on."""
    return shlex.join(_ABSOLUTE.sub(r"\1", word) for word in shlex.split(command))


def _documents(run: Path) -> dict[str, bytes]:
    """Return the files that are not copied as they are: the plan, the study's description, what failed."""
    plan, _, command = load_plan(run)
    description = read_json(run / STUDY)
    shown = portable(command)
    documents: dict[str, Mapping[str, object]] = {
        PLAN: {"study": {"hardware": plan.get("hardware")}, "data_dir": None, "command": shown},
        STUDY: description | {"command": portable(str(description.get("command")))},
    }
    if (run / FAILURES).is_file():
        failures = cast(list[dict[str, object]], read_json(run / FAILURES).get("failures", []))
        where = ("decoder", "fold", "seed")  # the messages name folders
        documents[FAILURES] = {"failures": [{name: one.get(name) for name in where} for one in failures]}
    return {name: to_json(document).encode() for name, document in documents.items()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CosimError(
            f"this file cannot be read ({error.strerror})", where=str(path), remedy="Run the study to the end first."
        ) from error


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()


def _damaged(path: Path, what: str) -> CosimError:
    return CosimError(what, where=str(path), remedy="Take it from version control, or archive the run again.")
