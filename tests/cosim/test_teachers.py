"""Ensembles, their targets file, and the gate."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from cosim.datasets.registry import load
from cosim.splits.schemes import LeaveOneGroupOut
from cosim.teachers.ensemble import TeacherSpec, fit_members, mean_outputs
from cosim.teachers.gate import gate
from cosim.teachers.registry import parse_teacher
from cosim.teachers.targets import PARTS, TeacherTargets, read_targets, write_targets
from cosim.teachers.teacher import TeacherSetting, targets_of
from energy_models.errors import StudentError, StudyError
from students.models.build import build
from students.models.tensor_files import write_tensors
from students.spec import MethodSpec, Quantised, Shape, StudentSpec, Training
from students.training import OUTPUTS, Examples, fit, predict

torch.set_num_threads(1)

SHAPE = Shape(task="classification", channels=2, steps=8, outputs=3, step_rate_hz=8)
MEMBER = StudentSpec(family="mlp", shape=SHAPE, seed=0, training=Training(epochs=2))


def noise(count: int, seed: int) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 2, 8, generator=generator)
    return Examples(inputs, torch.randint(0, 3, (count,), generator=generator))


def test_targets_are_the_mean_of_the_members_logits_and_survive_the_file(tmp_path: Path):
    members = (MEMBER, MEMBER.model_copy(update={"seed": 1}))
    train, validation, test = noise(20, 1), noise(10, 2), noise(5, 3)
    models = fit_members(TeacherSpec(members=members), train, validation, checkpoints=tmp_path / "c")
    parts = {"train": train, "validation": validation, "test": test}
    targets = TeacherTargets(**{name: {OUTPUTS: mean_outputs(models, part.inputs)} for name, part in parts.items()})
    logits = []
    for member in members:
        model = build(member)
        fit(model, train, validation, member)
        logits.append(predict(model, test.inputs))
    torch.testing.assert_close(targets.test[OUTPUTS], (logits[0] + logits[1]) / 2)
    assert (targets.train[OUTPUTS].shape, targets.validation[OUTPUTS].shape) == ((20, 3), (10, 3))
    write_targets(tmp_path / "teacher.safetensors", targets)
    again = read_targets(tmp_path / "teacher.safetensors")
    assert torch.equal(again.train[OUTPUTS], targets.train[OUTPUTS])
    assert torch.equal(again.test[OUTPUTS], targets.test[OUTPUTS])
    with pytest.raises(StudentError, match="no file of teacher targets"):
        read_targets(next((tmp_path / "c").iterdir()))


def test_gate_shows_its_numbers_and_a_tie_does_not_teach():
    """Means (0.6 + 0.8) / 2 = 0.700 against (0.5 + 0.7) / 2 = 0.600."""
    passed = gate([0.6, 0.8], [0.5, 0.7], metric="balanced_accuracy", over="seed")
    assert passed.source == "teacher"
    assert "mean of 2 seeds: teacher 0.700, student without distillation 0.600" in passed.message
    failed = gate([0.5], [0.5], metric="r2", over="fold")
    assert failed.source == "float student"
    assert "does not beat" in failed.message
    assert "one fold" in failed.message
    with pytest.raises(StudentError, match="1 teacher scores against 2 student scores"):
        gate([0.5], [0.5, 0.6], metric="r2", over="fold")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "same down to the seed"),
        ({"form": Quantised(weight=8, activation_bits=8), "seed": 1}, "quantised"),
        ({"method": MethodSpec(name="kl"), "seed": 1}, "distilled itself"),
        ({"shape": SHAPE.model_copy(update={"outputs": 2})}, "differ in their input or output shape"),
    ],
)
def test_ensembles_that_make_no_sense_are_refused(changes, says):
    with pytest.raises(ValidationError, match=says):
        TeacherSpec(members=(MEMBER, MEMBER.model_copy(update=changes)))


def setting(tmp_path: Path) -> TeacherSetting:
    dataset = load("synthetic_eeg", data_dir=None, options={"channels": 4, "sessions": 3, "runs": 2, "trials": 12})
    fold = LeaveOneGroupOut(group="session").folds(dataset, seed=0)[0]
    shape = Shape(task="classification", channels=4, steps=dataset.windows.steps, outputs=2, step_rate_hz=128)
    return TeacherSetting(dataset, dataset, fold, shape, Training(epochs=1), tmp_path / "checkpoints")


def test_targets_of_ones_own_come_from_a_file(tmp_path: Path):
    """Row n holds n, so each part holds the numbers of its examples; features travel under their own name."""
    given = setting(tmp_path)
    count = len(given.dataset.windows)
    rows = torch.arange(count).float()[:, None].repeat(1, 2)
    path = tmp_path / "mine.safetensors"
    write_tensors(path, {"outputs": rows, "features": rows[:, :1]}, {"dataset_digest": given.dataset.digest})
    teacher, options = parse_teacher("file", {"path": str(path)})
    assert teacher.title(options) == "mine.safetensors"
    found = targets_of(teacher.fit(options, given), given.dataset, given.fold)
    assert found.unlabelled == {}
    for part in PARTS[:3]:
        indices = getattr(given.fold, part)
        assert found.part(part)[OUTPUTS][:, 0].tolist() == indices.tolist()
        assert found.part(part)["features"].shape == (len(indices), 1)
    before = teacher.content(options)
    write_tensors(path, {"outputs": rows}, {"dataset_digest": "another"})
    assert teacher.content(options) != before  # other content is another teacher
    with pytest.raises(StudentError, match="belongs to the dataset another"):
        teacher.fit(options, given)
    write_tensors(path, {"outputs": rows[1:]}, {"dataset_digest": given.dataset.digest})
    with pytest.raises(StudentError, match=rf"outputs with {count - 1} rows, the dataset {count} examples"):
        teacher.fit(options, given)
    write_tensors(path, {"logits": rows}, {"dataset_digest": given.dataset.digest})
    with pytest.raises(StudentError, match="no 'outputs'"):
        teacher.fit(options, given)
    path.unlink()
    with pytest.raises(StudentError, match="cannot be read"):
        teacher.content(options)


def test_every_part_needs_outputs():
    rows = {OUTPUTS: torch.zeros(2, 3)}
    with pytest.raises(StudentError, match="the test part has targets none"):
        TeacherTargets(rows, rows, {})
    with pytest.raises(StudentError, match="the validation part has targets extra, outputs"):
        TeacherTargets(rows, {**rows, "extra": torch.zeros(2)}, rows)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("ensembel", {}, "Did you mean 'ensemble'"),
        ("ensemble", {"member": []}, "members: Field required; member: Extra"),
        ("ensemble", {"members": [{"family": "eegnett"}]}, "'eegnet'"),
        ("ensemble", {"members": [{"family": "mlp"}, {"family": "mlp"}]}, "same down to the seed"),
        ("math:pi", {}, "float, not a Teacher"),
    ],
)
def test_mistakes_about_teachers_are_told(name, options, says):
    with pytest.raises(StudyError, match=says):
        parse_teacher(name, options)
