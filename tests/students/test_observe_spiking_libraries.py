"""Neurons of Norse, Sinabs and SpikingJelly: the real ones where they are installed, and classes of the same names.

Hand-worked: 5 neurons, 8 steps, an input that is never zero, so 40 updates, all of them active.
"""

import importlib
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from students.counting import observe
from students.neurons.libraries import DESCRIBED, library_dynamics

CHANNELS, HIDDEN, STEPS = 6, 5, 8
UPDATES = HIDDEN * STEPS


def counted(model: nn.Module, signal: torch.Tensor, **options):
    return observe(model, signal, name="net", mode="window", step_rate_hz=50.0, input_bits=16, **options)


def library(name: str):
    return pytest.importorskip(name, reason=f"{name} is compared with, never depended on", exc_type=ImportError)


class Loop(nn.Module):
    """One call a step; a state is handed on where the neuron returns one."""

    def __init__(self, neuron: nn.Module) -> None:
        super().__init__()
        self.f, self.n, self.o = nn.Linear(CHANNELS, HIDDEN), neuron, nn.Linear(HIDDEN, 2)

    def forward(self, x):
        states: tuple = ()
        for t in range(x.shape[-1]):
            out = self.n(self.f(x[..., t]), *states)
            out, states = (out[0], (out[1],)) if isinstance(out, tuple) else (out, states)
            y = self.o(out)
        return y


class Whole(nn.Module):
    """All steps in one call, on an axis of its own."""

    def __init__(self, neuron: nn.Module, order: tuple[int, int, int]) -> None:
        super().__init__()
        self.f, self.n, self.o, self.order = nn.Linear(CHANNELS, HIDDEN), neuron, nn.Linear(HIDDEN, 2), order

    def forward(self, x):
        out = self.n(self.f(x.permute(self.order)))
        return self.o(out[0] if isinstance(out, tuple) else out)


def check(model: nn.Module, states: int, operations: dict[str, int], *, fires: bool = True):
    """Assert state, updates, exact operations, and that what follows sees the neuron's output as spikes."""
    torch.manual_seed(1)
    work = counted(model, torch.randn(4, CHANNELS, STEPS) * 9)
    (layer,) = [one for one in work.layers if one.kind == "neuron"]
    assert work.complete, work.uncounted
    assert (layer.state_elements, layer.state_reads) == (states, states * STEPS)
    assert sum(one.state_elements for one in work.layers) == states
    assert (layer.updates_active.mean, layer.updates_idle.mean) == (UPDATES, 0)
    assert layer.input_events.mean == UPDATES
    found = {what: count.mean for what, count in layer.operations.items()}
    spikes = 0.0
    if fires:
        spikes = layer.output_events.mean
        assert spikes > 0, "a silent layer shows nothing"
        following = next(one for one in work.layers if one.name == "o")
        assert following.input_events.mean == spikes
        assert following.products.effective.multiply_accumulate.total == 0
        assert (layer.output_bits, following.activation_bits) == (1, 1)
    expected = {what: number + (spikes if what == "reset" else 0) for what, number in operations.items()}
    assert found == expected
    return layer


def membrane(**more: int) -> dict[str, int]:
    return {"add": UPDATES, "compare": UPDATES, **more}


TIME_FIRST, BATCH_FIRST = (2, 0, 1), (0, 2, 1)


@pytest.mark.parametrize("many", [False, True], ids=["step", "steps"])
@pytest.mark.parametrize(
    ("kind", "options", "operations"),
    [
        ("IFNode", {}, membrane()),
        ("LIFNode", {}, membrane(leak=UPDATES, multiply=UPDATES)),
        ("LIFNode", {"decay_input": False}, membrane(leak=UPDATES)),
        ("LIFNode", {"v_reset": None}, membrane(leak=UPDATES, multiply=UPDATES, reset=0)),
        ("LIFNode", {"v_reset": -0.5}, membrane(leak=UPDATES, multiply=UPDATES) | {"add": 2 * UPDATES}),
        ("ParametricLIFNode", {}, membrane(leak=UPDATES, multiply=UPDATES)),
    ],
)
def test_spikingjelly(kind, options, operations, many):
    library("spikingjelly")
    neuron = importlib.import_module("spikingjelly.activation_based.neuron")
    made = getattr(neuron, kind)(step_mode="m" if many else "s", **options)
    check(Whole(made, TIME_FIRST) if many else Loop(made), HIDDEN, operations)


def test_membranes_of_spikingjelly_are_signals():
    library("spikingjelly")
    neuron = importlib.import_module("spikingjelly.activation_based.neuron")

    class Potential(Loop):
        def forward(self, x):
            for t in range(x.shape[-1]):
                self.n(self.f(x[..., t]))
            return self.o(self.n.v)

    work = counted(Potential(neuron.LIFNode(v_threshold=1e9)), torch.randn(4, CHANNELS, STEPS))
    assert work.complete
    assert work.products.dense_full.mean == STEPS * 30 + 10


def test_a_smooth_function_in_place_of_spikes_is_not_called_a_spike():
    library("spikingjelly")
    neuron = importlib.import_module("spikingjelly.activation_based.neuron")
    surrogate = importlib.import_module("spikingjelly.activation_based.surrogate")
    made = neuron.LIFNode(surrogate_function=surrogate.Sigmoid(spiking=False))
    assert library_dynamics(made) is None


@pytest.mark.parametrize("many", [False, True], ids=["cell", "layer"])
@pytest.mark.parametrize(
    ("kind", "states", "operations"),
    [
        ("LIF", 2, membrane(leak=2 * UPDATES, multiply=UPDATES) | {"add": 2 * UPDATES}),
        ("LI", 2, {"add": 2 * UPDATES, "leak": 2 * UPDATES, "multiply": UPDATES}),
        ("LIFBox", 1, membrane(leak=UPDATES, multiply=UPDATES)),
        ("LIBox", 1, {"add": UPDATES, "leak": UPDATES, "multiply": UPDATES}),
        ("IAF", 1, membrane()),
    ],
)
def test_norse(kind, states, operations, many):
    library("norse")
    norse = importlib.import_module("norse.torch")
    kinds = [getattr(norse, f"{kind}Cell"), getattr(norse, kind, None)]
    if kinds[many] is None:
        pytest.skip("Norse has no such layer")
    model = Whole(kinds[1](), TIME_FIRST) if many else Loop(kinds[0]())
    with torch.no_grad():
        model.f.weight.mul_(20)
    check(model, states * HIDDEN, operations, fires="compare" in operations)


def test_adaptive_neurons_of_norse():
    library("norse")
    norse = importlib.import_module("norse.torch")
    model = Loop(norse.LSNNCell())
    with torch.no_grad():
        model.f.weight.mul_(20)
    work = counted(model, torch.randn(4, CHANNELS, STEPS) * 9)
    (layer,) = [one for one in work.layers if one.kind == "neuron"]
    assert layer.state_elements == 3 * HIDDEN
    assert layer.operations["leak"].mean == 3 * UPDATES
    assert layer.output_events.total > 0
    assert layer.operations["add"].total == 4 * 3 * UPDATES + layer.output_events.total


@pytest.mark.parametrize("kind", ["LIFRecurrentCell", "LSNNRecurrentCell"])
def test_recurrent_cells_of_norse_are_counted_operation_by_operation(kind):
    library("norse")
    norse = importlib.import_module("norse.torch")

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.n, self.o = getattr(norse, kind)(CHANNELS, HIDDEN), nn.Linear(HIDDEN, 2)

        def forward(self, x):
            state = None
            for t in range(x.shape[-1]):
                spikes, state = self.n(x[..., t], state)
            return self.o(spikes)

    work = counted(Recurrent(), torch.randn(4, CHANNELS, STEPS) * 9)
    assert work.complete
    assert work.products.dense_full.mean == STEPS * (30 + 25) + 10
    recurrent = next(one for one in work.layers if one.name == "n.recurrent_weights")
    assert recurrent.products.effective.multiply_accumulate.total == 0
    held = {one.state_bits: one.state_elements for one in work.layers if one.state_elements}
    assert held[32] == HIDDEN * (3 if "LSNN" in kind else 2)


@pytest.mark.parametrize(
    ("kind", "options", "states", "operations"),
    [
        ("LIF", {"norm_input": False}, 1, membrane(leak=UPDATES, reset=0)),
        ("LIF", {}, 1, membrane(leak=UPDATES, multiply=UPDATES, reset=0)),
        ("LIF", {"min_v_mem": -1.0}, 1, membrane(leak=UPDATES, multiply=UPDATES, reset=0) | {"compare": 2 * UPDATES}),
        (
            "LIF",
            {"tau_syn": 10.0},
            2,
            membrane(leak=2 * UPDATES, multiply=UPDATES, reset=0) | {"add": 2 * UPDATES},
        ),
        ("IAF", {}, 1, membrane(reset=0)),
        ("ExpLeak", {"norm_input": True}, 1, {"add": UPDATES, "leak": UPDATES, "multiply": UPDATES}),
    ],
)
def test_sinabs(kind, options, states, operations):
    library("sinabs")
    layers = importlib.import_module("sinabs.layers")
    spikes = importlib.import_module("sinabs.activation").SingleSpike
    given = {} if kind == "ExpLeak" else {"spike_fn": spikes}
    given |= {} if kind == "IAF" else {"tau_mem": 20.0}
    model = Whole(getattr(layers, kind)(**given, **options), BATCH_FIRST)
    with torch.no_grad():
        model.f.weight.mul_(5)
    check(model, states * HIDDEN, operations, fires=kind != "ExpLeak")


def test_several_spikes_a_step_are_numbers():
    library("sinabs")
    layers = importlib.import_module("sinabs.layers")
    work = counted(Whole(layers.IAF(), BATCH_FIRST), torch.randn(4, CHANNELS, STEPS) * 9)
    (layer,) = [one for one in work.layers if one.kind == "neuron"]
    following = next(one for one in work.layers if one.name == "o")
    assert following.products.effective.multiply_accumulate.total > 0  # two or more spikes at once
    assert following.products.effective.accumulate.total > 0
    assert layer.operations["add"].mean == 2 * UPDATES  # a current, and rounding down
    assert layer.output_bits == 32


def test_examples_and_steps_on_one_axis():
    library("sinabs")
    layers = importlib.import_module("sinabs.layers")

    class Squeezed(Whole):
        def forward(self, x):
            self.n.batch_size = len(x)
            return self.o(self.n(self.f(x.transpose(1, 2).flatten(0, 1)))).unflatten(0, (len(x), -1))[:, -1]

    signal = torch.randn(4, CHANNELS, STEPS) * 9
    torch.manual_seed(0)
    plain = Whole(layers.IAF(), BATCH_FIRST)
    squeezed = Squeezed(layers.IAFSqueeze(batch_size=1), BATCH_FIRST)
    squeezed.load_state_dict(plain.state_dict(), strict=False)
    one, other = (
        next(layer for layer in counted(net, signal).layers if layer.kind == "neuron") for net in (plain, squeezed)
    )
    assert (one.operations, one.output_events, one.state_elements) == (
        other.operations, other.output_events, other.state_elements
    )  # fmt: skip


def named(path: str, forward, **attributes) -> nn.Module:
    """Return a module of a class that has a library's name."""
    module, _, name = path.rpartition(".")
    kind = type(name, (nn.Module,), {"__module__": module, "forward": forward})
    made = kind()
    for key, value in attributes.items():
        setattr(made, key, value)
    return made


def test_a_class_of_the_name_is_counted_without_the_library():
    def forward(self, x):
        v = torch.zeros_like(x[0])
        spikes = []
        for now in x:
            v = 0.5 * v + now
            fired = (v >= 1).float()
            v = v - fired
            spikes.append(fired)
        self.v = v
        return torch.stack(spikes)

    made = named(
        "spikingjelly.activation_based.neuron.lif.LIFNode", forward, tau=2.0, decay_input=False, v_threshold=1.0,
        v_reset=None, step_mode="m", surrogate_function=SimpleNamespace(spiking=True),
    )  # fmt: skip
    check(Whole(made, TIME_FIRST), HIDDEN, membrane(leak=UPDATES, reset=0))


def test_a_derived_class_has_no_description():
    made = named("norse.torch.module.lif.LIFCell", lambda self, x: x)
    derived = type("Mine", (type(made),), {"__module__": "mine"})()
    assert library_dynamics(derived) is None
    assert "norse.torch.module.lif.LIFCell" in DESCRIBED
