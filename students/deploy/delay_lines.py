"""Sums of past bins, which keep the newest bins and the older sums from step to step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from students.deploy.ranges import Integers, Range


@dataclass(frozen=True, slots=True)
class PastSums:
    """Sums over blocks of bins that end with the newest one; before the first step all bins are 0.

    Parameters
    ----------
    name, source : str
    result : Range
        Shape (channels * blocks, steps), the blocks of a channel side by side, the oldest first.
    width : int
        Bins of a sum.
    blocks : int
        Sums of a channel.
    words : int
        Numbers that a channel keeps from step to step, as `students.layers.PastSums` says.
    """

    name: str
    source: str
    result: Range
    width: int
    blocks: int
    words: int

    @property
    def channels(self) -> int:
        """Channels of the source."""
        return self.result.shape[0] // self.blocks

    @property
    def span(self) -> int:
        """Bins before the newest one that a step sees."""
        return self.width * self.blocks - 1

    def run(self, signal: Integers) -> Integers:
        """Return the sums of a signal of shape (examples, channels, steps)."""
        examples, channels, steps = signal.shape
        totals = np.pad(signal.cumsum(axis=2), ((0, 0), (0, 0), (self.span + 1, 0)))  # of all bins up to each step
        edges = [totals[:, :, place * self.width :][:, :, :steps] for place in range(self.blocks + 1)]
        sums = [newer - older for older, newer in pairwise(edges)]
        return np.stack(sums, axis=2).reshape(examples, channels * self.blocks, steps)
