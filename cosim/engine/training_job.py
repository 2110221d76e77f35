"""Fits one student on one fold and keeps it, for every kind of stage that trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray
from torch import Tensor, nn

from cosim.engine.files import Json
from cosim.engine.fold_data import Inputs, fold_of, input_bits, outputs_of, part_score
from cosim.engine.prediction_file import write_curve, write_predictions
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
from students.training import METHODS, Ask, FitResult, fit, leaves_unlabelled


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A student to fit, and what it learns from beside the labels.

    Parameters
    ----------
    model : nn.Module
    spec : StudentSpec
    teacher, unlabelled : mapping of str to Tensor
        The teacher's targets by name, of the labelled and of the unlabelled training examples. Where there is no
        teacher, or the method leaves unlabelled examples out, these teach nothing: the labelled ones are repeated, so
        that as many gradient steps are taken.
    source : str
        Whose targets they are.
    ask : callable or None
        The teacher as a function of the student's inputs (`students.training.fit`).
    """

    model: nn.Module
    spec: StudentSpec
    teacher: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    unlabelled: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    source: str = ""
    ask: Ask | None = None


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
    words = [value.partition(" ")[0] for value in named]
    codes = [word for word in words if ":" in word or word in ENCODERS.names()]
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


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted student, its output on the validation part, its losses, and what is kept beside it.

    Parameters
    ----------
    model : nn.Module
    spec : StudentSpec
    outputs : ndarray
        Of the validation part, as `fold_data.outputs_of` returns them.
    score : float
        The primary metric of these.
    history : FitResult or None
        None: it was taken as it is, without training.
    extra : mapping of str to str
    """

    model: nn.Module
    spec: StudentSpec
    outputs: NDArray[Any]
    score: float
    history: FitResult | None
    extra: Mapping[str, str]


def train(workspace: Workspace, job: TrainingJob) -> None:
    """Fit a student, store it, and note where its targets came from and what it scores on validation.

    Without epochs it is stored as it begins.
    """
    kept = workspace.store.checkpoint(workspace.stage.key)
    keep(workspace, fitted(workspace, job, kept))
    kept.unlink(missing_ok=True)


def fitted(workspace: Workspace, job: TrainingJob, checkpoint: Path) -> Fitted:
    """Return a student fitted on the fold of a stage, going on from its checkpoint where there is one."""
    data, model, spec = fold_of(workspace), job.model, job.spec
    history, known = None, dict[str, str]()
    if spec.training.epochs:
        both = job.teacher and not (spec.method is not None and leaves_unlabelled(spec.method))
        examples = data.part("train", job.teacher) if both else data.repeated_train(job.teacher)
        unlabelled = data.unlabelled(job.unlabelled) if both else None
        with kernels_taken() as taken:
            history = fit(model, examples, data.part("validation"), spec, unlabelled=unlabelled, ask=job.ask,
                          checkpoint=checkpoint, device=workspace.device)  # fmt: skip
        known = {"best_epoch": str(history.best_epoch), "stopped": history.stopped}
        known |= {"epochs": str(len(history.train_losses)), "kernels": taken.summary()}
        known |= {f"method_{name}": repr(value) for name, value in history.figures.items()}
    outputs = outputs_of(model, data, "validation", workspace.device)
    score = part_score(data, "validation", outputs)
    return Fitted(
        model, spec, outputs, score, history,
        {"distilled_from": job.source, "validation_score": repr(score), **known},
    )  # fmt: skip


def keep(workspace: Workspace, student: Fitted, extra: Mapping[str, str] | None = None) -> None:
    """Store a fitted student with its losses, its validation outputs and what comes before it on a recording.

    Parameters
    ----------
    workspace : Workspace
    student : Fitted
    extra : mapping of str to str or None
        What else is to be kept beside it.
    """
    data, history = fold_of(workspace), student.history
    if history is not None:
        write_curve(workspace.folder, history.train_losses, history.validation_losses, history.best_epoch)
    validation = data.fold.validation
    write_predictions(workspace.folder, validation, data.dataset.masked_targets[validation], student.outputs)
    save_student(workspace.folder, student.model, student.spec, {**student.extra, **(extra or {})})
    inputs = cast(Inputs, workspace.stage.config.get("inputs", "standardised"))
    before = pipeline_workload(data.dataset)  # what is done to a recording before the network
    bits = input_bits(student.spec.form, data.dataset, inputs)
    write_workload(before.replace(input_bits=bits), workspace.folder / PIPELINE)
