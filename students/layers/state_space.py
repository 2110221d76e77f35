"""State-space layers run one step at a time, as they are deployed: a state per channel decays and takes in the input.

Their loops are counted whole (`students.counting.modules.state_space`): each says what one step costs in
`sites_per_step`, `operations_per_step` and `state_words`. Values are computed in the fastest equivalent order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

BLOCK = 32
"""Steps per factor when powers of a decay are built as ``a^(32 q) a^r``."""


class SelectiveScan(nn.Module):
    """``h[t] = exp(D[t] A) h[t-1] + D[t] B[t] u[t]``, ``y[t] = C[t] h[t] + E u[t]`` (arXiv 2312.00752).

    One step of d channels with N states each: sites d N (decay times state) + d N (C times state); multiply d N (D A)
    + d (D u) + d N (B) + d (E u); look-up d N (exp); add d (E u). A is stored as its final negative value.

    Parameters
    ----------
    channels, states : int
    """

    def __init__(self, channels: int, states: int) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.zeros(channels, states))
        self.through = nn.Parameter(torch.zeros(channels))
        pairs = channels * states
        self.sites_per_step, self.state_words = 2 * pairs, pairs
        self.operations_per_step: Mapping[str, int] = {
            "multiply": 2 * pairs + 2 * channels, "lookup": pairs, "add": channels,
        }

    def reset_parameters(self) -> None:
        """Set decays -1, -2, ... as the reference does, and pass the input through."""
        self.decay.data.copy_(-torch.arange(1.0, self.decay.shape[1] + 1).expand_as(self.decay))
        nn.init.ones_(self.through)

    def forward(self, signal: Tensor, delta: Tensor, into: Tensor, out: Tensor) -> Tensor:
        """Return the outputs, shape (batch, steps, channels).

        Parameters
        ----------
        signal, delta : Tensor, shape (batch, steps, channels)
        into, out : Tensor, shape (batch, steps, states)
        """
        decays = torch.exp(delta.unsqueeze(-1) * self.decay)
        fed = (delta * signal).unsqueeze(-1) * into.unsqueeze(2)
        state = torch.zeros_like(fed[:, 0])
        outputs: list[Tensor] = []
        for step in range(signal.shape[1]):
            state = torch.addcmul(fed[:, step], decays[:, step], state)
            outputs.append((state @ out[:, step].unsqueeze(-1)).squeeze(-1))
        return torch.stack(outputs, 1) + signal * self.through


class DiagonalStateSpace(nn.Module):
    """``h[t] = a h[t-1] + u[t]``, ``y[t] = 2 Re(c h[t]) + e u[t]``, complex h (S4D, Gu et al. 2022, arXiv 2206.11893).

    One step of d channels with N complex states each: sites 4 d N (a times h) + 2 d N (real part of c times h) + d
    (e u); add d N (u enters the real part). a is stored as its final discrete value, the step size within.

    Parameters
    ----------
    channels, states : int
        Channels; complex states of each (half the real state size of the papers).
    """

    def __init__(self, channels: int, states: int) -> None:
        super().__init__()
        self.decay, self.frequency = (nn.Parameter(torch.zeros(channels, states)) for _ in range(2))
        self.read = nn.Parameter(torch.zeros(channels, states, 2))
        self.step, self.through = (nn.Parameter(torch.zeros(channels)) for _ in range(2))
        pairs = channels * states
        self.sites_per_step, self.state_words = 6 * pairs + channels, 2 * pairs
        self.operations_per_step: Mapping[str, int] = {"add": pairs}

    def reset_parameters(self) -> None:
        """Set ``a = exp(step (-1/2 + i pi n))`` and draw the rest."""
        nn.init.constant_(self.decay, 0.5)
        self.frequency.data.copy_(math.pi * torch.arange(self.frequency.shape[1]).expand_as(self.frequency))
        nn.init.normal_(self.read)
        nn.init.constant_(self.step, 0.01)
        nn.init.ones_(self.through)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the outputs, shape (batch, channels, steps), by convolution with the impulse response."""
        steps = signal.shape[-1]
        rate = torch.complex(-self.decay, self.frequency) * self.step.unsqueeze(-1)
        fine = torch.exp(rate.unsqueeze(-1) * torch.arange(BLOCK))
        blocks = -(-steps // BLOCK)
        coarse = torch.exp(rate.unsqueeze(-1) * (BLOCK * torch.arange(blocks)))
        weighted = coarse * torch.view_as_complex(self.read).unsqueeze(-1)
        response = 2 * (weighted.transpose(1, 2) @ fine).real.flatten(1)[:, :steps]
        size = 2 * steps
        spectrum = torch.fft.rfft(signal, size) * torch.fft.rfft(response, size)
        return torch.fft.irfft(spectrum, size)[..., :steps] + signal * self.through.unsqueeze(-1)
