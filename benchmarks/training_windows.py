"""What a training step of EEGNet and ShallowConvNet takes: float beside commit 14d5cc8, integers beside float.

    python benchmarks/training_windows.py [--rounds N]

One step is forward, loss, backward, clipping and an AdamW update on windows of 22 channels x 1000 steps, with dropout,
on one thread; w4a4 is quantised from the float network. The earlier commit is checked out into a temporary work tree
and runs in a process of its own; the two take turns. Times are process times, medians of all steps. Exits with 1 where
a ratio misses its bar.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from earlier_tree import ROOT, earlier_tree

HERE = Path(__file__).resolve()
EARLIER = "14d5cc8"
CHANNELS, STEPS, CLASSES, RATE_HZ = 22, 1000, 4, 128.0
FAMILIES, FORMS, BATCHES = ("eegnet", "shallow"), ("float32", "w4a4"), (64, 8)
STEPS_A_TURN = {64: 3, 8: 12}
LEAST_GAIN = 1.4
"""EEGNet in float at batch 64: the earlier step over this one."""
MOST_OF_FLOAT = {("eegnet", 64): 1.6, ("eegnet", 8): 1.7, ("shallow", 64): 1.8, ("shallow", 8): 1.8}
"""A quantised step over a float step of the same code."""


def is_this_tree() -> bool:
    import students

    return Path(students.__file__).is_relative_to(ROOT)


def stepper(family: str, form: str, batch: int) -> Any:
    """Return a function that trains one step."""
    import torch
    from torch.nn import functional

    from students.spec import Shape, StudentSpec

    torch.manual_seed(0)
    shape = Shape(task="classification", channels=CHANNELS, steps=STEPS, outputs=CLASSES, step_rate_hz=RATE_HZ)
    spec = StudentSpec(family=family, shape=shape, seed=0)
    inputs, targets = torch.randn(batch, CHANNELS, STEPS), torch.randint(0, CLASSES, (batch,))
    if is_this_tree():
        from students.models.build import build
    else:
        from students.build import build
    model = build(spec)
    if form != "float32":
        from students.models.from_float import quantised_from_float
        from students.spec import parse_form

        model = quantised_from_float(spec.model_copy(update={"form": parse_form(form)}), model, inputs)
    model.train()
    parameters = list(model.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=1e-3)

    def step() -> None:
        optimiser.zero_grad()
        functional.cross_entropy(model(inputs), targets).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()

    return step


def work(forms: Sequence[str]) -> None:
    """Answer each line from the standard input with the times of one turn [s], as JSON."""
    import torch

    torch.set_num_threads(1)
    if is_this_tree():
        from students.kernels.memory import keep_freed_memory

        keep_freed_memory()  # as `fit` does
    cases = {(f, form, b): stepper(f, form, b) for b in BATCHES for f in FAMILIES for form in forms}
    print("ready", flush=True)
    for _ in sys.stdin:
        times: dict[str, list[float]] = {}
        for (family, form, batch), step in cases.items():
            step()  # brings this network's memory back after the others
            found = times[f"{family} {form} {batch}"] = []
            for _ in range(STEPS_A_TURN[batch]):
                start = time.process_time()
                step()
                found.append(time.process_time() - start)
        print(json.dumps(times), flush=True)


class Worker:
    """A process that runs `work` with the packages of one tree."""

    def __init__(self, tree: Path, forms: Sequence[str]) -> None:
        environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE), "--worker", *forms], cwd=tree, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.times: dict[str, list[float]] = {}
        if self._line() != "ready":
            sys.exit(f"the steps of {tree} do not run")

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def turn(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("turn\n")
        self.process.stdin.flush()
        for name, found in json.loads(self._line()).items():
            self.times.setdefault(name, []).extend(found)

    def end(self) -> dict[str, float]:
        """Return the medians [s]."""
        self.process.communicate()
        return {name: statistics.median(found) for name, found in self.times.items()}


def measure(rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the medians of the earlier commit and of this tree."""
    with earlier_tree(EARLIER) as tree:
        workers = Worker(tree, FORMS[:1]), Worker(ROOT, FORMS)
        for _ in range(rounds):
            for worker in workers:
                worker.turn()
        return workers[0].end(), workers[1].end()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return 0
    before, now = measure(options.rounds)
    print(f"{'step':<20}{EARLIER + ' [ms]':>14}{'now [ms]':>10}{'gain':>7}{'of float':>10}{'bar':>8}")
    missed = 0
    for name, seconds in now.items():
        family, form, batch = name.split()
        share = seconds / now[f"{family} float32 {batch}"]
        gain = before[name] / seconds if name in before else math.nan
        bar, met = "", True
        if form != "float32":
            most = MOST_OF_FLOAT[family, int(batch)]
            bar, met = f"<= {most}", share <= most
        elif (family, batch) == ("eegnet", "64"):
            bar, met = f">= {LEAST_GAIN}", gain >= LEAST_GAIN
        missed += not met
        print(
            f"{name:<20}{before.get(name, math.nan) * 1e3:>14.2f}{seconds * 1e3:>10.2f}{gain:>7.2f}{share:>10.2f}"
            f"{bar:>8}{'' if met else '  missed'}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
