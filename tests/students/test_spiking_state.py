"""No spiking family carries state from one recording or batch to the next, and one seed gives the same spikes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from students.families import family_names, load_family
from students.models.build import build
from students.neurons.described import neuron_dynamics
from students.spec import Scalar, Shape, StudentSpec, Task, Training
from students.training import Examples, fit, predict

SPIKING = tuple(name for name in family_names() if load_family(name).spiking)
SMALL: dict[str, dict[str, Scalar]] = {
    "snn_3d": {"hidden_1": 6, "hidden_2": 5, "bins": 2, "blocks": 3},
    "spiking_eegnet": {"temporal_filters": 2, "pool_1": 2, "pool_2": 4},
    "tinyrsnn": {"hidden": 6},
    "spiking_recurrent": {"hidden": 6},
}
CASES = [(name, task) for name in SPIKING for task in load_family(name).tasks]


def spec(family: str, task: Task, seed: int = 0) -> StudentSpec:
    shape = Shape(task=task, channels=3, steps=32, outputs=2, step_rate_hz=32.0)
    training = Training(epochs=1, batch_size=4)
    return StudentSpec(family=family, options=SMALL.get(family, {}), shape=shape, training=training, seed=seed)


def signals(count: int, seed: int) -> Tensor:
    return torch.randint(0, 4, (count, 3, 32), generator=torch.Generator().manual_seed(seed)).float()


def examples(task: Task, seed: int) -> Examples:
    targets = torch.arange(8) % 2 if task == "classification" else signals(8, seed + 9)[:, :2].transpose(1, 2)
    return Examples(signals(8, seed), targets.contiguous())


def spikes(network: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Return what every layer of neurons that can fire sends."""
    found: list[Tensor] = []
    described = ((one, neuron_dynamics(one)) for one in network.modules())
    handles = [
        one.register_forward_hook(lambda _m, _i, output: found.append(output[0].clone()))
        for one, dynamics in described if dynamics is not None and dynamics.threshold is not None
    ]  # fmt: skip
    predict(network, inputs)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize(("family", "task"), CASES)
def test_nothing_of_one_recording_is_left_for_the_next(family: str, task: Task) -> None:
    """A recording is decoded alike first, after others, in a batch with others, and after a step of training."""
    network = build(spec(family, task)).eval()
    first, others = signals(1, 1), signals(5, 2) * 3
    alone = predict(network, first)
    predict(network, others)
    assert torch.equal(predict(network, first), alone)
    torch.testing.assert_close(predict(network, torch.cat([others, first]))[-1:], alone, rtol=1e-5, atol=1e-6)
    parts = predict(network, torch.cat([others, first]), 2)
    torch.testing.assert_close(parts[-1:], alone, rtol=1e-5, atol=1e-6)
    held = {name: value.clone() for name, value in network.state_dict().items()}
    network(others)
    assert all(torch.equal(value, held[name]) for name, value in network.state_dict().items())
    trained = copy.deepcopy(network).train()
    trained(others).sum().backward()
    trained.load_state_dict(held)
    assert torch.equal(predict(trained, first), alone)


@pytest.mark.parametrize(("family", "task"), CASES)
def test_one_seed_gives_the_same_spikes_and_another_others(family: str, task: Task) -> None:
    """Trained for an epoch from one seed twice: the same events in every layer, bit for bit."""
    found: list[list[Tensor]] = []
    for seed in (3, 3, 4):
        student = spec(family, task, seed)
        network = build(student)
        torch.manual_seed(len(found))  # what came before must not matter
        fit(network, examples(task, 0), examples(task, 1), student)
        found.append(spikes(network, signals(4, 5)))
    assert found[0]
    assert all(torch.equal(one, again) for one, again in zip(found[0], found[1], strict=True))
    assert any(not torch.equal(one, other) for one, other in zip(found[0], found[2], strict=True))


def test_every_spiking_family_is_looked_at() -> None:
    assert {"snn_streaming", "snn_3d", "tinyrsnn", "plif_conv", "spiking_eegnet", "spiking_delay"} <= set(SPIKING)
