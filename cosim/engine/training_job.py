"""Fits one student on one fold and keeps it, for every kind of stage that trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from cosim.engine.files import Json
from cosim.engine.fold_data import Inputs, fold_of, input_bits, outputs_of, part_score
from cosim.engine.prediction_file import write_curve
from cosim.engine.stage import Stage, Workspace
from cosim.engine.stored_data import PIPELINE, pipeline_workload
from energy_models.workload import write_workload
from students.families.registry import FAMILIES
from students.kernels import kernels_taken
from students.models.build import build
from students.models.store import save_student
from students.models.weights import load_weights
from students.neurons.encoders import ENCODERS
from students.spec import StudentSpec
from students.training import METHODS, fit


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A student to fit, and what it learns from beside the labels.

    Parameters
    ----------
    model : nn.Module
    spec : StudentSpec
    teacher, unlabelled : mapping of str to Tensor
        The teacher's targets by name, of the labelled and of the unlabelled training examples. Where there is no
        teacher, unlabelled examples teach nothing: the labelled ones are repeated, so that as many gradient steps are
        taken.
    source : str
        Whose targets they are.
    """

    model: nn.Module
    spec: StudentSpec
    teacher: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    unlabelled: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    source: str = ""


def spec_of(stage: Stage) -> StudentSpec:
    """Return the student that a training stage is configured to train."""
    return StudentSpec.model_validate(stage.config["spec"])


def plugins_of(config: Mapping[str, Json]) -> Iterable[str]:
    """Return the modules of the plug-ins that a training stage asks for."""
    return student_plugins(config["spec"])


def student_plugins(spec: Json) -> Iterable[str]:
    """Return the modules of the plug-ins that a student in JSON form names: family, input code, distillation method."""
    described = cast(dict[str, Json], spec)
    options = cast(dict[str, Json], described.get("options", {}))
    named = [value for value in options.values() if isinstance(value, str)]
    codes = [value for value in named if ":" in value or value in ENCODERS.names()]
    method = cast(dict[str, Json] | None, described.get("method"))
    methods = [] if method is None else [METHODS.module(str(method["name"]))]
    return (FAMILIES.module(str(described["family"])), *map(ENCODERS.module, codes), *methods)


def untrained(workspace: Workspace, spec: StudentSpec) -> nn.Module:
    """Return the float student that a stage begins with: its initial weights, or those of a file of one's own.

    Raises
    ------
    StudentError
        Weights that cannot be read, or do not fit.
    """
    model = build(spec)
    weights = cast(dict[str, Json] | None, workspace.stage.config.get("weights"))
    if weights is not None:
        load_weights(model, Path(str(weights["path"])))
    return model


def train(workspace: Workspace, job: TrainingJob) -> None:
    """Fit a student, store it, and note where its targets came from and what it scores on validation.

    Without epochs it is stored as it begins.
    """
    data = fold_of(workspace)
    model, spec = job.model, job.spec
    kept = workspace.store.checkpoint(workspace.stage.key)
    fitted: dict[str, str] = {}
    if spec.training.epochs:
        examples = data.part("train", job.teacher) if job.teacher else data.repeated_train()
        unlabelled = data.unlabelled(job.unlabelled) if job.teacher else None
        with kernels_taken() as taken:
            history = fit(model, examples, data.part("validation"), spec, unlabelled=unlabelled, checkpoint=kept,
                          device=workspace.device)  # fmt: skip
        fitted = {"best_epoch": str(history.best_epoch), "stopped": history.stopped}
        fitted |= {"epochs": str(len(history.train_losses)), "kernels": taken.summary()}
        fitted |= {f"method_{name}": repr(value) for name, value in history.figures.items()}
        write_curve(workspace.folder, history.train_losses, history.validation_losses, history.best_epoch)
    validation = part_score(data, "validation", outputs_of(model, data, "validation", workspace.device))
    extra = {
        "distilled_from": job.source,
        "validation_score": repr(validation),
        **fitted,
    }
    save_student(workspace.folder, model, spec, extra)
    bits = input_bits(spec.form, data.dataset, cast(Inputs, workspace.stage.config.get("inputs", "standardised")))
    before = pipeline_workload(data.dataset).replace(input_bits=bits)  # what is done to a recording before the network
    write_workload(before, workspace.folder / PIPELINE)
    kept.unlink(missing_ok=True)
