"""Functions of one number that torch has no layer for, as layers: what a network calls becomes one of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Square(nn.Module):
    """The square of each number."""

    def forward(self, signal: Tensor) -> Tensor:
        """Return the squares."""
        return torch.square(signal)


class Logarithm(nn.Module):
    """The natural logarithm of each number."""

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logarithms."""
        return torch.log(signal)


class Exponential(nn.Module):
    """The exponential of each number."""

    def forward(self, signal: Tensor) -> Tensor:
        """Return the exponentials."""
        return torch.exp(signal)


class SquareRoot(nn.Module):
    """The square root of each number."""

    def forward(self, signal: Tensor) -> Tensor:
        """Return the roots."""
        return torch.sqrt(signal)


class Absolute(nn.Module):
    """The size of each number, without its sign."""

    def forward(self, signal: Tensor) -> Tensor:
        """Return the sizes."""
        return torch.abs(signal)


FUNCTIONS = (Square, Logarithm, Exponential, SquareRoot, Absolute)
