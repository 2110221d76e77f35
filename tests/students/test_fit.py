"""The training loop: decided by its seed, resumed bit for bit, stopped by validation alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from energy_models.errors import StudentError
from students.layers import OutputScale
from students.models.build import build
from students.spec import MethodSpec, Shape, StudentSpec, Training
from students.training import CheckpointError, Examples, fit, predict

torch.set_num_threads(1)

WINDOWS = Shape(task="classification", channels=4, steps=64, outputs=2, step_rate_hz=64)
SEGMENTS = Shape(task="regression", channels=3, steps=20, outputs=2, step_rate_hz=20)


def noise(count: int, seed: int, shape: Shape = WINDOWS) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, shape.channels, shape.steps, generator=generator)
    if shape.task == "classification":
        return Examples(inputs, torch.randint(0, shape.outputs, (count,), generator=generator))
    return Examples(inputs, torch.randn(count, shape.steps, shape.outputs, generator=generator))


def student(**changes: object) -> StudentSpec:
    spec = StudentSpec(family="eegnet", shape=WINDOWS, seed=5, training=Training(epochs=6, batch_size=8))
    return spec.model_copy(update=changes)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(left: nn.Module, right: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(left).values(), weights(right).values(), strict=True))


def test_same_seed_same_weights_whatever_the_global_generator():
    spec, train, validation = student(), noise(25, 1), noise(9, 2)
    models = []
    for global_seed in (11, 12):
        torch.manual_seed(global_seed)
        model = build(spec)
        fit(model, train, validation, spec)
        models.append(model)
    assert same(*models)
    assert torch.initial_seed() == 12
    other = spec.model_copy(update={"seed": 6})
    third = build(spec)
    fit(third, train, validation, other)
    assert not same(models[0], third), "the seed has no effect on training"


@pytest.mark.parametrize("stop_after", [0, 3, 5])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path, stop_after: int):
    """Bit for bit: losses, best epoch, weights; with dropout, so the generators' states matter."""

    class KilledError(Exception):
        pass

    def kill(epoch: int, loss: float) -> None:
        if epoch == stop_after:
            raise KilledError

    spec, train, validation = student(), noise(25, 1), noise(9, 2)
    whole = build(spec)
    expected = fit(whole, train, validation, spec)
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    with pytest.raises(KilledError):
        fit(build(spec), train, validation, spec, checkpoint=checkpoint, checkpoint_every_s=0, report=kill)
    resumed, epochs = build(spec), []
    found = fit(
        resumed, train, validation, spec, checkpoint=checkpoint, report=lambda epoch, loss: epochs.append(epoch)
    )
    assert found == expected
    assert epochs == list(range(stop_after + 1, 6)), "finished epochs were done again"
    assert same(whole, resumed)
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]


@pytest.mark.parametrize("seconds_an_epoch", [10.0, 17.0, 31.0])
@pytest.mark.parametrize("killed_after", [0, 1, 4, 6, 7])
def test_checkpoints_by_time_lose_no_more_than_that_time(tmp_path: Path, seconds_an_epoch: float, killed_after: int):
    """Killed after a finished epoch: what is done again took less than 30 s; losses and weights are bit for bit."""
    spec, train, validation = student(training=Training(epochs=8, batch_size=8)), noise(25, 1), noise(9, 2)
    whole, broken, resumed = build(spec), build(spec), build(spec)
    expected = fit(whole, train, validation, spec)
    checkpoint, now, writings, again = tmp_path / "checkpoint.safetensors", [0.0], [], []

    def let_time_pass(module: nn.Module, inputs: object) -> None:
        now[0] += 0.0 if module.training else seconds_an_epoch  # the one batch of validation ends an epoch

    def kill(epoch: int, loss: float) -> None:
        content = checkpoint.read_bytes() if checkpoint.exists() else b""
        writings.append(content)
        if epoch == killed_after:
            raise KeyboardInterrupt

    broken.register_forward_pre_hook(let_time_pass)
    with pytest.raises(KeyboardInterrupt):
        fit(broken, train, validation, spec, checkpoint=checkpoint, clock=lambda: now[0], report=kill)
    found = fit(resumed, train, validation, spec, checkpoint=checkpoint, report=lambda epoch, _: again.append(epoch))
    assert found == expected
    assert same(whole, resumed)
    lost = killed_after + 1 - (again[0] if again else 8)
    assert lost * seconds_an_epoch < 30
    assert len({content for content in writings if content}) <= 1 + sum(
        (epoch + 1) * seconds_an_epoch >= 30 for epoch in range(killed_after + 1)
    )
    if killed_after == 7:
        assert not again, "a finished training was done again"


def test_foreign_or_damaged_checkpoints_are_refused(tmp_path: Path):
    spec, train, validation = student(), noise(16, 1), noise(8, 2)
    checkpoint = tmp_path / "checkpoint.safetensors"
    fit(build(spec), train, validation, spec, checkpoint=checkpoint)
    with pytest.raises(StudentError, match="another student or to other examples"):
        fit(build(spec), noise(16, 3), validation, spec, checkpoint=checkpoint)
    with pytest.raises(StudentError, match="another student or to other examples"):
        fit(build(student(seed=9)), train, validation, student(seed=9), checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(StudentError, match="cannot read tensors"):
        fit(build(spec), train, validation, spec, checkpoint=checkpoint)


def test_a_flipped_bit_of_a_checkpoint_is_found(tmp_path: Path):
    """In the weights, where any bits are a number and would be trained on from."""
    spec, train, validation = student(), noise(16, 1), noise(8, 2)
    checkpoint = tmp_path / "checkpoint.safetensors"
    fit(build(spec), train, validation, spec, checkpoint=checkpoint)
    content = bytearray(checkpoint.read_bytes())
    content[-100] ^= 4
    checkpoint.write_bytes(content)
    with pytest.raises(CheckpointError, match="not what was written"):
        fit(build(spec), train, validation, spec, checkpoint=checkpoint)


def test_stops_by_patience_and_keeps_the_best_weights():
    """On noise the validation loss soon rises; the weights kept score the lowest validation loss again."""
    spec = student(training=Training(epochs=60, batch_size=8, patience=4, learning_rate=1e-2))
    train, validation = noise(32, 1), noise(32, 2)
    model = build(spec)
    result = fit(model, train, validation, spec)
    assert result.stopped == "patience"
    assert len(result.validation_losses) == result.best_epoch + 1 + 4
    assert result.validation_loss == min(result.validation_losses)
    logits = predict(model, validation.inputs)
    counts = torch.bincount(train.targets, minlength=2)
    again = nn.functional.cross_entropy(logits, validation.targets, weight=32 / (2 * counts))
    assert again.item() == pytest.approx(result.validation_loss, abs=1e-6)


def test_validation_labels_choose_the_epoch_and_touch_no_weight():
    """With other validation labels the course of training is the same epoch for epoch: only the choice differs."""
    spec, train, validation = student(), noise(25, 1), noise(9, 2)
    flipped = replace(validation, targets=1 - validation.targets)
    first, second = fit(build(spec), train, validation, spec), fit(build(spec), train, flipped, spec)
    assert first.train_losses == second.train_losses
    assert first.validation_losses != second.validation_losses


def test_validation_with_a_teacher_is_still_scored_on_labels():
    spec, train, validation = student(), noise(25, 1), noise(9, 2)
    taught = replace(validation, teacher={"outputs": torch.full((9, 2), 3.0)})
    assert fit(build(spec), train, validation, spec) == fit(build(spec), train, taught, spec)


def test_classes_weigh_alike_however_rare():
    """Nine of class 0 to three of class 1: weights 12/(2*9) = 2/3 and 12/(2*3) = 2.

    A model that answers 0 with margin m costs 2/3 * 9 * small + 2 * 3 * large; here logits are equal, so ln 2.
    """
    from students.training.objective import prepare

    labels = torch.tensor([0] * 9 + [1] * 3)
    objective = prepare(nn.Identity(), Examples(torch.zeros(12, 4, 64), labels), student())
    torch.testing.assert_close(objective.weights, torch.tensor([2 / 3, 2.0]))
    assert objective.task(torch.zeros(12, 2), labels).item() == pytest.approx(0.6931472, abs=1e-6)


def test_output_scale_comes_from_training_targets_only():
    """Targets 100 +- 10 and -3 +- 0.5; the validation targets are a million times larger."""
    spec = StudentSpec(family="mlp", shape=SEGMENTS, seed=0, training=Training(epochs=1))
    train, validation = noise(40, 1, SEGMENTS), noise(8, 2, SEGMENTS)
    scaled = replace(train, targets=train.targets * torch.tensor([10.0, 0.5]) + torch.tensor([100.0, -3.0]))
    model = build(spec)
    fit(model, scaled, replace(validation, targets=validation.targets * 1e6), spec)
    (scale,) = (module for module in model.modules() if isinstance(module, OutputScale))
    flat = scaled.targets.reshape(-1, 2)
    torch.testing.assert_close(scale.scale, flat.std(dim=0, correction=0))
    torch.testing.assert_close(scale.offset, flat.mean(dim=0))


@pytest.mark.parametrize(
    ("train", "says"),
    [
        (replace(noise(8, 1), inputs=torch.full((8, 4, 64), torch.nan)), "train: 2048 of the inputs are not finite"),
        (replace(noise(8, 1), inputs=torch.zeros(8, 4, 64).numpy()), "inputs are ndarray, expected a tensor"),
        (replace(noise(8, 1), inputs=torch.zeros(8, 4, 64).double()), "inputs are torch.float64, expected"),
        (replace(noise(8, 1), targets=torch.arange(8).int() % 2), "targets are torch.int32, expected"),
        (replace(noise(8, 1), targets=torch.arange(8) % 2 * 3 - 1), "labels -1, 2 of 2 classes"),
        (replace(noise(8, 1), targets=torch.ones(8, dtype=torch.int64)), "no example of class 0"),
        (replace(noise(8, 1), teacher={"outputs": torch.full((8, 2), torch.inf)}), "16 of the teacher's outputs"),
        (replace(noise(8, 1), inputs=torch.zeros(8, 4, 63)), r"inputs of shape \(8, 4, 63\), expected \(8, 4, 64\)"),
        (replace(noise(8, 1), teacher={"outputs": torch.zeros(8, 3)}), r"outputs of shape \(8, 3\), expected \(8, 2\)"),
        (noise(0, 1), "no examples"),
    ],
)
def test_unusable_examples_are_refused(train, says):
    spec = student()
    with pytest.raises(StudentError, match=says):
        fit(build(spec), train, noise(8, 2), spec)


def test_validation_is_checked_before_training_starts():
    spec, epochs = student(), []
    broken = replace(noise(8, 2), inputs=torch.full((8, 4, 64), torch.nan))
    with pytest.raises(StudentError, match="validation: 2048 of the inputs are not finite"):
        fit(build(spec), noise(8, 1), broken, spec, report=lambda epoch, loss: epochs.append(epoch))
    assert epochs == []
    moving = noise(8, 1, SEGMENTS)
    moving.targets[0, 0, 0] = torch.nan
    regression = StudentSpec(family="mlp", shape=SEGMENTS, seed=0)
    with pytest.raises(StudentError, match="1 of the targets are not finite"):
        fit(build(regression), moving, noise(8, 2, SEGMENTS), regression)


def test_a_run_that_diverges_says_so():
    spec = student(training=Training(epochs=8, batch_size=8, learning_rate=1e30))
    with pytest.raises(StudentError, match=r"loss is (nan|inf) in epoch .*Lower the learning rate"):
        fit(build(spec), noise(25, 1), noise(9, 2), spec)


@pytest.mark.parametrize(("examples", "batch_size"), [(8, 1), (1, 8)])
def test_a_batch_norm_needs_two_examples(examples: int, batch_size: int):
    spec = student(training=Training(epochs=1, batch_size=batch_size))
    with pytest.raises(StudentError, match="one example at a time"):
        fit(build(spec), noise(examples, 1), noise(8, 2), spec)


def test_predictions_from_numbers_that_are_none_are_refused():
    inputs = noise(3, 1).inputs
    inputs[1, 2, 3] = torch.nan
    with pytest.raises(StudentError, match="1 of the inputs are not finite"):
        predict(build(student()), inputs)


def test_distillation_without_targets_and_still_axes_are_refused():
    taught = student(method=MethodSpec(name="kl"))
    with pytest.raises(StudentError, match="without a teacher's targets"):
        fit(build(taught), noise(8, 1), noise(8, 2), taught)
    spec = StudentSpec(family="mlp", shape=SEGMENTS, seed=0)
    train = noise(8, 1, SEGMENTS)
    train.targets[..., 1] = 4.0
    with pytest.raises(StudentError, match="axis 1 of the targets is constant"):
        fit(build(spec), train, noise(8, 2, SEGMENTS), spec)
