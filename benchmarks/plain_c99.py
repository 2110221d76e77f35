"""Instructions of exported C by kind of layer: fitted on one network, predicted for others, counted on an emulator.

    python benchmarks/plain_c99.py [--write]

The fitted network has every kind of product, a GRU and functions without a state. Layers of others are predicted from
their workloads by `energy_models.calibration.plain_c99`; errors are those of layers, summed by kind in a network, and
of whole networks. What the fit cannot tell apart from a term beside it is left out of the table (`BESIDE`), and so is
what the fitted network has not, spiking neurons: layers with such work, and networks with such layers, are not
predicted. Low and high of a number are of the networks that are not fitted, so that these test the values and not the
bands. Exits with 1 where the median error of kinds misses 25 %.
``--write`` writes the table that ships. Under a minute.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor, nn
from torch.nn import functional

from energy_models.calibration import instruction_terms, plain_c99, predicted_instructions
from energy_models.calibration.instructions import BESIDE, SUMS, WINDOWS
from energy_models.workload import Workload
from students.counting import observe
from students.deploy import InputCodes, lower
from students.deploy.c_code import export_c
from students.deploy.emulator import Emulated, emulate
from students.models.build import build, mode
from students.models.from_float import quantised_from_float
from students.spec import Shape, StudentSpec, Training, parse_form

BAR = 0.25
WHOLE = "(whole)"
TABLE = Path(__file__).parent.parent / "energy_models/data/instructions/plain_c99.toml"
PRODUCTS = ("conv", "depthwise", "pointwise", "linear", "recurrent", "attention", "matmul")

LOOPS = (SUMS, WINDOWS)


class EveryKind(nn.Module):
    """Every kind of product, two depthwise, pools, an ELU as a table and one as steps, a residual sum, attention."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv1d(channels, 12, 9, padding=4), nn.BatchNorm1d(12)
        self.wide = nn.Conv1d(12, 12, 16, padding=7, groups=12)
        self.mixed, self.narrow = nn.Conv1d(12, 12, 1), nn.Conv1d(12, 8, 1)
        self.fine = nn.Conv1d(12, 12, 4, padding=2, groups=12)
        self.query, self.key, self.value = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.cell = nn.GRU(8, 10, batch_first=True)
        self.hidden, self.readout = nn.Linear(10 * (steps // 8), 16), nn.Linear(16, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = functional.avg_pool1d(torch.relu(self.norm(self.first(signal))), 4)
        signal = torch.relu(self.wide(signal))
        signal = torch.relu(self.fine(functional.elu(self.mixed(signal) + signal)))
        signal = functional.max_pool1d(functional.elu(self.narrow(signal)), 2)
        rows = signal.transpose(1, 2)
        scores = torch.softmax(self.query(rows) @ self.key(rows).mT / 8**0.5, -1)
        signal, _ = self.cell(scores @ self.value(rows))
        return self.readout(torch.relu(self.hidden(signal.flatten(1))))


WINDOW = Shape(task="classification", channels=8, steps=128, outputs=4, step_rate_hz=128.0)
STREAM = Shape(task="regression", channels=16, steps=40, outputs=2, step_rate_hz=50.0)
Network = tuple[str, str, str, Shape, dict[str, Any]]
FITTED: Network = ("every kind", f"{__name__}:EveryKind", "w8a8", WINDOW, {})
OTHERS: list[Network] = [
    ("EEGNet w8a8", "eegnet", "w8a8", WINDOW, {}),
    ("EEGNet w4a4, 22 channels", "eegnet", "w4a4", WINDOW.model_copy(update={"channels": 22}), {}),
    ("ShallowConvNet w8a8", "shallow", "w8a8", WINDOW, {"filters": 10}),
    ("Conformer w8a8", "conformer", "w8a8", WINDOW, {"width": 8, "blocks": 2}),
    ("spiking EEGNet w8a8s8", "spiking_eegnet", "w8a8s8", WINDOW, {}),
    ("MLP w4a4", "mlp", "w4a4", WINDOW, {"hidden": 16}),
    ("MLP with lags w8a8", "mlp", "w8a8", STREAM, {"hidden": 16, "lags": 6}),
    ("GRU w8a8", "gru", "w8a8", STREAM, {"hidden": 16}),
    ("LSTM w4a4", "lstm", "w4a4", STREAM, {"hidden": 24}),
    ("spiking MLP w8a8s8", "spiking_mlp", "w8a8s8", STREAM, {"hidden_1": 16, "hidden_2": 16}),
    ("spiking conv w4a4s8", "spiking_conv", "w4a4s8", WINDOW, {}),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counted:
    """A network, its workload, and the layers of its C code with the counts that predict them."""

    name: str
    workload: Workload
    emulated: Emulated
    layers: tuple[tuple[str, float, Mapping[str, float]], ...]


def counted(name: str, family: str, form: str, shape: Shape, options: dict[str, Any]) -> Counted:
    """Build a network with untrained weights, export it, and count what it executes and what it is predicted from."""
    spec = StudentSpec(family=family, options=options, shape=shape, training=Training(epochs=1), seed=1)
    torch.manual_seed(1)
    chance = torch.Generator().manual_seed(1)
    signals = torch.randn((16, shape.channels, shape.steps), generator=chance)
    wanted = spec.model_copy(update={"form": parse_form(form)})
    model = quantised_from_float(wanted, build(spec).eval(), signals).eval()
    codes = InputCodes(12, signed=True, scale=np.array(0.002), offset=np.array(0.0))
    with tempfile.TemporaryDirectory() as folder:
        export_c(lower(model, shape, codes=codes), Path(folder), vectors=codes.codes_of(signals[:2].numpy()))
        run = emulate(Path(folder))
    work = observe(model, signals[:2], name=name, mode=mode(spec), step_rate_hz=shape.step_rate_hz, input_bits=12)
    return Counted(name, work, run, tuple(_layers(work, run)))


def _layers(work: Workload, run: Emulated) -> list[tuple[str, float, Mapping[str, float]]]:
    """Return kind, instructions and counts of every layer of the C code; what is folded away is in none."""
    owners: dict[str, list[int]] = {}
    for place, layer in enumerate(run.layers):
        for node, _ in layer.nodes:
            owners.setdefault(node.partition("#")[0], []).append(place)  # x and x#2 are two calls of one layer
    kinds: list[str] = [""] * len(run.layers)
    terms: list[dict[str, float]] = [{} for _ in run.layers]
    for layer in work.layers:
        named = [node for node in owners if layer.name == node or layer.name.startswith(f"{node}.")]
        places = owners[max(named, key=len)] if named else []
        for place in places:
            kinds[place] = kinds[place] if kinds[place] in PRODUCTS else layer.kind
            for term, count in instruction_terms(layer).items():
                terms[place][term] = terms[place].get(term, 0.0) + count / len(places)
    return [(kind or "move", layer.instructions, term)
            for kind, layer, term in zip(kinds, run.layers, terms, strict=True)]  # fmt: skip


def fitted(network: Counted) -> dict[str, float]:
    """Return instructions of each term: least squares of relative errors of the layers, none below zero."""
    names = sorted({name for _, _, terms in network.layers for name in terms})
    layers = [(instructions, terms) for _, instructions, terms in network.layers if terms]
    rows = np.array([[terms.get(name, 0.0) / instructions for name in names] for instructions, terms in layers])
    values, _ = nnls(rows, np.ones(len(layers)))
    return dict(zip(names, values.tolist(), strict=True))


def errors(network: Counted, table: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Return predicted and counted instructions by kind of layer, and of the whole call; what is predicted only."""
    found: dict[str, tuple[float, float]] = {}
    for kind, instructions, terms in network.layers:
        if unknown(terms, table):
            continue
        before = found.get(kind, (0.0, 0.0))
        found[kind] = before[0] + _predicted(terms, table), before[1] + instructions
    whole = predicted_instructions(network.workload, plain_c99())
    return found if whole.unknown else {**found, WHOLE: (whole.total, network.emulated.instructions)}


def unknown(terms: Mapping[str, float], table: Mapping[str, float]) -> set[str]:
    """Return the terms of a layer that the table has no number for, nor one of what contains them."""
    return {name for name in terms if name not in table and BESIDE.get(name) not in terms}


def _predicted(terms: Mapping[str, float], table: Mapping[str, float]) -> float:
    return sum(table.get(name, 0.0) * count for name, count in terms.items())


def text(fit: Mapping[str, float], networks: Sequence[Counted], run: Emulated) -> str:
    """Return the file that ships: bounds are those of the layers that each term predicts most of."""
    lost = sorted({name for name, value in fit.items() if not value} - set(BESIDE))
    if lost:
        raise SystemExit(f"not told apart from others, and in no entry of BESIDE: {', '.join(lost)}")
    table = {name: value for name, value in fit.items() if value}
    lines = [
        "# Instructions of C99 as `cosim export` writes it, counted under QEMU by benchmarks/plain_c99.py --write.",
        'name = "plain_c99"', 'title = "Plain C99 in integers, exported by cosim"', 'core = "cortex-m4"',
        f'compiler = "{run.compiler}"', f'flags = "{" ".join(run.flags)}"', f'network = "{FITTED[0]}"',
        'cycles_per_instruction = { value = 1.6, low = 1.4, high = 1.8, unit = "cycle/instruction", basis = "derived", '
        'source = "arm_cortex_m4_trm", where = "Table 3-1", note = "loads 2 cycles, taken branches 2 to 4, the rest 1, '
        'in loops of such code; nothing was timed" }',
    ]  # fmt: skip
    for heading, unit, names in (
        ("per_product", "instruction/MAC", [name for name in table if name in PRODUCTS]),
        ("per_operation", "instruction/op", [name for name in table if name not in {*PRODUCTS, *LOOPS}]),
        ("per_loop", "instruction/op", [name for name in table if name in LOOPS]),
    ):
        lines += ["", f"[{heading}]", *(_line(name, table, networks, unit) for name in names)]
    return "\n".join(lines) + "\n"


def _line(name: str, table: Mapping[str, float], networks: Sequence[Counted], unit: str) -> str:
    """Return the line of one number."""
    low, high = _bounds(name, table, networks)
    note = "low, high: layers of the networks that the benchmark calls not fitted"
    return (
        f'{name} = {{ value = {table[name]:.4g}, low = {low:.4g}, high = {high:.4g}, unit = "{unit}", '
        f'basis = "simulated", source = "plain_c99_emulated", where = "{FITTED[0]}", note = "{note}" }}'
    )


def _bounds(name: str, table: Mapping[str, float], networks: Sequence[Counted]) -> tuple[float, float]:
    """Return the least and the greatest value with which a layer that is mostly this term would be exact."""
    found = [table[name]]
    for network in networks:
        for _, instructions, terms in network.layers:
            rest = sum(table.get(one, 0.0) * count for one, count in terms.items() if one != name)
            if terms.get(name) and not unknown(terms, table) and rest < instructions / 2:
                found.append((instructions - rest) / terms[name])
    return min(found), max(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Count, fit, predict and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="Write the table that ships.")
    asked = parser.parse_args(argv)
    first = counted(*FITTED)
    others = [counted(*one) for one in OTHERS]
    if asked.write:
        TABLE.write_text(text(fitted(first), others, first.emulated))
        plain_c99.cache_clear()
    shipped = {name: one.value for name, one in plain_c99().numbers.items()}
    print("instructions:", {name: round(value, 2) for name, value in shipped.items()})
    by_kind: list[float] = []
    wholes: list[float] = []
    for network in (first, *others):
        for kind, (predicted, instructions) in errors(network, shipped).items():
            error = predicted / instructions - 1
            print(f"{network.name:26} {kind:12} {instructions:12,.0f} {predicted:12,.0f} {error:+7.1%}")
            if network in others:
                (wholes if kind == WHOLE else by_kind).append(abs(error))
        if absent := sorted({name for _, _, terms in network.layers for name in unknown(terms, shipped)}):
            print(f"{network.name:26} not predicted, the fitted network has none: {', '.join(absent)}")
    median = statistics.median(by_kind)
    print(f"not fitted: median error of {len(by_kind)} kinds {median:.1%}, of {len(wholes)} networks "
          f"{statistics.median(wholes):.1%}, largest {max(wholes):.1%}")  # fmt: skip
    return int(median > BAR)


if __name__ == "__main__":
    from plain_c99 import main as run_as_module  # a family is named by a module that every process can import

    sys.exit(run_as_module())
