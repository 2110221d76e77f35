"""A router over a teacher's layers: how much of each layer an input's mixture holds."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALLEST = 1e-12
"""Gate below which its logarithm no longer falls, so that a gate of 0 has a finite gradient."""

RouterKind = Literal["input", "static", "uniform", "last"]


class Router(nn.Module):
    """``H = sum_l g_l(x) LN(H_l)``, ``g = softmax(s / T)``, ``s_l = w2 GELU(W1 [u_l; u])``.

    u_l is the mean of LN(H_l) over positions, u the mean of the u_l; LN has no parameters. DLink (arXiv 2604.15016,
    abstract) has a lightweight, input-conditioned router that aggregates the teacher's layers; its form is our
    derivation, and so are the controls: learned weights that no input changes (``static``), the even mean (``uniform``)
    and the last layer (``last``).

    Parameters
    ----------
    kind : {'input', 'static', 'uniform', 'last'}
    layers, width : int
        Of the teacher, and channels of each.
    hidden : int
        Rows of W1.
    temperature : float
        T.
    """

    def __init__(self, kind: RouterKind, layers: int, width: int, hidden: int, temperature: float) -> None:
        super().__init__()
        self.kind, self.layers, self.temperature = kind, layers, temperature
        if kind == "input":
            self.score = nn.Sequential(nn.Linear(2 * width, hidden), nn.GELU(), nn.Linear(hidden, 1, bias=False))
        if kind == "static":
            self.scores = nn.Parameter(torch.zeros(layers))

    def forward(self, layers: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mixture, shape (batch, positions, channels), and the gates g, shape (batch, layers).

        Parameters
        ----------
        layers : Tensor, shape (batch, layers, positions, channels)
        """
        normal = functional.layer_norm(layers, layers.shape[-1:])
        gates = self._gates(normal)
        return torch.einsum("bl,blpc->bpc", gates, normal), gates

    def _gates(self, normal: Tensor) -> Tensor:
        if self.kind == "last":
            gates = normal.new_zeros(len(normal), self.layers)
            gates[:, -1] = 1
            return gates
        if self.kind == "uniform":
            return normal.new_full((len(normal), self.layers), 1 / self.layers)
        if self.kind == "static":
            return torch.softmax(self.scores / self.temperature, dim=0).expand(len(normal), -1)
        pooled = normal.mean(dim=2)
        context = pooled.mean(dim=1, keepdim=True).expand_as(pooled)
        scores = self.score(torch.cat([pooled, context], dim=2)).squeeze(2)
        return torch.softmax(scores / self.temperature, dim=1)


def entropy_shortfall(gates: Tensor, floor: float) -> Tensor:
    """Return the mean of ``max(0, floor ln L - H(g))^2`` over inputs [nat^2], H the entropy of the gates of L layers.

    Our derivation: it is 0 where the gates are spread enough, so that a router does not collapse to one layer.

    Parameters
    ----------
    gates : Tensor, shape (batch, layers)
    floor : float
        From 0 to 1, of the largest entropy.
    """
    entropy = -(gates * gates.clamp(min=SMALLEST).log()).sum(dim=1)
    return ((floor * math.log(gates.shape[1]) - entropy).clamp(min=0) ** 2).mean()
