"""A network as a teacher: its layers by name, weights of one's own, and a student that learns from a layer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cosim.splits.few_labels import FewLabels, withhold
from cosim.teachers.registry import parse_teacher
from cosim.teachers.teacher import TeacherSetting, targets_of
from cosim.testing import check_teacher
from cosim.testing.teachers import generated_fold
from energy_models.errors import StudentError, StudyError
from students.models.build import build
from students.spec import Shape, StudentSpec, Training
from students.training import OUTPUTS
from students.training.predict import predict_tensors

OPTIONS = {"family": "eegnet", "options": {"temporal_filters": 2}, "layers": ["3"]}


def setting(folder: Path) -> TeacherSetting:
    dataset, fold = generated_fold("classification")
    fold = withhold(dataset, fold, FewLabels(per_class=6), seed=0)
    shape = Shape(task="classification", channels=4, steps=dataset.windows.steps, outputs=2, step_rate_hz=128)
    return TeacherSetting(dataset, dataset, fold, shape, Training(epochs=1), folder / "kept")


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_network_teachers_keep_the_promises_of_teachers(task):
    options = OPTIONS if task == "classification" else {"family": "gru"}
    check_teacher("network", options, task)


def test_layers_are_targets_by_name_and_own_weights_are_taken_as_they_are(tmp_path: Path):
    given = setting(tmp_path)
    spec = StudentSpec(family="eegnet", options={"temporal_filters": 2}, shape=given.shape, seed=7, training=Training())
    model = build(spec).eval()
    save_file(model.state_dict(), tmp_path / "own.safetensors")
    teacher, options = parse_teacher("network", {**OPTIONS, "weights": str(tmp_path / "own.safetensors")})
    found = targets_of(teacher.fit(options, given), given.dataset, given.fold)
    inputs = torch.as_tensor(given.dataset.windows.inputs(given.fold.unlabelled))
    wanted = predict_tensors(model, inputs, ["3"])
    torch.testing.assert_close(found.unlabelled["3"], wanted["3"])
    torch.testing.assert_close(found.unlabelled[OUTPUTS], wanted[OUTPUTS])
    before = teacher.content(options)
    save_file(build(spec.model_copy(update={"seed": 8})).state_dict(), tmp_path / "own.safetensors")
    assert teacher.content(options) != before


def test_mistakes_are_told(tmp_path: Path):
    with pytest.raises(StudyError, match="'eegnet'"):
        parse_teacher("network", {"family": "eegnett"})
    given = setting(tmp_path)
    teacher, options = parse_teacher("network", {**OPTIONS, "layers": ["nowhere"]})
    with pytest.raises(StudentError, match="no module 'nowhere'"):
        targets_of(teacher.fit(options, given), given.dataset, given.fold)
