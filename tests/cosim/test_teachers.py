"""Ensembles, their targets file, and the gate."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from cosim.teachers.ensemble import TeacherSpec, fit_teacher, gate, read_targets, write_targets
from energy_models.errors import StudentError
from students.models.build import build
from students.spec import MethodSpec, Quantised, Shape, StudentSpec, Training
from students.training.fit import Examples, fit, predict

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
    targets = fit_teacher(TeacherSpec(members=members), train, validation, test.inputs, checkpoints=tmp_path / "c")
    logits = []
    for member in members:
        model = build(member)
        fit(model, train, validation, member)
        logits.append(predict(model, test.inputs))
    torch.testing.assert_close(targets.test, (logits[0] + logits[1]) / 2)
    assert (targets.train.shape, targets.validation.shape) == ((20, 3), (10, 3))
    write_targets(tmp_path / "teacher.safetensors", targets)
    again = read_targets(tmp_path / "teacher.safetensors")
    assert torch.equal(again.train, targets.train)
    assert torch.equal(again.test, targets.test)
    with pytest.raises(StudentError, match="no file of teacher targets"):
        read_targets(next((tmp_path / "c").iterdir()))


def test_gate_shows_its_numbers_and_a_tie_does_not_teach():
    """Means (0.6 + 0.8) / 2 = 0.700 against (0.5 + 0.7) / 2 = 0.600."""
    passed = gate([0.6, 0.8], [0.5, 0.7], metric="balanced_accuracy", over="seed")
    assert passed.source == "ensemble"
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
        ({"method": MethodSpec(name="logits"), "seed": 1}, "distilled itself"),
        ({"shape": SHAPE.model_copy(update={"outputs": 2})}, "differ in their input or output shape"),
    ],
)
def test_ensembles_that_make_no_sense_are_refused(changes, says):
    with pytest.raises(ValidationError, match=says):
        TeacherSpec(members=(MEMBER, MEMBER.model_copy(update=changes)))
