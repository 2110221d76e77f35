"""How much faster EEGNet trains here than in its textbook form, side by side in one run, on one thread.

    python benchmarks/eegnet_step.py [--rounds N]

One step is forward, loss, backward and an AdamW update on 64 windows of 22 channels x 1000 steps (F1 = 8, D = 2,
64 taps). Three forms are one network, and their outputs are compared: temporal first (the textbook's order), spatial
first, and ours. Exits with 1 where the first of them is less than ten times slower than ours. The fourth is the network
as published, with a batch norm after the temporal filters and ELU, by torch's own layers: another function, and slower
still, so it decides nothing. Dropout and max-norm are left out of all.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from students.layers import Conv1d, DepthwiseConv1d
from students.models.build import build
from students.spec import Shape, StudentSpec

BATCH, CHANNELS, STEPS, CLASSES, RATE_HZ = 64, 22, 1000, 4, 128.0
FILTERS, DEPTH, TAPS = 8, 2, 64
REQUIRED_RATIO = 10.0
STEPS_A_TURN = 4
TOLERANCE = 1e-5


class TextbookStem(nn.Module):
    """Temporal convolution first, then the spatial one, without the batch norm the paper has between them."""

    def __init__(self) -> None:
        super().__init__()
        self.temporal = nn.Conv2d(1, FILTERS, (1, TAPS), padding="same", bias=False)
        self.spatial = nn.Conv2d(FILTERS, FILTERS * DEPTH, (CHANNELS, 1), groups=FILTERS, bias=False)

    def forward(self, signal: Tensor) -> Tensor:
        return self.spatial(self.temporal(signal[:, None]))[:, :, 0]


class DirectDepthwise(DepthwiseConv1d):
    """The deployed direct convolution, in training too."""

    def forward(self, input: Tensor) -> Tensor:
        return Conv1d.forward(self, input)


def network() -> nn.Sequential:
    shape = Shape(task="classification", channels=CHANNELS, steps=STEPS, outputs=CLASSES, step_rate_hz=RATE_HZ)
    options = {"temporal_filters": FILTERS, "depth": DEPTH, "kernel_s": TAPS / RATE_HZ, "dropout": 0.0}
    model = build(StudentSpec(family="eegnet", options=options, shape=shape, seed=0))
    assert isinstance(model, nn.Sequential)
    return model


def same_networks() -> dict[str, nn.Module]:
    """Return three forms of one network with equal weights."""
    ours, direct, body = network(), network(), network()
    for module in direct.modules():
        if isinstance(module, DepthwiseConv1d):
            module.__class__ = DirectDepthwise
    stem = TextbookStem()
    with torch.no_grad():
        temporal = stem.temporal.weight[:, 0].repeat_interleave(DEPTH, dim=0)
        spatial = stem.spatial.weight[:, 0]
        for model in (ours, direct):
            model[1].weight.copy_(spatial)
            model[3].weight.copy_(temporal)
    for module in body.modules():  # the textbook's separable convolution is torch's own, too
        if isinstance(module, DepthwiseConv1d):
            module.__class__ = DirectDepthwise
    textbook = nn.Sequential(stem, *list(body)[4:])
    return {"textbook, temporal first": textbook, "spatial first, direct": direct, "spatial first, fast": ours}


def as_published() -> nn.Module:
    """Return EEGNet-8,2 as Lawhern et al. (2018) and the ports of it have it."""
    width = FILTERS * DEPTH
    return nn.Sequential(
        nn.Unflatten(1, (1, CHANNELS)),
        nn.Conv2d(1, FILTERS, (1, TAPS), padding="same", bias=False),
        nn.BatchNorm2d(FILTERS),
        nn.Conv2d(FILTERS, width, (CHANNELS, 1), groups=FILTERS, bias=False),
        nn.BatchNorm2d(width),
        nn.ELU(),
        nn.AvgPool2d((1, 4)),
        nn.Conv2d(width, width, (1, 16), padding="same", groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ELU(),
        nn.AvgPool2d((1, 8)),
        nn.Flatten(),
        nn.Linear(width * (STEPS // 4 // 8), CLASSES),
    )


def step(model: nn.Module, optimiser: torch.optim.Optimizer, inputs: Tensor, targets: Tensor) -> None:
    optimiser.zero_grad()
    functional.cross_entropy(model(inputs), targets).backward()
    optimiser.step()


def measure(rounds: int) -> dict[str, float]:
    """Return the fastest step [s] of each form, the forms taking turns; refuse forms that disagree.

    The fastest, because other processes on the machine only ever add time.
    """
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(BATCH, CHANNELS, STEPS, generator=generator)
    targets = torch.randint(0, CLASSES, (BATCH,), generator=generator)
    same = same_networks()
    with torch.no_grad():
        outputs = [model.train()(inputs) for model in same.values()]
    difference = max((other - outputs[0]).abs().max().item() for other in outputs[1:])
    if not difference < TOLERANCE:
        sys.exit(f"the forms differ by {difference}")
    print(f"largest difference of the logits: {difference:.1e}")
    runs: dict[str, Callable[[], None]] = {}
    for name, model in {"as published": as_published(), **same}.items():
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
        runs[name] = lambda model=model, optimiser=optimiser: step(model, optimiser, inputs, targets)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            run()  # brings this form's memory back after the others
            for _ in range(STEPS_A_TURN):
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
    return {name: min(values) for name, values in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    torch.set_num_threads(1)
    times = measure(parser.parse_args().rounds)
    fast = times["spatial first, fast"]
    print(f"{'form':<28}{'step [ms]':>10}{'ratio':>8}")
    for name, seconds in times.items():
        print(f"{name:<28}{seconds * 1e3:>10.1f}{seconds / fast:>8.1f}")
    return 0 if times["textbook, temporal first"] / fast >= REQUIRED_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
