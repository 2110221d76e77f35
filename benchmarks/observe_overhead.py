"""How long counting takes, as a multiple of the same forward calls uncounted: this project beside its peers.

    python benchmarks/observe_overhead.py [--rounds N]

One thread: the snnTorch baseline of NeuroBench's EEG task (62-256-128-2, 250 steps, batch 8), the textbook EEGNet-8,2
(22 channels x 1000 steps, batch 64), this project's students of the same sizes, whose forms are faster, and attention
over 1,280 tokens, in an encoder layer and alone. All contenders take turns; each ratio is of the fastest turns. Ten
batches, a recording, are observed in one call: what is done once a call weighs less there. Absent peers are skipped
with a reason. Last, by how much the memory of a process grows at most, by time steps (Linux). The program exits with 1
where counting takes longer than a bar times the forward alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import snntorch
import torch
from peer_tools import installed, missing, spikingjelly_modules
from torch import Tensor, nn

from students.counting import observe
from students.models.build import build
from students.neurobench import neurobench_row
from students.spec import Shape, StudentSpec

BATCHES = 10
BARS = {"snnTorch": 1.2, "EEGNet-8,2": 1.2, "encoder layer": 2.0, "attention": 2.0}
"""Counting time over that of the forward alone, ten batches in one call, at most; by how a network's name begins."""
FORWARD, TEN = "forward alone", f"{BATCHES} batches"
Contender = Callable[[], object]


class SpikingBaseline(nn.Module):
    """Input (samples, steps, 62)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(62, 256), nn.Linear(256, 128), nn.Linear(128, 2)])
        self.neurons = nn.ModuleList(snntorch.Leaky(beta=0.9) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        states = [neuron.reset_mem() for neuron in self.neurons]
        out = []
        for signal in x.unbind(1):
            for place, (layer, neuron) in enumerate(zip(self.layers, self.neurons, strict=True)):
                signal, states[place] = neuron(layer(signal), states[place])  # noqa: PLW2901
            out.append(signal)
        return torch.stack(out, dim=1)


def textbook_eegnet() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 22)),
        nn.Conv2d(1, 8, (1, 64), padding="same", bias=False), nn.BatchNorm2d(8),
        nn.Conv2d(8, 16, (22, 1), groups=8, bias=False), nn.BatchNorm2d(16), nn.ELU(), nn.AvgPool2d((1, 4)),
        nn.Conv2d(16, 16, (1, 16), padding="same", groups=16, bias=False), nn.Conv2d(16, 16, 1, bias=False),
        nn.BatchNorm2d(16), nn.ELU(), nn.AvgPool2d((1, 8)), nn.Flatten(), nn.Linear(16 * 31, 4),
    )  # fmt: skip


class Encoder(nn.Module):
    """Input (samples, 64 features, tokens)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.out = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layer(x.transpose(1, 2)).mean(1))


class BareAttention(nn.Module):
    """Input (samples, 64 features, tokens)."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(64, 192), nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        signals = self.into(x.transpose(1, 2)).unflatten(-1, (3, 4, 16)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(*signals)
        return self.out(mixed.transpose(1, 2).flatten(2)).mean(1)


def student(family: str, shape: Shape, **options: int) -> nn.Module:
    return build(StudentSpec(family=family, shape=shape, options=options, seed=0))


def spiking_student() -> nn.Module:
    shape = Shape(task="classification", channels=62, steps=250, outputs=2, step_rate_hz=250.0)
    return student("spiking_mlp", shape, hidden_1=256, hidden_2=128)


def eegnet_student() -> nn.Module:
    return student("eegnet", Shape(task="classification", channels=22, steps=1000, outputs=4, step_rate_hz=250.0))


def repeated(x: Tensor, batches: int) -> Tensor:
    return x.repeat(batches, *[1] * (x.dim() - 1))


def uncounted(model: nn.Module, x: Tensor, *, batches: int = 1) -> Contender:
    many = repeated(x, batches)

    def run() -> object:
        with torch.inference_mode():
            return [model(one) for one in many.split(len(x))]

    return run


def observed(model: nn.Module, x: Tensor, *, batches: int) -> Contender:
    many = repeated(x, batches)
    return lambda: observe(
        model, many, name="net", mode="window", step_rate_hz=250.0, input_bits=32, batch_size=len(x)
    )


def row_here(model: nn.Module, x: Tensor) -> Contender:
    return lambda: neurobench_row(model, x, batch_size=len(x), wrapper="TorchModel")


def neurobench(model: nn.Module, x: Tensor) -> Contender:
    """Synaptic operations and activation sparsity of one batch, as its leaderboards ask for."""
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
    from neurobench.models import TorchModel
    from torch.utils.data import DataLoader, TensorDataset

    wrapped = TorchModel(model)
    wrapped.add_activation_module(snntorch.SpikingNeuron)
    loader = DataLoader(TensorDataset(x, torch.zeros(len(x))), batch_size=len(x))

    def run() -> object:
        benchmark = Benchmark(wrapped, loader, [], [], [[], [ActivationSparsity, SynapticOperations]])
        with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return benchmark.run()

    return run


def spikingjelly(model: nn.Module, x: Tensor, *counters: str) -> Contender:
    op_counter = spikingjelly_modules()

    def run() -> object:
        active = [getattr(op_counter, name)() for name in counters]
        with torch.no_grad(), op_counter.DispatchCounterMode(active):
            model(x)
        return [one.get_total() for one in active]

    return run


def contenders(model: nn.Module, x: Tensor) -> dict[str, Contender]:
    return {
        FORWARD: uncounted(model, x),
        "cosim observe, one batch": observed(model, x, batches=1),
        f"{TEN}: forward alone": uncounted(model, x, batches=BATCHES),
        f"{TEN}: cosim observe": observed(model, x, batches=BATCHES),
    }


def rows(model: nn.Module, x: Tensor) -> dict[str, Contender]:
    """Counters of a leaderboard's rows."""
    found = {"cosim NeuroBench row": row_here(model, x)}
    if not missing("neurobench", "tqdm"):
        found[f"NeuroBench {version('neurobench')}"] = neurobench(model, x)
    if not missing("spikingjelly", "loguru"):
        name = f"SpikingJelly {version('spikingjelly')}"
        found[f"{name}, MAC and SynOp"] = spikingjelly(model, x, "MACCounter", "SynOpCounter")
        four = ("MACCounter", "ACCounter", "SynOpCounter", "MemoryAccessCounter")
        found[f"{name}, with AC and memory"] = spikingjelly(model, x, *four)
    return found


def measure(runs: dict[str, Contender], rounds: int) -> dict[str, float]:
    """Return the fastest of each contender's turns [s]; the first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            start = time.process_time()
            run()
            took = time.process_time() - start
            seconds[name].append(took / BATCHES if name.startswith(TEN) else took)  # a batch
    return {name: min(turns[1:]) for name, turns in seconds.items()}


def main() -> None:
    """Print the ratios; exit with 1 above a bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory:
        run_once(given.memory[0], int(given.memory[1]))
        return
    rounds = given.rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for peer, parts in (("neurobench", ("neurobench", "tqdm")), ("spikingjelly", ("spikingjelly", "loguru"))):
        if reason := missing(*parts):
            print(f"{peer} skipped, {reason}")
    print(installed("torch"))
    above: list[str] = []
    for name, model, x, shared in (
        ("snnTorch 62-256-128-2, 250 steps, batch 8", SpikingBaseline(), torch.randn(8, 250, 62), True),
        ("EEGNet-8,2, 22 x 1000, batch 64", textbook_eegnet(), torch.randn(64, 22, 1000), True),
        ("spiking student 62-256-128-2, 250 steps, batch 8", spiking_student(), torch.randn(8, 62, 250), False),
        ("EEGNet student, 22 x 1000, batch 64", eegnet_student(), torch.randn(64, 22, 1000), False),
        ("encoder layer, 1,280 tokens, batch 4", Encoder(), torch.randn(4, 64, 1280), False),
        ("attention, 1,280 tokens, batch 4", BareAttention(), torch.randn(4, 64, 1280), False),
    ):
        model.eval()
        times = measure({**contenders(model, x), **(rows(model, x) if shared else {})}, rounds)
        print(f"\n{name:<50}{'[ms]':>10}{'ratio':>8}")
        for contender, took in times.items():
            alone = times[f"{TEN}: {FORWARD}" if contender.startswith(TEN) else FORWARD]
            print(f"{contender:<50}{took * 1e3:>10.1f}{took / alone:>8.2f}")
        bar = next((number for start, number in BARS.items() if name.startswith(start)), None)
        ratio = times[f"{TEN}: cosim observe"] / times[f"{TEN}: {FORWARD}"]
        if bar is not None and ratio > bar:
            above.append(f"{name}: {ratio:.2f}, bar {bar}")
    print("\nmemory a process needs for the snnTorch network, batch 8 [MiB]: forward alone, observed")
    for steps in (250, 2500, 10000):
        print(f"{steps:>6} steps {peak_mib('alone', steps):>8.1f} {peak_mib('observed', steps):>8.1f}")
    if above:
        sys.exit("above the bar: " + "; ".join(above))


def peak_mib(how: str, steps: int) -> float:
    command = [sys.executable, __file__, "--memory", how, str(steps)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout)


def run_once(how: str, steps: int) -> None:
    model, x = SpikingBaseline().eval(), torch.randn(8, steps, 62)
    contender = observed(model, x, batches=1) if how == "observed" else uncounted(model, x)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak so far, of the imports, is forgotten
    before = resident_kib("VmRSS")
    contender()
    print((resident_kib("VmHWM") - before) / 1024)


def resident_kib(what: str) -> int:
    """Return a line of Linux's own record of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


if __name__ == "__main__":
    main()
