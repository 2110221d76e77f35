"""Networks of raw snnTorch neurons: counted as exactly as our own, and against numpy and arithmetic by hand."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import snntorch
import torch
from test_observe_networks import by_name
from test_observe_products import seen
from torch import Tensor, nn

from energy_models.workload import Count, LayerWork, Workload
from students.layers.step_loop import StepLoop
from students.neurons.lif import LIF, LeakyIntegrator, ZeroInitialState

BETAS, THRESHOLD = (0.8, 0.9, 0.75), 0.6


def ours(weights: list[Tensor]) -> nn.Module:
    """The shape of the spiking perceptron student: two spiking layers and a leaky readout."""
    modules: list[nn.Module] = []
    for place, weight in enumerate(weights):
        product = nn.Conv1d(weight.shape[1], weight.shape[0], 1, bias=False)
        product.weight.data = weight.unsqueeze(-1)
        last = place == len(weights) - 1
        units = weight.shape[0]
        neurons = LeakyIntegrator(units, BETAS[place]) if last else LIF(units, BETAS[place], THRESHOLD)
        modules += [product, ZeroInitialState(neurons)]
    return nn.Sequential(*modules)


class Theirs(nn.Module):
    """The same from ``snn.Leaky`` and ``nn.Linear`` in a Python loop over the last axis."""

    def __init__(self, weights: list[Tensor]) -> None:
        super().__init__()
        self.products, self.neurons = nn.ModuleList(), nn.ModuleList()
        for place, weight in enumerate(weights):
            product = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
            product.weight.data = weight.clone()
            self.products.append(product)
            how = "none" if place == len(weights) - 1 else "subtract"
            self.neurons.append(snntorch.Leaky(BETAS[place], threshold=THRESHOLD, reset_mechanism=how))

    def forward(self, x: Tensor) -> Tensor:
        membranes: list[Tensor | None] = [None] * len(self.products)
        outputs = []
        for now in x.unbind(-1):
            signal = now
            for place, (product, neuron) in enumerate(zip(self.products, self.neurons, strict=True)):
                signal, membranes[place] = neuron(product(signal), membranes[place])
            outputs.append(membranes[-1])
        return torch.stack(outputs, dim=-1)  # type: ignore[arg-type]


def weights(*widths: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(b, a, generator=generator) for a, b in itertools.pairwise(widths)]


def counts(*shape: int, seed: int = 1) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).poisson(0.4, shape)).float()


def figures(layer: LayerWork) -> dict[str, object]:
    """All of a layer but its name and the kind of its product, of which its kernel is a part."""
    values = {field.name: getattr(layer, field.name) for field in dataclasses.fields(layer)}
    for name in ("name", "kind", "kernel", "weights_key", "input_shape", "output_shape"):
        values.pop(name)
    return values


@pytest.mark.parametrize("mode", ["window", "stream"])
def test_snntorch_in_a_loop_counts_as_our_neurons_do(mode: str) -> None:
    matrices, x = weights(5, 7, 6, 2), counts(4, 5, 20)
    mine, other = ours(matrices), Theirs(matrices)
    with torch.no_grad():
        torch.testing.assert_close(mine(x), other(x))
    first, second = seen(mine, x, mode=mode), seen(other, x, mode=mode)
    assert first.complete
    assert second.complete
    assert first.layers[1].output_events.total > 20
    for one, two in zip(first.layers[:5], second.layers[:5], strict=True):
        assert figures(one) == {**figures(two), "calls": one.calls}
        assert one.outputs == two.outputs
    # The readouts differ by design: ours never fires, a Leaky always compares.
    last = first.layers[5], second.layers[5]
    assert last[0].operations["leak"] == last[1].operations["leak"]
    assert "compare" not in last[0].operations
    assert last[1].operations["compare"].total == 4 * 20 * 2


def single(neuron: nn.Module, rows: list[list[float]], **options: object) -> Workload:
    """Currents straight into a layer of neurons; one row a neuron."""

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron = neuron

        def forward(self, x: Tensor) -> Tensor:
            out = []
            for now in x.unbind(-1):
                result = self.neuron(now)
                out.append(result[0] if isinstance(result, tuple) else result)
            return torch.stack(out, -1)

    return seen(Loop(), torch.tensor([rows]), **options)


def operations(layer: LayerWork) -> dict[str, int]:
    return {name: count.total for name, count in layer.operations.items()}


def test_two_neurons_over_four_steps_by_hand() -> None:
    # beta .5, threshold 1. Neuron a: currents 2, 0, 0, .5: U = 2 (fires), 1-1 = 0, 0, .5.
    # Neuron b: 1, 1, 0, 3: U = 1 (equal: silent), 1.5 (fires), .75-1 = -.25, -.125+3 = 2.875 (fires).
    # Currents that are not zero: 2 + 3; updates 2 x 4; spikes 1 + 2.
    rows = [[2.0, 0.0, 0.0, 0.5], [1.0, 1.0, 0.0, 3.0]]
    layer = single(snntorch.Leaky(0.5), rows).layers[0]
    assert operations(layer) == {"leak": 8, "add": 5, "compare": 8, "reset": 3}
    assert (layer.updates_active.total, layer.updates_idle.total, layer.output_events.total) == (5, 3, 3)
    assert (layer.state_elements, layer.state_reads, layer.state_writes, layer.state_bits) == (2, 8, 8, 32)
    assert (layer.constants, layer.constant_bits, layer.calls, layer.input_shape) == (2, 32, 4, (2,))
    stream = single(snntorch.Leaky(0.5), rows, mode="stream").layers[0]
    # Step by step: spikes a + b are 1, 1, 0, 1; driven neurons 2, 1, 0, 2.
    assert stream.output_events == Count.of([1, 1, 0, 1])
    assert stream.updates_active == Count.of([2, 1, 0, 2])
    assert stream.operations["leak"] == Count.constant(2, 4)


def test_a_silent_network_has_no_synaptic_operation_and_updates_every_neuron() -> None:
    found = by_name(seen(Theirs(weights(5, 7, 2)), torch.zeros(2, 5, 10)))
    for name in ("products.0", "products.1"):
        assert found[name].products.effective_input.total == 0
    neurons = found["neurons.0"]
    assert (neurons.updates_active.total, neurons.updates_idle.total) == (0, 2 * 7 * 10)
    assert operations(neurons) == {"leak": 140, "compare": 140}


def test_spikes_and_their_standard_error_against_numpy() -> None:
    matrices, x = weights(5, 7, 6, 2), counts(9, 5, 20)
    layer = by_name(seen(Theirs(matrices), x))["neurons.0"]
    emitted = []
    for example in x.numpy():
        membrane, total = np.zeros(7, np.float32), 0
        for now in example.T:
            fired = membrane > np.float32(THRESHOLD)
            current = matrices[0].numpy() @ now
            membrane = np.float32(BETAS[0]) * membrane + current - fired * np.float32(THRESHOLD)
            total += int((membrane > np.float32(THRESHOLD)).sum())
        emitted.append(total)
    assert layer.output_events == Count.of(emitted)
    assert layer.output_events.standard_error == pytest.approx(np.std(emitted, ddof=1) / 3)


def test_synaptic_by_hand() -> None:
    # alpha .5, beta .5, threshold 1; currents 1, 0, 0, 4: I_syn = 1, .5, .25, 4.125: never zero, so 4 relays.
    # U = 1 (equal), .5+.5 = 1, .75, .375+4.125 = 4.5 (fires). One current add for each of two non-zero inputs.
    layer = single(snntorch.Synaptic(alpha=0.5, beta=0.5), [[1.0, 0.0, 0.0, 4.0]]).layers[0]
    assert operations(layer) == {"leak": 8, "add": 2 + 4, "compare": 4, "reset": 1}
    assert (layer.state_elements, layer.state_reads, layer.constants) == (2, 8, 3)


def test_recurrent_leaky_by_hand() -> None:
    # Two neurons, V = [[0, 2], [0, 0]] without bias: b's spike drives a one step later. beta .5, threshold 1.
    # b: currents 2, 0, 0: U = 2 (fires), 1 - 1 = 0, 0. a: U = 0, 0 + 2 = 2 (fires), 1 - 1 = 0.
    # Spikes fed back at steps 1, 2, 3: none; b; a. Fan-out 2 by shape: 2 sites each; b meets one weight, a none.
    neuron = snntorch.RLeaky(0.5, linear_features=2)
    neuron.recurrent.weight.data = torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    neuron.recurrent.bias = None
    found = by_name(single(neuron, [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]]))
    product, layer = found["neuron.recurrent"], found["neuron"]
    assert product.kind == "recurrent"
    assert product.products.dense_full.total == 3 * 4
    assert product.products.effective_input.total == 4
    assert product.products.effective.accumulate.total == 1
    assert product.products.dense_full.multiply_accumulate.total == 0
    assert (product.state_elements, product.state_bits, product.state_reads) == (2, 1, 6)
    # One input current and one recurrent one; two updates with a current.
    assert operations(layer) == {"leak": 6, "add": 2, "compare": 6, "reset": 2}
    assert (layer.updates_active.total, layer.output_events.total) == (2, 2)


def test_one_weight_a_neuron_is_one_product_a_neuron() -> None:
    neuron = snntorch.RLeaky(0.5, all_to_all=False, V=torch.tensor([0.0, 2.0]))
    found = by_name(single(neuron, [[3.0, 0.0, 0.0], [3.0, 0.0, 0.0]]))
    product = found["neuron.recurrent"].products
    # Both fire at step 1 (U = 3), and again (a: 1.5 - 1 = .5 silent; b: 1.5 - 1 + 2 = 2.5). Fed back: 2 at step 2,
    # 1 at step 3; b's weight is not zero, a's is: effective 1 + 1.
    assert [one.total for one in (product.dense_full, product.effective_input, product.effective)] == [6, 3, 2]


def test_a_recurrent_convolution_equals_the_same_convolution_of_its_own_spikes() -> None:
    torch.manual_seed(0)
    neuron = snntorch.RLeaky(0.5, conv2d_channels=2, kernel_size=3, threshold=0.3, reset_mechanism="zero")
    x = torch.rand(2, 2, 4, 4, 5)

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron, self.spikes = neuron, []

        def forward(self, x: Tensor) -> Tensor:
            spikes, membrane = self.neuron.init_rleaky()
            out = []
            for now in x.unbind(-1):
                spikes, membrane = self.neuron(now, spikes, membrane)
                out.append(spikes)
            return torch.stack(out, -1)

    spikes = Loop()(x)
    work = by_name(seen(Loop(), x))["neuron.recurrent"]
    apart = seen(neuron.recurrent, torch.cat([spikes[..., t] for t in range(4)]).detach()).layers[0]
    assert work.calls == 5  # snnTorch evaluates it twice a step for a reset to zero; the neuron needs it once
    assert work.products.effective.accumulate.total == apart.products.effective.accumulate.total > 0
    assert work.products.dense_valid.total == apart.products.dense_valid.total // 8 * 10


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "make",
    [
        lambda: snntorch.RSynaptic(0.6, 0.5, linear_features=3, threshold=0.2),
        lambda: snntorch.Alpha(0.9, 0.5, threshold=0.1),
        lambda: snntorch.Alpha(0.9, 0.5, threshold=0.1, reset_mechanism="subtract"),
        lambda: snntorch.Lapicque(0.8, threshold=0.1),
        lambda: snntorch.SLSTM(3, 3, threshold=0.01, reset_mechanism="subtract"),
        lambda: snntorch.Leaky(0.5, threshold=0.3, reset_delay=False),
        lambda: snntorch.Leaky(0.5, threshold=0.3, inhibition=True),
        lambda: snntorch.Leaky(torch.tensor([0.5, 1.0, 0.0]), threshold=0.3, graded_spikes_factor=2.0),
    ],
)
@pytest.mark.parametrize("mode", ["window", "stream"])
def test_a_batch_changes_no_count(make, mode: str, seed: int) -> None:
    torch.manual_seed(seed)
    loop, x = StepLoop(First(make())), 2 * torch.rand(4, 3, 6)
    together = seen(loop, x, mode=mode)
    apart = [seen(loop, one.unsqueeze(0), mode=mode) for one in x]
    assert together.complete
    assert seen(loop, x, mode=mode, batch_size=3).layers == together.layers
    for place, layer in enumerate(together.layers):
        for name, count in layer.operations.items():
            parts = [one.layers[place].operations.get(name) for one in apart]
            assert count.total == sum(part.total for part in parts if part is not None)
    assert together.layers[-1].output_events.total > 0


class First(nn.Module):
    """Only the spikes of a neuron that keeps its own state."""

    def __init__(self, neuron: nn.Module) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, current: Tensor) -> Tensor:
        return self.neuron(current)[0]
