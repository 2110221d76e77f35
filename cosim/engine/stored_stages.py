"""Stages of an earlier run, known from their records alone: what a network was trained on, and what was scored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from cosim.engine.files import Json, read_json
from cosim.engine.local_store import LocalStore
from cosim.engine.record import RECORD
from cosim.engine.run_folder import POINTS
from cosim.engine.stage import Stage
from cosim.engine.stages.registry import KINDS
from cosim.engine.stages.result import RESULT as RESULT_STAGE
from cosim.engine.store import StageKey, Store
from energy_models.errors import StudyError


def stored_stage(store: Store, key: StageKey) -> Stage:
    """Return a finished stage with everything it builds on, under the names they were stored by.

    Raises
    ------
    CosimError
        If a stage is missing or damaged, or its record is.
    """
    record = read_json(store.folder(key) / RECORD)
    parents = cast("dict[str, str]", record["parents"])
    known = {role: stored_stage(store, _key(name)) for role, name in parents.items()}
    return Stage(key.kind, cast("dict[str, Json]", record["config"]), known, key.digest, KINDS[key.kind].failure)


def stage_of_folder(folder: Path) -> tuple[Path, StageKey] | None:
    """Return the run folder and the key of a stage's folder; None for any other folder."""
    place = folder.absolute()
    root = place.parent.parent.parent
    inside = place.parent.parent.name == "stages" and (place / RECORD).is_file() and place.parent.name in KINDS
    return (root, StageKey(place.parent.name, place.name)) if inside else None


def results_on(store: LocalStore, student: StageKey) -> list[Stage]:
    """Return the results of a run that score a student, by the key of its training stage."""
    name = f"{student.kind}/{student.digest}"
    found: list[Stage] = []
    for path in sorted((store.root / "stages" / RESULT_STAGE.name).glob(f"*/{RECORD}")):
        if cast("dict[str, str]", read_json(path)["parents"]).get("student") == name:
            found.append(stored_stage(store, StageKey(RESULT_STAGE.name, path.parent.name)))
    return found


def point_stages(root: Path) -> Iterator[tuple[str, int, str, StageKey]]:
    """Yield decoder, seed, fold and the key of the result of every finished point.

    Raises
    ------
    StudyError
        If the run is an archived one, which keeps no stages.
    """
    if not (root / POINTS).is_file():
        raise StudyError(
            "an archived run keeps no networks", where=str(root),
            remedy="Run the study again; its workloads and results are here",
        )
    for one in cast("list[dict[str, str | int]]", read_json(root / POINTS)["points"]):
        key = StageKey(str(one["stage"]), str(one["digest"]))
        yield str(one["decoder_id"]), int(one["seed"]), str(one["fold"]), key


def _key(name: str) -> StageKey:
    kind, _, digest = name.partition("/")
    return StageKey(kind, digest)
