"""A depthwise convolution over steps as matrix products: the same function, trainable fast on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BLOCK_STEPS = 64
"""Output steps computed by one product; near the usual kernel lengths, where the Toeplitz blocks are half full."""


def pad_steps(signal: Tensor, pads: tuple[int, int]) -> Tensor:
    """Return the signal with `pads` zero steps before and after."""
    return signal if pads == (0, 0) else functional.pad(signal, pads)


def depthwise_conv1d(signal: Tensor, weight: Tensor, pads: tuple[int, int]) -> Tensor:
    """Return each channel correlated with its own taps, as ``conv1d(..., groups=channels)`` does.

    The outputs are cut into blocks; a block is the input it sees times a banded (Toeplitz) matrix of the taps, so
    forward and both gradients are dense matrix products: ``y[b, c, t] = sum_k w[c, k] x[b, c, t + k - before]``.

    Parameters
    ----------
    signal : Tensor, shape (batch, channels, steps)
    weight : Tensor, shape (channels, 1, taps)
    pads : tuple of int
        Zero steps before and after.

    Returns
    -------
    Tensor, shape (batch, channels, steps + before + after - taps + 1)
    """
    taps = weight.shape[-1]
    steps = signal.shape[-1] + sum(pads) - taps + 1
    block = min(BLOCK_STEPS, steps)
    blocks = -(-steps // block)
    seen = block + taps - 1
    padded = pad_steps(signal, (pads[0], pads[1] + blocks * block - steps))
    windows = padded.unfold(-1, seen, block).permute(1, 0, 2, 3).flatten(1, 2)
    outputs = torch.bmm(windows, _toeplitz(weight[:, 0], block))
    batch, channels = signal.shape[:2]
    outputs = outputs.view(channels, batch, blocks * block).transpose(0, 1)
    return outputs[..., :steps]


def _toeplitz(taps: Tensor, block: int) -> Tensor:
    """Return the banded matrices ``(channels, block + taps - 1, block)``, ``M[c, j + k, j] = taps[c, k]``."""
    channels, count = taps.shape
    seen = block + count - 1
    # Column j is the taps moved down by j: rows of length seen + 1 read as rows of length seen shift by one each.
    rows = functional.pad(taps, (0, seen + 1 - count)).unsqueeze(1).expand(channels, block, seen + 1)
    return rows.reshape(channels, -1)[:, : block * seen].view(channels, block, seen).transpose(1, 2)
