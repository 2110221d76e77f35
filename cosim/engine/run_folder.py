"""A run's folder: one coordinator at a time, the study it runs, and where its files are."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from filelock import FileLock, Timeout

from cosim.engine.files import disk_errors, read_json, to_json, write_atomically
from cosim.engine.local_store import LocalStore
from cosim.study.document import Document
from cosim.study.schema import Study
from energy_models.errors import CosimError, StudyError

PLAN = "plan.json"      # what was asked for, from which a run is resumed
POINTS = "points.json"  # every finished point and the stage that holds its result
FAILURES = "failures.json"


@contextmanager
def locked(root: Path) -> Generator[LocalStore]:
    """Hold the run folder for this process and yield its store; interrupted stages are cleared away.

    The folder is created where absent.

    Raises
    ------
    CosimError
        If another process runs there, or the folder cannot be written.
    """
    lock, store = FileLock(root / ".lock", timeout=0), LocalStore(root)
    try:
        with disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except Timeout as error:
        raise CosimError(
            "another cosim process is running in this folder",
            where=str(root),
            remedy="Wait for it, or name another folder with --out.",
        ) from error
    except OSError as error:
        raise CosimError(
            f"this folder cannot be made ({error.strerror})", where=str(root), remedy="Name another one with --out."
        ) from error
    try:
        store.remove_partial()
        yield store
    finally:
        store.remove_partial()
        lock.release()


def save_plan(root: Path, study: Study, data_dir: Path | None, command: str) -> None:
    """Keep what was asked for, so that the run can be resumed from its folder alone.

    Raises
    ------
    StudyError
        The folder holds the run of a study of another name.
    """
    _refuse_another(root, study.study.name)
    plan: dict[str, object] = {
        "study": study.model_dump(mode="json", exclude_none=True),
        "data_dir": None if data_dir is None else str(data_dir.absolute()),
        "command": command,
    }
    write_atomically(root / PLAN, to_json(plan))


def _refuse_another(root: Path, name: str) -> None:
    try:
        earlier = load_plan(root)[0].get("study")
    except CosimError:  # none, or one that says nothing: there is no study to be kept apart from
        return
    known = cast(Document, earlier).get("name") if isinstance(earlier, dict) else None
    if isinstance(known, str) and known != name:
        raise StudyError(
            f"the folder holds a run of the study {known!r}, not of {name!r}", where=str(root),
            remedy="Name another folder with --out (out in Python), or remove this one",
        )


def load_plan(root: Path) -> tuple[Document, Path | None, str]:
    """Return the study document, the data folder and the command a run folder was begun with.

    Raises
    ------
    StudyError
        If the folder holds no run.
    """
    if not os.path.isfile(root / PLAN):
        raise StudyError(
            "there is no run in this folder",
            where=str(root),
            remedy=f"Name a folder that `cosim run` made; it holds {PLAN}.",
        )
    plan = read_json(root / PLAN)
    study, folder, command = (plan.get(key) for key in ("study", "data_dir", "command"))
    if not isinstance(study, dict) or not isinstance(command, str):
        raise StudyError("it does not say which study is run here", where=str(root / PLAN),
                         remedy="Give the `cosim run` command again; finished points are kept.")  # fmt: skip
    return cast(Document, study), Path(folder) if isinstance(folder, str) else None, command
