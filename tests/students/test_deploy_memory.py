"""Memory of exported C against what the placement of the same network on a microcontroller says, family by family."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deployed_networks import quantised, signals

from energy_models.hardware import load_profile
from energy_models.mapping.live import live_passes
from energy_models.mapping.placing import required_bits
from students.counting import observe
from students.deploy import InputCodes, lower, static_counts
from students.deploy.c_code import MEMORY_FILE, CExport, Weights, export_c
from students.models.build import mode
from students.spec import Shape

WINDOWS = Shape(task="classification", channels=4, steps=96, outputs=3, step_rate_hz=64.0)
STEPS = Shape(task="regression", channels=5, steps=60, outputs=2, step_rate_hz=20.0)
CODES = InputCodes(8, signed=True, scale=np.array(0.02), offset=np.array(0.0))
CORE = load_profile("cortex_m4f").execution
OUTPUT_BYTES = 4
Case = tuple[str, Shape, dict[str, Any]]
FEED_FORWARD: list[Case] = [
    ("eegnet", WINDOWS, {}), ("shallow", WINDOWS, {"filters": 6}), ("mlp", WINDOWS, {"hidden": 8}),
    ("mlp", STEPS, {"hidden": 8, "lags": 4}), ("gru", STEPS, {"hidden": 6}),
]  # fmt: skip
OTHERS: list[Case] = [
    ("lstm", STEPS, {"hidden": 5}), ("lstm", WINDOWS, {"hidden": 5}), ("gru", WINDOWS, {"hidden": 6}),
    ("spiking_mlp", STEPS, {"hidden_1": 8, "hidden_2": 6}), ("spiking_conv", WINDOWS, {"mixtures": 6, "hidden": 5}),
]  # fmt: skip


def both(
    case: Case, form: str, folder: Path, weights: Weights = "bytes"
) -> tuple[Any, Any, CExport, dict[str, Any]]:
    """Return graph, workload, export and memory map of a network with untrained weights."""
    family, shape, options = case
    model, spec = quantised(family, form, shape, options)
    graph = lower(model, shape, codes=CODES)
    work = observe(model, signals(shape, 2), name=family, mode=mode(spec), step_rate_hz=64.0, input_bits=CODES.bits)
    export = export_c(graph, folder, weights=weights, vectors=CODES.codes_of(signals(shape, 2).numpy()))
    return graph, work, export, json.loads((folder / MEMORY_FILE).read_text())


def stored_weights(memory: dict[str, Any]) -> int:
    return sum(size for name, size in memory["constants"].items() if name.endswith("_w"))


def form_of(family: str, bits: int) -> str:
    return f"w{bits}a{bits}" + (f"s{bits}" if family.startswith("spiking") else "")


@pytest.mark.parametrize("case", [*FEED_FORWARD, *OTHERS])
def test_flash_and_state(tmp_path: Path, case: Case) -> None:
    """Weights of 8 bits take what the placement says, narrower ones a byte each, or their bits where packed.

    The window, or a sample, is the same.

    A causal product keeps its newest input beside its past ones, a cell the numbers of the step it is in."""
    graph, work, export, memory = both(case, form_of(case[0], 8), tmp_path)
    counts = static_counts(graph)
    assert {one.weight_bits for one in counts} == {8}
    assert stored_weights(memory) == sum(one.weights for one in counts)
    required = required_bits(work, CORE)
    assert export.stream_bytes * 8 == required["buffers"]
    past = {name: size for name, size in memory["state"].items() if name.startswith("past")}
    inside = {name: size for name, size in memory["state"].items() if name.startswith(("operand", "hidden"))}
    newest = sum(case[1].channels for _ in past)
    assert export.state_bytes - newest - sum(inside.values()) == required["state"] / 8
    _, narrow, _, fourth = both(case, form_of(case[0], 4), tmp_path)
    assert stored_weights(fourth) == stored_weights(memory)
    assert narrow.weight_bits_total < work.weight_bits_total
    graph, _, _, fourth = both(case, form_of(case[0], 4), tmp_path, "packed")
    counts = static_counts(graph)
    assert {one.weight_bits for one in counts} <= {4, 8}
    assert stored_weights(fourth) == sum(-(-one.weights * one.weight_bits // 8) for one in counts)


@pytest.mark.parametrize("case", FEED_FORWARD)
def test_ram_of_signals_is_that_of_the_placement(tmp_path: Path, case: Case) -> None:
    """The same passes at 8 bits. The C code copies the window, or the sample, onto the network's grid, and holds
    the outputs. Of 4 bits a number takes a byte."""
    graph, work, export, _ = both(case, "w8a8", tmp_path)
    shape = case[1]
    copy = graph.input.shape[0] * (graph.input.shape[1] if shape is WINDOWS else 1)
    passes = live_passes(work, CORE)
    wanted = max(
        required_bits(work, CORE)["activations"] // 8, copy + passes[0].bits // 8,
        passes[-1].bits // 8 + OUTPUT_BYTES * shape.outputs,
    )  # fmt: skip
    assert export.buffer_bytes == wanted
    _, _, narrow, _ = both(case, "w4a4", tmp_path)
    assert narrow.buffer_bytes <= export.buffer_bytes


@pytest.mark.parametrize("case", OTHERS)
def test_ram_of_signals_with_states(tmp_path: Path, case: Case) -> None:
    """A window's cells and neurons take all steps of what drives them, where the placement hands on a step, and neurons
    do not write over their currents. So never less, and of a stream at most twice as much and the outputs."""
    _, work, export, memory = both(case, form_of(case[0], 8), tmp_path)
    placed = required_bits(work, CORE)["activations"] / 8
    assert export.buffer_bytes >= placed
    if case[1] is STEPS:
        assert export.buffer_bytes <= 2 * placed + OUTPUT_BYTES * case[1].outputs
    places = sorted(memory["buffers"].values())
    assert places[0][0] == 0
    assert max(after for _, after in places) == export.buffer_bytes
