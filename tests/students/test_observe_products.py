"""Exact products: against a counter that loops over every multiplication, on random shapes (property)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from counting_oracle import RULES, convolution, gru_states, linear
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from energy_models.workload import LayerWork, Workload
from students.counting import observe

QUICK = settings(max_examples=25, deadline=None)


def seen(model: nn.Module, inputs: torch.Tensor, **options: object) -> Workload:
    chosen = {"name": "net", "mode": "window", "step_rate_hz": 100.0, "input_bits": 32, **options}
    return observe(model, inputs, **chosen)  # type: ignore[arg-type]


def sites(layer: LayerWork) -> tuple[tuple[int, int], ...]:
    assert layer.products is not None
    rules = (getattr(layer.products, rule) for rule in RULES)
    return tuple((one.multiply_accumulate.total, one.accumulate.total) for one in rules)


def signal(seed: int, *shape: int) -> torch.Tensor:
    """Zeros, ones, minus ones and other numbers, all often."""
    return torch.from_numpy(np.random.default_rng(seed).choice([-1.0, 0.0, 0.0, 1.0, 0.5, -2.3], shape)).float()


def pruned(model: nn.Module, seed: int) -> nn.Module:
    """About half of all weights zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "weight" in name:
                parameter.mul_(torch.rand(parameter.shape, generator=generator) < 0.5)
    return model


def added(parts: list[tuple[tuple[int, int], ...]]) -> tuple[tuple[int, int], ...]:
    return tuple((sum(p[i][0] for p in parts), sum(p[i][1] for p in parts)) for i in range(len(RULES)))


@QUICK
@given(data=st.data())
def test_conv1d_against_every_multiplication(data: st.DataObject) -> None:
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    groups, seed = draw(1, 3), draw(0, 10**6)
    channels, outputs, kernel, stride, dilation = (
        groups * draw(1, 2),
        groups * draw(1, 2),
        draw(1, 4),
        draw(1, 3),
        draw(1, 2),
    )
    padding = draw(0, 3)
    steps = dilation * (kernel - 1) + 1 + draw(0, 5)
    layer = nn.Conv1d(channels, outputs, kernel, stride, padding, dilation, groups)
    model, inputs = pruned(layer, seed), signal(seed, 3, channels, steps)
    found = seen(model, inputs)
    weight = layer.weight.detach().numpy()
    true = [
        convolution(x, weight, (stride,), (dilation,), ((padding, padding),), groups).as_tuple() for x in inputs.numpy()
    ]
    assert found.uncounted == ()
    assert sites(found.layers[0]) == added(true)
    # Every decode's own count, not only their sum, enters the squares.
    squares = sum((one[3][0]) ** 2 for one in true)
    assert found.layers[0].products.effective.multiply_accumulate.squares == squares


@QUICK
@given(data=st.data())
def test_conv2d_with_same_padding_against_every_multiplication(data: st.DataObject) -> None:
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    seed, kernel, dilation = draw(0, 10**6), (draw(1, 3), draw(1, 4)), (1, draw(1, 2))
    layer = nn.Conv2d(2, 4, kernel, padding="same", dilation=dilation, groups=draw(1, 2))
    model, inputs = pruned(layer, seed), signal(seed, 2, 2, draw(1, 4), draw(1, 6))
    spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    pads = tuple((span // 2, span - span // 2) for span in spans)
    weight = layer.weight.detach().numpy()
    true = [convolution(x, weight, (1, 1), dilation, pads, layer.groups).as_tuple() for x in inputs.numpy()]
    assert sites(seen(model, inputs).layers[0]) == added(true)


@QUICK
@given(before=st.integers(0, 4), after=st.integers(0, 4), seed=st.integers(0, 10**6))
def test_zeros_put_around_a_signal_beforehand_are_padding_too(before: int, after: int, seed: int) -> None:
    layer = nn.Conv1d(2, 3, 3)
    model = nn.Sequential(nn.ConstantPad1d((before, after), 0.0), layer)
    inputs = signal(seed, 2, 2, 5)
    weight = layer.weight.detach().numpy()
    true = [convolution(x, weight, (1,), (1,), ((before, after),), 1).as_tuple() for x in inputs.numpy()]
    work = seen(model, inputs).layers[0]
    assert sites(work) == added(true)
    assert work.input_shape == (2, 5)


@QUICK
@given(
    lead=st.lists(st.integers(1, 3), max_size=2),
    inputs=st.integers(1, 5),
    outputs=st.integers(1, 4),
    seed=st.integers(0, 10**6),
)
def test_linear_against_every_multiplication(lead: list[int], inputs: int, outputs: int, seed: int) -> None:
    layer = pruned(nn.Linear(inputs, outputs), seed)
    x = signal(seed, 3, *lead, inputs)
    found = seen(layer, x).layers[0]
    assert sites(found) == linear(x.numpy(), layer.weight.detach().numpy()).as_tuple()
    assert found.operations["add"].total == 3 * int(np.prod(lead, dtype=int)) * outputs  # one bias each


@QUICK
@given(steps=st.integers(1, 5), inputs=st.integers(1, 4), units=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_gru_against_every_multiplication(steps: int, inputs: int, units: int, seed: int) -> None:
    layer = pruned(nn.GRU(inputs, units, batch_first=True), seed)
    weights = {name.removesuffix("_l0"): value.detach().double().numpy() for name, value in layer.named_parameters()}
    x = signal(seed, 2, steps, inputs)
    work = {one.name: one for one in seen(layer, x).layers}
    states = np.stack([gru_states(one, weights) for one in x.double().numpy()])
    assert sites(work["gru.input"]) == linear(x.numpy(), weights["weight_ih"]).as_tuple()
    assert sites(work["gru.hidden"]) == linear(states, weights["weight_hh"]).as_tuple()
    # Hand-worked, per unit and step: 2 sigmoids and 1 tanh; reset * candidate and update * (h - n);
    # three sums of input and hidden, two for the update, and three biases of the hidden product.
    per_step = {name: count.mean / (units * steps) for name, count in work["gru.hidden"].operations.items()}
    assert per_step == {"lookup": 3.0, "multiply": 2.0, "add": 8.0}
    assert (work["gru.hidden"].state_reads, work["gru.hidden"].state_elements) == (units * steps, units)


def test_lstm_layers_and_directions_are_all_counted() -> None:
    # Hand-worked: I=5, H=4, T=7. Layer 0: 4H*(I+H) = 144 a step and direction; layer 1 reads 2H: 4H*(8+4) = 192.
    # Both directions, 7 steps: 2 * 7 * (144 + 192) = 4704.
    found = seen(nn.LSTM(5, 4, 2, bidirectional=True, batch_first=True), torch.randn(3, 7, 5))
    assert sum(layer.products.dense_full.total for layer in found.layers) == 3 * 4704
    assert found.complete
    assert len(found.layers) == 8
    assert sum(layer.weights + layer.biases for layer in found.layers) == 2 * (
        4 * 4 * (5 + 4) + 32 + 4 * 4 * (8 + 4) + 32
    )


def test_recurrent_outputs_are_those_of_torch() -> None:
    # Observing runs layers one by one: the numbers that flow on must be the same.
    torch.manual_seed(0)
    layer, captured = nn.GRU(3, 4, 2, bidirectional=True, batch_first=True).eval(), []

    class Keep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = layer

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out, state = self.cell(x)
            captured.append((out, state))
            return out

    x = torch.randn(2, 6, 3)
    seen(Keep(), x)
    with torch.no_grad():
        out, state = layer(x)
    torch.testing.assert_close(captured[0][0], out)
    torch.testing.assert_close(captured[0][1], state)


def test_cells_in_a_loop_equal_the_fused_layer() -> None:
    fused = nn.LSTM(3, 4, batch_first=True)
    cell = nn.LSTMCell(3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in fused.state_dict().items()})

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = cell

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            state = None
            for now in x.unbind(1):
                state = self.cell(now, state)
            return state[0]

    x = signal(1, 3, 5, 3)
    looped, whole = seen(Loop(), x).layers, seen(fused, x).layers
    assert [layer.calls for layer in looped] == [5, 5] == [layer.calls for layer in whole]
    assert [sites(layer) for layer in looped] == [sites(layer) for layer in whole]
    assert [layer.operations for layer in looped] == [layer.operations for layer in whole]


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_by_hand(heads: int) -> None:
    # Width 8, 5 tokens: in-projection 5*8*24 = 960, scores 5*5*8 = 200 over all heads, values 200, out 5*8*8 = 320.
    layer = nn.MultiheadAttention(8, heads, batch_first=True)

    class Self(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = layer

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.attention(x, x, x, need_weights=False)[0]

    found = seen(Self(), torch.randn(4, 5, 8))
    assert found.complete
    assert sum(one.products.dense_full.total for one in found.layers if one.products) == 4 * (960 + 200 + 200 + 320)
    softmax = next(one for one in found.layers if one.name.endswith("softmax"))
    assert softmax.operations["lookup"].mean == heads * 25


@QUICK
@given(seed=st.integers(0, 10**6))
def test_product_of_two_signals_against_every_multiplication(seed: int) -> None:
    class Outer(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.einsum("bik,bjk->bij", x, x.relu())

    x = signal(seed, 2, 3, 4)
    work = next(layer for layer in seen(Outer(), x).layers if layer.products)
    mac = ac = fed = both = 0
    for one in x.numpy():
        for left in one:
            for right in np.maximum(one, 0):
                for a, b in zip(left, right, strict=True):
                    hard = not ({float(a), float(b)} & {-1.0, 0.0, 1.0})
                    mac, ac = mac + hard, ac + (not hard)
                    fed, both = fed + (a != 0), both + (a != 0 and b != 0)
    assert sites(work)[0] == (mac, ac)
    assert (work.products.effective_input.total, work.products.effective.total) == (fed, both)


def test_functional_and_keyword_calls_and_shared_layers_are_seen() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(4, 4, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.one(input=self.one(x))
            return nn.functional.linear(x, self.one.weight[:2])

    found = seen(Shared(), torch.randn(3, 4))
    shared, part = found.layers
    assert (shared.name, shared.calls, shared.products.dense_full.mean) == ("one", 2, 32.0)
    assert (part.products.dense_full.mean, part.weights) == (8.0, 8)
    assert found.layers[0].weights_key == "one.weight"
    assert shared.weights == 16  # stored once


def test_a_convolution_says_its_kernel_and_other_layers_say_none() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 4, (1, 7)), nn.Conv2d(4, 8, (5, 1), groups=4), nn.Conv2d(8, 3, 1), nn.Flatten(), nn.Linear(18, 2)
    )
    window = seen(net, signal(1, 3, 1, 5, 12))
    assert [layer.kernel for layer in window.layers if layer.products] == [(1, 7), (5, 1), (1, 1), ()]
    stream = seen(nn.Conv1d(2, 4, 3), signal(1, 2, 2, 9), mode="stream")
    assert [layer.kernel for layer in stream.layers if layer.products] == [(3,)]
