"""Small networks with the number of products of one decode, worked out by hand beside each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Applied(nn.Module):
    """A function of an input and of stored parts."""

    def __init__(self, function: Callable[..., Tensor], *parts: nn.Module | Tensor) -> None:
        super().__init__()
        self.function = function
        self.modules_in = nn.ModuleList(part for part in parts if isinstance(part, nn.Module))
        self.weights = nn.ParameterList(nn.Parameter(part) for part in parts if isinstance(part, Tensor))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.modules_in, *self.weights)


class Small(NamedTuple):
    """A network, the shape of one example, and its products under the textbook formula."""

    name: str
    model: nn.Module
    shape: tuple[int, ...]
    products: int


def weights(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def biquads(x: Tensor) -> Tensor:
    """A second-order section in direct form I, written as a loop: 5 multiplications and 4 additions a sample."""
    b0, b1, b2, a1, a2 = 0.2, 0.4, 0.2, -0.3, 0.1
    x1 = x2 = y1 = y2 = torch.zeros_like(x[..., 0])
    out = []
    for now in x.unbind(-1):
        y = b0 * now + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
        x1, x2, y1, y2 = now, x1, y, y1
        out.append(y)
    return torch.stack(out, dim=-1)


def linear_attention(x: Tensor) -> Tensor:
    """Running sums of outer products, one query a step."""
    state, out = torch.zeros(x.shape[0], x.shape[2], x.shape[2]), []
    for now in x.unbind(1):
        state = state + now.unsqueeze(-1) * now.unsqueeze(-2)
        out.append((now.unsqueeze(-2) @ state).squeeze(-2))
    return torch.stack(out, dim=1)


def selective_scan(x: Tensor, project: nn.Module, read: nn.Module) -> Tensor:
    """The recurrence of a Mamba block in plain operations, 2 states a channel."""
    state, out = torch.zeros(*x[:, 0].shape, 2), []
    for now in x.unbind(1):
        step, enter, leave = project(now).split((3, 2, 2), dim=-1)
        step = functional.softplus(step).unsqueeze(-1)
        state = torch.exp(-step) * state + step * enter.unsqueeze(-2) * now.unsqueeze(-1)
        out.append((state * leave.unsqueeze(-2)).sum(-1))
    return read(torch.stack(out, dim=1))


def rotary(x: Tensor, project: nn.Module) -> Tensor:
    """Rotary position encoding, then scores of queries with themselves."""
    angle = torch.arange(x.shape[1]).unsqueeze(1) * torch.tensor([1.0, 0.1])
    first, second = project(x).chunk(2, dim=-1)
    turned = torch.cat((first * angle.cos() - second * angle.sin(), first * angle.sin() + second * angle.cos()), -1)
    return turned @ turned.mT


def diagonal_states(x: Tensor, enter: Tensor, leave: Tensor) -> Tensor:
    """A recurrence with a complex diagonal (S4D), 2 states: enter (2), leave (2), both complex."""
    decay = torch.polar(torch.tensor([0.9, 0.8]), torch.tensor([0.3, 0.5]))
    state, out = torch.zeros(x.shape[0], 2, dtype=torch.complex64), []
    for now in x.unbind(-1):
        state = decay * state + torch.view_as_complex(enter) * now.unsqueeze(-1)
        out.append((state @ torch.view_as_complex(leave).unsqueeze(-1)).real.squeeze(-1))
    return torch.stack(out, dim=-1)


def attend(x: Tensor, layer: nn.Module, **options: object) -> Tensor:
    return layer(x, x, x, **options)[0]


MASK = torch.ones(3, 3).triu(1).bool()
wide = lambda x, w: x @ w  # noqa: E731

NETWORKS = [
    # 2 channels x 5 inputs x 4 outputs x 3 taps
    Small("transposed 1d", nn.ConvTranspose1d(2, 4, 3, stride=2, padding=1), (2, 5), 120),
    # 4 channels x 3 x 3 inputs x 2 outputs a group x 2 x 2 taps
    Small("transposed 2d, groups", nn.ConvTranspose2d(4, 4, 2, stride=2, groups=2), (4, 3, 3), 288),
    # 1 channel x 8 inputs x 2 outputs x 8 taps
    Small("transposed 3d", nn.ConvTranspose3d(1, 2, 2, dilation=2), (1, 2, 2, 2), 128),
    # 3 outputs x 5 steps x 2 channels x 3 taps, the two steps copied around are signal
    Small("circular", nn.Conv1d(2, 3, 3, padding=1, padding_mode="circular"), (2, 5), 90),
    # 3 outputs x 5 steps x 2 channels x 4 taps
    Small("reflected to the same length", nn.Conv1d(2, 3, 4, padding="same", padding_mode="reflect"), (2, 5), 120),
    # 3 outputs x 3 steps x 2 channels x 3 taps
    Small("one example without a batch axis",
          Applied(lambda x, conv: torch.stack([conv(one) for one in x]), nn.Conv1d(2, 3, 3)), (2, 5), 54),
    # 2 channels x 3 steps x 3 taps made from the input
    Small("filters made from the input",
          Applied(lambda x: functional.conv1d(x.reshape(1, -1, 5), x[..., :3].reshape(-1, 1, 3), groups=2 * len(x))),
          (2, 5), 18),
    # 3 x 3 pairs of rows x 4
    Small("gram matrix", Applied(lambda x: x @ x.mT), (3, 4), 36),
    # 5 x 3 constant matrix on the left, 4 columns
    Small("constant on the left", Applied(lambda x, w: w @ x, weights(5, 3)), (3, 4), 60),
    # 3 rows x 4
    Small("matrix times vector", Applied(wide, weights(4)), (3, 4), 12),
    # 4 x 5, alpha belongs to the weights
    Small("addmm", Applied(lambda x, b, w: torch.addmm(b, x, w, alpha=0.5, beta=2.0), weights(5), weights(4, 5)),
          (4,), 20),
    # 3 x 3 x 4
    Small("baddbmm", Applied(lambda x, b: torch.baddbmm(b, x, x.mT, alpha=0.5), weights(3, 3)), (3, 4), 36),
    # 2 outputs x 3 channels x 4 steps
    Small("einsum over channels and steps", Applied(lambda x, w: torch.einsum("bct,oct->bo", x, w), weights(2, 3, 4)),
          (3, 4), 24),
    # 12 numbers x 2 outputs
    Small("tensordot", Applied(lambda x, w: torch.tensordot(x, w, 2), weights(3, 4, 2)), (3, 4), 24),
    # 2 outputs x (3 x 4 with the weights, then 4 with the other signal)
    Small("bilinear", Applied(lambda x, form: form(x[:, :3], x), nn.Bilinear(3, 4, 2)), (4,), 32),
    # 4 steps x 2 directions x 3 units x (2 inputs + 3)
    Small("rnn, both directions", Applied(lambda x, rnn: rnn(x)[0], nn.RNN(2, 3, batch_first=True, bidirectional=True)),
          (4, 2), 120),
    # 4 steps x (12 rows x 3 inputs + 12 x 2 projected + projection 2 x 3)
    Small("lstm with a projection", Applied(lambda x, rnn: rnn(x)[0], nn.LSTM(3, 3, proj_size=2, batch_first=True)),
          (4, 3), 264),
    # two layers of 4 steps: 9 rows x (2 + 3), 9 x (3 + 3)
    Small("gru, steps first", Applied(lambda x, rnn: rnn(x.transpose(0, 1))[0], nn.GRU(2, 3, 2)), (4, 2), 396),
    # 12 rows x (3 + 3)
    Small("lstm cell with a state", Applied(lambda x, cell: cell(x, (x, x))[0], nn.LSTMCell(3, 3)), (3,), 72),
    # 3 tokens x 4 wide: in 3 x 4 x 12, scores and values 3 x 3 x 4 each, out 3 x 4 x 4
    Small("attention, boolean mask",
          Applied(lambda x, layer: attend(x, layer, attn_mask=MASK),
                  nn.MultiheadAttention(4, 2, batch_first=True)), (3, 4), 264),
    # the same with one key and value more: scores and values 3 x 4 x 4 each
    Small("attention with stored key", Applied(attend, nn.MultiheadAttention(4, 2, batch_first=True, add_bias_kv=True)),
          (3, 4), 288),
    # attention 264 and 3 x (4 x 8 + 8 x 4)
    Small("encoder", nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 1), (3, 4), 456),
    # 4 heads of queries on 2 of keys: 2 products x 4 x 3 x 3 x 2
    Small("grouped queries",
          Applied(lambda x: functional.scaled_dot_product_attention(x, x[:, :2], x[:, :2], enable_gqa=True)),
          (4, 3, 2), 144),
    # masked scores are sites too: 2 products x 3 x 3 x 4
    Small("causal attention", Applied(lambda x: functional.scaled_dot_product_attention(x, x, x, is_causal=True)),
          (3, 4), 72),
    # rows read, then 3 x 2
    Small("embedding", Applied(lambda x, rows, read: read(rows((x > 0).long()).sum(1)), nn.Embedding(2, 3),
                               nn.Linear(3, 2)), (4,), 6),
    # 4 one-hot rows of 2 x 3
    Small("one-hot", Applied(lambda x, w: functional.one_hot((x > 0).long(), 2).float() @ w, weights(2, 3)), (4,), 24),
    # 4 x 3, folded
    Small("linear and batch norm", nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), (4,), 12),
    # 5 steps x 4 x 2
    Small("group norm", nn.Sequential(nn.GroupNorm(2, 4), nn.Conv1d(4, 2, 1)), (4, 5), 40),
    # 3 x 2, its weights are made once
    Small("weight norm", nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), (3,), 6),
    # pools 5 steps into 3 unevenly; 3 x 2
    Small("uneven adaptive pool", nn.Sequential(nn.AdaptiveAvgPool1d(3), nn.Linear(3, 2)), (2, 5), 12),
    # 10 steps x 2 channels x 3 outputs
    Small("upsampled", nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv1d(2, 3, 1)), (2, 5), 60),
    # half of the 4 channels x 5 steps x 3
    Small("gated", nn.Sequential(nn.GLU(1), nn.Conv1d(4, 3, 1)), (8, 5), 60),
    # 5 frequencies x 2
    Small("power spectrum", Applied(lambda x, read: read(torch.fft.rfft(x).abs().square().log1p()), nn.Linear(5, 2)),
          (8,), 10),
    # 4 sites for each of 3 x 2 complex products
    Small("complex weights",
          Applied(lambda x, w: torch.view_as_real(torch.view_as_complex(x) @ torch.view_as_complex(w)),
                  weights(3, 2, 2)), (3, 2), 24),
    # a loop of scalar products: none is a weight of a layer; 6 x 2 after it
    Small("biquad filter", Applied(lambda x, read: read(biquads(x)), nn.Linear(6, 2)), (6,), 12),
    # 3 filters x 6 steps x 3 taps, band power, 3 x 2
    Small("filter bank and band power",
          Applied(lambda x, bank, read: read(bank(x).square().mean(-1).log()), nn.Conv1d(1, 3, 3, padding=1),
                  nn.Linear(3, 2)), (1, 6), 60),
    # covariance 3 x 3 x 4, triangular factor 3 x 3 read by 9 x 2
    Small("covariance, Cholesky",
          Applied(lambda x, read: read(torch.linalg.cholesky(x @ x.mT + 9 * torch.eye(3)).flatten(1)), nn.Linear(9, 2)),
          (3, 4), 54),
    # 2 of 3 rows kept: 2 x 4 x 2
    Small("indexed rows", Applied(lambda x, read: read(x[:, [0, 2]]), nn.Linear(4, 2)), (3, 4), 16),
    # 4 numbers added up into 3 places; 3 x 2
    Small("scatter-add",
          Applied(lambda x, read: read(torch.zeros(len(x), 3).scatter_add(1, torch.tensor([[0, 1, 1, 2]]).expand(
              len(x), 4), x)), nn.Linear(3, 2)), (4,), 6),
    # 4 windows of 2 x 2 of a 3 x 3 image, 4 x 4 each
    Small("unfolded patches",
          Applied(lambda x, read: read(functional.unfold(x.unsqueeze(1), 2).mT), nn.Linear(4, 4)), (3, 3), 64),
    # one matrix 3 x 3, twice
    Small("shared layer", Applied(lambda x, layer: x + layer(layer(x)), nn.Linear(3, 3)), (3,), 18),
    # 3 steps x 2 x 2
    Small("linear attention", Applied(linear_attention), (3, 2), 12),
    # 4 steps x (3 x 7 in, 3 x 2 out)
    Small("selective scan", Applied(selective_scan, nn.Linear(3, 7), nn.Linear(3, 2)), (4, 3), 108),
    # projection 3 x 4 x 4, scores 3 x 3 x 4
    Small("rotary positions", Applied(rotary, nn.Linear(4, 4)), (3, 4), 84),
    # 3 steps x 2 states x 4 real products
    Small("diagonal state space", Applied(diagonal_states, weights(2, 2), weights(2, 2)), (3,), 24),
]  # fmt: skip
