"""C code of deployed graphs, compiled with every warning an error and run: bit-exact with the integer reference."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import test_deploy_networks as own
import torch
from deployed_networks import CODES, quantised, signals
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.deploy import DeployedGraph, InputCodes, lower
from students.deploy.c_code import MEMORY_FILE, CExport, export_c
from students.deploy.cells import Neurons, Recurrent
from students.deploy.graph import Join, Linear, Product
from students.deploy.ranges import Range
from students.spec import Shape

GCC = shutil.which("gcc")
FLAGS = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all"]  # fmt: skip
compiled = pytest.mark.skipif(GCC is None, reason="gcc is not installed")

WINDOWS = Shape(task="classification", channels=4, steps=96, outputs=3, step_rate_hz=64.0)
STEPS = Shape(task="regression", channels=5, steps=60, outputs=2, step_rate_hz=20.0)
OPTIONS: dict[str, dict[str, Any]] = {
    "eegnet": {"temporal_filters": 3, "kernel_s": 0.25, "separable_taps": 4}, "shallow": {"filters": 6},
    "mlp": {"hidden": 8}, "conformer": {"width": 6, "blocks": 2},
}  # fmt: skip
nets = own.nets


def check(export: CExport, name: str) -> str:
    """Compile and run the test vectors through both entry points; return what the programs say."""
    said = built_and_run(export, name, (f"{name}.c", f"{name}_check.c"))
    assert built_and_run(export, name, (f"{name}.c", f"{name}_stream.c", f"{name}_stream_check.c")) == said
    return said


def built_and_run(export: CExport, name: str, sources: tuple[str, ...]) -> str:
    assert GCC is not None
    program, files = export.folder / "check", [str(export.folder / file) for file in sources]
    built = subprocess.run([GCC, *FLAGS, *files, "-o", str(program)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([str(program)], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def vectors(graph: DeployedGraph, shape: Shape, count: int = 8) -> np.ndarray[Any, Any]:
    """Return codes of noise, and of both ends of the converter."""
    codes = graph.codes.codes_of(signals(shape, count, 5).numpy() * 2)
    codes[-2:] = np.random.default_rng(0).choice([graph.codes.lowest, graph.codes.highest], size=codes[-2:].shape)
    return codes


@compiled
@pytest.mark.parametrize("form", ["w8a8", "w2a4 edge=4 in=6"])
@pytest.mark.parametrize("name", ["eegnet", "shallow", "conformer", "mlp", "steps"])
def test_families_are_bit_exact(tmp_path: Path, name: str, form: str) -> None:
    shape = STEPS if name == "steps" else WINDOWS
    options = OPTIONS.get(name, {"hidden": 8, "lags": 4})
    model, _ = quantised("mlp" if name == "steps" else name, form, shape, options)
    codes = InputCodes(12, signed=False, scale=np.full(shape.channels, 0.003), offset=np.full(shape.channels, -6.0))
    graph = lower(model, shape, codes=codes)
    export = export_c(graph, tmp_path, vectors=vectors(graph, shape))
    assert export.entry == ("step" if name == "steps" else "window")
    calls = 8 * (60 if name == "steps" else 1)
    assert check(export, "decoder") == f"0 of {calls * shape.outputs} outputs differ\n"


@compiled
@pytest.mark.parametrize(("family", "shape"), own.NETWORKS)
def test_own_networks_are_bit_exact(tmp_path: Path, family: str, shape: Shape) -> None:
    model, _ = quantised(family, "w8a8" if family.endswith("Net") else "w3a4", shape)
    graph = lower(model, shape, codes=CODES)
    check(export_c(graph, tmp_path, name="net", vectors=vectors(graph, shape, 4)), "net")


CELLS = [
    ("gru", "w8a8", WINDOWS, {"hidden": 6}), ("gru", "w4a4", STEPS, {"hidden": 6}),
    ("lstm", "w4a4 edge=8", WINDOWS, {"hidden": 5}), ("lstm", "w2a3", STEPS, {"hidden": 5}),
    ("spiking_mlp", "w4a4s6", STEPS, {"hidden_1": 8, "hidden_2": 6}),
    ("spiking_mlp", "w8a8s16", WINDOWS, {"hidden_1": 8, "hidden_2": 6, "code": "binary"}),
    ("spiking_conv", "w4a4s8", WINDOWS, {"mixtures": 6, "hidden": 5}),
    ("spiking_delay", "w4a4s8", STEPS, {"hidden_1": 8, "hidden_2": 6, "lags": 3, "lags_hidden": 2, "most": 5}),
    ("spiking_delay", "w8a8s16", WINDOWS, {"hidden_1": 8, "hidden_2": 6, "lags": 3}),
    ("spiking_delay", "w4a4s6", STEPS, {"hidden_1": 8, "hidden_2": 0, "lags": 7, "delays": "learned"}),
    ("spiking_delay", "w4a4s6", WINDOWS, {"hidden_1": 8, "hidden_2": 0, "lags": 7, "delays": "learned"}),
    ("spiking_mlp", "w4a4s6", STEPS, {"hidden_1": 8, "hidden_2": 6, "code": "level_crossing"}),
    *(("spiking_mlp", "w4a4s6", shape, {"hidden_1": 8, "hidden_2": 6, "code": code}) for shape in (WINDOWS, STEPS)
      for code in ("rate", "random_rate", "envelopes", "lock_in 3,5.5/0.2")),
    ("plif_conv", "w4a4s6", WINDOWS, {}),
]  # fmt: skip


@compiled
@pytest.mark.parametrize(("family", "form", "shape", "options"), CELLS)
def test_states_from_step_to_step_are_bit_exact(
    tmp_path: Path, family: str, form: str, shape: Shape, options: dict[str, Any]
) -> None:
    model, _ = quantised(family, form, shape, options)
    graph = lower(model, shape, codes=CODES)
    export = export_c(graph, tmp_path, vectors=vectors(graph, shape))
    assert export.entry == ("step" if shape is STEPS else "window")
    assert export.state_bytes > 0
    check(export, "decoder")


@compiled
def test_neurons_of_every_reset_leak_cut_and_fire_as_the_reference(tmp_path: Path) -> None:
    drive, codes = Range((3, 40), -128, 127), InputCodes(8, signed=True, scale=np.array(1.0), offset=np.array(0.0))
    kinds = [(low, decay, threshold, reset) for low, decay in ((-300, 250), (-128, 17), (-(2**24), 256))
             for threshold, reset in ((60, "subtract"), (60, "zero"), (0, "none"), (-5, "subtract"), (None, "none"))]
    cells = [
        Neurons(f"cell_{place}", "input", Range((3, 40), *((low, -low - 1) if threshold is None else (0, 1))),
                Range((3,), low, -low - 1), decay, threshold, reset)
        for place, (low, decay, threshold, reset) in enumerate(kinds)
    ]  # fmt: skip
    joined = Join("all", cells[0].name, tuple(one.name for one in cells[1:]),
                  Range((3 * len(cells), 40), -(2**24), 2**24), 0)  # fmt: skip
    graph = DeployedGraph("regression", codes, drive, (*cells, joined), 1.0, 0.0, "", 32)
    signal = np.random.default_rng(0).integers(-128, 128, (4, 3, 40)).cumsum(axis=-1).clip(-128, 127)
    check(export_c(graph, tmp_path, vectors=signal), "decoder")


@compiled
@pytest.mark.parametrize(
    ("family", "form", "shape", "bits"),
    [("eegnet", "w4a4", WINDOWS, 4), ("mlp", "w2a4", STEPS, 2), ("gru", "w3a4", STEPS, 4), ("mlp", "w8a8", WINDOWS, 8)],
)
def test_packed_weights_are_bit_exact_and_take_their_bits(
    tmp_path: Path, family: str, form: str, shape: Shape, bits: int
) -> None:
    model, _ = quantised(family, form, shape, {"hidden": 7} if family != "eegnet" else OPTIONS["eegnet"])
    graph = lower(model, shape, codes=CODES)
    export = export_c(graph, tmp_path, weights="packed", vectors=vectors(graph, shape))
    check(export, "decoder")
    stored = json.loads((tmp_path / MEMORY_FILE).read_text())["constants"]
    sizes = [node.weights.size for node in graph.nodes if isinstance(node, Product | Linear | Recurrent)]
    assert sorted(size for name, size in stored.items() if name.endswith("_w")) == sorted(
        -(-size * bits // 8) for size in sizes
    )


@compiled
def test_a_wrong_weight_is_noticed(tmp_path: Path) -> None:
    model, _ = quantised("mlp", "w4a4", WINDOWS, OPTIONS["mlp"])
    graph = lower(model, WINDOWS, codes=CODES)
    export = export_c(graph, tmp_path, vectors=vectors(graph, WINDOWS))
    weights = tmp_path / "decoder_weights.h"
    text = weights.read_text()
    place = text.index("{") + 6
    weights.write_text(text[:place] + text[place:].replace("1,", "2,"))
    with pytest.raises(AssertionError, match="outputs differ"):
        check(export, "decoder")


def test_nothing_is_a_float_or_allocated_and_the_memory_map_adds_up(tmp_path: Path) -> None:
    model, _ = quantised("mlp", "w4a4", STEPS, {"hidden": 8, "lags": 4})
    graph = lower(model, STEPS, codes=CODES)
    export = export_c(graph, tmp_path, vectors=vectors(graph, STEPS))
    code = "".join((tmp_path / file).read_text() for file in export.files if file.endswith((".c", ".h")))
    assert not {"float", "double", "malloc"} & set(code.replace("(", " ").split())
    memory = json.loads((tmp_path / MEMORY_FILE).read_text())
    first = next(node for node in graph.nodes if isinstance(node, Product))
    assert memory["state"] == {"past_0_n_body_1": 5 * 4}  # five channels, three past steps and the new one, a byte each
    assert memory["constants"]["n_body_1_w"] == first.weights.size
    assert memory["bytes"] == {
        "constants": export.constant_bytes, "buffers": export.buffer_bytes, "state": 20, "stream": 5 * 2
    }  # fmt: skip
    assert max(after for _, after in memory["buffers"].values()) == export.buffer_bytes


class Alike(nn.Module):
    """Two layers whose names are one identifier of C."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"a": nn.Conv1d(channels, 4, 3)})
        self.body_a, self.readout = nn.Conv1d(4, 4, 3), nn.Linear(4, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        return self.readout(torch.relu(self.body_a(torch.relu(self.body["a"](signal)))).mean(-1))


class Outside(nn.Module):
    """Windows that lie outside of the signal, on either side, in one and in two dimensions."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, 4, 3, dilation=3, padding=13)
        self.second = nn.Conv1d(4, 4, 4, stride=3, padding=7)
        self.flat = nn.Conv2d(1, 2, (3, 2), dilation=(4, 1), padding=(9, 3))
        self.readout = nn.Linear(2 * 14 * 19, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = torch.relu(self.second(torch.relu(self.first(signal[..., :9]))))
        return self.readout(torch.relu(self.flat(signal.unsqueeze(1))).flatten(1))


@compiled
def test_windows_in_the_padding(tmp_path: Path, nets: ModuleType) -> None:
    vars(nets)["Outside"] = Outside
    model, _ = quantised("deployed_nets:Outside", "w4a4", WINDOWS)
    graph = lower(model, WINDOWS, codes=CODES)
    check(export_c(graph, tmp_path, vectors=vectors(graph, WINDOWS)), "decoder")


@compiled
def test_names_that_c_cannot_tell_apart(tmp_path: Path, nets: ModuleType) -> None:
    vars(nets)["Alike"] = Alike
    model, _ = quantised("deployed_nets:Alike", "w4a4", WINDOWS)
    graph = lower(model, WINDOWS, codes=CODES)
    check(export_c(graph, tmp_path, vectors=vectors(graph, WINDOWS)), "decoder")


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    model, _ = quantised("mlp", "w4a4", WINDOWS, OPTIONS["mlp"])
    graph = lower(model, WINDOWS, codes=CODES)
    with pytest.raises(StudentError, match="no name for C code"):
        export_c(graph, tmp_path, name="2 nets", vectors=vectors(graph, WINDOWS))


def test_a_network_that_looks_ahead_has_no_step(tmp_path: Path) -> None:
    model, _ = quantised("mlp", "w4a4", STEPS, {"hidden": 8, "lags": 3})
    graph = lower(model, STEPS, codes=CODES)
    nodes = tuple(
        replace(node, pads=((1, 1),)) if isinstance(node, Product) and node.pads == ((2, 0),) else node
        for node in graph.nodes
    )
    with pytest.raises(StudentError, match="looks ahead"):
        export_c(replace(graph, nodes=nodes), tmp_path, vectors=vectors(graph, STEPS))
