"""The dataset and its folds as stages, so that pool processes map one copy of the arrays and read no recording."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from cosim.datasets.array_store import ArrayStore
from cosim.datasets.card import Card
from cosim.datasets.stored import Manifest, open_arrays, store_arrays
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
from energy_models.workload import LayerWork, Workload, read_workload, write_workload

FACTS, PIPELINE = "dataset.json", "pipeline.json"
PARTS = ("train", "validation", "test", "unlabelled", "pool")


def keep_dataset(store: Store, dataset: Dataset, name: str, arrays: ArrayStore) -> tuple[Stage, Dataset]:
    """Return the stage of a dataset that is registered under `name`, and the dataset opened from the array store.

    The stage, written unless it is there, names the arrays; they are kept once for all runs, outside of them, and are
    written again where they are missing or damaged.

    Raises
    ------
    DataError
        If a recording cannot be read or used, or the array store cannot be written.
    """
    manifest = store_arrays(dataset, arrays)
    facts = _facts(dataset)
    beside = repr((dataset.pipeline_work, dataset.output_names, facts))
    digest = hashlib.blake2b(beside.encode(), digest_size=16).hexdigest()
    opened = _opened(facts, dataset.pipeline_work, manifest, arrays)
    config: dict[str, Json] = {"name": name, "digest": opened.digest, "facts": digest}
    stage = make_stage(DATA, config)
    if not store.has(stage.key):
        keep_stage(store, stage, lambda folder: _write_dataset(opened, facts, manifest, folder))
    return stage, opened


def _write_dataset(dataset: Dataset, facts: Mapping[str, Any], manifest: Manifest, folder: Path) -> None:
    (folder / FACTS).write_text(to_json({"facts": facts, "arrays": manifest}), encoding="utf-8")
    write_workload(pipeline_workload(dataset), folder / PIPELINE)


def _facts(dataset: Dataset) -> dict[str, Any]:
    names = ("name", "task", "output_names", "source_rate_hz", "source_bits", "notes")
    return {
        **{name: getattr(dataset, name) for name in names},
        "card": dataclasses.asdict(dataset.card),
        "pipeline": [
            {"name": step.name, "parameters": dict(step.parameters), "causal": step.causal} for step in dataset.pipeline
        ],
    }


def pipeline_workload(dataset: Dataset) -> Workload:
    """Return the preprocessing rows in the one form that workloads are stored in."""
    channels, steps = len(dataset.windows.channels), dataset.windows.steps
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


def read_dataset(folder: Path, arrays: ArrayStore) -> Dataset:
    """Return the dataset of a stage, its recordings mapped from the array store.

    Raises
    ------
    DataError
        If an array is no longer in the store, damaged or cut short.
    """
    known = cast(dict[str, Any], json.loads((folder / FACTS).read_text(encoding="utf-8")))
    return _opened(known["facts"], read_workload(folder / PIPELINE).layers, known["arrays"], arrays)


def _opened(
    facts: Mapping[str, Any], work: tuple[LayerWork, ...], manifest: Manifest, arrays: ArrayStore
) -> Dataset:
    opened = open_arrays(manifest, arrays)
    card, pipeline = facts["card"], facts["pipeline"]
    return Dataset(
        name=facts["name"], task=facts["task"], source_rate_hz=facts["source_rate_hz"],
        source_bits=facts["source_bits"], output_names=tuple(facts["output_names"]), notes=tuple(facts["notes"]),
        card=Card(**(card | {"caveats": tuple(card["caveats"])})), pipeline=tuple(Step(**step) for step in pipeline),
        pipeline_work=work, windows=opened.windows, target_values=opened.target_values,
        target_mask=opened.target_mask, groups=opened.groups,
    )  # fmt: skip


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

