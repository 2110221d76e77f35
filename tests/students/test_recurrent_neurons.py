"""Recurrent leaky neurons as a layer: steps by hand, state handed on, counted as snnTorch's are, made by layers."""

from __future__ import annotations

import pytest
import snntorch
import torch
from test_observe_networks import by_name
from test_observe_products import seen
from test_observe_snntorch import figures
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.layers import FloatLayers
from students.neurons import RecurrentLIF, RecurrentLIFModel, ZeroInitialState

WIRINGS = ("all to all", "one to one")


def test_recurrent_neurons_hand_worked() -> None:
    """beta .5, threshold 1, a hears b with weight 2.

    b: 2 (fires), 1 + 0 - 1 = 0, 0, 0. a: 0, 0 + 2 = 2 (fires), 1 - 1 = 0, 0.
    """
    layer = RecurrentLIF(2, 0.5, 1.0)
    layer.recurrent.weight.data = torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    spikes, state = layer(torch.tensor([[[0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]]]))
    assert spikes.tolist() == [[[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]]
    assert state.tolist() == [[0.0, 0.0]]


def test_a_neuron_that_hears_itself_hand_worked() -> None:
    """beta .5, threshold 1, weight 1, reset to zero: 2 (fires), 0 (all currents lost), .5, .25 + 1 = 1.25 (fires)."""
    layer = RecurrentLIF(1, 0.5, 1.0, wiring="one to one", reset="zero")
    spikes, state = layer(torch.tensor([[[2.0, 5.0, 0.5, 1.0]]]))
    assert spikes.tolist() == [[[1.0, 0.0, 0.0, 1.0]]]
    assert state.tolist() == [[1.25]]


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_feeding_pieces_with_state_equals_feeding_all_at_once(wiring: str, reset: str) -> None:
    torch.manual_seed(2)
    current = torch.randn(3, 4, 17)
    layer = RecurrentLIF(4, 0.8, 0.5, wiring=wiring, reset=reset, parameters="of each neuron", bias="learned")
    whole, end = layer(current)
    state, pieces = None, []
    for piece in current.split([1, 7, 0, 9], dim=-1):
        out, state = layer(piece, state)
        pieces.append(out)
    assert torch.equal(torch.cat(pieces, -1), whole)
    assert torch.equal(state, end)


class Loop(nn.Module):
    """The same from ``snn.RLeaky`` in a Python loop."""

    def __init__(self, product: nn.Conv1d, layer: RecurrentLIF) -> None:
        super().__init__()
        self.product, width = nn.Linear(product.in_channels, product.out_channels, bias=False), layer.channels
        self.product.weight.data = product.weight.data[:, :, 0].clone()
        dense = isinstance(layer.recurrent, nn.Linear)
        self.neuron = snntorch.RLeaky(
            float(layer.beta), V=layer.recurrent.weight.data, all_to_all=dense, threshold=float(layer.threshold),
            linear_features=width if dense else None, reset_mechanism=layer.reset,
        )  # fmt: skip
        if dense:
            self.neuron.recurrent.weight.data = layer.recurrent.weight.data.clone()
            self.neuron.recurrent.bias = layer.recurrent.bias

    def forward(self, x: Tensor) -> Tensor:
        spikes, membrane, out = None, None, []
        for now in x.unbind(-1):
            current = self.product(now)
            if spikes is None:
                spikes, membrane = torch.zeros_like(current), torch.zeros_like(current)
            spikes, membrane = self.neuron(current, spikes, membrane)
            out.append(spikes)
        return torch.stack(out, -1)


@pytest.mark.parametrize("mode", ["window", "stream"])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_counted_as_snntorch_in_a_loop(wiring: str, reset: str, mode: str) -> None:
    torch.manual_seed(3)
    layer = RecurrentLIF(6, 0.8, 0.5, wiring=wiring, reset=reset)
    layer.recurrent.weight.data[0] = 0.0
    mine = nn.Sequential(nn.Conv1d(3, 6, 1, bias=False), ZeroInitialState(layer))
    other, x = Loop(mine[0], layer), torch.randn(4, 3, 15) * (torch.rand(4, 3, 15) < 0.4)
    assert torch.equal(mine(x), other(x))
    found, wanted = by_name(seen(mine, x, mode=mode)), by_name(seen(other, x, mode=mode))
    pairs = {"1.neurons": "neuron", "1.neurons.recurrent": "neuron.recurrent"}
    for name, theirs in pairs.items():
        assert figures(found[name]) == figures(wanted[theirs])
        assert found[name].kind == wanted[theirs].kind
    product = found["1.neurons.recurrent"].products
    assert product.dense_full.multiply_accumulate.total == 0
    assert product.effective.accumulate.total > 0
    assert seen(mine, x, mode=mode).complete
    assert seen(mine, x, mode=mode, batch_size=3).layers == seen(mine, x, mode=mode).layers


def test_a_state_that_has_just_fired_is_heard_and_counted() -> None:
    layer = RecurrentLIF(2, 0.5, 1.0)

    class Started(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x, state=torch.full_like(x[..., 0], 3.0))[0]

    work = by_name(seen(Started(), torch.zeros(1, 2, 1)))
    assert work["layer.recurrent"].input_events.total == 2
    assert work["layer.recurrent"].products.effective_input.accumulate.total == 4


def test_layers_make_them_and_they_learn() -> None:
    model = RecurrentLIFModel(0.9, 0.5, learnable="both", surrogate_alpha=5.0)
    torch.manual_seed(0)
    layers = FloatLayers()
    net = nn.Sequential(layers.conv1d(2, 8, 1, padding=0), layers.neurons(8, model), layers.conv1d(8, 1, 1, padding=0))
    x = torch.randn(16, 2, 20)
    wanted = x[:, :1].cumsum(-1).clamp(-1, 1)
    optimiser, losses = torch.optim.AdamW(net.parameters(), 1e-2), []
    for _ in range(60):
        loss = (net(x) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RecurrentLIF(2, 1.5, 1.0), "decay"),
        (lambda: RecurrentLIF(2, 0.9, 0.0), "threshold must be positive"),
        (lambda: RecurrentLIF(2, 0.9, 1.0)(torch.ones(1, 3, 4)), r"\(batch, 2, steps\), found \(1, 3, 4\)"),
    ],
)
def test_errors_say_what_and_where(make, words: str) -> None:
    with pytest.raises(StudentError, match=words):
        make()
