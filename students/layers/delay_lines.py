"""Delay lines without weights: sums of past bins, and a delay of its own for every channel.

Neither multiplies. What they keep from step to step, and what they read of it, is counted as state.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
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


class Delays(nn.Module):
    """A learned delay of whole steps for every channel (axonal delays), of ``(batch, channels, steps)``.

    The method is that of dilated convolutions with learnable spacings (Khalfaoui-Hassani et al. 2021, arXiv 2112.03740;
    for spiking networks Hammouamri et al. 2023, arXiv 2306.17670) with one tap a channel, rounded throughout. Forward,
    in training too, each channel waits for the whole number of steps nearest to its position, so that what is trained
    is what is deployed. Backward, its position gets the gradient of the linear interpolation between two neighbours.

    Parameters
    ----------
    channels : int
    most : int
        Longest delay [steps]. Positions start uniformly between 0 and this.
    """

    def __init__(self, channels: int, most: int) -> None:
        super().__init__()
        if channels < 1 or most < 1:
            raise StudentError(
                f"{channels} channels that wait for up to {most} steps", where="Delays",
                remedy="Use at least one channel and one step",
            )
        self.channels, self.most = channels, most
        self.position = nn.Parameter(torch.rand(channels) * most)

    @property
    def steps(self) -> Tensor:
        """Delay of each channel, int64, shape (channels,)."""
        return self.position.detach().clamp(0, self.most).round().to(torch.int64)

    def forward(self, signal: Tensor) -> Tensor:
        """Return each channel as it was so many steps ago; before the first step it was 0."""
        if signal.ndim != 3 or signal.shape[1] != self.channels:
            raise StudentError(
                f"delays of {self.channels} channels were given a signal of shape {tuple(signal.shape)}",
                where="Delays", remedy="Give them the channels they will see",
            )
        return _Delayed.apply(signal, self.position.clamp(0, self.most))  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}, most={self.most}"


class _Delayed(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, signal: Tensor, position: Tensor) -> Tensor:
        context.save_for_backward(signal, position)
        return _shifted(signal, position.round().to(torch.int64))

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:  # type: ignore[override]
        signal, position = context.saved_tensors
        of_signal = of_position = None
        if context.needs_input_grad[0]:
            of_signal = _shifted(gradient, -position.round().to(torch.int64))
        if context.needs_input_grad[1]:
            below = position.floor().to(torch.int64)
            slope = _shifted(signal, below + 1) - _shifted(signal, below)
            of_position = (gradient * slope).sum((0, 2))
        return of_signal, of_position


def _shifted(signal: Tensor, steps: Tensor) -> Tensor:
    """Return each channel moved to later steps, or earlier ones, by so many; zeros come in."""
    place = torch.arange(signal.shape[2], device=signal.device) - steps[:, None]
    inside = (place >= 0) & (place < signal.shape[2])
    rows = place.clamp(0, max(signal.shape[2] - 1, 0)).expand(signal.shape)
    return signal.gather(2, rows) * inside
