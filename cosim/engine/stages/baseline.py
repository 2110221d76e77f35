"""A classical baseline's point: fitted, scored and counted in one step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from cosim.baselines.registry import BASELINES, run_baseline
from cosim.engine.files import Json
from cosim.engine.fold_data import fold_of, part_score
from cosim.engine.result_file import write_result
from cosim.engine.stage import StageKind, Workspace


def plugins(config: Mapping[str, Json]) -> Iterable[str]:
    """Return the module of the baseline."""
    return (BASELINES.module(str(config["name"])),)


def work(workspace: Workspace) -> None:
    """Fit a baseline on raw inputs, score it on the validation and test parts, and count it."""
    stage, data = workspace.stage, fold_of(workspace)
    options = cast(Mapping[str, bool | int | float | str], stage.config["options"])
    found = run_baseline(str(stage.config["name"]), data.dataset, data.fold, options)
    facts: dict[str, Any] = {
        "label": found.label,
        "validation_score": part_score(data, "validation", found.outputs_validation),
        "distilled_from": "",
        "spec_digest": stage.digest,
        "parameters": found.parameters,
        "weight_bits": found.weight_bits,
        "activation_bits": found.activation_bits,
        "chosen": dict(found.chosen),
    }
    write_result(workspace.folder, data, found.outputs_test, found.workload(data.dataset), facts)


BASELINE = StageKind(
    "baseline",
    parents=("fold",),
    work=work,
    plugins=plugins,
    failure="run",  # chosen by hand for these recordings: told at once, not after hours
)
