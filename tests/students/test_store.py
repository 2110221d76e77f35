"""A stored student comes back whole, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from energy_models.errors import StudentError
from students.layers.grid import SPIKES, LayerQuantisation
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.models.store import load_extra, load_student, save_student
from students.quantize import INTEGER_PRODUCTS, quantisation_of
from students.spec import Shape, StudentSpec, parse_form

torch.set_num_threads(1)

SHAPE = Shape(task="classification", channels=4, steps=64, outputs=2, step_rate_hz=64)


def spec(seed: int = 0, **options: int) -> StudentSpec:
    return StudentSpec(family="eegnet", options=options, shape=SHAPE, seed=seed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_student(tmp_path / "a" / "student", build(spec()).eval(), spec(), {"dataset": "synthetic"})
    return tmp_path / "a" / "student"


def test_round_trip_gives_the_same_outputs(folder: Path):
    model, found = load_student(folder)
    inputs = torch.randn(3, 4, 64, generator=torch.Generator().manual_seed(0))
    assert found == spec()
    assert not model.training
    torch.testing.assert_close(model(inputs), build(spec()).eval()(inputs), rtol=0, atol=0)
    assert load_extra(folder) == {"dataset": "synthetic"}
    assert sorted(path.name for path in folder.iterdir()) == ["spec.json", "weights.safetensors"]


def test_weights_of_another_spec_are_refused(folder: Path, tmp_path: Path):
    """Same shapes, other seed: only the digest can tell."""
    save_student(tmp_path / "b", build(spec(1)), spec(1), {})
    shutil.copy(tmp_path / "b" / "weights.safetensors", folder)
    with pytest.raises(StudentError, match="belongs to another"):
        load_student(folder)


def test_an_edited_spec_is_refused(folder: Path):
    description = json.loads((folder / "spec.json").read_text())
    description["spec"]["options"] = {"depth": 4}
    (folder / "spec.json").write_text(json.dumps(description))
    with pytest.raises(StudentError, match="belongs to another"):
        load_student(folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "spec.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_damaged_files_are_refused_by_name(folder: Path, name: str, damage: str):
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StudentError, match=name):
        load_student(folder)


@pytest.mark.parametrize(("schema", "says"), [(None, "KeyError: 'schema'"), ("cosim.student/0", "cosim.student/0")])
def test_another_schema_is_refused(folder: Path, schema: str | None, says: str):
    description = json.loads((folder / "spec.json").read_text())
    description["schema"] = schema
    if schema is None:
        del description["schema"]
    (folder / "spec.json").write_text(json.dumps(description))
    for load in (load_student, load_extra):
        with pytest.raises(StudentError, match=says):
            load(folder)


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudentError, match="cannot write"):
        save_student(tmp_path / "file" / "student", build(spec()), spec(), {})


def test_a_description_of_an_older_schema_is_refused_as_that(folder: Path):
    """An older spec has other fields, which must not be told as damage."""
    description = json.loads((folder / "spec.json").read_text())
    description |= {"schema": "cosim.student/1", "spec": {"family": "eegnet", "precision": None}}
    (folder / "spec.json").write_text(json.dumps(description))
    with pytest.raises(StudentError, match=r"schema .cosim\.student/1. where .cosim\.student/3. is read"):
        load_student(folder)


def test_a_student_of_before_keeps_the_widths_of_its_edges(tmp_path: Path):
    """It was written as w4a4 when first and last weights had 8 bits: today's words for it are w4a4 edge=8."""
    meant = spec().model_copy(update={"form": parse_form("w4a4 edge=8")})
    floating = build(spec()).eval()
    model = quantised_from_float(meant, floating, torch.randn(8, 4, 64))
    written = spec().model_copy(update={"form": parse_form("w4a4")})
    save_student(tmp_path, model, written, {})
    description = json.loads((tmp_path / "spec.json").read_text())
    (tmp_path / "spec.json").write_text(json.dumps(description | {"schema": "cosim.student/2"}))
    loaded, found = load_student(tmp_path)
    assert str(found.form) == "w4a4 edge=8"
    widths = [one.weight_bits for module in loaded.modules() if (one := quantisation_of_weights(module))]
    assert widths == [8, 4, 4, 4, 8]


def quantisation_of_weights(module: torch.nn.Module) -> LayerQuantisation | None:
    """Return a product's integers on an input grid that does not matter here."""
    if isinstance(module, INTEGER_PRODUCTS):
        module.input_grid = SPIKES
    return quantisation_of(module)


@pytest.mark.parametrize("family", ["eegnet", "spiking_mlp", "gru"])
def test_a_student_is_built_and_loaded_where_one_says(family: str, tmp_path: Path):
    """The meta device stands for one that is not here: no tensor of the network may be left behind."""
    shape = Shape(task="classification", channels=4, steps=64, outputs=2, step_rate_hz=64)
    student = StudentSpec(family=family, shape=shape, seed=0)
    save_student(tmp_path / "s", build(student), student, {})
    for model in (build(student, device="meta"), load_student(tmp_path / "s", device="meta")[0]):
        assert {tensor.device.type for tensor in model.state_dict().values()} == {"meta"}
        assert model(torch.zeros(3, 4, 64, device="meta")).shape == (3, 2)
