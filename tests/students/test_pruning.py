"""Pruning while training: how much and when, what stays zero, and that it goes on as it would have."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from students.counting import observe
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.spec import Pruning, Shape, StudentSpec, Training, parse_form
from students.training import Examples, fit
from students.training.pruning import full_epoch, prune, pruned_share

SHAPE = Shape(task="regression", channels=6, steps=20, outputs=2, step_rate_hz=50.0)
PLAN = Pruning(share=0.6, start=0.2, end=0.6)


def spec(family: str, pruning: Pruning | None, epochs: int = 5, **options: int) -> StudentSpec:
    training = Training(epochs=epochs, batch_size=8, learning_rate=1e-2, pruning=pruning)
    return StudentSpec(family=family, options=options, shape=SHAPE, training=training, seed=0)


def data(seed: int) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(0, 3, (24, 6, 20), generator=generator).float()
    return Examples(inputs, torch.randn(24, 20, 2, generator=generator))


def zeros(model: nn.Module) -> list[float]:
    return [float((one == 0).float().mean()) for one in model.parameters() if one.ndim > 1]


def test_the_share_rises_from_start_to_end_by_hand() -> None:
    """Ten epochs: pruning begins after two and is complete in the sixth; half way through, 1 - (1/2)^3 = 7/8 of it."""
    shares = [pruned_share(PLAN, epoch, 10) for epoch in range(10)]
    assert shares[:2] == [0.0, 0.0]
    assert shares[3] == pytest.approx(0.6 * 7 / 8)
    assert shares[5:] == pytest.approx([0.6] * 5)
    assert full_epoch(PLAN, 10) == 5
    assert pruned_share(Pruning(share=0.5, start=0, end=0), 0, 3) == 0.5


def test_the_smallest_weights_of_each_product_go_and_what_is_gone_stays() -> None:
    layer = nn.Linear(4, 2)
    layer.weight.data = torch.tensor([[1.0, -0.1, 3.0, 0.2], [-5.0, 0.3, 0.05, 2.0]])
    masks = prune(layer, 0.5)
    assert layer.weight.tolist() == [[1.0, 0.0, 3.0, 0.0], [-5.0, 0.0, 0.0, 2.0]]
    assert list(masks) == [layer.weight], "a bias is no weight"
    again = prune(layer, 0.5)
    assert torch.equal(again[layer.weight], masks[layer.weight])


@pytest.mark.parametrize("family", ["tinyrsnn", "mlp"])
def test_a_pruned_student_is_as_sparse_as_asked_and_its_work_is_counted_so(family: str) -> None:
    model = build(spec(family, PLAN, hidden=10))
    fit(model, data(0), data(1), spec(family, PLAN, hidden=10))
    assert zeros(model) == pytest.approx([0.6] * len(zeros(model)), abs=0.05)
    work = observe(model, data(1).inputs[:2], name="net", mode="stream", step_rate_hz=50.0, input_bits=8)
    for layer in work.layers:
        if layer.products is not None:
            assert layer.weights_nonzero == pytest.approx(0.4 * layer.weights, abs=1.1)
            assert layer.products.effective.total <= layer.products.effective_input.total


def test_a_quantised_student_that_prunes_keeps_its_zeros() -> None:
    floating = spec("mlp", PLAN, hidden=10)
    model = build(floating)
    fit(model, data(0), data(1), floating)
    student = spec("mlp", Pruning(share=0.6, start=0, end=0), 2, hidden=10).model_copy(
        update={"form": parse_form("w8a8")}
    )
    quantised = quantised_from_float(student, model, data(0).inputs)
    fit(quantised, data(0), data(1), student)
    weights = [one for name, one in quantised.named_parameters() if name.endswith("weight") and one.ndim > 2]
    assert all(float((one == 0).float().mean()) > 0.55 for one in weights)


def test_an_interrupted_pruning_goes_on_as_it_would_have(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(epoch: int, _loss: float) -> None:
        if epoch == 2:
            raise StoppedError

    student = spec("mlp", PLAN, hidden=10)
    whole, parted = build(student), build(student)
    fit(whole, data(0), data(1), student)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(StoppedError):
        fit(parted, data(0), data(1), student, checkpoint=path, checkpoint_every_s=0, report=stop)
    parted = build(student)
    fit(parted, data(0), data(1), student, checkpoint=path)
    same: list[tuple[Tensor, Tensor]] = list(zip(whole.parameters(), parted.parameters(), strict=True))
    assert all(torch.equal(one, other) for one, other in same)


def test_impossible_plans_are_refused_and_none_leaves_a_spec_as_it_was() -> None:
    for wrong in ({"share": 1.0}, {"share": 0.5, "start": 0.8, "end": 0.2}):
        with pytest.raises(ValidationError):
            Pruning.model_validate(wrong)
    assert "pruning" not in Training().model_dump(mode="json")
