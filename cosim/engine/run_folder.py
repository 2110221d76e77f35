"""A run's folder: who may work in it, the study it runs, and where its files are."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast
from uuid import uuid4

from filelock import FileLock, Timeout

from cosim.engine.files import disk_errors, read_json, to_json, write_atomically
from cosim.engine.local_store import LocalStore
from cosim.study.document import Document
from cosim.study.schema import Study
from energy_models.errors import CosimError, StudentError, StudyError
from students.spec.migration import former_form

PLAN = "plan.json"      # what was asked for, from which a run is resumed
POINTS = "points.json"  # every finished point and the stage that holds its result
FAILURES = "failures.json"
BEGUN = "begun.json"    # there from when a run goes on until its tables are written
PLACE = ".lock-"
JOIN_SECONDS = 10.0
"""How long a process that shares the folder waits for others that come or go [s]."""
LOOK_SECONDS = 1.0
"""Between two looks at whether others have left the folder [s]."""
SCHEMA = "cosim.plan/2"
"""Plans without a schema are of before: where their forms say nothing of first and last weights, these have 8 bits."""


@contextmanager
def locked(root: Path, *, wait_s: float = 0.0) -> Generator[LocalStore]:
    """Hold the run folder for this process and yield its store; interrupted stages are cleared away.

    The folder is created where absent.

    Parameters
    ----------
    root : Path
    wait_s : float
        How long to wait for others that run there [s].

    Raises
    ------
    CosimError
        If another process runs there still, or the folder cannot be written.
    """
    store, until = LocalStore(root), time.monotonic() + wait_s
    with _gate(root, timeout_s=wait_s):
        while not _alone(root):
            if time.monotonic() >= until:
                raise _taken(root)
            time.sleep(min(LOOK_SECONDS, wait_s))
        try:
            store.remove_partial()
            yield store
        finally:
            store.remove_partial()


@contextmanager
def joined(root: Path) -> Generator[LocalStore]:
    """Hold a place among the processes that share the run folder, and yield its store.

    The first and the last of them clear interrupted stages away. Some of them may be killed at any moment.

    Raises
    ------
    CosimError
        If another process holds the folder for itself, or it cannot be written.
    """
    store = LocalStore(root)
    with _gate(root, timeout_s=JOIN_SECONDS):
        if _alone(root):
            store.remove_partial()
        place = FileLock(root / f"{PLACE}{uuid4().hex}")
        place.acquire()
    try:
        yield store
    finally:
        with suppress(CosimError), _gate(root, timeout_s=JOIN_SECONDS):  # then the next one clears it away
            place.release()
            Path(place.lock_file).unlink(missing_ok=True)
            if _alone(root):
                store.remove_partial()
        place.release()


@contextmanager
def tables_locked(root: Path) -> Generator[None]:
    """Let one process of those that share the run folder write its tables at a time."""
    with FileLock(root / ".tables.lock"):
        yield


def _alone(root: Path) -> bool:
    """Return whether nobody has a place in the folder; asked behind the gate. Places of the dead are cleared away."""
    for path in root.glob(f"{PLACE}*"):
        try:
            with FileLock(path, timeout=0):
                path.unlink(missing_ok=True)
        except Timeout:
            return False
    return True


def _taken(root: Path) -> CosimError:
    return CosimError(
        "another cosim process is running in this folder", where=str(root),
        remedy="Wait for it (--wait SECONDS), name another folder with --out, or share it: both with one --storage.",
    )


@contextmanager
def _gate(root: Path, *, timeout_s: float) -> Generator[None]:
    """Hold the lock of the whole folder, which is created where absent."""
    lock = FileLock(root / ".lock", timeout=timeout_s)
    try:
        with disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except Timeout as error:
        raise _taken(root) from error
    except OSError as error:
        raise CosimError(
            f"this folder cannot be made ({error.strerror})", where=str(root), remedy="Name another one with --out."
        ) from error
    try:
        yield
    finally:
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
        "schema": SCHEMA,
        "study": study.model_dump(mode="json", exclude_none=True),
        "data_dir": None if data_dir is None else str(data_dir.absolute()),
        "command": command,
    }
    write_atomically(root / PLAN, to_json(plan))


def mark_begun(root: Path) -> None:
    """Say in the folder that stages may be newer than its tables from now on."""
    write_atomically(root / BEGUN, to_json({"begun": True}))


def mark_ended(root: Path) -> None:
    """Say in the folder that its tables are of all stages of the run.

    Where processes share the folder, the first that ends says so: its tables hold what the others had finished then.
    """
    (root / BEGUN).unlink(missing_ok=True)


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

    The forms of an earlier plan are in today's words.

    Raises
    ------
    StudyError
        If the folder holds no run, or one of a later version.
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
    if plan.get("schema", SCHEMA) != SCHEMA:
        raise StudyError(
            f"a plan of the schema {plan['schema']!r:.40}", where=str(root / PLAN),
            remedy=f"Go on with the version of cosim that began this run; this one reads {SCHEMA}",
        )
    if "schema" not in plan:
        study = _in_todays_words(cast(Document, study), root)
    return cast(Document, study), Path(folder) if isinstance(folder, str) else None, command


def _in_todays_words(study: Document, root: Path) -> Document:
    """Return the study of a plan without a schema, its students' forms with the widths that they had then.

    Raises
    ------
    StudyError
        A form that never was one.
    """
    students = study.get("students")
    if not isinstance(students, list):
        return study
    return study | {"students": [_with_forms(one, root) for one in cast(list[object], students)]}


def _with_forms(student: object, root: Path) -> object:
    if not isinstance(student, dict):
        return student
    described = cast(Document, student)
    forms = described.get("forms")
    if not isinstance(forms, list):
        return described
    try:
        now = [str(former_form(form)) if isinstance(form, str) else form for form in cast(list[object], forms)]
    except StudentError as error:
        remedy = "Give the `cosim run` command again"
        raise StudyError(f"it asks for {error}", where=str(root / PLAN), remedy=remedy) from error
    return described | {"forms": now}
