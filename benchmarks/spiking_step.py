"""How fast spiking networks train here, beside snnTorch, SpikingJelly and this project's own earlier form.

    python benchmarks/spiking_step.py [--rounds N] [--part peers|families]

One step is forward, loss, backward and an AdamW update, on one thread; times are of the process, medians of steps that
take turns. `peers`: 16 inputs, two layers of 64 leaky neurons, 4 leaky integrators whose mean membrane is the logit;
and the bytes kept for the backward pass. `families`: the shipped families with the optimiser of `fit`, beside commit
14d5cc8, checked out into a temporary work tree and run in processes that take turns with ours. Exits with 1 where a
ratio is below its bar. SpikingJelly is compared with where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

ROOT = Path(__file__).resolve().parents[1]
EARLIER = "14d5cc8"
INPUTS, HIDDEN, CLASSES, BETA = 16, 64, 4, 0.9
PEERS = {(32, 128): {"snntorch": 10.0, "spikingjelly": 5.0}, (256, 128): {"snntorch": 3.0, "spikingjelly": 2.2},
         (32, 1000): {"snntorch": 8.0}}  # fmt: skip
"""By batch and steps: how many times slower each peer has to be."""
MEMORY_RATIO = 2.0
FAMILIES: Mapping[str, tuple[dict[str, Any], float]] = {
    "spiking_mlp": ({"channels": 42, "steps": 128, "step_rate_hz": 14.0, "outputs": 2, "task": "regression"}, 2.5),
    "spiking_conv": (
        {"channels": 16, "steps": 480, "step_rate_hz": 160.0, "outputs": 4, "task": "classification"}, 2.0,
    ),
}  # fmt: skip
BATCH, STEPS_A_PROCESS, WARM_UP = 64, 16, 4


class Optimiser(Protocol):
    def step(self) -> object: ...


def ours() -> nn.Module:
    from students.families.readout import MeanOverSteps
    from students.layers import FloatLayers, TimeFirst
    from students.neurons import LeakyIntegratorModel, LIFModel

    layers, fires = FloatLayers(), LIFModel(BETA, 1.0)
    return TimeFirst(
        layers.conv1d(INPUTS, HIDDEN, 1, padding=0), layers.neurons(HIDDEN, fires),
        layers.conv1d(HIDDEN, HIDDEN, 1, padding=0), layers.neurons(HIDDEN, fires),
        layers.conv1d(HIDDEN, CLASSES, 1, padding=0), layers.neurons(CLASSES, LeakyIntegratorModel(BETA)),
        MeanOverSteps(),
    )  # fmt: skip


class SnnTorchNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        import snntorch

        widths = (INPUTS, HIDDEN, HIDDEN, CLASSES)
        self.products = nn.ModuleList(nn.Linear(one, other) for one, other in itertools.pairwise(widths))
        self.neurons = nn.ModuleList(snntorch.Leaky(BETA, reset_mechanism=r) for r in ("subtract", "subtract", "none"))

    def forward(self, signal: Tensor) -> Tensor:
        states = [neuron.init_leaky() for neuron in self.neurons]
        membranes = []
        for now in signal.unbind(-1):
            for place, (product, neuron) in enumerate(zip(self.products, self.neurons, strict=True)):
                now, states[place] = neuron(product(now), states[place])  # noqa: PLW2901
            membranes.append(states[-1])
        return torch.stack(membranes).mean(0)


def spikingjelly_net() -> nn.Module:
    from spikingjelly.activation_based import functional as jelly
    from spikingjelly.activation_based import layer, neuron, surrogate

    def fires(threshold: float, **more: bool) -> nn.Module:
        return neuron.LIFNode(
            tau=1 / (1 - BETA), decay_input=False, v_threshold=threshold, v_reset=None, detach_reset=True,
            surrogate_function=surrogate.ATan(), step_mode="m", **more,
        )  # fmt: skip

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                layer.Linear(INPUTS, HIDDEN, step_mode="m"), fires(1.0), layer.Linear(HIDDEN, HIDDEN, step_mode="m"),
                fires(1.0), layer.Linear(HIDDEN, CLASSES, step_mode="m"),
            )  # fmt: skip
            self.readout = fires(1e9, store_v_seq=True)

        def forward(self, signal: Tensor) -> Tensor:
            jelly.reset_net(self)
            self.readout(self.body(signal.permute(2, 0, 1).contiguous()))
            return self.readout.v_seq.mean(0)

    return Net()


def training_step(
    net: nn.Module, inputs: Tensor, loss: Callable[[Tensor], Tensor], optimiser: Optimiser | None = None
) -> Callable[[], None]:
    update = optimiser or torch.optim.AdamW(net.train().parameters(), lr=1e-3)

    def step() -> None:
        for parameter in net.parameters():
            parameter.grad = None
        loss(net(inputs)).backward()
        update.step()

    return step


def has_kernels() -> bool:
    """Return whether these sources have kernels; an editable installation elsewhere does not count."""
    folders = importlib.import_module("students").__path__
    return (Path(next(iter(folders))) / "kernels").is_dir()


def optimiser_of_fit(net: nn.Module) -> Optimiser | None:
    """Return the optimiser that `students.training.fit` of these sources has; None: torch's AdamW, as the earlier."""
    if not has_kernels():
        return None
    settings = importlib.import_module("students.spec").Training(learning_rate=1e-3)
    ours = importlib.import_module("students.training.optimiser")
    return ours.optimiser_over(net.named_parameters(), settings, torch.device("cpu"))


def kept_bytes(net: nn.Module, inputs: Tensor) -> int:
    """Return the memory that a forward pass keeps for the backward pass, the parameters left out [bytes]."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda one: one):
        held = net.train()(inputs)
    for parameter in net.parameters():
        kept.pop(parameter.untyped_storage().data_ptr(), None)
    assert held.requires_grad
    return sum(kept.values())


def measure(steps: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Return the median time of each step [ms]; all of them run in each round."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + WARM_UP):
        for name, step in steps.items():
            start = time.process_time()
            step()
            if turn >= WARM_UP:
                times[name].append(1e3 * (time.process_time() - start))
    return {name: statistics.median(taken) for name, taken in times.items()}


def compare_peers(rounds: int) -> bool:
    makers: dict[str, Callable[[], nn.Module]] = {"ours": ours, "snntorch": SnnTorchNet}
    if importlib.util.find_spec("spikingjelly") is not None:
        makers["spikingjelly"] = spikingjelly_net
    else:
        print("SpikingJelly is not installed: left out")
    good = True
    for (batch, steps), bars in PEERS.items():
        inputs, targets = torch.randn(batch, INPUTS, steps), torch.randint(0, CLASSES, (batch,))
        nets = {name: make() for name, make in makers.items()}
        loss = lambda outputs, targets=targets: functional.cross_entropy(outputs, targets)  # noqa: E731
        taken = measure({name: training_step(net, inputs, loss) for name, net in nets.items()}, rounds)
        kept = {name: kept_bytes(net, inputs) for name, net in nets.items()}
        for name in nets:
            ratio, bar, more = taken[name] / taken["ours"], bars.get(name, 0.0), kept[name] / kept["ours"]
            enough = ratio >= bar and (name != "snntorch" or more >= MEMORY_RATIO)
            good &= enough
            print(f"batch {batch:4} steps {steps:5} {name:13} {taken[name]:8.2f} ms {ratio:6.2f} (bar {bar:4.1f})"
                  f" kept {kept[name] / 1e6:6.1f} MB {more:5.2f} {'' if enough else 'BELOW'}")  # fmt: skip
    return good


def family_times(name: str) -> list[float]:
    """Return the times of one process's steps of a family [ms]; runs with the sources of either commit."""
    module, described = importlib.import_module(f"students.families.{name}"), FAMILIES[name][0]
    family = getattr(module, "FAMILY", module)
    layers = importlib.import_module("students.layers").FloatLayers()
    shape = importlib.import_module("students.spec").Shape(**described)
    if has_kernels():  # as `fit` does
        importlib.import_module("students.kernels.memory").keep_freed_memory()
    torch.manual_seed(0)
    net, inputs = family.build(family.Options(), shape, layers), torch.randn(BATCH, shape.channels, shape.steps)
    step = training_step(net.train(), inputs, lambda outputs: outputs.square().mean(), optimiser_of_fit(net))
    times = []
    for _ in range(STEPS_A_PROCESS):
        start = time.process_time()
        step()
        times.append(1e3 * (time.process_time() - start))
    return times[WARM_UP:]


def compare_families(rounds: int) -> bool:
    good = True
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "earlier"
        subprocess.run(["git", "worktree", "add", "--detach", str(tree), EARLIER], cwd=ROOT, check=True)  # noqa: S607
        try:
            for name, (_, bar) in FAMILIES.items():
                times: dict[Path, list[float]] = {ROOT: [], tree: []}
                for _ in range(rounds):
                    for sources, taken in times.items():
                        command = [sys.executable, __file__, "--worker", name]
                        run = subprocess.run(
                            command, env={**os.environ, "PYTHONPATH": str(sources)}, cwd=sources, check=True,
                            stdout=subprocess.PIPE, text=True,
                        )  # fmt: skip
                        taken.extend(json.loads(run.stdout))
                now, before = (statistics.median(times[sources]) for sources in (ROOT, tree))
                good &= before / now >= bar
                print(f"{name:13} {EARLIER} {before:7.2f} ms, now {now:7.2f} ms: {before / now:5.2f} (bar {bar})")
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)  # noqa: S607
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--part", choices=("peers", "families"))
    parser.add_argument("--worker", choices=tuple(FAMILIES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.worker:
        print(json.dumps(family_times(given.worker)))
        return 0
    if has_kernels():
        importlib.import_module("students.kernels.memory").keep_freed_memory()
    parts = {"peers": compare_peers, "families": compare_families}
    return 0 if all([run(given.rounds) for name, run in parts.items() if given.part in {None, name}]) else 1


if __name__ == "__main__":
    sys.exit(main())
