"""Networks with layers as their authors write them: causal and dilated, gated, cut into pieces and put together."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Causal(nn.Module):
    """Depthwise dilated convolutions behind past steps only, one past repeated from the first step, a residual sum."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first, self.mix = nn.Conv1d(channels, 8, 1), nn.Conv1d(8, 8, 1)
        self.near, self.far = nn.Conv1d(8, 8, 3, dilation=2, groups=8), nn.Conv1d(8, 8, 3, dilation=4, groups=8)
        self.norm, self.readout = nn.BatchNorm1d(8), nn.Linear(8, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = torch.relu(self.first(signal))
        hidden = self.near(functional.pad(signal, (4, 0), mode="replicate"))
        hidden = self.far(functional.pad(torch.relu(hidden), (8, 0)))
        return self.readout((signal + torch.relu(self.norm(self.mix(hidden))))[:, :, -1])


class Gates(nn.Module):
    """A gated linear unit, and channels weighted by what all steps say (squeeze and excitation)."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first, self.gate = nn.Conv1d(channels, 16, 3, padding=1), nn.GLU(1)
        self.squeeze, self.excite, self.readout = nn.Linear(8, 2), nn.Linear(2, 8), nn.Linear(8, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.gate(self.first(signal))
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(signal.mean(-1)))))
        return self.readout((signal * weights.unsqueeze(-1)).mean(-1))


class Pieces(nn.Module):
    """Branches of half the channels, in both directions of time, stacked, less their means, widest and mean step."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first, self.one, self.other = nn.Conv1d(channels, 8, 3, padding=1), nn.Conv1d(4, 4, 3), nn.Conv1d(4, 4, 3)
        self.inner, self.readout = nn.Conv1d(4, 4, 1), nn.Linear(12, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        left, right = torch.relu(self.first(signal)).chunk(2, dim=1)
        both = torch.stack([torch.relu(self.one(left)), torch.relu(self.other(right.flip(-1)))], dim=1)
        ahead, back = both.unbind(1)
        first, second, _ = torch.split(back, [2, 1, 1], dim=1)
        far = self.inner(ahead) - back
        far = torch.relu(far - far.mean(-1, keepdim=True))
        parts = [far.mean(-1), far.amax(-1), first.mean(-1), second.mean(-1), second.amax(-1)]
        return self.readout(torch.cat(parts, dim=1))


class Refused(nn.Module):
    """Layers without an integer form, of which `chosen` is run."""

    chosen = ""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first, self.up, self.act = nn.Conv1d(channels, 8, 4), nn.ConvTranspose1d(8, 8, 4), nn.PReLU(8)
        self.local, self.readout = nn.LocalResponseNorm(2), nn.Linear(8, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = torch.relu(self.first(signal))
        return self.readout((self.get_submodule(self.chosen)(signal) if self.chosen else signal).mean(-1))


class Up(Refused):
    chosen = "up"


class Slopes(Refused):
    chosen = "act"


class Local(Refused):
    chosen = "local"


class Uneven(nn.Module):
    """Averages over windows of two lengths, which have no one divisor."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first, self.pool = nn.Conv1d(channels, 8, 4), nn.AvgPool1d(5, ceil_mode=True)
        self.readout = nn.Linear(8, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        return self.readout(self.pool(torch.relu(self.first(signal))).mean(-1))
