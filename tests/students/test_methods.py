"""Distillation methods: found by name, what they read, what they learn beside the student, resumed bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from energy_models.errors import StudentError
from students.models.build import build
from students.models.tensor_files import read_tensors
from students.spec import MethodSpec, Shape, StudentSpec, Training
from students.training import (
    METHODS,
    Examples,
    LossInputs,
    Method,
    MethodOptions,
    Needs,
    Unlabelled,
    complete_method,
    fit,
    float_targets,
    predict,
)
from students.training.distillation.methods.fitnet import FitNetLoss, FitNetOptions
from students.training.predict import forward_with, predict_tensors

torch.set_num_threads(1)

SHAPE = Shape(task="classification", channels=3, steps=8, outputs=2, step_rate_hz=8)


def spec_with(method: MethodSpec | None, epochs: int = 5, family: str = "mlp") -> StudentSpec:
    training = Training(epochs=epochs, batch_size=8)
    return StudentSpec(family=family, shape=SHAPE, seed=3, method=method, training=training)


def features(**options: float | str) -> MethodSpec:
    return MethodSpec(name="fitnet", options={"student": first_layer(), "teacher": "hidden", **options})


def first_layer() -> str:
    """Return the name of the first linear layer of the student."""
    model = build(spec_with(None))
    return next(name for name, module in model.named_modules() if isinstance(module, nn.Linear))


def noise(count: int, seed: int) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 3, 8, generator=generator)
    sizes = {"hidden": 5, "outputs": 2}
    teacher = {name: torch.randn(count, size, generator=generator) for name, size in sizes.items()}
    return Examples(inputs, torch.arange(count) % 2, teacher)


def inputs(
    epoch: int, task: torch.Tensor, student: dict[str, torch.Tensor], teacher: dict[str, torch.Tensor]
) -> LossInputs:
    return LossInputs(epoch, task, torch.zeros(1, 2), student, teacher, torch.zeros(1).long(), torch.zeros(1).long())


class ScaledTask(nn.Module):
    """Multiplies the labels' loss by a learned number."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, batch: LossInputs) -> torch.Tensor:
        return self.factor * batch.task


OWN = Method("own", "here", MethodOptions, lambda options: Needs({}), lambda options, setting: ScaledTask())


def test_methods_are_found_by_name_or_object_and_errors_name_what_there_is():
    assert {"kl", "fitnet"} <= set(METHODS.names())
    assert METHODS.load(f"{__name__}:OWN") is OWN
    with pytest.raises(StudentError, match=r"unknown method 'fitnets'.*Did you mean 'fitnet'"):
        fit(build(spec_with(None)), noise(8, 1), noise(8, 2), spec_with(MethodSpec(name="fitnets")))
    with pytest.raises(StudentError, match="is a type, not a distillation method"):
        METHODS.load(f"{__name__}:ScaledTask")
    said = r"weight: .*Options are: weight, noise, mixup, unit_drop, unlabelled, temperature"
    with pytest.raises(StudentError, match=said):
        complete_method(MethodSpec(name="kl", options={"weight": 2.0}))


def test_defaults_are_written_out():
    completed = complete_method(MethodSpec(name="kl", options={"weight": 0.25}))
    assert completed.options == {
        "weight": 0.25, "noise": 0.0, "mixup": 0.0, "unit_drop": 0.0, "unlabelled": "taught",
        "temperature": 2.0, "labels": "classes",
    }  # fmt: skip
    assert complete_method(completed) == completed


def test_options_may_be_lists_and_a_spec_with_them_is_read_again():
    given = MethodSpec(name="dlink", options={"student": "a", "layers": ["b", "c"]})
    spec = spec_with(complete_method(given))
    again = StudentSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    assert again.digest == spec.digest
    other = MethodSpec(name="dlink", options={"student": "a", "layers": ["c"]})
    assert again.digest != spec_with(complete_method(other)).digest
    with pytest.raises(StudentError, match="layers: List should have at least 1 item"):
        complete_method(MethodSpec(name="dlink", options={"student": "a", "layers": []}))


def test_the_tsr_of_a_projection_is_told_by_the_fit():
    """Two classes: one coordinate of the logits says all; of unrelated features it says little."""
    spec = spec_with(MethodSpec(name="pca", options={"student": first_layer(), "teacher": "outputs", "size": 2}))
    assert fit(build(spec), noise(25, 1), noise(9, 2), spec).figures == {"tsr": pytest.approx(1)}
    spec = spec_with(MethodSpec(name="pca", options={"student": first_layer(), "teacher": "hidden", "size": 1}))
    assert 0 <= fit(build(spec), noise(25, 1), noise(9, 2), spec).figures["tsr"] < 1
    assert fit(build(spec_with(None)), noise(25, 1), noise(9, 2), spec_with(None)).figures == {}


def test_features_by_hand():
    """Student (1, 2) through W = [[1, 0], [0, 1], [1, 1]], b = (0, 0, 1) gives (1, 2, 4); teacher (1, 0, 1).

    Mean square error (0 + 4 + 9) / 3 = 13/3; with task 2 and weight 0.25 the loss is 1.5 + 13/12; in first epochs 13/3.
    """
    options = FitNetOptions(student="a", teacher="b", weight=0.25, first_epochs=1)
    loss = FitNetLoss(options, (2,), (3,))
    with torch.no_grad():
        loss.projector.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
        loss.projector.bias.copy_(torch.tensor([0.0, 0.0, 1.0]))
    tensors = {"a": torch.tensor([[1.0, 2.0]])}, {"b": torch.tensor([[1.0, 0.0, 1.0]])}
    later = inputs(1, torch.tensor(2.0), *tensors)
    assert loss(later).item() == pytest.approx(1.5 + 13 / 12, rel=1e-6)
    first = inputs(0, torch.tensor(2.0), *tensors)
    assert loss(first).item() == pytest.approx(13 / 3, rel=1e-6)


def test_where_positions_agree_the_projector_maps_channels_at_each():
    """2 channels x 4 steps to 3 x 4: six weights, not 8 x 12; step t of the result depends on step t alone."""
    loss = FitNetLoss(FitNetOptions(student="a", teacher="b"), (2, 4), (3, 4))
    assert loss.projector.weight.shape == (3, 2)
    assert FitNetLoss(FitNetOptions(student="a", teacher="b"), (2, 4), (3, 5)).projector.weight.shape == (15, 8)
    student = torch.randn(1, 2, 4, generator=torch.Generator().manual_seed(0))
    exact = torch.einsum("oc,bct->bot", loss.projector.weight, student) + loss.projector.bias[:, None]
    found = loss(inputs(0, torch.zeros(()), {"a": student}, {"b": exact.detach()}))
    assert found.item() == pytest.approx(0, abs=1e-12)


def test_the_projector_is_trained_and_resumed_bit_for_bit_and_is_no_part_of_the_student(tmp_path: Path):
    class KilledError(Exception):
        pass

    def kill(epoch: int, loss: float) -> None:
        if epoch == 2:
            raise KilledError

    spec, train, validation = spec_with(features(first_epochs=1)), noise(25, 1), noise(9, 2)
    plain = build(spec_with(None))
    whole, checkpoints = build(spec), (tmp_path / "whole", tmp_path / "resumed")
    expected = fit(whole, train, validation, spec, checkpoint=checkpoints[0])
    with pytest.raises(KilledError):
        fit(build(spec), train, validation, spec, checkpoint=checkpoints[1], checkpoint_every_s=0, report=kill)
    halfway = read_tensors(checkpoints[1])[0]["method/projector.weight"].clone()
    resumed = build(spec)
    assert fit(resumed, train, validation, spec, checkpoint=checkpoints[1]) == expected
    assert list(whole.state_dict()) == list(plain.state_dict())
    first, second = (read_tensors(path)[0] for path in checkpoints)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first.keys() == second.keys()
    assert not torch.equal(halfway, second["method/projector.weight"]), "the projector is not trained"


def test_first_epochs_train_features_alone_and_choose_no_weights():
    """The read-out behind the layer gets no gradient in them; patience counts from where labels count."""
    spec = spec_with(features(first_epochs=3, weight=0.0), epochs=4)
    model = build(spec)
    before = [tensor.clone() for tensor in model.state_dict().values()]
    seen: list[bool] = []

    def look(epoch: int, loss: float) -> None:
        seen.append(torch.equal(list(model.state_dict().values())[-1], before[-1]))

    assert fit(model, noise(25, 1), noise(9, 2), spec, report=look).best_epoch == 3
    assert seen == [True, True, True, False]
    with pytest.raises(StudentError, match="3 first epochs of 3 leave none in which labels count"):
        fit(model, noise(25, 1), noise(9, 2), spec_with(features(first_epochs=3), epochs=3))


def test_a_module_or_a_target_that_is_not_there_is_refused_with_the_names():
    wrong = spec_with(features(student="nothing"))
    with pytest.raises(StudentError, match=r"no module 'nothing'.*Available modules: .*" + first_layer()):
        fit(build(wrong), noise(8, 1), noise(8, 2), wrong)
    wrong = spec_with(features(teacher="embedding"))
    with pytest.raises(StudentError, match=r"targets 'embedding'.*There are: hidden, outputs"):
        fit(build(wrong), noise(8, 1), noise(8, 2), wrong)


class Loop(nn.Module):
    """Runs one layer twice, another never, and a recurrent one."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.never = nn.Linear(3, 3), nn.Linear(3, 3)
        self.cell, self.states = nn.GRU(3, 3, batch_first=True), nn.Module()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.cell(self.twice(self.twice(inputs)))[0]


def test_tensors_of_modules_by_name():
    model, inputs = Loop(), torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    outputs, tensors = forward_with(model, inputs, ("twice", "cell"))
    assert tensors["twice"].shape == (2, 2, 5, 3)
    torch.testing.assert_close(tensors["twice"][:, 1], model.twice(model.twice(inputs)))
    assert torch.equal(tensors["cell"], outputs)
    with pytest.raises(StudentError, match="'never' does not run"):
        forward_with(model, inputs, ("never",))
    assert not model.twice._forward_hooks, "hooks are left behind"
    alone = torch.cat([predict(model, inputs[row : row + 1]) for row in range(len(inputs))])
    assert torch.equal(predict_tensors(model, inputs, ("cell",), batch_size=1)["cell"], alone)


def test_a_float_student_stands_in_by_module_name():
    model, inputs = build(spec_with(None)), noise(6, 1).inputs
    found = float_targets(features(), model, inputs)
    assert list(found) == ["hidden"]
    assert torch.equal(found["hidden"], predict_tensors(model, inputs, (first_layer(),))[first_layer()])
    readout = features(teacher="outputs")
    for method in (readout, readout.model_copy(update={"name": "tskd"})):
        assert torch.equal(float_targets(method, model, inputs)["outputs"], predict(model, inputs))
    assert torch.equal(float_targets(MethodSpec(name="kl"), model, inputs)["outputs"], predict(model, inputs))


def test_unlabelled_examples_enter_the_methods_loss_only():
    """Loss of one batch of 4 labelled and 4 unlabelled: task over the 4, the teacher's over all 8, by hand."""
    labelled, free = noise(4, 1), noise(4, 2)
    spec = spec_with(MethodSpec(name="kl", options={"weight": 0.5, "temperature": 1.0}), epochs=1)
    spec = spec.model_copy(update={"options": {"dropout": 0.0}})
    model = build(spec)
    both = torch.cat([labelled.inputs, free.inputs])
    teacher = torch.cat([labelled.teacher["outputs"], free.teacher["outputs"]])
    outputs = build(spec).train()(both)
    task = nn.functional.cross_entropy(outputs[:4], labelled.targets)
    each = torch.softmax(teacher, 1) * (torch.log_softmax(teacher, 1) - torch.log_softmax(outputs, 1))
    unlabelled = Unlabelled(free.inputs, {"outputs": free.teacher["outputs"]})
    found = fit(model, labelled, noise(4, 3), spec, unlabelled=unlabelled)
    assert found.train_losses[0] == pytest.approx((0.5 * task + 0.5 * each.sum() / 8).item(), rel=1e-5)


def test_unlabelled_examples_need_a_method_and_targets():
    free = Unlabelled(noise(4, 2).inputs, {})
    with pytest.raises(StudentError, match="no distillation method to learn from them"):
        fit(build(spec_with(None)), noise(8, 1), noise(8, 2), spec_with(None), unlabelled=free)
    spec = spec_with(MethodSpec(name="kl"))
    with pytest.raises(StudentError, match=r"unlabelled: method 'kl' without a teacher's targets 'outputs'"):
        fit(build(spec), noise(8, 1), noise(8, 2), spec, unlabelled=free)


def test_a_method_of_ones_own_is_optimised(tmp_path: Path):
    """The learned factor multiplies a positive loss, so it falls."""
    spec = spec_with(MethodSpec(name=f"{__name__}:OWN"))
    fit(build(spec), noise(25, 1), noise(9, 2), spec, checkpoint=tmp_path / "c")
    assert read_tensors(tmp_path / "c")[0]["method/factor"].item() < 1
