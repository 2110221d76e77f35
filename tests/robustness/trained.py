"""Tensors: saved students, weights of one's own, targets of a teacher computed elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import torch
from safetensors.torch import save_file

from cosim.api.student import load_student
from cosim.datasets.registry import load
from cosim.splits.schemes import LeaveOneGroupOut
from cosim.teachers.registry import parse_teacher
from cosim.teachers.targets import PARTS
from cosim.teachers.teacher import TeacherSetting, targets_of
from students.models.build import build
from students.models.store import SPEC, WEIGHTS, save_student
from students.models.tensor_files import HASH, write_tensors
from students.models.weights import load_weights
from students.spec import Shape, StudentSpec, Training
from students.training import OUTPUTS
from tests.robustness import values
from tests.robustness.kind import Kind
from tests.robustness.mild import factor
from tests.robustness.sound import demand

LENGTH_BYTES = 8
SHAPE = Shape(task="classification", channels=2, steps=8, outputs=3, step_rate_hz=8)
STUDENT = StudentSpec(family="mlp", shape=SHAPE, seed=0, training=Training(epochs=1))


def in_header(path: Path, dice: Random) -> str:
    """Change a name, a type, a shape or a place in the header of a safetensors file."""
    data = path.read_bytes()
    end = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
    header = json.loads(data[LENGTH_BYTES:end])
    said = values.changed(header, dice)
    if isinstance(header.get("__metadata__"), dict) and dice.random() < 0.5:
        header["__metadata__"].pop("blake2b", None)  # as a file of another program has none
        said += ", no hash"
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(LENGTH_BYTES, "little") + text + data[end:])
    return said


def in_numbers(path: Path, dice: Random) -> str:
    """Write numbers that are none, or another type or shape, in a file that is sound otherwise."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata() or {})
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    name = dice.choice(sorted(tensors))
    one = tensors[name]
    act = dice.choice(("nan", "inf", "huge", "type", "shape", "transposed", "empty", "gone", "more"))
    match act:
        case "nan" | "inf":
            tensors[name] = one.float().fill_(float(act))
        case "huge":
            tensors[name] = one.double().fill_(1e308)
        case "type":
            tensors[name] = one.to(dice.choice((torch.int8, torch.bool, torch.float16, torch.complex64, torch.int64)))
        case "shape":
            tensors[name] = one.reshape(-1)[:-1]
        case "transposed":
            tensors[name] = one.mT.contiguous() if one.ndim > 1 else one[None]
        case "empty":
            tensors[name] = one.new_zeros(0)
        case "gone":
            del tensors[name]
        case _:
            tensors[f"{name}.more"] = one.clone()
    if dice.random() < 0.5:
        write_tensors(path, tensors, {key: text for key, text in metadata.items() if key != "blake2b"})
    else:
        save_file(tensors, path, metadata or None)
    return f"{name} {act}"


def _of_folder(change: Callable[[Path, Random], str], name: str) -> Callable[[Path, Random], str]:
    return lambda folder, dice: f"{name}: {change(folder / name, dice)}"


def _in_spec(path: Path, dice: Random) -> str:
    document = json.loads(path.read_text(encoding="utf-8"))
    said = values.changed(document, dice)
    path.write_text(json.dumps(document), encoding="utf-8")
    return said


def _student(folder: Path) -> Path:
    place = folder / "saved"
    save_student(place, build(STUDENT), STUDENT, {"validation_score": "0.5"})
    return place


def _read_student(folder: Path) -> None:
    found = load_student(folder)
    with torch.no_grad():
        out = found.model(torch.zeros(1, found.spec.shape.channels, found.spec.shape.steps))
    demand(bool(torch.isfinite(out).all()), "its outputs are not finite")


def _weights(folder: Path) -> Path:
    path = folder / "mine.safetensors"
    save_file(build(STUDENT).state_dict(), path)
    return path


def _read_weights(path: Path) -> None:
    model = build(STUDENT)
    load_weights(model, path)
    demand(all(bool(torch.isfinite(one).all()) for one in model.state_dict().values()), "weights that are not finite")


@cache
def _setting() -> TeacherSetting:
    options = {"channels": 4, "sessions": 3, "runs": 1, "trials": 8, "rate_hz": 64.0, "trial_s": 1.0}
    dataset = load("synthetic_eeg", data_dir=None, options=options)
    fold = LeaveOneGroupOut(group="session").folds(dataset, seed=0)[0]
    shape = Shape(task="classification", channels=4, steps=dataset.windows.steps, outputs=2, step_rate_hz=64)
    return TeacherSetting(dataset, dataset, fold, shape, Training(epochs=1), Path("none"))


def _targets(folder: Path) -> Path:
    path = folder / "teacher.safetensors"
    rows = torch.arange(len(_setting().dataset.windows)).float()[:, None].repeat(1, 2)
    write_tensors(path, {OUTPUTS: rows, "features": rows[:, :1]}, {"dataset_digest": _setting().dataset.digest})
    return path


def _read_targets(path: Path) -> None:
    teacher, options = parse_teacher("file", {"path": str(path)})
    teacher.content(options)
    setting = _setting()
    found = targets_of(teacher.fit(options, setting), setting.dataset, setting.fold)
    for part in PARTS[:3]:
        outputs = found.part(part)[OUTPUTS]
        demand(bool(torch.isfinite(outputs).all()), "outputs that are not finite")
        demand(outputs.shape[1:] == (2,), f"outputs of shape {tuple(outputs.shape)} for two classes")


def _louder(path: Path, dice: Random) -> str:
    """Multiply the floating-point numbers of a file that is sound otherwise."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata() or {})
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    by = factor(dice)
    changed = {name: one * by if one.is_floating_point() else one for name, one in tensors.items()}
    kept = {key: text for key, text in metadata.items() if key != HASH}
    write_tensors(path, changed, kept) if kept else save_file(changed, path)
    return f"numbers by {by:g}"


TRAINED = (
    Kind("student", _student, _read_student, _of_folder(_louder, WEIGHTS),
         (_of_folder(in_header, WEIGHTS), _of_folder(in_numbers, WEIGHTS), _of_folder(_in_spec, SPEC))),
    Kind("weights", _weights, _read_weights, _louder, (in_header, in_numbers)),
    Kind("targets", _targets, _read_targets, _louder, (in_header, in_numbers)),
)  # fmt: skip
