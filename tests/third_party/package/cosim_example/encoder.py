"""An input code: the logarithm of one more than the count."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from students.neurons.encoders import Encoder


class LogCounts(nn.Module):
    """``log(1 + count)``."""

    def forward(self, counts: Tensor) -> Tensor:
        """Map counts, same shape."""
        return torch.log1p(counts)


def _make(quantise_input: Callable[[], nn.Module]) -> nn.Module:
    return LogCounts()


ENCODER = Encoder("logarithm of counts", _make)
