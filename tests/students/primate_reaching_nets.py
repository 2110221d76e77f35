"""The published primate-reaching decoders, written from their descriptions; input (samples, 1, channels)."""

from __future__ import annotations

import snntorch
import torch
from torch import Tensor, nn

BINS = 50
"""200 ms window of 4 ms bins."""


class SNN2(nn.Module):
    """channels - 50 - 2, no bias, both layers leaky, the second one read by its membrane."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(channels, 50, bias=False), nn.Linear(50, 2, bias=False)
        self.hidden = snntorch.Leaky(beta=0.96, threshold=1, reset_mechanism="zero")
        self.output = snntorch.Leaky(beta=0.96, threshold=1, reset_mechanism="none")

    def forward(self, bins: Tensor) -> Tensor:
        hidden, output = self.hidden.reset_mem(), self.output.reset_mem()
        velocities = []
        for now in bins.squeeze(1):
            spikes, hidden = self.hidden(self.first(now), hidden)
            _, output = self.output(self.second(spikes), output)
            velocities.append(output)
        return torch.stack(velocities)


class Windowed(nn.Module):
    """Keeps the last bins in a buffer that starts with one row of zeros, and grows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("window", torch.zeros(1, channels), persistent=False)

    def push(self, now: Tensor) -> Tensor:
        self.window = torch.cat((self.window, now))[-BINS:]
        return self.window


class ANN2D(nn.Module):
    """Counts over the window, then channels - 32 - 48 - 2; no prediction until the window is full."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.past = Windowed(channels)
        self.read = nn.Sequential(
            nn.Linear(channels, 32), nn.ReLU(), nn.BatchNorm1d(32), nn.Linear(32, 48), nn.ReLU(),
            nn.BatchNorm1d(48), nn.Linear(48, 2),
        )  # fmt: skip
        self.seen = 0

    def forward(self, bins: Tensor) -> Tensor:
        out = []
        for now in bins:
            self.seen += 1
            window = self.past.push(now)
            # The row of zeros it started with is the oldest bin until the 50th bin pushes it out.
            out.append(self.read(window.sum(0, keepdim=True)) if self.seen >= BINS else torch.zeros(1, 2))
        return torch.cat(out)


class SNN3D(nn.Module):
    """Seven sums of seven bins, layer norm, then seven steps of channels - 32 - 48 - 2 from zero state."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.past = Windowed(channels)
        self.norm = nn.LayerNorm([7, channels])
        self.layers = nn.ModuleList([nn.Linear(channels, 32), nn.Linear(32, 48), nn.Linear(48, 2)])
        resets = ("subtract", "subtract", "none")
        self.neurons = nn.ModuleList(snntorch.Leaky(beta=0.5, threshold=0.5, reset_mechanism=one) for one in resets)
        self.gain = nn.Parameter(torch.ones(2))

    def forward(self, bins: Tensor) -> Tensor:
        out = []
        for now in bins:
            window = self.past.push(now)
            window = torch.cat((window, window.new_zeros(BINS - len(window), window.shape[1])))
            signal = self.norm(window[:49].reshape(7, 7, -1).sum(1))
            states = [neuron.reset_mem() for neuron in self.neurons]
            for spikes in signal.unbind():
                for place, (layer, neuron) in enumerate(zip(self.layers, self.neurons, strict=True)):
                    spikes, states[place] = neuron(layer(spikes), states[place])  # noqa: PLW2901
            out.append(states[-1] * self.gain)
        return torch.stack(out)


class RSNN(nn.Module):
    """One recurrent layer of current-based leaky neurons and leaky read-outs, without biases.

    Every neuron has its own learned membrane and synaptic time constant.
    """

    def __init__(self, channels: int, units: int, outputs: int) -> None:
        super().__init__()
        self.drive = nn.Linear(channels, units, bias=False)
        self.recurrent = nn.Linear(units, units, bias=False)
        self.read = nn.Linear(units, outputs, bias=False)
        self.decays = nn.Parameter(torch.full((2, units + outputs), 0.8))

    def forward(self, bins: Tensor) -> Tensor:
        units = self.drive.out_features
        spikes = current = membrane = bins.new_zeros(units)
        read_current = read = bins.new_zeros(self.read.out_features)
        of_synapse, read_synapse = self.decays[0].split([units, len(read)])
        of_membrane, read_membrane = self.decays[1].split([units, len(read)])
        out = []
        for now in bins.squeeze(1):
            current = of_synapse * current + self.drive(now) + self.recurrent(spikes)
            membrane = of_membrane * membrane * (1 - spikes) + current
            spikes = (membrane > 1).to(now.dtype)
            read_current = read_synapse * read_current + self.read(spikes)
            read = read_membrane * read + read_current
            out.append(read)
        return torch.stack(out)
