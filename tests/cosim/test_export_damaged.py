"""Damaged students and recordings, through export and the integer reference: told in words, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import cosim
from energy_models.errors import CosimError, DataError
from students.deploy import InputCodes, decide, lower
from students.deploy.input_chain import InputChain, Rectify
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.models.store import save_student
from students.spec import Shape, StudentSpec, parse_form

SHAPE = Shape(task="classification", channels=3, steps=32, outputs=2, step_rate_hz=64.0)
STREAM = Shape(task="regression", channels=3, steps=32, outputs=2, step_rate_hz=20.0)
STUDENTS = {"eegnet": SHAPE, "conformer": SHAPE, "gru": STREAM, "spiking_mlp": STREAM}
OPTIONS = {"eegnet": {"pool_1": 2, "pool_2": 2}, "conformer": {"width": 4}, "gru": {"hidden": 4}, "spiking_mlp": {}}


@pytest.fixture(scope="module", params=STUDENTS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small quantised student."""
    family = request.param
    spec = StudentSpec(family=family, options=OPTIONS[family], shape=STUDENTS[family], seed=0)
    inputs = torch.randn(16, 3, 32, generator=torch.Generator().manual_seed(0))
    form = parse_form("w4a4s6" if family == "spiking_mlp" else "w4a4")
    model = quantised_from_float(spec.model_copy(update={"form": form}), build(spec).eval(), inputs)
    folder = tmp_path_factory.mktemp(family)
    save_student(folder, model, spec.model_copy(update={"form": form}), {})
    return folder


def _tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    path = next(folder.glob("*.safetensors"))
    held = load_file(path)
    change(held)
    save_file(held, path)


def _scale_of(held: dict[str, torch.Tensor]) -> str:
    return next(name for name in held if name.endswith("scaling_impl.value"))


def _truncated(folder: Path) -> None:
    path = next(folder.glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def _without_one(folder: Path) -> None:
    def take(held: dict[str, torch.Tensor]) -> None:
        del held[next(iter(held))]

    _tensors(folder, take)


def _of_another_shape(folder: Path) -> None:
    def change(held: dict[str, torch.Tensor]) -> None:
        name = max(held, key=lambda one: held[one].numel())
        held[name] = torch.zeros(held[name].numel() + 1)

    _tensors(folder, change)


def _with_a_scale(number: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        def fill(held: dict[str, torch.Tensor]) -> None:
            held[_scale_of(held)].fill_(number)

        _tensors(folder, fill)

    return change


def _with_a_foreign_tensor(folder: Path) -> None:
    _tensors(folder, lambda held: held.update(foreign=torch.zeros(2)))


def _with_broken_json(folder: Path) -> None:
    path = next(path for path in folder.glob("*.json"))
    path.write_text(path.read_text()[:-20])


def _of_another_form(folder: Path) -> None:
    path = next(path for path in folder.glob("*.json"))
    path.write_text(json.dumps(json.loads(path.read_text())).replace("w4a4", "w4a9"))


DAMAGES = {
    "truncated": _truncated, "a tensor missing": _without_one, "a tensor of another shape": _of_another_shape,
    "a scale that is no number": _with_a_scale(float("nan")), "an endless scale": _with_a_scale(float("inf")),
    "a foreign tensor": _with_a_foreign_tensor, "broken JSON": _with_broken_json, "no such form": _of_another_form,
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_student_is_told_in_words_and_nothing_is_written(saved: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "student"
    folder.mkdir()
    for path in saved.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    DAMAGES[damage](folder)
    changed = [path.name for path in saved.iterdir() if path.read_bytes() != (folder / path.name).read_bytes()]
    assert len(changed) == 1
    with pytest.raises(CosimError) as told:
        cosim.export(str(folder), tmp_path / "out")
    assert len(str(told.value)) > 40
    assert "Traceback" not in str(told.value)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_codes_and_values_that_are_none_are_told(saved: Path) -> None:
    student = cosim.load_student(str(saved))
    shape, codes = student.spec.shape, InputCodes(10, signed=False, scale=np.array(0.01), offset=np.array(-5.0))
    graph = lower(student.model, shape, codes=codes)
    sound = np.full((2, shape.channels, shape.steps), 512)
    assert len(decide(graph, sound)) == 2
    for wrong, why in {
        "above": (sound + 512, "codes from 1024 to 1024, where the converter has 10 bits: 0 to 1023"),
        "below": (sound - 513, "codes from -1 to -1"),
        "floats": (sound.astype(float), "an input of float64"),
        "channels": (sound[:, :2], "expected integers of shape"),
        "one window": (sound[0], "expected integers of shape"),
    }.values():
        with pytest.raises(DataError, match=why):
            decide(graph, wrong)
    for value in (np.nan, np.inf, -np.inf):
        signal = np.zeros((1, shape.channels, shape.steps))
        signal[0, 1, 5] = value
        with pytest.raises(DataError, match="not finite have no code"):
            codes.codes_of(signal)


def test_samples_that_are_none_are_told() -> None:
    chain = InputChain(8, True, 2, 4, (Rectify(),), 32, 16, 0.1, 0)
    assert chain.run(np.array([[-3, 4], [5, -6]])).tolist() == [[48, 64], [80, 96]]
    for wrong, why in {
        "above": (np.array([[200, 0], [0, 0]]), "samples from 0 to 200, where the converter has 8 bits: -128 to 127"),
        "floats": (np.array([[0.5, 0], [0, 0]]), "samples of float64"),
        "channels": (np.array([[1, 2]]), "expected integers of shape"),
        "none": (np.zeros((2, 0), dtype=int), "a recording without samples"),
    }.values():
        with pytest.raises(DataError, match=why):
            chain.run(wrong)
