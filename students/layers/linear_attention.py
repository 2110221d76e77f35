"""Causal attention with ReLU in place of the softmax: the past is one matrix and one vector, however long it is."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

LEAST = 1e-6
"""Added to the divisor, which is zero where no key of the past answers to a query."""
CHUNK = 64
"""Steps that are computed at once, as a product over pairs; the state is carried from chunk to chunk."""


class LinearAttention(nn.Module):
    """``y[t] = S[t]^T q[t] / (z[t]^T q[t])`` with ``S[t] = S[t-1] + k[t] v[t]^T``, ``z[t] = z[t-1] + k[t]``.

    q and k are the ReLU of queries and keys (Katharopoulos et al. 2020, arXiv 2006.16236, with ReLU for its feature
    map). One step of width d: sites d^2 (k v^T) + d^2 (S^T q) + d (z^T q); compare 2 d (ReLU); add d (z) + 1; divide 1;
    multiply d. The state is d^2 + d words, read and written each step.

    Parameters
    ----------
    width : int
        d: of queries, keys and values.

    `value` and `output` do nothing; they stand where an integer form puts values and results on grids.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key, self.value, self.output = nn.ReLU(), nn.ReLU(), nn.Identity(), nn.Identity()
        self.width = width
        self.sites_per_step, self.state_words = 2 * width * width + width, width * width + width
        self.operations_per_step: Mapping[str, int] = {
            "compare": 2 * width, "add": width + 1, "divide": 1, "multiply": width,
        }  # fmt: skip

    def parts(self, signal: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries and keys behind their ReLU, and values, each of shape (batch, width, steps)."""
        query, key, value = signal.split(self.width, dim=1)
        return self.query(query), self.key(key), self.value(value)

    def forward(self, signal: Tensor) -> Tensor:
        """Map queries, keys and values side by side, ``(batch, 3 width, steps)``, to ``(batch, width, steps)``."""
        return self.output(attended(*self.parts(signal)))


def attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return the attention of queries and keys that are not negative, all of shape (batch, width, steps)."""
    memory = value.new_zeros(len(value), value.shape[1], key.shape[1])
    total = key.new_zeros(len(key), key.shape[1], 1)
    found: list[Tensor] = []
    for asked, answer, given in zip(*(part.split(CHUNK, dim=2) for part in (query, key, value)), strict=True):
        scores = torch.triu(answer.transpose(1, 2) @ asked)  # of a key with the queries from its step on
        divisor = scores.sum(dim=1, keepdim=True) + total.transpose(1, 2) @ asked
        found.append((given @ scores + memory @ asked) / (divisor + LEAST))
        memory = memory + given @ answer.transpose(1, 2)
        total = total + answer.sum(dim=2, keepdim=True)
    return torch.cat(found, dim=2)
