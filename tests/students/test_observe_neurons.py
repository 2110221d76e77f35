"""Each kind of neuron by hand; states of earlier calls; time loops of every form; what has no description."""

from __future__ import annotations

import subprocess
import sys

import pytest
import snntorch
import torch
from test_observe_networks import by_name
from test_observe_products import seen
from test_observe_snntorch import First, Theirs, counts, operations, single, weights
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.layers.step_loop import StepLoop, reset_states
from students.neurons.lif import LIF


def test_alpha_by_hand() -> None:
    # alpha .5, beta .25: tau = ln .5 / (ln .25 - ln .5) + 1 = -ln 2 / -ln 2 + 1 = 2. Threshold .6.
    # Current 1 then 0: I_exc = 1, .5; I_inh = -1, -.25; U = 2 (1 - 1) = 0, 2 (.5 - .25) = .5: silent.
    # Two leaks, a sum and a product with tau each step; the one current goes into both synaptic currents.
    layer = single(snntorch.Alpha(0.5, 0.25, threshold=0.6), [[1.0, 0.0]]).layers[0]
    assert operations(layer) == {"leak": 4, "add": 2 + 2, "multiply": 2, "compare": 2}
    assert (layer.state_elements, layer.constants) == (3, 4)  # alpha, beta, threshold, tau


def test_alpha_reset_by_subtraction_takes_two_subtractions() -> None:
    # Threshold .4 instead: the second step's .5 fires.
    neuron = snntorch.Alpha(0.5, 0.25, threshold=0.4, reset_mechanism="subtract")
    assert operations(single(neuron, [[1.0, 0.0]]).layers[0])["reset"] == 2


@pytest.mark.parametrize("mechanism", ["zero", "none"])
def test_a_reset_to_zero_is_a_selection_and_none_is_none(mechanism: str) -> None:
    layer = single(snntorch.Leaky(0.5, reset_mechanism=mechanism), [[3.0, 3.0]]).layers[0]
    assert operations(layer) == {"leak": 2, "add": 2, "compare": 2}
    assert layer.output_events.total == 2


def test_lapicque_scales_its_current() -> None:
    # R 1, C 4, step 1: decay 1 - 1/4 = .75, gain 1/4: one multiplication for each of two currents.
    layer = single(snntorch.Lapicque(R=1, C=4, time_step=1), [[1.0, 0.0, 2.0]]).layers[0]
    assert operations(layer) == {"leak": 3, "add": 2, "multiply": 2, "compare": 3}
    assert layer.constants == 3  # decay, gain, threshold


def test_of_neurons_that_inhibit_each_other_the_strongest_fires_and_all_above_threshold_are_reset() -> None:
    # Currents 2, 3, 0 in the first step: a and b are above 1, b alone fires, both are reset; 3 + 2 comparisons.
    with pytest.warns(UserWarning, match="Inhibition"):
        neuron = snntorch.Leaky(0.5, inhibition=True)
    layer = single(neuron, [[2.0], [3.0], [0.0]]).layers[0]
    assert operations(layer) == {"leak": 3, "add": 2, "compare": 5, "reset": 2}
    assert layer.output_events.total == 1


def test_graded_spikes_cost_a_multiplication_each_and_are_words() -> None:
    layer = single(snntorch.Leaky(0.5, graded_spikes_factor=2.0), [[2.0, 0.0, 2.0]]).layers[0]
    assert operations(layer) == {"leak": 3, "add": 2, "compare": 3, "multiply": 2, "reset": 2}
    assert (layer.output_bits, layer.constants) == (32, 3)


def test_a_reset_in_the_same_step_is_charged_as_it_is_made() -> None:
    # beta 1, threshold 1, currents 3, 0: U = 3 fires, 2 after its reset; still above 1, so 1 is taken before the
    # comparison of step 2: 1, silent, and snnTorch gives it back. Three subtractions or additions of the threshold.
    layer = single(snntorch.Leaky(1.0, reset_delay=False), [[3.0, 0.0]]).layers[0]
    assert operations(layer) == {"add": 1, "compare": 2, "reset": 3}


@pytest.mark.parametrize(("beta", "leaks"), [(1.0, 0), (0.0, 0), (0.9, 4)])
def test_a_decay_of_one_or_zero_needs_no_multiplication(beta: float, leaks: int) -> None:
    assert operations(single(snntorch.Leaky(beta), [[0.0, 0.0], [0.0, 0.0]]).layers[0]).get("leak", 0) == leaks


@pytest.mark.parametrize(
    ("beta", "bits", "what"),
    [(0.9375, 8, "leak_shift"), (0.9, 8, "leak"), (0.9375, 32, "leak"), (0.5, 8, "leak_shift")],
)
def test_an_integer_membrane_leaks_by_a_shift_where_the_decay_is_one_minus_a_power_of_two(
    beta: float, bits: int, what: str
) -> None:
    # 15/16 = 1 - 2^-4 on integers; a float membrane (32-bit input) multiplies.
    rows = [[1.0, 2.0, 0.0]]
    assert operations(single(snntorch.Leaky(beta), rows, input_bits=bits).layers[0])[what] == 3
    work = seen(LIFOnly(beta), torch.tensor([rows]), input_bits=bits).layers[0]
    assert operations(work)[what] == 3


class LIFOnly(nn.Module):
    def __init__(self, beta: float) -> None:
        super().__init__()
        self.neurons = LIF(1, beta, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.neurons(x)[0]


def test_a_decay_each_is_stored_and_counted_each() -> None:
    layer = single(snntorch.Leaky(torch.tensor([0.5, 1.0, 0.9])), [[0.0], [0.0], [0.0]]).layers[0]
    assert (operations(layer)["leak"], layer.constants) == (2, 4)


def test_a_spiking_lstm_is_an_lstm_cell_with_a_threshold() -> None:
    torch.manual_seed(0)
    neuron, x = snntorch.SLSTM(3, 3, threshold=0.05), torch.rand(2, 3, 5)
    work = by_name(seen(StepLoop(First(neuron)), x))
    cell, layer = work["step_module.neuron.lstm_cell.hidden"], work["step_module.neuron"]
    assert work["step_module.neuron.lstm_cell.input"].products.dense_full.total == 2 * 5 * 12 * 3
    assert (cell.products.dense_full.mean, cell.state_elements, cell.kind) == (5 * 12 * 3, 6, "recurrent")
    assert cell.products.effective_input.total < cell.products.dense_full.total  # the first hidden state is zero
    assert operations(layer) == {"compare": 2 * 5 * 3}
    assert layer.state_elements == 0


@pytest.mark.parametrize(("pool", "outputs"), [({}, 32), ({"max_pool": 2}, 8), ({"avg_pool": 2}, 8)])
def test_a_convolutional_spiking_lstm_by_hand(pool: dict[str, int], outputs: int) -> None:
    # Input 1 x 4 x 4, 2 maps of 4 x 4 = 32 units: 8 gates' maps from 1 + 2 maps, 3 x 3 taps: 8 x 16 x 27 products.
    torch.manual_seed(0)
    neuron = snntorch.SConv2dLSTM(1, 2, 3, threshold=0.01, reset_mechanism="subtract", **pool)
    found = seen(StepLoop(First(neuron)), torch.rand(3, 1, 4, 4, 2))
    work = by_name(found)
    conv, layer = work["step_module.neuron.conv"], work["step_module.neuron"]
    assert found.complete
    assert (conv.kind, conv.state_elements, conv.calls) == ("recurrent", 32, 2)
    assert conv.products.dense_full.mean == 2 * 8 * 16 * 27
    done = {name: count.mean for name, count in layer.operations.items()}
    assert done.pop("reset") > 0
    assert done == {"lookup": 2 * 5 * 32, "multiply": 2 * 3 * 32, "add": 2 * 32, "compare": 2 * outputs}
    assert (layer.state_elements, layer.outputs) == (32, 2 * outputs)


@pytest.mark.parametrize("mode", ["window", "stream"])
def test_state_leaky_is_a_leaky_neuron_without_reset(mode: str) -> None:
    class Parallel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = snntorch.LinearLeaky(0.9, 3, 4, threshold=0.2)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x.permute(2, 0, 1))[0].permute(1, 2, 0)

    torch.manual_seed(3)
    model, x = Parallel(), torch.rand(2, 3, 6)
    found = seen(model, x, mode=mode)
    assert found.complete
    product, layer = found.layers
    assert product.products.dense_full.total == 2 * 6 * 12
    assert layer.operations["leak"].total == layer.operations["compare"].total == 2 * 6 * 4
    assert layer.output_events.total == int(model(x).sum()) > 0
    assert (layer.state_elements, layer.input_shape) == (4, (4,))


def test_a_neuron_without_a_description_is_listed_by_name() -> None:
    class Mine(snntorch.Leaky):
        """May do anything."""

    for neuron in (Mine(0.5), snntorch.LeakyParallel(1, 1), snntorch.StateLeaky(0.5, 1, kernel_truncation_steps=2)):
        found = seen(nn.Sequential(nn.Linear(1, 1), neuron), torch.rand(2, 3, 1))
        assert [gap.operation for gap in found.uncounted] == [type(neuron).__name__]
        assert [layer.name for layer in found.layers] == ["0"]


def test_recurrent_weights_of_another_kind_are_listed() -> None:
    neuron = snntorch.RLeaky(0.5, linear_features=2)
    neuron.recurrent = nn.Sequential(nn.Linear(2, 2))
    assert [gap.operation for gap in single(neuron, [[1.0], [1.0]]).uncounted] == ["RLeaky"]


def test_neurons_called_on_all_steps_of_a_stream_at_once_are_refused() -> None:
    assert "one step" in seen(First(snntorch.Leaky(0.5)), torch.rand(1, 2, 3), mode="stream").uncounted[0].reason


def test_snntorch_is_recognised_whoever_imported_it() -> None:
    code = (
        "import sys, torch, snntorch\n"
        "from students.counting import observe\n"
        "assert 'students.neurons.snntorch_adapter' not in sys.modules\n"
        "net = torch.nn.Sequential(torch.nn.Linear(2, 2), snntorch.Leaky(0.5, init_hidden=True))\n"
        "print([l.kind for l in observe(net, torch.ones(1, 2), name='n', mode='window', step_rate_hz=1.0,"
        " input_bits=32).layers])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "['linear', 'neuron']"), done.stderr


def hidden_net() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 4), snntorch.Leaky(0.9, init_hidden=True), nn.Linear(4, 2),
                         snntorch.Leaky(0.9, init_hidden=True, output=True))  # fmt: skip


def test_states_of_an_earlier_call_neither_leak_in_nor_are_lost() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = hidden_net()

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([self.net(now)[1] for now in x.unbind(-1)], -1)

    model, x = Loop(), 2 * torch.rand(4, 3, 5)
    fresh = seen(model, x)
    bystander = snntorch.Leaky(0.9, init_hidden=True)
    bystander(torch.ones(4, 3))
    model(3 * torch.ones(4, 3, 5)).sum().backward()  # leaves membranes behind, with a history
    before = [(one.mem, one.reset) for one in model.net if isinstance(one, snntorch.Leaky)]
    again = seen(model, x, batch_size=2)
    assert again.layers == fresh.layers
    after = [(one.mem, one.reset) for one in model.net if isinstance(one, snntorch.Leaky)]
    assert all(one is two for pair in zip(before, after, strict=True) for one, two in zip(*pair, strict=True))
    assert bystander.mem.eq(1.0).all()
    reset_states(model)
    model(x).sum().backward()  # nothing made under inference is left in the model


class TimeFirst(nn.Module):
    """Steps on the first axis, decodes on the second, spike counts and membranes stacked."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.net, self.how = Theirs(weights(5, 7, 2)), how

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.net.products
        one, two = self.net.neurons
        a, b = one.init_leaky(), two.init_leaky()
        ordered = x.permute(2, 0, 1) if self.how == "time first" else x
        spikes, membranes = [], []
        for step in range(x.shape[-1]):
            now = ordered[step] if self.how == "time first" else x[..., step]
            out, a = one(first(now), a)
            out, b = two(second(out), b)
            spikes.append(out)
            membranes.append(b)
        return torch.stack(spikes).sum(0) + torch.stack(membranes, dim=1).mean(1)


@pytest.mark.parametrize("how", ["time first", "last axis"])
def test_time_loops_of_every_form_count_alike(how: str) -> None:
    x = counts(4, 5, 12)
    reference, found = seen(Theirs(weights(5, 7, 2)), x), seen(TimeFirst(how), x)
    assert found.complete
    for one, two in zip(reference.layers, found.layers[:4], strict=True):
        assert (one.name, one.products, one.operations) == (two.name.removeprefix("net."), two.products, two.operations)
    sums = {layer.name: layer for layer in found.layers[4:]}
    assert sums["sum"].operations["add"].mean == 11 * 2


class Integrate(nn.Module):
    """A step with an explicit state of two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.neuron = nn.Linear(3, 4, bias=False), snntorch.Synaptic(0.9, 0.8, threshold=0.3)

    def forward(self, now: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        spikes, syn, mem = self.neuron(self.linear(now), *state)
        return spikes, (syn, mem)


@pytest.mark.parametrize("hidden", [True, False])
def test_neurons_that_run_on_in_silence_are_still_counted(hidden: bool) -> None:
    class Silence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron = snntorch.Leaky(0.5, init_hidden=hidden, output=True)

        def forward(self, x: Tensor) -> Tensor:
            spikes, membrane = self.neuron(x)
            for _ in range(3):
                spikes, membrane = self.neuron(torch.zeros_like(x), *(() if hidden else (membrane,)))
            return spikes

    # 4 steps of 2 neurons; driven in the first only. U = 9, then 3.5, .75, .375 (threshold 1): two spikes each.
    found = seen(Silence(), torch.full((3, 2), 9.0))
    layer = found.layers[0]
    assert found.complete
    assert operations(layer) == {"leak": 3 * 8, "add": 3 * 2, "compare": 3 * 8, "reset": 3 * 4}
    assert (layer.calls, layer.updates_active.mean, layer.updates_idle.mean) == (4, 2, 6)


def test_a_step_network_streams_one_decode_a_bin() -> None:
    torch.manual_seed(2)
    loop, x = StepLoop(Integrate(), (torch.zeros(4), torch.zeros(4))), torch.rand(2, 3, 6)
    with torch.no_grad():
        spikes = loop(x)
    found = seen(loop, x, mode="stream")
    product, layer = found.layers
    assert (found.decodes, found.complete, product.calls) == (12, True, 1)
    assert product.products.dense_full.mean == 12
    assert layer.output_events.total == int(spikes.sum()) > 0
    per_bin = [int(one) for one in spikes.sum(-1).flatten()]
    assert sum(n * n for n in per_bin) == layer.output_events.squares
    assert layer.updates_active.mean == 4


def test_a_step_network_that_keeps_its_state_starts_each_call_at_rest() -> None:
    loop, x = StepLoop(nn.Sequential(hidden_net()[0], hidden_net()[1])), torch.rand(2, 3, 6)
    with torch.no_grad():
        assert torch.equal(loop(x), loop(x))
    assert seen(loop, x, mode="stream").decodes == 12


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: StepLoop(nn.Identity(), (1.0,)), "holds tensors"),
        (lambda: StepLoop(Wrong())(torch.rand(1, 2, 3)), "estimate is a tuple"),
        (lambda: StepLoop(Wrong(), torch.zeros(2))(torch.rand(1, 2, 3)), "not an estimate and a state"),
    ],
)
def test_step_loops_refuse_clearly(make, words: str) -> None:
    with pytest.raises(StudentError, match=words):
        make()


class Wrong(nn.Module):
    def forward(self, now: Tensor, state: Tensor | None = None) -> object:
        return (now,) if state is None else now


def test_neurobench_thor_emg_dense_synaptic_operations() -> None:
    # 62 - 256 - 128 - 2 without biases: 62*256 + 256*128 + 128*2 = 15,872 + 32,768 + 256 = 48,896 a step, 250 steps.
    found = seen(Theirs(weights(62, 256, 128, 2)), torch.zeros(1, 62, 250))
    dense = [layer.products.dense_full.total for layer in found.layers if layer.products]
    assert sum(dense) == 48_896 * 250
