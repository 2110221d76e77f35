"""Families in the sizes of the published primate-reaching decoders: the same function, and the published counts."""

from __future__ import annotations

import pytest
import torch
from primate_reaching_nets import RSNN, SNN3D
from torch import Tensor, nn

from cosim.testing import check_family
from energy_models.errors import StudentError
from energy_models.workload import Workload
from students.counting import observe
from students.layers import PastSums
from students.models.build import build
from students.spec import Scalar, Shape, StudentSpec

ANN: dict[str, Scalar] = {"hidden": 32, "hidden_2": 48, "bins": 50, "lags": 1, "dropout": 0.5}
ANN_3D: dict[str, Scalar] = {**ANN, "bins": 7, "lags": 7}
STEPS, SPAN = 70, 48


def shape(channels: int) -> Shape:
    return Shape(task="regression", channels=channels, steps=STEPS, outputs=2, step_rate_hz=250.0)


def spikes(channels: int, count: int = 2) -> Tensor:
    return (torch.rand(count, channels, STEPS, generator=torch.Generator().manual_seed(3)) < 0.1).float()


def work(network: nn.Module, inputs: Tensor) -> Workload:
    network.eval()
    return observe(network, inputs, name="net", mode="stream", step_rate_hz=250.0, input_bits=8, warm_up_steps=SPAN)


@pytest.mark.parametrize(("width", "blocks"), [(1, 1), (1, 4), (2, 3), (3, 1), (7, 7), (50, 1)])
def test_sums_of_past_bins_are_those_of_a_loop(width: int, blocks: int) -> None:
    signal, sums = spikes(3), PastSums(width, blocks)
    padded = torch.cat([torch.zeros(2, 3, width * blocks), signal], dim=-1)
    for step in (0, 5, 69):
        newest = padded[..., : step + 1 + width * blocks][..., -width * blocks :]
        assert torch.equal(sums(signal)[..., step], newest.reshape(2, 3, blocks, width).sum(-1))


def test_the_work_of_sums_by_hand() -> None:
    """A running sum of 7 bins: one added, one subtracted. It keeps 7 bins, itself and six sums, each 7 bins old.

    3 channels x (7 + 1 + 42) = 150 words; each step reads the bin that leaves, the sum, and six older sums, and writes
    a bin, the sum, and one word of the delay line. Bins of 8 bits sum to 8 + 3 = 11 bits.
    """
    found = work(nn.Sequential(PastSums(7, 7), nn.Flatten(1, 2)), spikes(3)).layers[0]
    assert found.operations["add"].mean == 2 * 3
    assert (found.state_elements, found.state_reads, found.state_writes) == (150, 3 * 8, 3 * 3)
    assert (found.state_bits, found.arithmetic) == (11, "integer")


def test_sums_of_nothing_are_refused() -> None:
    with pytest.raises(StudentError, match="0 sums of 7 bins"):
        PastSums(7, 0)


def products(found: Workload) -> float:
    return sum(layer.products.dense_valid.mean for layer in found.layers if layer.products is not None)


@pytest.mark.parametrize(
    ("family", "options", "channels", "sites"),
    [
        ("mlp", ANN, 96, 4704), ("mlp", ANN, 192, 7776), ("snn_3d", {}, 96, 32_928), ("snn_3d", {}, 192, 54_432),
        ("mlp", ANN_3D, 96, 96 * 7 * 32 + 32 * 48 + 48 * 2), ("tinyrsnn", {}, 96, 10_368),
        ("tinyrsnn", {}, 192, 16_512),
    ],
)  # fmt: skip
def test_products_are_the_published_ones(family: str, options: dict[str, Scalar], channels: int, sites: int) -> None:
    """The NeuroBench leaderboard's dense operations of ANN2D, and seven times as many of SNN_3D, a step each."""
    network = build(StudentSpec(family=family, options=options, shape=shape(channels), seed=0))
    found = work(network, spikes(channels))
    assert found.complete
    assert products(found) == sites


def test_neurons_of_a_window_are_updated_in_each_of_its_steps() -> None:
    """Seven steps of 32 + 48 + 2 neurons in each decode, from membranes of zero."""
    network = build(StudentSpec(family="snn_3d", shape=shape(4), seed=0))
    neurons = [layer for layer in work(network, spikes(4)).layers if layer.kind == "neuron"]
    assert [layer.state_reads for layer in neurons] == [7 * 32, 7 * 48, 7 * 2]
    assert [layer.operations["leak"].mean for layer in neurons] == [7 * 32, 7 * 48, 7 * 2]


def test_the_windowed_spiking_decoder_is_the_published_function() -> None:
    """The published one sees its window a bin late: its estimate of step t + 1 is ours of step t."""
    ours, theirs = build(StudentSpec(family="snn_3d", shape=shape(5), seed=0)).eval(), SNN3D(5).eval()
    windows = ours.get_submodule("body.0")
    for product, layer in zip(windows.get_submodule("products").children(), theirs.layers, strict=True):
        layer.load_state_dict(product.state_dict())
    inputs = spikes(5, 1)
    with torch.inference_mode():
        found, wanted = ours(inputs)[0], theirs(inputs[0].T.unsqueeze(1)).reshape(STEPS, 2)
    torch.testing.assert_close(found[SPAN:-1], wanted[SPAN + 1 :], rtol=1e-5, atol=1e-6)


def test_the_tiny_recurrent_decoder_is_the_published_function() -> None:
    """Currents and membranes of time constants 10 and 20 ms, 4 ms bins; the read-out's are the layer's here."""
    ours, theirs = build(StudentSpec(family="tinyrsnn", options={"hidden": 7}, shape=shape(5), seed=0)), RSNN(5, 7, 2)
    body = ours.eval().get_submodule("body")
    neurons, of_current, of_membrane = (body.get_submodule(f"{place}.neurons") for place in (3, 5, 6))
    with torch.no_grad():
        theirs.drive.weight.copy_(body.get_parameter("1.weight")[..., 0])
        theirs.recurrent.weight.copy_(3 * neurons.get_parameter("recurrent.weight"))
        neurons.get_parameter("recurrent.weight").mul_(3)
        theirs.read.weight.copy_(body.get_parameter("4.weight")[..., 0])
        for row, decays in enumerate((("alpha", of_current), ("beta", of_membrane))):
            name, readout = decays
            theirs.decays[row, :7], theirs.decays[row, 7:] = neurons.get_parameter(name), readout.beta
        inputs = 3 * spikes(5, 1)
        found, wanted = ours(inputs)[0], theirs(inputs[0].T.unsqueeze(1))
        fired = neurons(body.get_submodule("1")(inputs))[0]
    assert 0.02 < float(fired.mean()) < 0.9
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_the_work_of_current_based_recurrent_neurons_by_hand() -> None:
    """Two leaks a neuron and step, one addition onto the membrane, one for each current that is not zero, two words."""
    network = build(StudentSpec(family="tinyrsnn", options={"hidden": 8}, shape=shape(4), seed=0))
    layers = {layer.name: layer for layer in work(network, spikes(4)).layers}
    neurons, recurrent = layers["body.3.neurons"], layers["body.3.neurons.recurrent"]
    assert neurons.operations["leak"].mean == 16
    assert (neurons.state_elements, neurons.state_reads) == (16, 16)
    assert neurons.operations["add"].mean >= 8
    assert recurrent.products is not None
    assert recurrent.products.dense_full.mean == 64
    assert recurrent.products.effective.multiply_accumulate.total == 0


def test_the_families_keep_the_contract() -> None:
    check_family("snn_3d", {"hidden_1": 8, "hidden_2": 6, "bins": 2, "blocks": 3})
    check_family("tinyrsnn", {"hidden": 8})
    check_family("mlp", {"hidden": 8, "hidden_2": 6, "bins": 2, "lags": 3})
