"""Networks with attention and norms of rows, as their authors write them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Transformer(nn.Module):
    """A block before its norms: heads taken apart in front of the examples, torch's own attention, GELU."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.embed = nn.Conv1d(channels, 8, 8, stride=8)
        self.first_norm, self.second_norm = nn.LayerNorm(8), nn.LayerNorm(8)
        self.all_three, self.project = nn.Linear(8, 24), nn.Linear(8, 8)
        self.up, self.down, self.readout = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.embed(signal).transpose(1, 2)
        query, key, value = self.all_three(self.first_norm(signal)).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        signal = signal + self.project(mixed)
        signal = signal + self.down(functional.gelu(self.up(self.second_norm(signal))))
        return self.readout(signal.mean(1))


class ByHand(nn.Module):
    """Group and instance norms, scores scaled by hand, a softmax over the axis in the middle."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.embed = nn.Conv1d(channels, 8, 8, stride=8)
        self.groups, self.each = nn.GroupNorm(2, 8), nn.InstanceNorm1d(8)
        self.query, self.key, self.value = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.readout = nn.Linear(8, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.each(self.groups(self.embed(signal))).transpose(1, 2)
        scores = torch.matmul(self.query(signal), self.key(signal).transpose(1, 2)) / 8**0.5
        return self.readout((torch.softmax(scores, 1) @ self.value(signal)).mean(1))


class LinearAttention(nn.Module):
    """Attention by ReLU instead of a softmax, products from the right, a root-mean-square norm."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.embed, self.norm = nn.Conv1d(channels, 8, 8, stride=8), nn.RMSNorm(8)
        self.query, self.key, self.value = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.readout = nn.Linear(8, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.norm(self.embed(signal).transpose(1, 2))
        query, key = torch.relu(self.query(signal)), torch.relu(self.key(signal))
        return self.readout(torch.relu(query @ (key.mT @ self.value(signal))).mean(1))


class Heads(nn.Module):
    """Torch's own multi-head attention, examples first."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.embed, self.attention = nn.Conv1d(channels, 8, 8, stride=8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm, self.readout = nn.LayerNorm(8), nn.Linear(8, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.embed(signal).transpose(1, 2)
        mixed, _ = self.attention(signal, signal, signal, need_weights=False)
        return self.readout(self.norm(signal + mixed).mean(1))


class Watched(Heads):
    """The weights of attention are put out."""

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.embed(signal).transpose(1, 2)
        mixed, weights = self.attention(signal, signal, signal)
        return self.readout((mixed + weights.mean()).mean(1))


class Masked(Transformer):
    """Attention that looks back only."""

    def forward(self, signal: Tensor) -> Tensor:
        tokens = self.embed(signal).transpose(1, 2)
        return self.readout(functional.scaled_dot_product_attention(tokens, tokens, tokens, is_causal=True).mean(1))


class Counted(nn.Module):
    """An instance norm that keeps statistics of all examples."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.embed, self.norm = nn.Conv1d(channels, 8, 8), nn.InstanceNorm1d(8, track_running_stats=True)
        self.readout = nn.Linear(8, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        return self.readout(self.norm(self.embed(signal)).mean(-1))
