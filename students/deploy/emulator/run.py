"""Builds an exported decoder for an emulated board, runs its test vectors and counts instructions by layer."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy_models.errors import StudentError, unknown_name
from students.deploy.c_code import LAYERS_FILE
from students.deploy.emulator.boards import BOARDS, LAYOUT, VECTORS, Board
from students.deploy.emulator.counter import COUNTER
from students.deploy.emulator.tools import ARM_GCC, ARM_NM, EMULATOR, HOST_CC, check_tools, run

FLAGS = ("-std=c99", "-O2", "-mthumb", "-mfloat-abi=soft", "-Wall", "-Wextra", "-Werror")
OUTSIDE, ENTRY, FIRST_LAYER = 0, 1, 2
"""Places of the counter: the program that tests, the entry point, then its layers."""


@dataclass(frozen=True, slots=True)
class LayerInstructions:
    """What one layer executes.

    Parameters
    ----------
    function : str
        Of C.
    nodes : tuple of (name, kind)
        Those that it runs, in order.
    instructions : float
        Mean of a call.
    """

    function: str
    nodes: tuple[tuple[str, str], ...]
    instructions: float


@dataclass(frozen=True, slots=True)
class Emulated:
    """A decoder on an emulated board. Instructions are counted, which are not cycles.

    Parameters
    ----------
    board : str
    flags : tuple of str
        Of the compiler.
    compiler : str
        Name and version.
    calls : int
        Of the entry point.
    outputs : int
        Outputs that are those of the integer reference, which are all.
    layers : tuple of LayerInstructions
        In the order in which they run.
    overhead : float
        Instructions of a call that are in no layer.
    """

    board: str
    flags: tuple[str, ...]
    compiler: str
    calls: int
    outputs: int
    layers: tuple[LayerInstructions, ...]
    overhead: float

    @property
    def instructions(self) -> float:
        """Of a call, all layers and what is between them."""
        return self.overhead + sum(one.instructions for one in self.layers)

    def __repr__(self) -> str:
        return (
            f"<Emulated: {self.outputs} outputs on {self.board} are those of the integer reference; "
            f"{self.instructions:,.0f} instructions a call in {len(self.layers)} layers>"
        )


def emulate(folder: Path, *, name: str = "decoder", board: str = "cortex-m4") -> Emulated:
    """Build an exported decoder for an emulated board, run its test vectors and count instructions by layer.

    A conditional instruction whose condition does not hold is counted: the core fetches it.

    Parameters
    ----------
    folder : Path
        As `students.deploy.c_code.export_c` wrote it; nothing is added to it.
    name : str
    board : {'cortex-m3', 'cortex-m4', 'cortex-m33'}

    Raises
    ------
    CosimError
        An unknown board, programs that are not installed, a folder without an export, a decoder that the memory of
        the board does not hold, or an output that is not the reference's.
    """
    check_board(board)
    layers = _layers(folder, name)
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        program, chosen = work / "program.elf", BOARDS[board]
        _build(folder, name, chosen, program)
        counter = _counter(work)
        _write_ranges(program, [layers["entry"], *layers["layers"]], work / "ranges")
        said = _emulate(program, chosen, counter, work)
        counts = {int(place): int(count) for place, count in
                  (line.split() for line in (work / "counts").read_text().splitlines())}  # fmt: skip
    outputs = _compared(said, folder)
    calls = _calls(folder, name)
    compiler = run([ARM_GCC, "--version"], "asking for the version").splitlines()[0]
    found = tuple(
        LayerInstructions(function, tuple((node, kind) for node, kind in nodes), counts.get(place, 0) / calls)
        for place, (function, nodes) in enumerate(layers["layers"].items(), start=FIRST_LAYER)
    )
    return Emulated(board, FLAGS, compiler, calls, outputs, found, counts.get(ENTRY, 0) / calls)


def check_board(board: str) -> None:
    """Raise where a board cannot be emulated here.

    Raises
    ------
    StudentError
        An unknown board, or programs that are not installed.
    """
    if board not in BOARDS:
        raise StudentError(
            f"unknown board {board!r:.40}", where="emulate", remedy=unknown_name("boards", board, tuple(BOARDS))
        )
    check_tools()


def _layers(folder: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads((folder / LAYERS_FILE).read_text())
    except (OSError, ValueError) as error:
        raise StudentError(
            f"there is no exported decoder ({error})", where=str(folder), remedy="Write one: cosim export"
        ) from error
    if not (folder / f"{name}_check.c").is_file():
        raise StudentError(
            f"it holds no decoder {name!r}", where=str(folder), remedy="Give the name it was exported with"
        )
    return found


def _build(folder: Path, name: str, board: Board, program: Path) -> None:
    vectors, layout = program.parent / "vectors.c", program.parent / "layout.ld"
    vectors.write_text(VECTORS)
    layout.write_text(LAYOUT.format(code=board.code, data=board.data, size=board.size))
    own_function = f"-D{name.upper()}_LAYER=__attribute__((noinline,noclone))"
    command = [
        ARM_GCC, *FLAGS, f"-mcpu={board.core}", own_function, "--specs=rdimon.specs", f"-T{layout}",
        str(folder / f"{name}.c"), str(folder / f"{name}_check.c"), str(vectors), "-o", str(program),
    ]  # fmt: skip
    run(command, f"building {name!r} for {board.core}")


def _counter(work: Path) -> Path:
    source, counter = work / "counter.c", work / "counter.so"
    source.write_text(COUNTER)
    run([HOST_CC, "-O2", "-shared", "-fPIC", str(source), "-o", str(counter)], "building the instruction counter")
    return counter


def _write_ranges(program: Path, functions: list[str], path: Path) -> None:
    """Write the addresses of the entry point's and the layers' functions, and of ``main``, which is outside."""
    places = {"main": OUTSIDE, **{function: place for place, function in enumerate(functions, start=ENTRY)}}
    lines: list[str] = []
    for line in run([ARM_NM, "-S", str(program)], "reading addresses").splitlines():
        address, size, *rest = line.split()
        if len(rest) == 2 and rest[1] in places:
            first = int(address, 16) & ~1
            lines.append(f"{first:x} {first + int(size, 16):x} {places[rest[1]]}")
    if len(lines) != len(places):
        raise StudentError(
            f"{len(places) - len(lines)} functions of layers are not in the program", where=str(program),
            remedy="Export the decoder again",
        )
    path.write_text("\n".join(lines) + "\n")


def _emulate(program: Path, board: Board, counter: Path, work: Path) -> str:
    command = [
        EMULATOR, "-machine", board.machine, "-nographic", "-monitor", "none", "-serial", "none",
        "-semihosting-config", "enable=on,target=native", "-kernel", str(program),
        "-plugin", f"{counter},ranges={work / 'ranges'},counts={work / 'counts'}",
    ]  # fmt: skip
    return run(command, f"running on {board.machine}")


def _compared(said: str, folder: Path) -> int:
    """Return how many outputs the program compared."""
    found = re.search(r"0 of (\d+) outputs differ", said)
    if found is None:
        raise StudentError(
            f"the program said {said.strip()[-200:]!r}", where=str(folder), remedy="Export the decoder again"
        )
    return int(found[1])


def _calls(folder: Path, name: str) -> int:
    found = re.search(rf"{name.upper()}_CALLS (\d+)", (folder / f"{name}_vectors.h").read_text())
    if found is None:
        raise StudentError("its test vectors are damaged", where=str(folder), remedy="Export the decoder again")
    return int(found[1])
