"""Writes the C files of a deployed graph, the test vectors and the memory map."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from energy_models.errors import StudentError
from energy_models.quantities import write_failure, write_whole
from students.deploy.c_code.loops import Constants, Stage, Writer
from students.deploy.c_code.plan import Buffer, Entry, Plan, plan_of
from students.deploy.c_code.stream import stream_files
from students.deploy.c_code.templates import CHECK, HEADER, SOURCE
from students.deploy.c_code.text import BYTES, Weights, array, type_for
from students.deploy.graph import DeployedGraph, Integers
from students.deploy.reference import execute

MEMORY_FILE = "memory.json"
LAYERS_FILE = "layers.json"
"""Which function of C runs which nodes."""


@dataclass(frozen=True, slots=True)
class CExport:
    """What was written.

    Parameters
    ----------
    folder : Path
    files : tuple of str
    entry : {'window', 'step'}
    constant_bytes : int
        Weights, biases, multipliers and tables, as C stores them; code is not in it.
    buffer_bytes, state_bytes : int
        Signals between loops; past inputs and states that are kept from step to step.
    stream_bytes : int
        What the other entry point keeps, where it is linked: the window, or a sample.
    """

    folder: Path
    files: tuple[str, ...]
    entry: Entry
    constant_bytes: int
    buffer_bytes: int
    state_bytes: int
    stream_bytes: int


def export_c(
    graph: DeployedGraph, folder: Path, *, name: str = "decoder", weights: Weights = "bytes", vectors: Integers
) -> CExport:
    """Write a deployed graph as C99 and return what was written.

    A network that gives an estimate for every step is entered step by step, any other by the window.
    ``NAME_stream.c`` is the other way to call it: sample by sample, or with a whole recording. ``NAME_check.c`` and
    ``NAME_stream_check.c`` run the test vectors and return 0 where every output is that of the integer reference.

    Parameters
    ----------
    graph : DeployedGraph
    folder : Path
        Made where absent.
    name : str
        Begins every file's and every function's name.
    weights : {'bytes', 'packed'}
        A byte each, or those of at most 2 bits four to a byte and those of 3 and 4 bits two, which takes less flash and
        more instructions.
    vectors : ndarray of integers, shape (examples, channels, steps)
        Converter codes to test with.

    Raises
    ------
    CosimError
        A name that is no identifier of C, codes that are none, or a folder that cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise StudentError(f"{name!r} is no name for C code", where="export_c", remedy="Use small letters and digits")
    entry: Entry = "step" if graph.takes_any_length else "window"
    plan, constants = plan_of(graph, entry), Constants()
    writer = Writer(plan, name, constants, weights)
    for loop in plan.loops:
        writer.write(loop)
    words = _words(graph, plan, name)
    state = {one.name: (one.kind, one.channels * one.length) for one in writer.histories}
    statics = [f"static {kind} {label}[{size}];" for label, (kind, size) in state.items()]
    reset = [f"    for (int i = 0; i < {size}; i++) {label}[i] = 0;" for label, (_, size) in state.items()]
    held = {"memory": "\n".join((_shared(plan.buffers), *statics)), "reset": "\n".join(reset)}
    texts = {
        f"{name}.h": HEADER.format(**words),
        f"{name}.c": SOURCE.format(**words, **held, **_layers(writer.stages, name)),
        f"{name}_weights.h": f"/* Constants of {name}. */\n#include <stdint.h>\n\n{constants.text()}",
        f"{name}_vectors.h": _vectors(graph, name, vectors, words),
        f"{name}_check.c": CHECK.format(**words),
        **stream_files({**words, "results": _results(plan, words, vectors)}, entry),
    }
    kept = {label: BYTES[kind] * size for label, (kind, size) in state.items()}
    memory = _memory(constants, plan, kept, words["bytes"])
    texts[MEMORY_FILE] = json.dumps(memory, indent=1)
    texts[LAYERS_FILE] = json.dumps({
        "entry": words["entry"], "layers": {one.function: one.nodes for one in writer.stages},
    }, indent=1)  # fmt: skip
    for file, text in texts.items():
        _write(folder / file, text)
    return CExport(folder, tuple(texts), entry, *memory["bytes"].values())


def _memory(constants: Constants, plan: Plan, state: dict[str, int], stream: int) -> dict[str, Any]:
    """Return the memory map: bytes of every constant and state, and where every signal lies among the shared ones."""
    stored = {label: BYTES[kind] * len(values) for label, (kind, values) in constants.arrays.items()}
    totals = {
        "constants": sum(stored.values()), "buffers": max(one.after for one in plan.buffers),
        "state": sum(state.values()), "stream": stream,
    }  # fmt: skip
    signals = {one.node: (one.first, one.after) for one in plan.buffers}
    return {"constants": stored, "buffers": signals, "state": state, "bytes": totals}


def _results(plan: Plan, words: dict[str, Any], vectors: Integers) -> int:
    """Return how many outputs the check of the other entry point holds at once."""
    return words["outputs"] * (vectors.shape[2] if plan.entry == "step" else 1)


def _shared(buffers: Sequence[Buffer]) -> str:
    """Return the memory that signals share, each a structure that begins with what lies before it."""
    members: list[str] = []
    for one in buffers:
        before = f"uint8_t before[{one.first}]; " if one.first else ""
        members.append(f"    struct {{ {before}{one.kind} x[{one.elements}]; }} {one.name};")
    return "\n".join(("static union {", *members, "} memory;"))


def _layers(stages: Sequence[Stage], name: str) -> dict[str, str]:
    """Return the functions of the loops, and their calls."""
    functions: list[str] = []
    calls: list[str] = []
    for one in stages:
        given, taken = ("codes", f"const {name}_code_t *codes") if one.reads_input else ("", "void")
        nodes = ", ".join(f"{kind} {node}" for node, kind in one.nodes)
        functions += [f"/* {nodes} */", f"{name.upper()}_LAYER void {one.function}({taken})"]
        functions += ["{", *one.lines, "}", ""]
        calls.append(f"    {one.function}({given});")
    return {"functions": "\n".join(functions[:-1]), "calls": "\n".join(calls)}


def _words(graph: DeployedGraph, plan: Plan, name: str) -> dict[str, Any]:
    """Return what the templates are filled with."""
    last = plan.ranges[graph.nodes[-1].name]
    inputs, outputs = (int(np.prod(shape)) for shape in (plan.ranges["input"].shape, last.shape))
    classes = graph.task == "classification"
    input_type = type_for(graph.input.lowest, graph.input.highest)
    channels = graph.input.shape[0]
    return {
        "name": name,
        "NAME": name.upper(),
        "input_type": input_type,
        "channels": channels,
        "steps": inputs // channels,
        "bytes": BYTES[input_type] * inputs,
        "output_type": type_for(last.lowest, last.highest),
        "inputs": inputs,
        "outputs": outputs,
        "entry": f"{name}_{plan.entry}",
        "what": "one window" if plan.entry == "window" else "one step",
        "shape": " x ".join(map(str, plan.ranges["input"].shape)),
        "bits": graph.codes.bits,
        "lowest": graph.codes.lowest,
        "highest": graph.codes.highest,
        "scale": repr(graph.output_scale),
        "offset": repr(graph.output_offset),
        "meaning": "a logit" if classes else "an estimate in the task's units",
        "last": plan.place[graph.nodes[-1].name],
        "is_class": int(classes),
    }


def _vectors(graph: DeployedGraph, name: str, codes: Integers, words: dict[str, Any]) -> str:
    """Return test vectors: codes, and the outputs of the integer reference."""
    outputs = execute(graph, codes)[graph.nodes[-1].name]
    calls = len(codes)
    restarts = 0
    if words["entry"].endswith("_step"):
        calls, restarts = codes.shape[0] * codes.shape[2], codes.shape[2]
        codes, outputs = codes.swapaxes(1, 2), outputs.swapaxes(1, 2)
    return (
        f"/* {calls} calls of {words['entry']}: converter codes, and the outputs of the integer reference. */\n"
        f"#include <stdint.h>\n\n#define {name.upper()}_CALLS {calls}\n"
        f"/* A new recording begins after so many calls; 0: every call is on its own. */\n"
        f"#define {name.upper()}_RESTART {restarts}\n\n"
        + array(words["input_type"], f"{name}_codes", codes)
        + "\n"
        + array(words["output_type"], f"{name}_expected", outputs)
    )


def _write(path: Path, text: str) -> None:
    if path.parent.is_file():
        raise StudentError("cannot write: it is a file", where=str(path.parent), remedy="Name a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        raise StudentError(
            f"cannot write ({write_failure(error)})", where=str(path), remedy="Free some space or choose another folder"
        ) from error
