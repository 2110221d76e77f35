"""What each kind of stage computes, from its parents' folders into its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import SafetensorError
from torch import Tensor, nn

from cosim.baselines import run_baseline
from cosim.datasets.contiguous_segments import contiguous_segments
from cosim.engine.fold_data import FoldData, Inputs, load_fold, outputs_of, primary_score, stream_of
from cosim.engine.stage import GATE, RESULT, TARGETS, WORKLOAD, Stage, StageKind
from cosim.engine.store import Json, checkpoint_path, disk_full, new_stage, read_json, to_json
from cosim.evaluation.metrics import primary_metric, score
from cosim.teachers.ensemble import TeacherSpec, TeacherTargets, fit_teacher, gate, read_targets, write_targets
from cosim.versions import versions
from energy_models.errors import StudentError
from energy_models.workload.json_file import workload_digest, write_workload
from energy_models.workload.layers import Workload
from students.counting import observe
from students.models.build import build, mode
from students.models.from_float import quantised_from_float
from students.models.store import load_extra, load_student, save_student
from students.spec import Quantised, StudentSpec
from students.training.fit import fit, predict

FLOAT_BITS = 32
CALIBRATION_EXAMPLES = 256  # brevitas needs a sample of the signals, not all of them


def perform(root: Path, stage: Stage) -> None:
    """Compute one stage into its folder; its parents must be finished.

    Raises
    ------
    CosimError
        As the parts it calls, or where the disk is full.
    """
    with new_stage(root, stage.kind, stage.digest) as folder:
        try:
            _WORK[stage.kind](root, stage, folder)
        except SafetensorError as error:
            if "No space left" in str(error):  # safetensors reports a full disk as its own error
                raise disk_full(folder) from error
            raise
        (folder / "stage.json").write_text(_provenance(stage), encoding="utf-8")


def _provenance(stage: Stage) -> str:
    parents = {role: f"{parent.kind}/{parent.digest}" for role, parent in stage.parents.items()}
    return to_json({"kind": stage.kind, "config": dict(stage.config), "parents": parents, "versions": versions()})


def _data(root: Path, stage: Stage) -> FoldData:
    fold = stage.parents["fold"]
    inputs = cast(Inputs, stage.config.get("inputs", "standardised"))
    return load_fold(fold.parents["data"].folder(root), fold.folder(root), inputs)


def _teacher(root: Path, stage: Stage, folder: Path) -> None:
    spec = TeacherSpec.model_validate({"members": stage.config["members"]})
    data = _data(root, stage)
    kept = checkpoint_path(root, stage.kind, stage.digest)
    targets = fit_teacher(
        spec, data.part("train"), data.part("validation"), data.part("test").inputs, checkpoints=kept
    )
    write_targets(folder / TARGETS, targets)
    shutil.rmtree(kept, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Lesson:
    """A student to fit, and whose outputs it learns from beside the labels."""

    model: nn.Module
    spec: StudentSpec
    teacher: Tensor | None = None
    source: str = ""


def _train(root: Path, stage: Stage, folder: Path, lesson: _Lesson) -> None:
    """Fit a student, store it, and note where its targets came from and what it scores on validation."""
    data = _data(root, stage)
    model, spec = lesson.model, lesson.spec
    kept = checkpoint_path(root, stage.kind, stage.digest)
    course = fit(model, data.part("train", lesson.teacher), data.part("validation"), spec, checkpoint=kept)
    validation = primary_score(data, "validation", outputs_of(model, data, "validation"))
    extra = {
        "distilled_from": lesson.source,
        "validation_score": repr(validation),
        "epochs": str(len(course.train_losses)),
        "best_epoch": str(course.best_epoch),
        "stopped": course.stopped,
    }
    save_student(folder, model, spec, extra)
    kept.unlink(missing_ok=True)


def _spec(stage: Stage) -> StudentSpec:
    return StudentSpec.model_validate(stage.config["spec"])


def _plain(root: Path, stage: Stage, folder: Path) -> None:
    spec = _spec(stage)
    _train(root, stage, folder, _Lesson(build(spec), spec))


def _gate(root: Path, stage: Stage, folder: Path) -> None:
    """Compare the teacher with the undistilled students of all seeds, on this fold's validation part only.

    Pooling folds would let one fold's test recordings, which are another's validation, decide about its students.
    """
    data = _data(root, stage)
    targets = _targets(root, stage)
    teacher = primary_score(data, "validation", targets.validation.numpy())
    plain = [parent for role, parent in stage.parents.items() if role.startswith("plain")]
    students = [float(load_extra(parent.folder(root))["validation_score"]) for parent in plain]
    metric = primary_metric(data.dataset.task)
    result = gate([teacher] * len(students), students, metric=metric, over="seed")
    facts: dict[str, Json] = {
        "passed": result.source == "ensemble",
        "source": result.source,
        "metric": metric,
        "teacher_score": result.teacher_score,
        "student_score": result.student_score,
        "student_scores": cast(Json, students),
        "message": result.message,
    }
    (folder / GATE).write_text(to_json(facts), encoding="utf-8")


def _targets(root: Path, stage: Stage) -> TeacherTargets:
    return read_targets(stage.parents["teacher"].folder(root) / TARGETS)


def _passed(root: Path, stage: Stage) -> bool:
    """Return whether there is a teacher and it passed the gate."""
    if "gate" not in stage.parents:
        return False
    return bool(read_json(stage.parents["gate"].folder(root) / GATE)["passed"])


def _float(root: Path, stage: Stage, folder: Path) -> None:
    """Distil from the teacher if it passed; otherwise the plain student is the float student."""
    if _passed(root, stage):
        spec = _spec(stage)
        _train(root, stage, folder, _Lesson(build(spec), spec, _targets(root, stage).train, "ensemble"))
    else:
        model, spec = load_student(stage.parents["plain"].folder(root))
        save_student(folder, model, spec, load_extra(stage.parents["plain"].folder(root)))


def _variant(root: Path, stage: Stage, folder: Path) -> None:
    """Quantise the float student, then train on: from the teacher if it passed, else from the float student."""
    spec = _spec(stage)
    data = _data(root, stage)
    floating, _ = load_student(stage.parents["float"].folder(root))
    train = data.part("train").inputs
    teacher, source = None, ""
    if spec.distillation.method != "none":
        passed = _passed(root, stage)
        source = "ensemble" if passed else "float student"
        teacher = _targets(root, stage).train if passed else predict(floating, train)
    model = quantised_from_float(spec, floating, train[_spread(len(train), CALIBRATION_EXAMPLES)])
    _train(root, stage, folder, _Lesson(model, spec, teacher, source))


def _spread(available: int, wanted: int) -> list[int]:
    """Return up to `wanted` positions spread evenly over the available ones."""
    return np.unique(np.linspace(0, available - 1, min(wanted, available)).round().astype(np.int64)).tolist()


def _result(root: Path, stage: Stage, folder: Path) -> None:
    """Score a student on the test part and count what it did there."""
    data = _data(root, stage)
    source = stage.parents["student"].folder(root)
    model, spec = load_student(source)
    extra = load_extra(source)
    raw = stage.config["inputs"] == "raw"
    quantised = spec.form if isinstance(spec.form, Quantised) else None
    input_bits = quantised.input_bits if quantised else data.dataset.source_bits if raw else FLOAT_BITS
    inputs = _observed(data, cast(int, stage.config["observed"]))
    counted = observe(
        model,
        inputs,
        name=spec.label,
        mode=mode(spec),
        step_rate_hz=spec.shape.step_rate_hz,
        input_bits=input_bits,
        pipeline_work=data.dataset.pipeline_work,
    )
    origin = {"spec": spec.digest, "dataset": data.dataset.digest, **versions()}
    workload = counted.replace(provenance={**counted.provenance, **origin})
    _write_result(
        folder,
        data,
        outputs_of(model, data, "test"),
        workload,
        {
            "validation_score": float(extra["validation_score"]),
            "distilled_from": extra["distilled_from"],
            "spec_digest": spec.digest,
            "parameters": stored_numbers(workload),
            "weight_bits": quantised.weight_bits if quantised else FLOAT_BITS,
            "activation_bits": quantised.activation_bits if quantised else FLOAT_BITS,
        },
    )


def stored_numbers(workload: Workload) -> int:
    """Return how many weights and biases the decoder keeps, shared ones once, preprocessing left out."""
    kept = {layer.weights_key: layer for layer in workload.layers if layer.weights_key}
    return sum(layer.weights + layer.biases for layer in kept.values() if not layer.name.startswith("pipeline."))


def _observed(data: FoldData, wanted: int) -> Tensor:
    """Return held-out inputs to count on: windows spread over the test part, or the longest contiguous segment."""
    if data.dataset.task == "classification":
        test = data.part("test").inputs
        return test[_spread(len(test), wanted)]
    longest = max(contiguous_segments(data.dataset, data.fold.test), key=len)
    return stream_of(data.dataset, longest[:wanted])


def _baseline(root: Path, stage: Stage, folder: Path) -> None:
    fold = stage.parents["fold"]
    data = load_fold(fold.parents["data"].folder(root), fold.folder(root), "raw")
    options = cast(Mapping[str, bool | int | float | str], stage.config["options"])
    found = run_baseline(str(stage.config["name"]), data.dataset, data.fold, options)
    facts: dict[str, Any] = {
        "label": found.label,
        "validation_score": None,
        "distilled_from": "",
        "spec_digest": stage.digest,
        "parameters": found.parameters,
        "weight_bits": found.weight_bits,
        "activation_bits": found.activation_bits,
    }
    _write_result(folder, data, found.outputs_test, found.workload(data.dataset), facts)


def _teacher_result(root: Path, stage: Stage, folder: Path) -> None:
    """Score the ensemble; it is not deployed, so nothing is counted."""
    data = _data(root, stage)
    targets = _targets(root, stage)
    facts: dict[str, Any] = {
        "validation_score": primary_score(data, "validation", targets.validation.numpy()),
        "distilled_from": "",
        "spec_digest": stage.parents["teacher"].digest,
        "parameters": 0,
        "weight_bits": FLOAT_BITS,
        "activation_bits": FLOAT_BITS,
    }
    _write_result(folder, data, targets.test.numpy(), None, facts)


def _write_result(folder: Path, data: FoldData, outputs: Any, workload: Workload | None, facts: dict[str, Any]) -> None:
    dataset = data.dataset
    metrics = score(dataset.task, dataset.targets[data.fold.test], outputs, output_names=dataset.output_names)
    metric = primary_metric(dataset.task)
    known = {"metric": metric, "score": metrics[metric], "metrics": metrics, "versions": versions(), **facts}
    if workload is not None:
        write_workload(workload, folder / WORKLOAD)
        known |= {"workload_digest": workload_digest(workload), "complete": workload.complete}
    (folder / RESULT).write_text(to_json(known), encoding="utf-8")


def _written_by_the_coordinator(root: Path, stage: Stage, folder: Path) -> None:
    raise StudentError(f"a stage of kind '{stage.kind}' is missing", where=str(folder), remedy="Run the study again.")


_WORK: Mapping[StageKind, Callable[[Path, Stage, Path], None]] = {
    "data": _written_by_the_coordinator,
    "fold": _written_by_the_coordinator,
    "teacher": _teacher,
    "plain": _plain,
    "gate": _gate,
    "float": _float,
    "variant": _variant,
    "result": _result,
    "baseline": _baseline,
    "teacher_result": _teacher_result,
}
