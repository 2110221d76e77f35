"""Delay lines without weights: sums of past bins, and a delay of its own for every channel.

Neither multiplies. What they keep from step to step, and what they read of it, is counted as state.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError


class PastSums(nn.Module):
    """Sums over blocks of bins that end with the newest one, ``(batch, channels, blocks, steps)``.

    Block `blocks` - 1 holds the newest `width` bins, block 0 the oldest; what lies before the recording is 0. Each step
    makes one new sum a channel, from the one before by adding the bin that came and subtracting the one that left, or
    from `width` bins where that takes fewer additions; the older sums wait in a delay line.

    Parameters
    ----------
    width : int
        Bins of a sum.
    blocks : int
        Sums kept, that of the newest bins included.
    """

    taps: Tensor

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        if width < 1 or blocks < 1:
            raise StudentError(
                f"{blocks} sums of {width} bins", where="PastSums", remedy="Use at least one sum of one bin"
            )
        self.width, self.blocks = width, blocks
        self.register_buffer("taps", torch.ones(1, 1, width), persistent=False)

    @property
    def _runs(self) -> int:
        """1 where the sum of the step before is gone on with, else 0."""
        return int(self.width > 3)

    @property
    def span(self) -> int:
        """Bins before the newest one that a step sees."""
        return self.width * self.blocks - 1

    @property
    def additions(self) -> int:
        """Additions and subtractions of a channel in a step."""
        return min(self.width - 1, 2)

    @property
    def words(self) -> int:
        """Numbers a channel keeps from step to step: bins of the newest sum (and that sum, if it runs), older sums."""
        bins = self.width - 1 + self._runs
        return bins + self._runs + self.width * (self.blocks - 1)

    @property
    def reads(self) -> int:
        """Of them, those that are read in a step."""
        return self.additions + self.blocks - 1

    @property
    def writes(self) -> int:
        """Of them, those that are written in a step."""
        return int(self.width > 1) + self._runs + int(self.blocks > 1)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the sums, oldest first."""
        batch, channels, steps = signal.shape
        rows = functional.pad(signal.reshape(batch * channels, 1, steps), (self.width - 1, 0))
        sums = functional.conv1d(rows, self.taps.to(signal.dtype)).view(batch, channels, steps)
        before = functional.pad(sums, (self.width * (self.blocks - 1), 0))
        places = range(0, self.width * self.blocks, self.width)
        return torch.stack([before[..., place : place + steps] for place in places], dim=2)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"width={self.width}, blocks={self.blocks}"
