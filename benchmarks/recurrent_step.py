"""What a recurrent layer's forward and backward pass takes: a GRU beside torch's, and in integers beside the GRU.

    python benchmarks/recurrent_step.py [--rounds N]

16 windows of 100 steps, 96 inputs and 32 units, on one thread; outputs and gradients of the float layers are compared.
The integer layers are w8a8, with the fake quantisation of their weights; an LSTM in float is torch's own, for which no
bar is set. The layers take turns. Times are process times, medians of all passes. Exits with 1 where a ratio misses its
bar.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from students.kernels.memory import keep_freed_memory
from students.layers.recurrent import GRU, LSTM
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.quantize.recurrent import IntegerRecurrent
from students.quantize.signals import on_grid_of
from students.spec import Shape, StudentSpec, parse_form

BATCH, STEPS, INPUTS, UNITS = 16, 100, 96, 32
LEAST_GAIN = 3.0
"""nn.GRU over our GRU."""
MOST_OF_FLOAT = 1.6
"""The integer GRU over our GRU."""
PASSES_A_TURN = 10
TOLERANCE = 1e-5


def integer_layer(kind: str, signal: Tensor) -> tuple[nn.Module, Any]:
    """Return the recurrent layer of a w8a8 student, calibrated, and the signal on its grid."""
    shape = Shape(task="classification", channels=INPUTS, steps=STEPS, outputs=2, step_rate_hz=100.0)
    spec = StudentSpec(family=kind, options={"hidden": UNITS}, shape=shape, seed=0)
    model = quantised_from_float(spec.model_copy(update={"form": parse_form("w8a8")}), build(spec), signal)
    layer = next(module for module in model.modules() if isinstance(module, IntegerRecurrent))
    with torch.no_grad():
        codes = model.get_submodule("0").train()(signal)
    in_order = codes.value.mT.contiguous().mT  # lies in memory as the float layers' signal does
    return layer.train(), on_grid_of(in_order, codes)


def passes() -> dict[str, Callable[[], None]]:
    """Return a forward and backward pass of each layer; refuse float layers that disagree."""
    torch.manual_seed(0)
    signal, weights = torch.randn(BATCH, STEPS, INPUTS), torch.randn(BATCH, STEPS, UNITS)
    found: dict[str, Callable[[], None]] = {}
    for kind, ours, theirs in (("gru", GRU(INPUTS, UNITS), nn.GRU), ("lstm", LSTM(INPUTS, UNITS), nn.LSTM)):
        reference = theirs(INPUTS, UNITS, batch_first=True)
        reference.load_state_dict(ours.state_dict())
        gradients = []
        for layer in (ours, reference):
            (layer(signal)[0] * weights).sum().backward()
            gradients.append([parameter.grad.clone() for parameter in layer.parameters()])
        for mine, other in zip(*gradients, strict=True):
            if not float((mine - other).abs().max() / other.abs().max()) < TOLERANCE:
                sys.exit(f"the gradients of {kind} differ")

        integer, codes = integer_layer(kind, signal.mT)
        for name, layer, given in (
            (f"nn.{kind.upper()}", reference, signal), (kind, ours, signal), (f"{kind} w8a8", integer, codes)
        ):  # fmt: skip
            found[name] = one_pass(layer, given, weights)
    return found


def one_pass(layer: nn.Module, signal: Any, weights: Tensor) -> Callable[[], None]:
    """Return a forward and backward pass, with gradients cleared as an optimiser does."""
    parameters = list(layer.parameters())

    def run() -> None:
        for parameter in parameters:
            parameter.grad = None
        states = layer(signal)
        (states[0] * weights if isinstance(states, tuple) else states.mT * weights).sum().backward()

    return run


def measure(rounds: int) -> dict[str, float]:
    """Return the median pass [s] of each layer."""
    runs = passes()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            run()  # brings this layer's memory back after the others
            for _ in range(PASSES_A_TURN):
                start = time.process_time()
                run()
                times[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as `fit` does
    times = measure(options.rounds)
    print(f"{'layer':<12}{'pass [ms]':>10}{'of torch':>10}{'of float':>10}{'bar':>8}")
    missed = 0
    for name, seconds in times.items():
        kind = name.split()[0].removeprefix("nn.").lower()
        of_torch, of_float = seconds / times[f"nn.{kind.upper()}"], seconds / times[kind]
        bar, met = "", True
        if name == "gru":
            bar, met = f"1/{LEAST_GAIN:g}", of_torch <= 1 / LEAST_GAIN
        elif name == "gru w8a8":
            bar, met = f"{MOST_OF_FLOAT:g}", of_float <= MOST_OF_FLOAT
        missed += not met
        print(f"{name:<12}{seconds * 1e3:>10.2f}{of_torch:>10.2f}{of_float:>10.2f}{bar:>8}{'' if met else '  missed'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
