"""Layers that mix tokens: attention in three forms, and a state-space block."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from students.architectures import blocks
from students.layers.state_space import SelectiveScan

ROTARY_BASE = 10000.0
"""Slowest rotation: one radian in this many tokens (Su et al. 2021)."""
LEAST_WEIGHT = 1e-6
"""Keeps a normalisation by summed weights from dividing by zero."""


class Attention(nn.Module):
    """Multi-head softmax attention over the last but one axis; learned queries where `queries` is positive.

    What learned queries are projected to does not depend on the input and is stored when deployed.
    """

    turns: Tensor

    def __init__(self, block: blocks.Attention, tokens: int, size: int, head_size: int) -> None:
        super().__init__()
        self.heads, queries, bias = block.heads, block.queries or 0, block.bias
        inner = self.heads * head_size
        turned = block.positions == "rotary"
        self.register_buffer("turns", torch.zeros(2, tokens, head_size) if turned else torch.zeros(0))
        self.asked = nn.Parameter(torch.zeros(queries, size)) if queries else None
        self.query, self.key, self.value = (nn.Linear(size, inner, bias=bias) for _ in range(3))
        self.out = nn.Linear(inner, size, bias=bias)
        self.norms = nn.ModuleList(nn.LayerNorm(head_size) for _ in range(2 if block.norm == "layer_norm" else 0))

    def reset_parameters(self) -> None:
        """Draw the learned queries; compute the cosines and sines of the positions."""
        if self.asked is not None:
            nn.init.normal_(self.asked)
        if self.turns.numel():
            _, tokens, size = self.turns.shape
            rates = ROTARY_BASE ** (-2 * torch.arange(size // 2) / size)
            angles = torch.outer(torch.arange(tokens), rates).repeat_interleave(2, dim=1)
            signs = torch.tensor([-1.0, 1.0]).repeat(size // 2)
            self.turns.copy_(torch.stack((angles.cos(), angles.sin() * signs)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return each query's mixture of all tokens, shape ``(batch, ..., queries, size)``."""
        asking = tokens if self.asked is None else self.asked
        query, key, value = (
            product(signal).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
            for product, signal in ((self.query, asking), (self.key, tokens), (self.value, tokens))
        )
        if self.norms:
            query, key = (norm(signal) for norm, signal in zip(self.norms, (query, key), strict=True))
        if self.turns.numel():
            query, key = self._turned(query), self._turned(key)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(-2, -3).flatten(-2))

    def _turned(self, signal: Tensor) -> Tensor:
        """Return each pair of features turned by its token's angle; the minus signs are in the table of sines."""
        pairs = signal.unflatten(-1, (-1, 2))
        swapped = torch.stack((pairs[..., 1], pairs[..., 0]), -1).flatten(-2)
        return signal * self.turns[0] + swapped * self.turns[1]


class Mamba(nn.Module):
    """Selective state-space block over ``(batch, tokens, size)`` (Gu and Dao 2023, arXiv 2312.00752)."""

    def __init__(self, size: int, inner: int, state: int, kernel: int, rank: int) -> None:
        super().__init__()
        self.split = (rank, state, state)
        self.into = nn.Linear(size, 2 * inner, bias=False)
        self.mix = nn.Conv1d(inner, inner, kernel, groups=inner)
        self.select = nn.Linear(inner, rank + 2 * state, bias=False)
        self.delta = nn.Linear(rank, inner)
        self.scan = SelectiveScan(inner, state)
        self.out = nn.Linear(inner, size, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the mixed tokens, shape of `tokens`."""
        signal, gate = self.into(tokens).chunk(2, -1)
        past = functional.pad(signal.transpose(1, 2), (self.mix.kernel_size[0] - 1, 0))
        signal = functional.silu(self.mix(past)).transpose(1, 2)
        rank, into, out = self.select(signal).split(self.split, -1)
        delta = functional.softplus(self.delta(rank))
        return self.out(self.scan(signal, delta, into, out) * functional.silu(gate))


class LinearAttention(nn.Module):
    """``q (sum_t k_t v_t^T) / (q . sum_t k_t)`` with ``q, k = relu(W x)`` (Katharopoulos et al. 2020)."""

    def __init__(self, inputs: int, size: int, bias: bool) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(inputs, size, bias=bias) for _ in range(3))
        self.out = nn.Linear(size, inputs, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return each token's mixture, shape of `tokens`."""
        query, key, value = torch.relu(self.query(tokens)), torch.relu(self.key(tokens)), self.value(tokens)
        weights = query @ key.sum(1, keepdim=True).transpose(1, 2)
        return self.out(query @ (key.transpose(1, 2) @ value) / (weights + LEAST_WEIGHT))


class GraphAttention(nn.Module):
    """``softmax_j(leaky_relu(a . W x_i + b . W x_j)) W x_j`` over all nodes (Velickovic et al. 2018), heads joined."""

    def __init__(self, inputs: int, heads: int, out: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(inputs, heads * out, bias=False)
        self.source, self.target = (nn.Parameter(torch.zeros(heads, out, 1)) for _ in range(2))
        self.bias = nn.Parameter(torch.zeros(heads * out))

    def reset_parameters(self) -> None:
        """Draw the attention vectors."""
        for vector in (self.source, self.target):
            nn.init.normal_(vector)
        nn.init.zeros_(self.bias)

    def forward(self, nodes: Tensor) -> Tensor:
        """Return ``(batch, ..., nodes, heads * out)``."""
        values = self.project(nodes).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
        scores = values @ self.source + (values @ self.target).transpose(-1, -2)
        mixed = functional.leaky_relu(scores, 0.2).softmax(-1) @ values
        return mixed.transpose(-2, -3).flatten(-2) + self.bias


class GraphFilter(nn.Module):
    """``sum_k w_k T_k(L) x`` over ``(batch, nodes, steps)`` (Defferrard et al. 2016, arXiv 1606.09375).

    ``L`` is the Laplacian ``D - A`` scaled by its largest eigenvalue to -1 to 1; the sum is one table, nodes by nodes.
    """

    polynomials: Tensor

    def __init__(self, nodes: int, order: int, edges: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        if (last := max(max(edge) for edge in edges)) >= nodes:
            raise ValueError(f"an edge to node {last} of {nodes} nodes")
        if any(first == second for first, second in edges):
            raise ValueError("an edge joins a node with itself")
        self.edges = tuple(edges)
        self.weight = nn.Parameter(torch.zeros(order + 1))
        self.register_buffer("polynomials", torch.zeros(order + 1, nodes, nodes))

    def reset_parameters(self) -> None:
        """Draw the weights; compute the polynomials."""
        nn.init.normal_(self.weight)
        order, nodes = self.weight.numel(), self.polynomials.shape[-1]
        joined = torch.zeros(nodes, nodes)
        for first, second in self.edges:
            joined[first, second] = joined[second, first] = 1.0
        laplacian = joined.sum(1).diag() - joined
        scaled = 2 * laplacian / torch.linalg.eigvalsh(laplacian)[-1] - torch.eye(nodes)
        found = [torch.eye(nodes), scaled]
        while len(found) < order:
            found.append(2 * scaled @ found[-1] - found[-2])
        self.polynomials.copy_(torch.stack(found))

    def forward(self, signal: Tensor) -> Tensor:
        """Return each node's mixture of all nodes, shape of `signal`."""
        table = (self.weight[:, None, None] * self.polynomials).sum(0)
        return functional.linear(signal.transpose(1, 2), table).transpose(1, 2)
