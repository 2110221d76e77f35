"""NIR files as other libraries write them, eleven graphs: products and states worked by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from energy_models.errors import StudentError
from students.counting import observe
from students.interchange import read_network

nir = pytest.importorskip("nir", reason="the extra 'export' is not installed")

DT, STEPS = 1e-3, 7
RANDOM = np.random.default_rng(5)


def numbers(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def flat(shape: Any, value: float) -> np.ndarray:
    return np.full(shape, value, np.float32)


def lif(shape: Any) -> Any:
    return nir.LIF(tau=flat(shape, 0.01), r=flat(shape, 1), v_leak=flat(shape, 0), v_threshold=flat(shape, 1))


def integrate_and_fire(shape: Any) -> Any:
    return nir.IF(r=flat(shape, 1), v_threshold=flat(shape, 1))


def synaptic(kind: str, shape: Any) -> Any:
    ends = {"v_threshold": flat(shape, 1)} if kind == "CubaLIF" else {}
    return getattr(nir, kind)(
        tau_mem=flat(shape, 0.02), tau_syn=flat(shape, 0.005), r=flat(shape, 1), v_leak=flat(shape, 0),
        w_in=flat(shape, 4), **ends,
    )  # fmt: skip


def affine(outputs: int, inputs: int) -> Any:
    return nir.Affine(numbers(outputs, inputs), numbers(outputs))


def linear(outputs: int, inputs: int) -> Any:
    return nir.Linear(numbers(outputs, inputs))


def convolution(outputs: int, inputs: int, size: int, shape: tuple[int, int], **options: Any) -> Any:
    how = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, **options}
    weight = numbers(outputs, inputs // how["groups"], size, size)
    return nir.Conv2d(input_shape=shape, weight=weight, bias=numbers(outputs), **how)


def graph(nodes: dict[str, Any], shape: tuple[int, ...], outputs: tuple[int, ...], names=("input", "output")) -> Any:
    ends = {names[0]: nir.Input(np.array(shape)), names[1]: nir.Output(np.array(outputs))}
    edges = list(itertools.pairwise([names[0], *nodes, names[1]]))
    return nir.NIRGraph({**ends, **nodes}, edges, metadata={}, type_check=False)


def flatten(*shape: int) -> Any:
    return nir.Flatten(start_dim=0, end_dim=-1, input_type={"input": np.array(shape)})


def norse() -> Any:
    """A sequential state, layers by number, a leaky readout."""
    leaky = nir.LI(tau=flat(2, 0.01), r=flat(2, 1), v_leak=flat(2, 0))
    return graph({"0": affine(6, 4), "1": lif(6), "2": linear(2, 6), "3": leaky}, (4,), (2,))


def sinabs() -> Any:
    """Convolutions, neurons without leak, sum pools."""
    nodes = {
        "0_conv": convolution(3, 2, 3, (6, 6)), "1_iaf": integrate_and_fire((3, 4, 4)),
        "2_pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])), "3_flatten": flatten(3, 2, 2),
        "4_linear": linear(5, 12), "5_iaf": integrate_and_fire(5),
    }  # fmt: skip
    return graph(nodes, (2, 6, 6), (5,))


def spikingjelly() -> Any:
    """Each layer a graph of its own, inside one more."""
    first = graph({"fc": affine(6, 4), "neuron": lif(6)}, (4,), (6,))
    inner = graph({"first": first}, (4,), (6,))
    return graph({"block": inner, "head": affine(3, 6), "sn": lif(3)}, (4,), (3,))


def lava() -> Any:
    """Current-based neurons, layers and neurons by turns."""
    nodes = {"layers_0_synapse": linear(6, 4), "layers_0_neuron": synaptic("CubaLIF", 6)}
    return graph({**nodes, "layers_1_synapse": linear(2, 6), "layers_1_neuron": synaptic("CubaLIF", 2)}, (4,), (2,))


def snntorch() -> Any:
    """Ends of other names; a current-based readout."""
    nodes = {"fc1": affine(6, 4), "lif1": lif(6), "fc2": affine(2, 6), "li": synaptic("CubaLI", 2)}
    return graph(nodes, (4,), (2,), names=("in", "out"))


def rockpool() -> Any:
    """All neurons recurrent: the spikes of the step before through weights of their own."""
    nodes = {"w_in": linear(5, 4), "lif": lif(5), "w_rec": linear(5, 5), "w_out": linear(2, 5)}
    ends = {"input": nir.Input(np.array([4])), "output": nir.Output(np.array([2]))}
    edges = [("input", "w_in"), ("w_in", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "w_out"),
             ("w_out", "output")]  # fmt: skip
    return nir.NIRGraph({**ends, **nodes}, edges, metadata={}, type_check=False)


def integrators() -> Any:
    return graph({"w": linear(3, 4), "i": nir.I(r=flat(3, 1))}, (4,), (3,))


def temporal() -> Any:
    """Convolution in one dimension, a factor, a step function."""
    conv = nir.Conv1d(
        input_shape=8, weight=numbers(3, 2, 3), stride=1, padding=0, dilation=1, groups=1, bias=numbers(3)
    )
    nodes = {"conv": conv, "flatten": flatten(3, 6), "scale": nir.Scale(flat(18, 0.5)),
             "threshold": nir.Threshold(flat(18, 0)), "fc": linear(2, 18)}  # fmt: skip
    return graph(nodes, (2, 8), (2,))


def grouped() -> Any:
    """A depthwise convolution with padding and stride, an average pool."""
    nodes = {
        "conv": convolution(4, 4, 3, (8, 8), groups=4, padding=(1, 1), stride=(2, 2)),
        "pool": nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])), "flatten": flatten(4, 2, 2),
        "fc": affine(3, 16), "lif": lif(3),
    }  # fmt: skip
    return graph(nodes, (4, 8, 8), (3,))


def oblong() -> Any:
    """A kernel that is no square, over channels or samples alone."""
    conv = nir.Conv2d(
        input_shape=(6, 8), weight=numbers(3, 1, 6, 2), stride=(1, 2), padding=(0, 0), dilation=(1, 1), groups=1,
        bias=numbers(3),
    )  # fmt: skip
    return graph({"conv": conv, "flatten": flatten(3, 1, 4), "fc": linear(2, 12)}, (1, 6, 8), (2,))


def nested_recurrence() -> Any:
    """A graph that holds a recurrent graph, as exporters of recurrent cells write it."""
    inner_nodes = {"input": nir.Input(np.array([5])), "output": nir.Output(np.array([5])), "lif": lif(5),
                   "w_rec": linear(5, 5)}  # fmt: skip
    edges = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
    inner = nir.NIRGraph(inner_nodes, edges, metadata={}, type_check=False)
    return graph({"fc": affine(5, 4), "rnn": inner, "head": affine(2, 5)}, (4,), (2,))


BY_HAND: dict[Callable[[], Any], tuple[tuple[int, ...], int, int]] = {
    norse: ((4,), 6 * 4 + 2 * 6, 6 + 2),
    sinabs: ((2, 6, 6), 16 * 3 * 2 * 9 + 5 * 12, 48 + 5),
    spikingjelly: ((4,), 6 * 4 + 3 * 6, 6 + 3),
    lava: ((4,), 6 * 4 + 2 * 6, 2 * (6 + 2)),
    snntorch: ((4,), 6 * 4 + 2 * 6, 6 + 2 * 2),
    rockpool: ((4,), 5 * 4 + 5 * 5 + 2 * 5, 5 + 5),
    integrators: ((4,), 3 * 4, 3),
    temporal: ((2, 8), 6 * 3 * 2 * 3 + 2 * 18, 0),
    grouped: ((4, 8, 8), 16 * 4 * 9 + 3 * 16, 3),
    oblong: ((1, 6, 8), 4 * 3 * 6 * 2 + 2 * 12, 0),
    nested_recurrence: ((4,), 5 * 4 + 5 * 5 + 2 * 5, 5 + 5),
}
"""Shape of a step's input, products of a step, words of state: of each current and membrane, and fed-back spikes."""


@pytest.mark.parametrize("make", BY_HAND, ids=lambda make: make.__name__)
@pytest.mark.parametrize("mode", ["window", "stream"])
def test_products_and_state_by_hand(make, mode, tmp_path: Path) -> None:
    shape, products, words = BY_HAND[make]
    nir.write(tmp_path / "net.nir", make())
    network = read_network(tmp_path / "net.nir", step_s=DT)
    work = observe(
        network, torch.randn(2, *shape, STEPS), name="net", mode=mode, step_rate_hz=1 / DT, input_bits=32
    )  # fmt: skip
    assert work.complete, work.uncounted
    assert work.products is not None
    assert work.products.dense_full.mean == products * (STEPS if mode == "window" else 1)
    assert sum(layer.state_elements for layer in work.layers) == words


def test_a_delay_of_many_steps_is_refused_by_name(tmp_path: Path) -> None:
    nir.write(tmp_path / "net.nir", graph({"w": linear(3, 4), "wait": nir.Delay(flat(3, 1e5 * DT))}, (4,), (3,)))
    with pytest.raises(StudentError, match=r"wait \(Delay: a delay of 100000 steps, more than 65536\)"):
        read_network(tmp_path / "net.nir", step_s=DT)
