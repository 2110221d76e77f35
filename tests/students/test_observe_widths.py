"""Widths of what is calculated from spikes and from integers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from test_observe_products import seen, signal
from torch import Tensor, nn

from students.counting import observe


def test_spikes_that_are_calculated_with_are_numbers() -> None:
    """(bits of the linear layer's input) after an average, a sum over 6, a residual, a gain, and after a maximum."""

    class Read(nn.Module):
        def __init__(self, change: Callable[[Tensor], Tensor], inputs: int) -> None:
            super().__init__()
            self.change, self.read = change, nn.Linear(inputs, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.read(self.change((x > 0).float()))

    widths = [
        seen(Read(change, inputs), signal(5, 3, 6, 8)).layers[-1].activation_bits
        for change, inputs in (
            (lambda spikes: nn.functional.avg_pool1d(spikes, 2), 4),
            (lambda spikes: spikes.sum(1), 8),  # 0 to 6: 3 bits
            (lambda spikes: spikes + spikes.flip(-1), 8),
            (lambda spikes: spikes * 0.7, 8),
            (lambda spikes: spikes.amax(1), 8),
            (lambda spikes: spikes * spikes.flip(-1), 8),
        )
    ]
    assert widths == [32, 3, 32, 32, 1, 1]


def test_a_sum_of_integers_is_as_wide_as_it_can_become() -> None:
    class Counted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.read(x.sum(-1))

    bins = torch.randint(0, 255, (3, 6, 50)).float()
    # 50 x 255 = 12750 < 2^14
    assert seen(Counted(), bins, input_bits=8).layers[-1].activation_bits == 14


def test_weights_kept_in_half_precision_are_stored_as_they_are():
    """8 x 4 weights and 4 offsets of 16 bits, made floats on the way to the product."""

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f = nn.Linear(8, 4).half()

        def forward(self, x):
            return nn.functional.linear(x, self.f.weight.float(), self.f.bias.float())

    work = observe(Half(), torch.randn(3, 8), name="net", mode="window", step_rate_hz=50.0, input_bits=16)
    (layer,) = work.layers
    assert (layer.weights, layer.weight_bits, layer.biases, layer.bias_bits) == (32, 16, 4, 16)
    assert work.complete
