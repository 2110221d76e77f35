"""Small modules that only spiking families use."""

from __future__ import annotations

from torch import Tensor, nn


class AnySpike(nn.Module):
    """One where a bin holds a spike, else zero."""

    def forward(self, counts: Tensor) -> Tensor:
        """Map counts to {0, 1}, same shape."""
        return (counts > 0).to(counts.dtype)


class MeanOverSteps(nn.Module):
    """The mean over a window: ``(batch, channels, steps)`` to ``(batch, channels)``."""

    def forward(self, signal: Tensor) -> Tensor:
        """Return the mean over the last axis."""
        return signal.mean(dim=-1)
