"""State and first steps of recurrences written by hand, against the same networks of torch's and snnTorch's layers."""

import dataclasses
from collections import deque

import pytest
import snntorch
import torch
from torch import nn

from energy_models.hardware import load_profile, load_site
from energy_models.pricing import estimate
from energy_models.workload import Workload
from students.counting import observe
from students.layers.step_loop import StepLoop

CHANNELS, HIDDEN = 6, 5


def counted(model: nn.Module, signal: torch.Tensor, mode="window", **options) -> Workload:
    return observe(model, signal, name="net", mode=mode, step_rate_hz=50.0, input_bits=16, **options)


def state_words(work: Workload) -> int:
    return sum(layer.state_elements for layer in work.layers)


def full(work: Workload) -> float:
    assert work.products is not None
    return work.products.dense_full.mean


class Elman(nn.Module):
    """tanh(W x + U h), its first h made in `start`."""

    def __init__(self, start=lambda x: torch.zeros(len(x), HIDDEN)) -> None:
        super().__init__()
        self.i, self.h, self.start = nn.Linear(CHANNELS, HIDDEN), nn.Linear(HIDDEN, HIDDEN), start
        self.first = nn.Parameter(torch.randn(1, HIDDEN))

    def forward(self, x):
        h = self.start(x)
        for t in range(x.shape[-1]):
            h = torch.tanh(self.i(x[..., t]) + self.h(h))
        return h


class Fused(nn.Module):
    def __init__(self, kind) -> None:
        super().__init__()
        self.r = kind(CHANNELS, HIDDEN, batch_first=True)

    def forward(self, x):
        return self.r(x.transpose(1, 2))[0][:, -1]


STARTS = {
    "zeros": lambda x: torch.zeros(len(x), HIDDEN),
    "zeros of one decode": lambda x: torch.zeros(1, HIDDEN),
    "zeros of no batch": lambda x: torch.zeros(HIDDEN),
    "new_zeros": lambda x: x.new_zeros(len(x), HIDDEN),
    "zeros_like": lambda x: torch.zeros_like(x[:, :HIDDEN, 0]),
    "full": lambda x: torch.full((len(x), HIDDEN), 0.0),
    "one of two layers": lambda x: torch.zeros(2, len(x), HIDDEN)[0],
    "expanded": lambda x: torch.zeros(1, HIDDEN).expand(len(x), -1),
    "repeated": lambda x: torch.zeros(1, HIDDEN).repeat(len(x), 1),
}


@pytest.mark.parametrize("steps", [1, 2, 10])
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_the_first_product_of_a_hand_written_recurrence_is_not_free(start, steps):
    signal = torch.randn(3, CHANNELS, steps)
    hand, fused = counted(Elman(start), signal), counted(Fused(nn.RNN), signal)
    assert full(hand) == full(fused) == steps * (CHANNELS * HIDDEN + HIDDEN * HIDDEN)
    assert sum(one.weights + one.biases + one.constants for one in hand.layers) == 30 + 25 + 10
    assert hand.complete


def test_a_learned_first_state_is_multiplied_as_a_signal():
    net = Elman()
    net.start = lambda x: net.first.expand(len(x), -1)
    assert full(counted(net, torch.randn(3, CHANNELS, 4))) == 4 * 55


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_the_batch_size_changes_no_start(batch_size):
    torch.manual_seed(0)
    work = counted(Elman(), torch.randn(5, CHANNELS, 4), batch_size=batch_size)
    assert (full(work), state_words(work), work.complete) == (220, HIDDEN, True)


class Gated(nn.Module):
    """An LSTM written by hand, over slices, unbound steps or an iterator."""

    def __init__(self, steps) -> None:
        super().__init__()
        self.i, self.h, self.steps = nn.Linear(CHANNELS, 4 * HIDDEN), nn.Linear(HIDDEN, 4 * HIDDEN), steps

    def forward(self, x):
        h, c, out = torch.zeros(len(x), HIDDEN), torch.zeros(len(x), HIDDEN), []
        for now in self.steps(x):
            i, f, g, o = (self.i(now) + self.h(h)).chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            out.append(h)
        return torch.stack(out, 1)


WAYS = {
    "select": lambda x: (x[..., t] for t in range(x.shape[-1])),
    "select all": lambda x: [x[..., t] for t in range(x.shape[-1])],
    "unbind": lambda x: x.unbind(-1),
    "iterate": lambda x: iter(x.permute(2, 0, 1)),
    "slices": lambda x: (x[..., t : t + 1].squeeze(-1) for t in range(x.shape[-1])),
    "split": lambda x: (one.flatten(1) for one in x.split(1, -1)),
    "backwards": lambda x: (x[..., t] for t in reversed(range(x.shape[-1]))),
}


@pytest.mark.parametrize("steps", WAYS.values(), ids=WAYS.keys())
def test_an_lstm_by_hand_keeps_what_torchs_keeps(steps):
    signal = torch.randn(3, CHANNELS, 8)
    hand, fused = counted(Gated(steps), signal), counted(Fused(nn.LSTM), signal)
    assert state_words(hand) == state_words(fused) == 2 * HIDDEN
    assert full(hand) == full(fused)


class HandNeuron(nn.Module):
    """A leaky neuron whose membrane is an attribute, a buffer, in a list, or handed in and out."""

    def __init__(self, keep: str) -> None:
        super().__init__()
        self.keep, self.f, self.o = keep, nn.Linear(CHANNELS, HIDDEN), nn.Linear(HIDDEN, 2)
        self.states: list = []
        if keep == "buffer":
            self.register_buffer("held", torch.zeros(1, HIDDEN))
        else:
            self.held = None

    def step(self, current, v):
        v = 0.9 * v + current
        spikes = (v > 1).float()
        return spikes, v * (1 - spikes)

    def forward(self, x):
        out = []
        v = torch.zeros(len(x), HIDDEN)
        self.states = [v]
        if self.keep == "attribute":
            self.held = v
        for t in range(x.shape[-1]):
            current = self.f(x[..., t])
            if self.keep == "handed":
                spikes, v = self.step(current, v)
            elif self.keep == "list":
                spikes, self.states[0] = self.step(current, self.states[0])
            else:
                spikes, self.held = self.step(current, self.held)
            out.append(self.o(spikes))
        return torch.stack(out, -1)


class Library(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.f, self.o = nn.Linear(CHANNELS, HIDDEN), nn.Linear(HIDDEN, 2)
        self.neuron = snntorch.Leaky(beta=0.9, reset_mechanism="zero")

    def forward(self, x):
        v, out = self.neuron.reset_mem(), []
        for t in range(x.shape[-1]):
            s, v = self.neuron(self.f(x[..., t]), v)
            out.append(self.o(s))
        return torch.stack(out, -1)


@pytest.mark.parametrize("keep", ["handed", "list", "attribute", "buffer"])
def test_the_membrane_of_a_hand_written_neuron_is_state(keep):
    """5 membranes of 32 bits, read and written once in each of 7 steps, as snnTorch's Leaky."""
    signal = 2 * torch.rand(3, CHANNELS, 7)
    hand, library = counted(HandNeuron(keep), signal), counted(Library(), signal)
    assert hand.complete
    assert hand.state_bits_total == library.state_bits_total == HIDDEN * 32
    for work in (hand, library):
        assert sum(one.state_reads for one in work.layers) == sum(one.state_writes for one in work.layers) == 7 * HIDDEN


class Spiking(nn.Module):
    """A neuron that holds its membrane, run on one current for some steps: what it is given never changes."""

    def __init__(self, *, hoisted: bool) -> None:
        super().__init__()
        self.f, self.o, self.hoisted = nn.Linear(CHANNELS, HIDDEN), nn.Linear(HIDDEN, 2), hoisted

    def forward(self, x):
        v, total, current = torch.zeros(len(x), HIDDEN), 0.0, self.f(x)
        for _ in range(6):
            v = 0.9 * v + (current if self.hoisted else self.f(x))
            spikes = (v > 1).float()
            v = v - spikes
            total = total + self.o(spikes)
        return total


@pytest.mark.parametrize("hoisted", [True, False])
def test_loops_that_cut_no_signal_keep_state(hoisted):
    """5 membranes and 2 sums."""
    assert state_words(counted(Spiking(hoisted=hoisted), torch.rand(3, CHANNELS))) == HIDDEN + 2


class Tabled(nn.Module):
    """Reads 3 of 12 stored words through a view: a layer of stored words alone."""

    def __init__(self) -> None:
        super().__init__()
        self.f = nn.Linear(CHANNELS, HIDDEN)
        self.register_buffer("kept", torch.randn(4, 3))

    def forward(self, x):
        return torch.cat([self.f(x[..., 0]), self.kept[1].expand(len(x), -1)], -1)


@pytest.mark.parametrize("profile", ["cortex_m4f", "asic65_near_memory"])
@pytest.mark.parametrize(
    "net", [Elman(), Gated(WAYS["select"]), HandNeuron("handed"), HandNeuron("buffer"), Tabled()],
    ids=["elman", "lstm", "neuron", "buffer", "table"],
)  # fmt: skip
def test_what_is_carried_on_is_priced(net, profile):
    work = counted(net, torch.randn(3, CHANNELS, 8))
    report = estimate(work, load_profile(profile), load_site("headset_commodity"), decode_rate_hz=1.0)
    assert report.decoder_power_w.nominal > 0
    states = [layer for layer in work.layers if layer.state_elements]
    if states:
        fewer = dataclasses.replace(work, layers=tuple(layer for layer in work.layers if layer not in states))
        without = estimate(fewer, load_profile(profile), load_site("headset_commodity"), decode_rate_hz=1.0)
        # A microcontroller's cycles a product hold the accesses to its RAM; a state is in memory all the same.
        assert report.decoder_power_w.nominal > without.decoder_power_w.nominal or profile == "cortex_m4f"
        assert sum(use.used_bits for use in report.memories) > sum(use.used_bits for use in without.memories)


class Delayed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(CHANNELS, HIDDEN), nn.Linear(HIDDEN, 2)

    def forward(self, x):
        z, out = torch.zeros(len(x), HIDDEN), []
        for t in range(x.shape[-1]):
            out.append(self.b(z))
            z = (self.a(x[..., t]) > 0).float()
        return torch.stack(out, 1)


def test_a_delay_of_one_step_is_state_and_its_first_product_is_counted():
    work = counted(Delayed(), torch.randn(2, CHANNELS, 5))
    assert (full(work), state_words(work)) == (5 * (30 + 10), HIDDEN)


class Queue(nn.Module):
    """The mean of the last three steps, kept in a queue of Python."""

    def __init__(self) -> None:
        super().__init__()
        self.f = nn.Linear(CHANNELS, HIDDEN)

    def forward(self, x):
        kept, out = deque([torch.zeros(len(x), HIDDEN)] * 3, maxlen=3), []
        for t in range(x.shape[-1]):
            kept.append(self.f(x[..., t]))
            out.append(kept[0] + kept[1] + kept[2])
        return torch.stack(out, 1)


def test_a_queue_of_past_steps_is_state():
    """Two past values: the third is the new one."""
    assert state_words(counted(Queue(), torch.randn(2, CHANNELS, 9))) == 2 * HIDDEN


class Step(nn.Module):
    """One step a call; its state waits in the module for the next call."""

    def __init__(self, keep: str) -> None:
        super().__init__()
        self.i, self.h, self.keep = nn.Linear(CHANNELS, HIDDEN), nn.Linear(HIDDEN, HIDDEN), keep
        if keep == "buffer":
            self.register_buffer("state", torch.zeros(1, HIDDEN))
        else:
            self.state = torch.zeros(1, HIDDEN) if keep == "attribute" else None

    def forward(self, x):
        if self.state is None:
            self.state = torch.zeros(len(x), HIDDEN)
        self.state = torch.tanh(self.i(x) + self.h(self.state))
        return self.state


@pytest.mark.parametrize("keep", ["buffer", "attribute", "made late"])
def test_a_state_kept_from_call_to_call_is_sized(keep):
    work = counted(Step(keep), torch.randn(3, CHANNELS), batch_size=1)
    assert (state_words(work), full(work)) == (HIDDEN, 55)


def test_an_output_kept_for_a_look_is_no_state():
    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f = nn.Linear(CHANNELS, HIDDEN)
            self.last = torch.zeros(1, HIDDEN)

        def forward(self, x):
            self.last = self.f(x)
            return self.last.relu()

    assert state_words(counted(Looking(), torch.randn(3, CHANNELS))) == 0


class InStream(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.i, self.h = nn.Linear(CHANNELS, HIDDEN), nn.Linear(HIDDEN, HIDDEN)

    def forward(self, x, state):
        v, z = state
        v = 0.5 * v + self.i(x) + self.h(z)
        z = (v > 0).float()
        return z, (v, z)


def test_a_step_loop_with_any_recurrence_is_complete():
    loop = StepLoop(InStream(), (torch.zeros(HIDDEN), torch.zeros(HIDDEN)))
    work = counted(loop, torch.randn(2, CHANNELS, 6), "stream")
    assert work.complete
    assert full(work) == 55
    assert state_words(work) == HIDDEN  # the spikes are made of the membranes
    assert sum(one.state_reads for one in work.layers) == HIDDEN


NO_LOOPS = {
    "residual blocks": lambda m, x: m[1](m[0](x).relu() + x).relu() + x,
    "branches of one weight": lambda m, x: (m[0](x) - m[0](x.flip(1)) + m[0](-x)).abs(),
    "channels with weights of their own": lambda m, x: sum(layer(x[:, k : k + 1] * x) for k, layer in enumerate(m)),
    "attention": lambda m, x: nn.functional.scaled_dot_product_attention(*m[0](x).view(-1, 3, 2, 1).unbind(1)),
    "gate": lambda m, x: torch.mul(*m[0](x).chunk(2, -1)),
    "shared depth": lambda m, x: m[0](m[0](m[0](m[0](x)).relu()).relu()),
}


@pytest.mark.parametrize("function", NO_LOOPS.values(), ids=NO_LOOPS.keys())
def test_networks_without_time_loops_have_no_state(function):
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(CHANNELS, CHANNELS) for _ in range(4))

        def forward(self, x):
            return function(self.layers, x)

    assert state_words(counted(Net(), torch.randn(3, CHANNELS))) == 0


def test_both_directions_of_a_recurrence_keep_one_state_each():
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f, self.b = Elman(), Elman()

        def forward(self, x):
            return torch.cat([self.f(x), self.b(x.flip(-1))], -1)

    assert state_words(counted(Both(), torch.randn(3, CHANNELS, 6))) == 2 * HIDDEN
