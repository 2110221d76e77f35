"""Layers with complex weights: four real products for every complex one, two words a weight."""

from __future__ import annotations

import pytest
import torch
from counting_oracle import convolution, linear
from small_networks import Applied, weights
from test_observe_products import added, seen, signal, sites
from torch import Tensor, nn

COMPLEX = torch.complex64


class Complex(nn.Module):
    """A complex layer on a signal and its mirror image."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return torch.view_as_real(self.layer(torch.complex(x, x.flip(-1))))


@pytest.mark.parametrize(("stride", "padding", "groups"), [(1, 0, 1), (2, 1, 1), (1, 2, 2)])
def test_a_complex_convolution_is_four_real_ones(stride: int, padding: int, groups: int) -> None:
    layer = nn.Conv1d(2, 4, 3, stride=stride, padding=padding, groups=groups, dtype=COMPLEX)
    inputs = signal(1, 3, 2, 8)
    found = seen(Complex(layer), inputs)
    filters = torch.view_as_real(layer.weight.detach()).unbind(-1)
    expected = [
        convolution(part.numpy(), one.numpy(), (stride,), (1,), ((padding, padding),), groups).as_tuple()
        for x in inputs
        for part in (x, x.flip(-1))
        for one in filters
    ]
    products = [one for one in found.layers if one.products]
    assert added([sites(one) for one in products]) == added(expected)
    assert sum(one.weights for one in products) == 2 * layer.weight.numel()
    outputs = layer(torch.complex(inputs, inputs)).numel() // 3
    # Four partial sums become two (2 additions), the offset is complex (2).
    assert sum(one.operations["add"].total for one in found.layers if "add" in one.operations) == 3 * 4 * outputs
    assert found.complete


def test_counting_a_complex_convolution_changes_no_number() -> None:
    layer, inputs = nn.Conv1d(2, 4, 3, padding=1, dtype=COMPLEX), signal(2, 3, 2, 8)
    model, given = Complex(layer), []
    layer.register_forward_hook(lambda module, args, out: given.append(out.clone()))
    seen(model, inputs)
    torch.testing.assert_close(given[0], layer(torch.complex(inputs, inputs.flip(-1))).detach())


def test_a_complex_linear_layer_against_every_multiplication() -> None:
    layer, inputs = nn.Linear(6, 3, dtype=COMPLEX), signal(3, 4, 6)
    found = seen(Complex(layer), inputs)
    tables = [one.numpy() for one in torch.view_as_real(layer.weight.detach()).unbind(-1)]
    parts = [one.numpy() for one in (inputs, inputs.flip(-1))]
    (product,) = [one for one in found.layers if one.products]
    assert sites(product) == added([linear(part, table).as_tuple() for part in parts for table in tables])
    assert product.weights == 2 * 18
    assert found.complete


def test_a_weight_for_every_frequency() -> None:
    """The spectral layer of a Fourier neural operator: 2 channels to 3, 4 of 17 frequencies."""

    def mix(x: Tensor, table: Tensor) -> Tensor:
        kept = torch.fft.rfft(x)[..., :4]
        return torch.view_as_real(torch.einsum("bix,iox->box", kept, torch.view_as_complex(table)))

    found = seen(Applied(mix, weights(2, 3, 4, 2)), signal(4, 3, 2, 32))
    (product,) = [one for one in found.layers if one.products]
    assert product.products is not None
    assert product.products.dense_full.total == 3 * 4 * (2 * 3 * 4)
    assert product.weights == 2 * 2 * 3 * 4
    assert found.complete
