"""What a Dask cluster is sent of a stage, and what it answers: texts, and a function that it finds by its name.

Nothing of ours is pickled: a stage is JSON, and what computes it is looked up by its kind in `KINDS`. Dask pickles the
name of the function and the texts, as it does with every task.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cosim.engine.files import Json
from cosim.engine.record import StageTime
from cosim.engine.stage import Stage
from energy_models.errors import CosimError

Call = Callable[[dict[str, str], str], str]


@dataclass(frozen=True, slots=True)
class DaskJob:
    """What a worker is told to do with every stage of a run.

    Parameters
    ----------
    call : callable
        A function at the top of a module that workers can import: ``call(place, stage)`` returns `time_text`.
    place : mapping of str to str
        Its first argument, the same for all stages.
    """

    call: Call
    place: Mapping[str, str]


def stage_text(stage: Stage) -> str:
    """Return a stage and all that it builds on as JSON, parents first, each one once; `read_stage` reads it."""
    told: dict[str, Json] = {}

    def tell(one: Stage) -> None:
        if one.digest in told:
            return
        for parent in one.parents.values():
            tell(parent)
        told[one.digest] = {
            "kind": one.kind, "config": dict(one.config), "failure": one.failure, "digest": one.digest,
            "parents": {role: parent.digest for role, parent in one.parents.items()},
        }  # fmt: skip

    tell(stage)
    return json.dumps(list(told.values()), ensure_ascii=False, allow_nan=False)


def read_stage(text: str) -> Stage:
    """Return the stage of a text of `stage_text`.

    Raises
    ------
    CosimError
        If it is none, as where coordinator and worker are of different versions.
    """
    read: dict[str, Stage] = {}
    last = ""
    try:
        entries: list[dict[str, Any]] = json.loads(text)
        for one in entries:
            last = one["digest"]
            parents = {role: read[digest] for role, digest in one["parents"].items()}
            read[last] = Stage(one["kind"], one["config"], parents, last, one["failure"])
        return read[last]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CosimError(
            f"a worker does not understand what it was sent ({type(error).__name__}: {error})", where="--executor dask",
            remedy="Install the same version of cosim on all, and start the workers again",
        ) from error


def time_text(time: StageTime) -> str:
    """Return the time of a stage as JSON."""
    return json.dumps(asdict(time))


def read_time_text(text: str) -> StageTime:
    """Return the time of a stage from a text of `time_text`."""
    return StageTime(**json.loads(text))


def stage_job(run: Path, device: str) -> DaskJob:
    """Return what workers do with the stages of a run: compute and keep them in its folder.

    Parameters
    ----------
    run : Path
        Run folder.
    device : str
        Where networks are trained, decoded and counted.
    """
    from cosim.engine.executors.dask_worker import shared_folders

    return DaskJob(call, {**shared_folders(run).texts(), "device": device})


def call(place: dict[str, str], stage: str) -> str:
    """Compute and keep a stage on this worker, and return its time.

    The scheduler imports this module too, so it imports what computes only here, in a thread of the worker.

    Raises
    ------
    CosimError
        As `run_on_worker`.
    """
    from cosim.engine.executors.dask_worker import SharedFolders, run_on_worker

    return time_text(run_on_worker(SharedFolders.of(place), place["device"], read_stage(stage)))
