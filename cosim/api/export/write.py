"""Writes a quantised student as code that runs in integers, tested on recordings that it was not trained on."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from cosim.api.export.formats import NETWORK_FORMATS, check_float
from cosim.api.export.network_file import ReadBack, write_network
from cosim.api.export.owner import check_owner, write_owner
from cosim.api.export.samples import chain_of, check_step, write_chain
from cosim.api.student import Student, load_student
from cosim.engine.fold_data import FoldData, load_fold
from cosim.engine.local_store import LocalStore
from energy_models.errors import StudentError, StudyError, unknown_name
from students.deploy import Agreement, DeployedGraph, InputCodes, agreement, lower
from students.deploy.c_code import CExport, Weights, export_c
from students.deploy.emulator import Emulated, check_board, emulate
from students.deploy.input_chain import InputChain
from students.quantize import output_grid_of
from students.spec import Quantised

Format = Literal["c", "qonnx", "qcdq", "nir"]
FORMATS: tuple[Format, ...] = get_args(Format)
WEIGHTS: tuple[Weights, ...] = get_args(Weights)
MADE_UP = 16
"""Test vectors of noise, for a student whose recordings are not known."""


@dataclass(frozen=True, slots=True, repr=False)
class Exported:
    """A student as files for other tools.

    Parameters
    ----------
    format : {'c', 'qonnx', 'qcdq', 'nir'}
    folder : Path
    files : tuple of str
    vectors : str
        Where the test vectors are from.
    codes : InputCodes
        What the converter's codes stand for.
    graph, code, agreement : DeployedGraph, CExport and Agreement, or None
        Of C: the student as integers, what was written, and how they agree on the test vectors.
    read_back : ReadBack or None
        Of ONNX and NIR: the file, run on the test vectors.
    emulated : Emulated or None
        What the C code executes on an emulated board, where one was asked for.
    absent : int
        Test vectors that were asked for and are not there.
    chain : InputChain or None
        The filters in front, where they were written too.
    """

    format: Format
    folder: Path
    files: tuple[str, ...]
    vectors: str
    codes: InputCodes
    graph: DeployedGraph | None = None
    code: CExport | None = None
    agreement: Agreement | None = None
    read_back: ReadBack | None = None
    emulated: Emulated | None = None
    absent: int = 0
    chain: InputChain | None = None

    def rows(self) -> list[dict[str, object]]:
        """Return what was written and how it agrees, as a table."""
        codes, code, found, run, read = self.codes, self.code, self.agreement, self.emulated, self.read_back
        said: dict[str, object] = {"input": f"{'signed' if codes.signed else 'unsigned'} codes of {codes.bits} bits"}
        if self.chain is not None:
            said["samples"] = f"{'signed' if self.chain.signed else 'unsigned'} samples of {self.chain.bits} bits"
        said["test vectors"] = self.vectors + (f", {self.absent:,} fewer than asked for" if self.absent else "")
        if code is not None:
            said["called with"] = f"one {code.entry}"
            sizes = {"constants": code.constant_bytes, "buffers": code.buffer_bytes, "state": code.state_bytes}
            said |= {name: f"{size:,} bytes" for name, size in sizes.items()}
        if found is not None:
            said["integers that differ from Brevitas"] = f"{found.differing} of {found.elements:,}"
            said |= _decisions(found)
        if read is not None:
            said["outputs differ by at most"] = f"{read.largest:.2g}"
            said |= _decisions(read)
        if run is not None:
            said[f"instructions on {run.board} (not cycles)"] = f"{run.instructions:,.0f}"
            for one in run.layers:
                nodes = ", ".join(f"{kind} {node}" for node, kind in one.nodes)
                said[f"  {nodes}"] = f"{one.instructions:,.0f}"
        return [{"what": what, "value": value} for what, value in said.items()]

    def to_dict(self) -> dict[str, object]:
        """Return the same as plain numbers, memory in bytes."""
        code, codes, found, read = self.code, self.codes, self.agreement, self.read_back
        said: dict[str, object] = {
            "format": self.format, "folder": str(self.folder), "files": list(self.files),
            "input_bits": codes.bits, "input_signed": codes.signed, "test_vectors": self.vectors,
            "test_vectors_absent": self.absent,
        }  # fmt: skip
        if self.chain is not None:
            said |= {"sample_bits": self.chain.bits, "sample_signed": self.chain.signed}
        if code is not None:
            said |= {
                "entry": code.entry, "constants_bytes": code.constant_bytes, "buffers_bytes": code.buffer_bytes,
                "state_bytes": code.state_bytes,
            }  # fmt: skip
        if found is not None:
            said |= {
                "integers_compared": found.elements, "integers_differing": found.differing,
                "decisions_compared": found.decisions, "decisions_changed": found.changed,
            }  # fmt: skip
        if read is not None:
            said |= {
                "largest_difference": read.largest, "decisions_compared": read.decisions,
                "decisions_changed": read.changed,
            }  # fmt: skip
        if self.emulated is not None:
            said["emulated"] = asdict(self.emulated)
        return said

    def __repr__(self) -> str:
        how = self.agreement if self.agreement is not None else self.read_back
        return f"<Exported: {', '.join(self.files)} in {self.folder}; {how!r}>"


def export(
    student: Student | str | Path,
    folder: str | Path,
    *,
    format: Format = "c",
    name: str = "decoder",
    examples: int = 16,
    board: str = "",
    weights: Weights = "bytes",
    sample_step: float | None = None,
) -> Exported:
    """Write a quantised student as integer code or as ONNX, a spiking one in float as NIR, with test vectors.

    The input is codes of the recordings' converter, after the study's filters: whole numbers as they are, others with a
    step that spans the training part; the standardisation is part of the code. Of a student that was copied the
    recordings are not known: its codes are those of the network's own input grid, in the units it was trained on.

    Parameters
    ----------
    student : Student, str or Path
        A quantised student (of ``nir`` a spiking one in float), the folder of one, or ``RUN:DECODER``.
    folder : str or Path
        Made where absent.
    format : {'c', 'qonnx', 'qcdq', 'nir'}
        ``c``: C99, called with a window or, for a decoder of every step, with a step. ``qonnx``, ``qcdq``: ONNX with
        ``Quant`` nodes, or with those of the standard; its input is what the codes stand for, its metadata say which.
        ``nir``: a spiking student in float, step by step, for spiking simulators.
    name : str
        Begins every file's and function's name.
    examples : int
        Held-out examples that become test vectors.
    board : {'', 'cortex-m3', 'cortex-m4', 'cortex-m33'}
        An emulated board to run the test vectors on, whose instructions are counted by layer.
    weights : {'bytes', 'packed'}
        Of C: a byte each, or several of at most 4 bits in one.
    sample_step : float or None
        What one step of the converter is worth, in units of the recordings: the study's filters are written too, in
        integers, and the decoder takes the codes that they give. None: it takes codes of the filtered signal.

    Raises
    ------
    CosimError
        A student of another form, a layer that has no deployed form (by name), or a folder that cannot be
        written or holds the export of another student.
    """
    _check(format, name, examples, board)
    if weights not in WEIGHTS:
        raise StudentError(
            f"unknown way to store weights {weights!r:.40}", where="cosim.export",
            remedy=unknown_name("ways", weights, WEIGHTS),
        )
    found = student if isinstance(student, Student) else student_named(str(student))
    (check_float if format == "nir" else check_quantised)(found)
    check_owner(found, Path(folder), name)
    codes, given, source, chain = _given(found, examples, sample_step, format)
    place, absent = Path(folder), max(0, examples - len(given))
    if format != "c":
        files, read_back = write_network(found, place, name, NETWORK_FORMATS[format], (codes, given))
        files = (*files, write_owner(found, place, name))
        return Exported(format, place, files, source, codes, read_back=read_back, absent=absent)
    graph = lower(found.model, found.spec.shape, codes=codes)
    compared = agreement(found.model, graph, given)
    written = export_c(graph, place, name=name, weights=weights, vectors=given)
    run = emulate(place, name=name, board=board) if board else None
    front = () if chain is None else write_chain(chain, place, name)
    files = (*written.files, *front, write_owner(found, place, name))
    return Exported(
        format, place, files, source, codes, graph, written, compared, emulated=run, absent=absent, chain=chain
    )


def _decisions(found: Agreement | ReadBack) -> dict[str, object]:
    """Return the line of changed decisions; a regression has none."""
    return {"decisions changed": f"{found.changed} of {found.decisions}"} if found.decisions else {}


def check_quantised(student: Student) -> None:
    """Raise for a student that has no integers."""
    if not isinstance(student.spec.form, Quantised):
        raise StudentError(
            f"its form is {student.spec.form}, which has no integers", where=student.spec.label,
            remedy="Quantise it: cosim.quantize(student, 'w8a8')",
        )


def codes_for_tests(student: Student, examples: int) -> tuple[InputCodes, NDArray[np.int64], str]:
    """Return a converter's codes, those of held-out examples (of noise for a copied student), and which those are."""
    return _recorded(student, examples)[:3] if student.home is not None else _made_up(student)


def _given(
    student: Student, examples: int, sample_step: float | None, format: Format
) -> tuple[InputCodes, NDArray[np.int64], str, InputChain | None]:
    """Return codes, test vectors and their source as `codes_for_tests`, and the filters in front."""
    if sample_step is None:
        return *codes_for_tests(student, examples), None
    if format != "c":
        raise StudentError(f"filters in {format}", where="cosim.export", remedy="Ask for the format c")
    return _recorded(student, examples, sample_step)


def _check(format: str, name: str, examples: int, board: str) -> None:
    """Raise for what cannot be asked for, before anything is computed."""
    where = "cosim.export"
    if format not in FORMATS:
        remedy = unknown_name("formats", format, FORMATS)
        raise StudentError(f"unknown format {format!r:.40}", where=where, remedy=remedy)
    if examples < 1:
        raise StudentError(f"{examples} test vectors", where=where, remedy="Ask for at least one")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise StudentError(f"{name!r:.40} names no files", where=where, remedy="Use small letters, digits and _")
    if board and format != "c":
        raise StudentError(f"{format} runs on no board", where=where, remedy="Ask for the format c")
    if board:
        check_board(board)


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


def _recorded(
    student: Student, examples: int, sample_step: float | None = None
) -> tuple[InputCodes, NDArray[np.int64], str, InputChain | None]:
    """Return the codes of a student's recordings, those of held-out examples, and the filters that give them."""
    home = student.home
    if home is None:
        raise StudentError("its recordings are not known", where=student.spec.label, remedy="Export it from its run")
    store, fold = LocalStore(home.root), home.stage.parents["fold"]
    places = store.folder(fold.parents["data"].key), store.folder(fold.key)
    raw = load_fold(*places, "raw")
    values = raw.dataset.windows.inputs(raw.fold.all_training)
    step, signed = _step(values, raw.dataset.source_bits)
    mean, deviation = np.array(0.0), np.array(1.0)
    if home.stage.config.get("inputs", "standardised") == "standardised":
        scaler = load_fold(*places, "standardised").dataset.windows.scaler
        if scaler is not None:
            mean, deviation = scaler.mean, scaler.deviation
    codes = InputCodes(raw.dataset.source_bits, signed, np.asarray(step / deviation), np.asarray(-mean / deviation))
    plain = InputCodes(codes.bits, codes.signed, np.array(step), np.array(0.0))
    chain = None if sample_step is None else chain_of(raw.dataset, sample_step)
    if chain is not None and sample_step is not None:
        check_step(raw.dataset, chain, sample_step, values)
        codes, plain = chain.codes(mean, deviation), chain.codes(np.array(0.0), np.array(1.0))
    chosen = _held_out(raw, examples)
    return codes, plain.codes_of(raw.dataset.windows.inputs(chosen)), f"{len(chosen)} held-out examples", chain


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
