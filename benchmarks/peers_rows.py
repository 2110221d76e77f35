"""Random networks and batch sizes: this project's NeuroBench row against NeuroBench itself.

    python benchmarks/peers_rows.py [--nets N]

Layers, norms, cells with and without states, hybrid and stepped spiking nets; about half of all weights, biases and
inputs are zero. Exit status 1 where a field differs, or is absent on one side only.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import snntorch
import torch
from peer_tools import disagreement, installed, missing, neurobench_results, view_results
from torch import Tensor, nn

from students.neurobench import Wrapper


class Cell(nn.Module):
    """A recurrent cell stepped over (samples, steps, features), its state a random one at first."""

    def __init__(self, kind: type[nn.RNNCellBase], bias: bool) -> None:
        super().__init__()
        self.cell, self.read = kind(5, 4, bias=bias), nn.Linear(4, 2)  # type: ignore[call-arg]

    def forward(self, x: Tensor) -> Tensor:
        sparse = torch.arange(4.0).remainder(2).expand(len(x), 4)
        state = (sparse, 1 - sparse) if isinstance(self.cell, nn.LSTMCell) else sparse
        for now in x.unbind(1):
            state = self.cell(now, state)
        return self.read(state[0] if isinstance(state, tuple) else state)


class Stepped(nn.Module):
    """One step of a spiking net that keeps its own states."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.read = nn.Linear(5, 6), nn.Linear(6, 2)
        self.fire = snntorch.RLeaky(beta=0.9, linear_features=6, init_hidden=True, threshold=0.3)
        self.last = snntorch.Synaptic(alpha=0.8, beta=0.9, init_hidden=True, output=True)

    def forward(self, now: Tensor) -> tuple[Tensor, Tensor]:
        return self.last(self.read(self.fire(self.layer(now))))[:2]


def values(*shape: int) -> Tensor:
    """Zeros, spikes and other numbers; sometimes spikes only."""
    choices = torch.tensor([0.0, 0.0, -1.0, 1.0, -2.3, 0.5][: 4 + 2 * int(torch.randint(2, ()))])
    return choices[torch.randint(len(choices), shape)]


def network(rng: np.random.Generator) -> tuple[nn.Module, Tensor, Wrapper]:
    samples, even, kind = int(rng.integers(1, 8)), bool(rng.integers(2)), rng.integers(6)
    if kind == 0:
        return nn.Sequential(nn.Linear(9, 6, bias=even), nn.ReLU(), nn.Linear(6, 3)), values(samples, 9), "TorchModel"
    if kind == 1:
        model = nn.Sequential(
            nn.Conv1d(4, 6, 3, padding=2, groups=2, bias=even), nn.BatchNorm1d(6), nn.Sigmoid(),
            nn.Conv1d(6, 2, 3, stride=2), nn.ReLU(),
        )  # fmt: skip
        return model, values(samples, 4, 11), "TorchModel"
    if kind == 2:
        mode = "circular" if even else "zeros"
        conv = nn.Conv2d(2, 4, (3, 2), padding=1, dilation=(1, 2), padding_mode=mode)
        return nn.Sequential(nn.Sequential(conv, nn.ReLU()), nn.Flatten()), values(samples, 2, 6, 7), "TorchModel"
    if kind == 3:
        cells = (nn.RNNCell, nn.LSTMCell, nn.GRUCell)
        return Cell(cells[rng.integers(3)], even), values(samples, 3, 5), "TorchModel"
    if kind == 4:
        model = nn.Sequential(nn.Conv3d(1, 2, 2, padding=1), snntorch.Leaky(beta=0.5, init_hidden=True))
        return model, values(samples, 1, 3, 3, 3), "TorchModel"
    return Stepped(), values(samples, 4, 5), "SNNTorchModel"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=int, default=300)
    nets = parser.parse_args().nets
    if reason := missing("neurobench", "tqdm"):
        print(f"neurobench skipped, {reason}")
        return 0
    wrong = 0
    for seed in range(nets):
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        model, x, wrapper = network(rng)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(torch.rand_like(parameter) < 0.5)
        batch_size = int(rng.integers(1, len(x) + 2))
        view = view_results(model, x, batch_size, wrapper)
        if said := disagreement(view, *neurobench_results(model, x, batch_size, wrapper)):
            wrong += 1
            print(f"seed {seed}, {type(model).__name__}, batch size {batch_size}: {said}")
    print(f"{installed('neurobench')}: {nets - wrong} of {nets} rows agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
