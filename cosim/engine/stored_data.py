"""The dataset and its folds as stages, so that pool processes map one copy of the arrays and load no recording."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np

from cosim.datasets.card import Card
from cosim.datasets.types import Dataset
from cosim.engine.files import Json, read_json, to_json
from cosim.engine.points import FoldStage
from cosim.engine.record import keep_stage
from cosim.engine.stage import Stage, make_stage
from cosim.engine.stages.data import DATA
from cosim.engine.stages.fold import FOLD
from cosim.engine.store import Store
from cosim.preprocessing.operations import Step
from cosim.splits.fold import Fold
from energy_models.workload import Workload, read_workload, write_workload

ARRAYS = ("inputs", "targets", "starts")
PARTS = ("train", "validation", "test")


def keep_dataset(store: Store, dataset: Dataset, name: str) -> Stage:
    """Return the stage of a dataset that is registered under `name`, written unless it is there."""
    beside = repr((dataset.pipeline_work, dataset.output_names, _facts(dataset)))
    facts = hashlib.blake2b(beside.encode(), digest_size=16).hexdigest()
    config: dict[str, Json] = {"name": name, "digest": dataset.digest, "facts": facts}
    stage = make_stage(DATA, config)
    if not store.has(stage.key):
        keep_stage(store, stage, lambda folder: _write_dataset(dataset, folder))
    return stage


def _write_dataset(dataset: Dataset, folder: Path) -> None:
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", getattr(dataset, name), allow_pickle=False)
    for name, labels in dataset.groups.items():
        np.save(folder / f"group.{name}.npy", np.asarray(labels, dtype=np.str_), allow_pickle=False)
    (folder / "facts.json").write_text(to_json(_facts(dataset)), encoding="utf-8")
    write_workload(_pipeline_workload(dataset), folder / "pipeline.json")


def _facts(dataset: Dataset) -> dict[str, Any]:
    names = ("name", "task", "output_names", "step_rate_hz", "source_rate_hz", "source_bits", "unit", "notes")
    return {
        **{name: getattr(dataset, name) for name in names},
        "card": dataclasses.asdict(dataset.card),
        "pipeline": [
            {"name": step.name, "parameters": dict(step.parameters), "causal": step.causal} for step in dataset.pipeline
        ],
    }


def _pipeline_workload(dataset: Dataset) -> Workload:
    """Return the preprocessing rows in the one form that workloads are stored in."""
    _, channels, steps = dataset.inputs.shape
    return Workload(
        name=f"{dataset.name} preprocessing",
        mode="window" if dataset.task == "classification" else "stream",
        decodes=1,
        steps_per_decode=steps if dataset.task == "classification" else 1,
        channels=channels,
        step_rate_hz=dataset.step_rate_hz,
        input_bits=dataset.source_bits,
        layers=dataset.pipeline_work,
    )


def read_dataset(folder: Path) -> Dataset:
    """Return the dataset of a stage, its inputs mapped from the disk."""
    facts = cast(dict[str, Any], json.loads((folder / "facts.json").read_text(encoding="utf-8")))
    card = facts.pop("card")
    pipeline = facts.pop("pipeline")
    facts["output_names"], facts["notes"] = tuple(facts["output_names"]), tuple(facts["notes"])
    return Dataset(
        card=Card(**(card | {"caveats": tuple(card["caveats"])})),
        pipeline=tuple(Step(**step) for step in pipeline),
        pipeline_work=read_workload(folder / "pipeline.json").layers,
        groups={path.name.split(".")[1]: np.load(path) for path in sorted(folder.glob("group.*.npy"))},
        inputs=np.load(folder / "inputs.npy", mmap_mode="r"),
        **{name: np.load(folder / f"{name}.npy") for name in ("targets", "starts")},
        **facts,
    )


def keep_folds(store: Store, data: Stage, folds: Iterable[Fold]) -> list[FoldStage]:
    """Return the folds of a dataset, each written as a stage unless it is there."""
    return [FoldStage(fold.name, _keep_fold(store, data, fold)) for fold in folds]


def _keep_fold(store: Store, data: Stage, fold: Fold) -> Stage:
    hasher = hashlib.blake2b(digest_size=16)
    for part in PARTS:
        hasher.update(f"{part}:".encode() + np.ascontiguousarray(getattr(fold, part)).tobytes())
    stage = make_stage(FOLD, {"name": fold.name, "indices": hasher.hexdigest()}, data=data)
    if not store.has(stage.key):
        keep_stage(store, stage, lambda folder: _write_fold(fold, folder))
    return stage


def _write_fold(fold: Fold, folder: Path) -> None:
    for part in PARTS:
        np.save(folder / f"{part}.npy", getattr(fold, part), allow_pickle=False)
    (folder / "fold.json").write_text(to_json({"name": fold.name}), encoding="utf-8")


def read_fold(folder: Path) -> Fold:
    """Return the fold of a stage."""
    parts = {part: np.load(folder / f"{part}.npy") for part in PARTS}
    return Fold(name=str(read_json(folder / "fold.json")["name"]), **parts)

