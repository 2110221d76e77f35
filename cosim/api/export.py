"""Writes a quantised student as code that runs in integers, tested on recordings that it was not trained on."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cosim.api.student import Student, load_student
from cosim.engine.fold_data import FoldData, load_fold
from cosim.engine.local_store import LocalStore
from energy_models.errors import StudentError, StudyError, unknown_name
from students.deploy import Agreement, DeployedGraph, InputCodes, agreement, lower
from students.deploy.c_code import CExport, export_c
from students.deploy.emulator import Emulated, check_board, emulate
from students.quantize import output_grid_of
from students.spec import Quantised

FORMATS = ("c",)
MADE_UP = 16
"""Test vectors of noise, for a student whose recordings are not known."""


@dataclass(frozen=True, slots=True, repr=False)
class Exported:
    """A student as integers, and as code.

    Parameters
    ----------
    graph : DeployedGraph
    code : CExport
    agreement : Agreement
        With the student, on the test vectors.
    vectors : str
        Where the test vectors are from.
    emulated : Emulated or None
        What it executes on an emulated board, where one was asked for.
    """

    graph: DeployedGraph
    code: CExport
    agreement: Agreement
    vectors: str
    emulated: Emulated | None = None

    def rows(self) -> list[dict[str, object]]:
        """Return what was written and how it agrees, as a table."""
        found = self.agreement
        codes, run = self.graph.codes, self.emulated
        counted: list[dict[str, object]] = []
        if run is not None:
            counted.append({"what": f"instructions on {run.board} (not cycles)", "value": f"{run.instructions:,.0f}"})
            for one in run.layers:
                nodes = ", ".join(f"{kind} {node}" for node, kind in one.nodes)
                counted.append({"what": f"  {nodes}", "value": f"{one.instructions:,.0f}"})
        return [
            {"what": "called with", "value": f"one {self.code.entry}"},
            {"what": "input", "value": f"{'signed' if codes.signed else 'unsigned'} codes of {codes.bits} bits"},
            {"what": "constants", "value": f"{self.code.constant_bytes:,} bytes"},
            {"what": "buffers", "value": f"{self.code.buffer_bytes:,} bytes"},
            {"what": "state", "value": f"{self.code.state_bytes:,} bytes"},
            {"what": "test vectors", "value": self.vectors},
            {"what": "integers that differ from Brevitas", "value": f"{found.differing} of {found.elements:,}"},
            {"what": "decisions changed", "value": f"{found.changed} of {found.decisions}"},
            *counted,
        ]

    def to_dict(self) -> dict[str, object]:
        """Return the same as plain numbers, memory in bytes."""
        code, codes, found = self.code, self.graph.codes, self.agreement
        counted: dict[str, object] = {} if self.emulated is None else {"emulated": asdict(self.emulated)}
        return {
            "folder": str(code.folder), "files": list(code.files), "entry": code.entry,
            "input_bits": codes.bits, "input_signed": codes.signed, "constants_bytes": code.constant_bytes,
            "buffers_bytes": code.buffer_bytes, "state_bytes": code.state_bytes, "test_vectors": self.vectors,
            "integers_compared": found.elements, "integers_differing": found.differing,
            "decisions_compared": found.decisions, "decisions_changed": found.changed, **counted,
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"<Exported: {', '.join(self.code.files)} in {self.code.folder}; {self.agreement!r}>"


def export(
    student: Student | str | Path,
    folder: str | Path,
    *,
    format: str = "c",
    name: str = "decoder",
    examples: int = 16,
    board: str = "",
) -> Exported:
    """Write a quantised student as code that runs in integers, with test vectors and a memory map.

    The input is codes of the recordings' converter, after the study's filters: whole numbers as they are, others with a
    step that spans the training part; the standardisation is part of the code. Of a student that was copied the
    recordings are not known: its codes are those of the network's own input grid, in the units it was trained on.

    Parameters
    ----------
    student : Student, str or Path
        A quantised student, the folder of one, or ``RUN:DECODER``.
    folder : str or Path
        Made where absent.
    format : {'c'}
        ``c``: C99, called with a window or, for a decoder of every step, with a step.
    name : str
        Begins every file's and function's name.
    examples : int
        Held-out examples that become test vectors.
    board : {'', 'cortex-m3', 'cortex-m4', 'cortex-m33'}
        An emulated board to run the test vectors on, whose instructions are counted by layer.

    Raises
    ------
    CosimError
        A student that is not quantised, a layer that has no deployed form (by name), or a folder that cannot be
        written.
    """
    if format not in FORMATS:
        raise StudentError(
            f"unknown format {format!r:.40}", where="cosim.export", remedy=unknown_name("formats", format, FORMATS)
        )
    if examples < 1:
        raise StudentError(f"{examples} test vectors", where="cosim.export", remedy="Ask for at least one")
    if board:
        check_board(board)
    found = student if isinstance(student, Student) else student_named(str(student))
    if not isinstance(found.spec.form, Quantised):
        raise StudentError(
            f"its form is {found.spec.form}, which has no integers", where=found.spec.label,
            remedy="Quantise it: cosim.quantize(student, 'w8a8')",
        )
    codes, given, source = _recorded(found, examples) if found.home is not None else _made_up(found)
    graph = lower(found.model, found.spec.shape, codes=codes)
    compared = agreement(found.model, graph, given)
    written = export_c(graph, Path(folder), name=name, vectors=given)
    return Exported(graph, written, compared, source, emulate(Path(folder), name=name, board=board) if board else None)


def student_named(text: str) -> Student:
    """Return the student in a folder, or of ``RUN:DECODER``.

    Raises
    ------
    CosimError
        Neither of the two.
    """
    from cosim.api.finished_run import load_run

    folder, _, label = text.rpartition(":")
    if os.path.isdir(text) or not folder:
        return load_student(text)
    if not os.path.isdir(folder):
        raise StudyError(f"there is no run {folder!r}", where=text, remedy="Write the folder of a run, ':', a decoder")
    return load_run(folder).decoder(label).student()


def _recorded(student: Student, examples: int) -> tuple[InputCodes, NDArray[np.int64], str]:
    """Return the converter's codes of a student's recordings, and those of held-out examples."""
    home = student.home
    if home is None:
        raise StudentError("its recordings are not known", where=student.spec.label, remedy="Export it from its run")
    store, fold = LocalStore(home.root), home.stage.parents["fold"]
    places = store.folder(fold.parents["data"].key), store.folder(fold.key)
    raw = load_fold(*places, "raw")
    values = raw.dataset.windows.inputs(raw.fold.all_training)
    step, signed = _step(values, raw.dataset.source_bits)
    scale, offset = np.array(step), np.array(0.0)
    if home.stage.config.get("inputs", "standardised") == "standardised":
        scaler = load_fold(*places, "standardised").dataset.windows.scaler
        if scaler is not None:
            scale, offset = step / scaler.deviation, -scaler.mean / scaler.deviation
    codes = InputCodes(raw.dataset.source_bits, signed, scale, offset)
    plain = InputCodes(codes.bits, codes.signed, np.array(step), np.array(0.0))
    chosen = _held_out(raw, examples)
    return codes, plain.codes_of(raw.dataset.windows.inputs(chosen)), f"{len(chosen)} held-out examples"


def _step(values: NDArray[np.float32], bits: int) -> tuple[float, bool]:
    """Return what one step of the codes is worth, and whether they have a sign."""
    signed = bool(values.min() < 0)
    highest = 2 ** (bits - signed) - 1
    largest = float(np.abs(values).max())
    if largest <= highest and bool((values == np.rint(values)).all()):
        return 1.0, signed
    return largest / highest, signed


def _held_out(data: FoldData, examples: int) -> NDArray[np.int64]:
    """Return examples of the test part, evenly spread over it."""
    test = np.asarray(data.fold.test)
    return test[np.unique(np.linspace(0, len(test) - 1, min(examples, len(test))).round().astype(np.int64))]


def _made_up(student: Student) -> tuple[InputCodes, NDArray[np.int64], str]:
    """Return the codes of the network's own input grid, and noise on it."""
    modules = cast("list[Any]", list(student.model.modules()))
    grid = next((one for one in map(output_grid_of, modules) if one is not None), None)
    if grid is None:
        raise StudentError("it puts no input on a grid", where=student.spec.label, remedy="Export it from its run")
    codes = InputCodes(grid.bits, grid.signed, np.array(grid.scale), np.array(0.0))
    shape = (MADE_UP, student.spec.shape.channels, student.spec.shape.steps)
    noise = np.random.default_rng(0).standard_normal(shape)
    return codes, codes.codes_of(noise), f"{MADE_UP} examples of noise"
