"""Public decoders as people write them in plain torch, tiny: made as ``Decoder(channels, steps, outputs)``."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class EEGNet(nn.Module):
    """Lawhern et al. 2018, with ELU and the weights' norm limited in forward, as in braindecode's early versions."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.temporal = nn.Conv2d(1, 4, (1, 16), padding=(0, 8), bias=False)
        self.spatial = nn.Conv2d(4, 8, (channels, 1), groups=4, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(4), nn.BatchNorm2d(8), nn.BatchNorm2d(8)])
        self.depthwise = nn.Conv2d(8, 8, (1, 8), padding=(0, 4), groups=8, bias=False)
        self.pointwise = nn.Conv2d(8, 8, 1, bias=False)
        self.dropout = nn.Dropout(0.25)
        self.head = nn.Linear(8 * ((((steps + 1) // 4) + 1) // 4), outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(1).to(next(self.parameters()).device)
        if self.training:
            self.spatial.weight.data = torch.renorm(self.spatial.weight.data, p=2, dim=0, maxnorm=1.0)
        x = functional.elu(self.norms[1](self.spatial(self.norms[0](self.temporal(x)))))
        x = self.dropout(functional.avg_pool2d(x, (1, 4)))
        x = functional.elu(self.norms[2](self.pointwise(self.depthwise(x))))
        x = self.dropout(functional.avg_pool2d(x, (1, 4)))
        return self.head(x.reshape(x.shape[0], -1))


class ShallowConvNet(nn.Module):
    """Schirrmeister et al. 2017: square, mean, logarithm."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.temporal, self.spatial = nn.Conv2d(1, 6, (1, 9)), nn.Conv2d(6, 6, (channels, 1), bias=False)
        self.norm, self.pool, self.dropout = nn.BatchNorm2d(6), nn.AvgPool2d((1, 12), stride=(1, 4)), nn.Dropout(0.5)
        self.head = nn.Conv2d(6, outputs, (1, (steps - 8 - 12) // 4 + 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.spatial(self.temporal(x[:, None].to(dtype=torch.float32))))
        x = self.pool(x * x)
        x = self.dropout(torch.log(torch.clamp(x, min=1e-6)))
        return functional.log_softmax(self.head(x).squeeze(3).squeeze(2), dim=1)


class DeepConvNet(nn.Module):
    """Schirrmeister et al. 2017: blocks of convolution, norm, ELU, max pool."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, (1, 5)), nn.Conv2d(4, 4, (channels, 1), bias=False),
                                   nn.BatchNorm2d(4, momentum=0.1), nn.ELU(), nn.MaxPool2d((1, 3)))  # fmt: skip
        blocks = [
            nn.Sequential(nn.Dropout(0.5), nn.Conv2d(width, 2 * width, (1, 5), bias=False),
                          nn.BatchNorm2d(2 * width), nn.ELU(), nn.MaxPool2d((1, 3))) for width in (4,)
        ]  # fmt: skip
        self.blocks = nn.Sequential(*blocks)
        with torch.no_grad():
            length = self.blocks(self.first(torch.zeros(1, 1, channels, steps))).shape[-1]
        self.head = nn.Conv2d(8, outputs, (1, length))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.first(x.unsqueeze(1).to(x.device)))).flatten(1)


class Chomp(nn.Module):
    """Cuts the end that padding added."""

    def __init__(self, cut: int) -> None:
        super().__init__()
        self.cut = cut

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, : -self.cut].contiguous()


class TemporalBlock(nn.Module):
    """Bai et al. 2018: two dilated causal convolutions and a residual sum."""

    def __init__(self, inside: int, outside: int, dilation: int, act: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        pad = 2 * dilation
        self.net = nn.Sequential(
            nn.Conv1d(inside, outside, 3, padding=pad, dilation=dilation), Chomp(pad), nn.BatchNorm1d(outside), act(),
            nn.Conv1d(outside, outside, 3, padding=pad, dilation=dilation), Chomp(pad), nn.BatchNorm1d(outside), act(),
        )  # fmt: skip
        self.downsample = nn.Conv1d(inside, outside, 1) if inside != outside else None
        self.act = act()

    def forward(self, x: Tensor) -> Tensor:
        residual = x if self.downsample is None else self.downsample(x)
        return self.act(self.net(x) + residual)


class EEGTCNet(nn.Module):
    """Ingolfsson et al. 2020: EEGNet's front and temporal blocks, the last step decides."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv2d(1, 4, (1, 9), padding="same", bias=False), nn.BatchNorm2d(4),
            nn.Conv2d(4, 8, (channels, 1), groups=4, bias=False), nn.BatchNorm2d(8), nn.ELU(), nn.AvgPool2d((1, 4)),
        )  # fmt: skip
        self.blocks = nn.Sequential(TemporalBlock(8, 6, 1, nn.ELU), TemporalBlock(6, 6, 2, nn.ELU))
        self.head = nn.Linear(6, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.front(x.unsqueeze(1)).squeeze(2))[:, :, -1])


class ATCNet(nn.Module):
    """Altaheri et al. 2022, one window: convolutions, attention, temporal block."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.front = nn.Sequential(nn.Conv1d(channels, 8, 7, padding=3), nn.BatchNorm1d(8), nn.ELU(), nn.AvgPool1d(8))
        self.norm, self.attention = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.block, self.head = TemporalBlock(8, 8, 1), nn.Linear(8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.front(x).transpose(1, 2)
        y = self.norm(x)
        x = x + self.attention(y, y, y)[0]
        return self.head(self.block(x.transpose(1, 2))[:, :, -1])


class EEGConformer(nn.Module):
    """Song et al. 2023: patches of ShallowConvNet, then a transformer encoder."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.patches = nn.Sequential(nn.Conv2d(1, 8, (1, 5)), nn.Conv2d(8, 8, (channels, 1)), nn.BatchNorm2d(8),
                                     nn.ELU(), nn.AvgPool2d((1, 8), (1, 4)))  # fmt: skip
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x.unsqueeze(1)).squeeze(2).permute(0, 2, 1)
        return self.head(self.encoder(x).mean(dim=1))


class LSTMDecoder(nn.Module):
    """A recurrent velocity or class decoder."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(channels, 8, batch_first=True), nn.Linear(8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        states = torch.zeros(1, x.size(0), 8, device=x.device, dtype=x.dtype)
        y, _ = self.lstm(x.transpose(1, 2), (states, states))
        return self.head(y[:, -1])


class GRUDecoder(nn.Module):
    """The same with gated recurrent units."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(channels, 8, batch_first=True), nn.Linear(8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x.permute(0, 2, 1))[0][:, -1, :])


class VelocityTCN(nn.Module):
    """Temporal blocks that put out an estimate at every step."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(TemporalBlock(channels, 8, 1), TemporalBlock(8, 8, 2))
        self.head = nn.Conv1d(8, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x.float().to(self.head.weight.device, self.head.weight.dtype))
        return self.head(x).transpose(1, 2)


class NormedMLP(nn.Module):
    """A multilayer perceptron with layer norms."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(channels * steps, 16), nn.LayerNorm(16), nn.GELU(),
                                  nn.Linear(16, outputs))  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x.type_as(self.body[1].weight) / math.sqrt(2))
