"""Published spiking networks: their numbers of parameters, one gradient step, and their counts."""

from __future__ import annotations

import pytest
import torch

from students.counting import observe
from students.families import load_family
from students.models import parameter_count
from students.models.build import build
from students.spec import Shape, StudentSpec

STREAM = Shape(task="regression", channels=96, steps=30, outputs=2, step_rate_hz=250.0)
EEG = Shape(task="classification", channels=22, steps=1000, outputs=4, step_rate_hz=250.0)


def spec(family: str, shape: Shape, **options: object) -> StudentSpec:
    return StudentSpec(family=family, shape=shape, options=options, seed=0)  # type: ignore[arg-type]


def test_the_streaming_decoder_has_the_published_number_of_weights() -> None:
    """96 x 32 + 32 + 32 x 48 + 48 + 48 x 2 + 2 = 4,786, two thresholds and three decays; 192 channels: 7,858."""
    assert parameter_count(build(spec("snn_streaming", STREAM))) == 4786 + 5
    assert parameter_count(build(spec("snn_streaming", STREAM.model_copy(update={"channels": 192})))) == 7858 + 5


def test_the_eeg_network_has_the_published_number_of_parameters() -> None:
    """22 x 44 + 44 x 31 + 2 x 44 + 1 + 44 x 4 + 4 = 2,601 (its threshold is no parameter of the published one)."""
    learned = sum(one.numel() for one in build(spec("plif_conv", EEG)).parameters() if one.requires_grad)
    assert learned == 2601


SMALL = Shape(task="classification", channels=3, steps=64, outputs=2, step_rate_hz=64.0)
STEPS = Shape(task="regression", channels=3, steps=20, outputs=2, step_rate_hz=20.0)


@pytest.mark.parametrize(
    ("family", "shape"),
    [
        ("plif_conv", SMALL), ("spiking_eegnet", SMALL), ("tinyrsnn", STEPS), ("snn_streaming", STEPS),
        ("spiking_recurrent", STEPS), ("spiking_delay", STEPS),
    ],
)  # fmt: skip
def test_gradients_reach_every_parameter_and_the_work_is_counted_whole(family: str, shape: Shape) -> None:
    network = build(spec(family, shape))
    signal = torch.randint(0, 4, (5, shape.channels, shape.steps), generator=torch.Generator().manual_seed(0)).float()
    network.train()
    network(signal).square().sum().backward()
    assert all(one.grad is not None for one in network.parameters() if one.requires_grad)
    mode = load_family(family).tasks[shape.task]
    work = observe(network.eval(), signal, name=family, mode=mode, step_rate_hz=20.0, input_bits=8)
    assert work.complete
    assert any(layer.output_events is not None for layer in work.layers)


def test_the_products_behind_neurons_of_the_spiking_eegnet_read_spikes() -> None:
    """22 x 1,000: 16 mixtures, 125 taps; behind the neurons 250 steps, then 31: two products without a multiplier."""
    network = build(spec("spiking_eegnet", EEG)).train()
    signal = torch.randn(2, 22, 1000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for _ in range(20):  # for the norms' means
            network(signal)
    network.eval()
    found = observe(network, signal, name="net", mode="window", step_rate_hz=250.0, input_bits=16)
    layers = [layer for layer in found.layers if layer.products is not None]
    sites = [layer.products.dense_full.mean for layer in layers if layer.products is not None]
    assert sites == [22 * 16 * 1000, 16 * 125 * 1000, 16 * 16 * 250, 16 * 16 * 250, 16 * 4 * 31]
    spiking = [layers[place].products for place in (2, 4)]
    assert all(one is not None and one.effective.multiply_accumulate.total == 0 for one in spiking)
    assert all(one is not None and one.effective.accumulate.total > 0 for one in spiking)


