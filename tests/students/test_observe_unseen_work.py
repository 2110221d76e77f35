"""Work that a counter can lose from sight: threads, chance, failed rules, memory that is not plain, turned products."""

import random
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from energy_models.workload import Workload
from students.counting import observe, threads
from students.counting.rules import table


def counted(model: nn.Module, signal: torch.Tensor) -> Workload:
    return observe(model.eval(), signal, name="net", mode="window", step_rate_hz=100.0, input_bits=16)


def dense(model: nn.Module, signal: torch.Tensor) -> float:
    found = counted(model, signal)
    assert found.products is not None
    return found.products.dense_full.mean


class Applied(nn.Module):
    """A function of the signal and a module that holds two linear layers."""

    def __init__(self, function) -> None:
        super().__init__()
        self.first, self.second, self.function = nn.Linear(6, 6), nn.Linear(6, 6), function

    def forward(self, signal):
        return self.function(self, signal)


def pooled(net, signal):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda layer: layer(signal), (net.first, net.second))
    return first + second


def in_thread(net, signal):
    out = []
    worker = threading.Thread(target=lambda: out.append(signal @ net.first.weight))
    worker.start()
    worker.join()
    return net.second(signal) + out[0]


def in_pool(net, signal):
    with ThreadPool(1) as pool:
        return net.second(signal) + pool.map(lambda one: one @ net.first.weight, [signal])[0]


def test_tasks_of_a_thread_pool_are_counted():
    original = ThreadPoolExecutor.submit
    found = counted(Applied(pooled), torch.randn(2, 6))
    assert found.products is not None
    assert found.products.dense_full.mean == 2 * 36
    assert found.complete
    assert ThreadPoolExecutor.submit is original
    assert not threads._own


@pytest.mark.parametrize("function", [in_thread, in_pool])
def test_other_threads_are_listed(function):
    found = counted(Applied(function), torch.randn(2, 6))
    assert "thread" in {one.operation for one in found.uncounted}


OWN, OLD = np.random.default_rng(3), np.random.RandomState(3)
PYTHONS = random.Random(3)  # noqa: S311


def closed_over():
    drawn = np.random.Generator(np.random.MT19937(3))
    return lambda net, x: net.first(x + float(drawn.random()))


CHANCE = {
    "rand": lambda net, x: net.first((torch.rand(x.shape) < x).float()),
    "rand_like": lambda net, x: net.first(x + torch.rand_like(x)),
    "randn with a generator": lambda net, x: net.first(x + torch.randn(6, generator=torch.Generator().manual_seed(1))),
    "bernoulli": lambda net, x: net.first(torch.bernoulli(x)),
    "poisson": lambda net, x: net.first(torch.poisson(x)),
    "multinomial": lambda net, x: net.first(x[:, torch.multinomial(torch.ones(6), 6)]),
    "permutation": lambda net, x: net.first(x[:, torch.randperm(6)]),
    "normal in place": lambda net, x: net.first(x + torch.empty_like(x).normal_()),
    "dropout": lambda net, x: net.first(functional.dropout(x, 0.5, training=True)),
    "dropout1d": lambda net, x: net.first(functional.dropout1d(x, 0.5, training=True)),
    "rrelu": lambda net, x: net.first(functional.rrelu(x - 0.5, training=True)),
    "gumbel": lambda net, x: functional.gumbel_softmax(net.first(x)),
    "numpy": lambda net, x: net.first(x + torch.from_numpy(np.random.rand(6).astype("float32"))),
    "python": lambda net, x: net.first(x * random.random()),  # noqa: S311
    "a generator of numpy": lambda net, x: net.first(x + float(OWN.standard_normal())),
    "an old one of numpy": lambda net, x: net.first(x + float(OLD.rand())),
    "a generator of Python": lambda net, x: net.first(x + PYTHONS.gauss()),
    "one closed over": closed_over(),
}


@pytest.mark.parametrize("function", CHANCE.values(), ids=CHANCE.keys())
def test_random_numbers_are_listed(function):
    found = counted(Applied(function), torch.full((2, 6), 0.5))
    assert any("random numbers" in one.reason for one in found.uncounted)


def test_a_generator_that_a_module_holds_is_listed_where_it_is_drawn_from():
    net = Applied(lambda net, x: net.first(x + float(net.drawn.random())))
    net.drawn = np.random.default_rng(0)
    assert not counted(net, torch.ones(2, 6)).complete
    net.function = lambda net, x: net.first(x)
    assert counted(net, torch.ones(2, 6)).complete


def test_chance_that_plays_no_part_in_evaluation_is_not_listed():
    net = nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5), nn.RReLU(), nn.Linear(6, 2))
    assert counted(net, torch.randn(2, 6)).complete


def test_a_rule_that_fails_is_listed_and_the_model_runs_on(monkeypatch):
    rules = table.all_rules()

    def broken(tracer, call):
        call.run()
        raise KeyError("a fault of the counter")

    monkeypatch.setattr(sys.modules["students.counting.observe"], "all_rules", lambda: {**rules, "relu": broken})
    found = counted(Applied(lambda net, x: net.second(torch.relu_(net.first(x)))), torch.randn(2, 6))
    assert any(one.operation == "relu_" and "KeyError" in one.reason for one in found.uncounted)
    assert sum(layer.products.dense_full.mean for layer in found.layers if layer.products) == 72


def test_sparse_weights_are_listed():
    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("w", torch.eye(6).to_sparse())

        def forward(self, signal):
            return torch.sparse.mm(self.w, signal.T).T

    assert not counted(Sparse(), torch.randn(2, 6)).complete


def test_nested_tensors_are_listed():
    def nested(net, signal):
        rows = torch.nested.nested_tensor(list(signal))
        return net.first(torch.nested.to_padded_tensor(rows, 0.0))

    assert not counted(Applied(nested), torch.randn(2, 6)).complete


class Turned(nn.Module):
    def __init__(self, function, *shape: int) -> None:
        super().__init__()
        self.w, self.function = nn.Parameter(torch.randn(*shape)), function

    def forward(self, signal):
        return self.function(self.w, signal)


def test_constants_on_the_left_of_a_product_count_with_decodes_on_the_last_axis():
    assert dense(Turned(lambda w, x: (w @ x.T).T, 3, 4), torch.randn(2, 4)) == 12
    flat = Turned(lambda w, x: (w @ x.permute(1, 2, 0).flatten(1)).reshape(3, 5, -1).permute(2, 0, 1), 3, 4)
    assert dense(flat, torch.randn(2, 4, 5)) == 60
    added = Turned(lambda w, x: torch.addmm(torch.ones(5, 1), w, x.transpose(0, 1).flatten(1)).T, 5, 5)
    assert dense(added, torch.randn(2, 5, 4)) == 100
    covariance = Turned(lambda w, x: torch.stack([torch.cov(one) for one in x]) * w, 4, 4)
    assert dense(covariance, torch.randn(2, 4, 20)) == 4 * 4 * 20


class Parallel(nn.Module):
    """A parallel spiking neuron as SpikingJelly writes it: ``S = (W X + b >= 0)`` over steps, which stand first.

    Fang et al. 2023, arXiv 2304.12760. Masked: no weight reads a later step.
    """

    def __init__(self, steps: int, outputs: int, *, masked: bool) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(steps, steps)), nn.Parameter(torch.zeros(steps, 1))
        self.register_buffer("mask", torch.ones(steps, steps).tril() if masked else torch.ones(steps, steps))
        self.following = nn.Linear(outputs, 2, bias=False)

    def forward(self, signal):
        first = signal.transpose(0, 1)
        currents = torch.addmm(self.bias, self.weight * self.mask, first.flatten(1))
        spikes = (currents >= 0).to(first).view(first.shape)
        return self.following(spikes.transpose(0, 1).flatten(2))


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
@pytest.mark.parametrize(("masked", "taps"), [(False, 25), (True, 15)])
def test_a_parallel_spiking_neuron(shape, masked, taps):
    """5 x 5 weights of the steps for each of 4 or 6 neurons, a threshold; what follows adds where there are spikes."""
    torch.manual_seed(0)
    neurons = int(np.prod(shape))
    found = counted(Parallel(5, neurons, masked=masked), torch.randn(3, 5, *shape))
    assert found.complete, found.uncounted
    neuron, following = (layer for layer in found.layers if layer.products is not None)
    assert neuron.products.dense_full.mean == 25 * neurons
    assert neuron.products.effective.multiply_accumulate.mean == taps * neurons
    assert (neuron.weights, sum(layer.weights for layer in found.layers)) == (25, 25 + 2 * neurons)
    assert sum(layer.state_elements for layer in found.layers) == 0  # all steps are there at once
    assert following.products.dense_full.mean == 5 * 2 * neurons
    assert following.products.effective.multiply_accumulate.mean == 0
    assert 0 < following.products.effective.accumulate.mean < 5 * 2 * neurons


@pytest.mark.parametrize(
    ("function", "operations"),
    [
        (lambda w, x: x.abs() ** w, {"compare": 6, "lookup": 6}),
        (lambda w, x: w**x, {"lookup": 6}),
        (lambda w, x: 2**x, {"lookup": 6}),
        (lambda w, x: x**2 + w, {"multiply": 6, "add": 6}),
    ],
)
def test_powers(function, operations):
    found = counted(Turned(function, 6), torch.rand(2, 6) + 1)
    totals: dict[str, float] = {}
    for layer in found.layers:
        for name, count in layer.operations.items():
            totals[name] = totals.get(name, 0) + count.mean
    assert found.complete
    assert totals == operations


def test_a_mask_held_as_a_buffer_is_stored_in_bits():
    class Masked(nn.Module):
        def __init__(self, how) -> None:
            super().__init__()
            self.register_buffer("keep", torch.ones(6, 6, dtype=torch.bool).tril())
            self.how = how

        def forward(self, signal):
            return self.how(self.keep, signal)

    signal = torch.randn(2, 6, 6)
    ways = (
        lambda keep, x: x.masked_fill(keep, 0.0),
        lambda keep, x: torch.where(keep, x, 0.0),
        lambda keep, x: x * keep,
        lambda keep, x: functional.scaled_dot_product_attention(x, x, x, attn_mask=keep),
    )
    for way in ways:
        found = counted(Masked(way), signal)
        assert sum(layer.constants * layer.constant_bits for layer in found.layers) == 36


class Padded(nn.Module):
    def __init__(self, how) -> None:
        super().__init__()
        self.c, self.how = nn.Conv1d(2, 3, 4), how

    def forward(self, signal):
        return self.c(self.how(signal))


def _written(signal):
    around = torch.zeros(len(signal), 2, 15)
    around[..., 3:13] = signal
    return around


ZEROS = {
    "pad": lambda x: functional.pad(x, (3, 2)),
    "cat": lambda x: torch.cat([x.new_zeros(len(x), 2, 3), x, x.new_zeros(len(x), 2, 2)], -1),
    "zeros written over": _written,
}


@pytest.mark.parametrize("how", ZEROS.values(), ids=ZEROS.keys())
def test_padding_is_padding_however_its_zeros_were_written(how):
    found = counted(Padded(how), torch.randn(2, 2, 10))
    assert found.products is not None
    assert found.products.dense_full.mean == 12 * 6 * 4
    # Taps on the three zeros before: 3 + 2 + 1; on the two after: 2 + 1.
    assert found.products.dense_valid.mean == (12 * 4 - 6 - 3) * 6


@pytest.mark.parametrize(
    ("function", "products", "additions"),
    [
        (lambda net, x: torch.cat((net.second(x) @ net.first.weight.T[:, :0], x), 1), 36, 6),
        (lambda net, x: x[:, :0] @ net.first.weight[:0] + x, 0, 6),
        (lambda net, x: functional.linear(x[:, :0], net.first.weight[:, :0], net.first.bias) + x, 0, 12),
    ],
    ids=["no outputs", "nothing to add up", "a bias alone"],
)
def test_products_of_nothing_are_none(function, products, additions):
    found = counted(Applied(function), torch.randn(3, 6))
    assert found.complete, found.uncounted
    assert found.products is not None
    assert found.products.dense_full.mean == products
    assert sum(layer.operations["add"].mean for layer in found.layers if "add" in layer.operations) == additions
