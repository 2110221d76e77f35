"""Commands that write, as the kill test starts them: how they are called, and what is left when they have ended."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.robustness.runs import STUDY

COSIM = (sys.executable, "-m", "tests.robustness.cosim_command")
TABLES = ("scores.parquet", "decoders.parquet", "workloads.parquet", "priced.parquet", "differences.json",
          "outcomes.json", "gates.json", "failures.json", "points.json", "results.csv")  # fmt: skip
ARGUMENTS = {"family": "mlp", "training": {"epochs": 3, "batch_size": 8}, "form": "w4a4"}
LEARN = """
import json, sys, cosim
from pathlib import Path
given, out = json.loads(sys.argv[1]), Path(sys.argv[2])
options = {"channels": 4, "sessions": 2, "runs": 1, "trials": 12, "rate_hz": 64.0, "trial_s": 1.0}
data = cosim.load_dataset("synthetic_eeg", **options)
student = cosim.train(given["family"], data, training=given["training"], out=out / "stages_of_both")
if given["form"]:
    student = cosim.quantize(student, given["form"], training=given["training"])
student.save(out / "saved")
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that writes into a folder.

    Parameters
    ----------
    name : str
    start, again : callable
        From the folder to the command line that begins it, and to the one that goes on after it was ended.
    prepare : callable
        ``prepare(folder, finished)`` writes what it reads into an empty folder; `finished` holds a finished run.
    results : callable
        From the folder to the bytes of what must be the same however often it was ended.
    weight : int
        Of all interventions.
    """

    name: str
    start: Callable[[Path], tuple[str, ...]]
    again: Callable[[Path], tuple[str, ...]]
    prepare: Callable[[Path, Path], None]
    results: Callable[[Path], Mapping[str, bytes]]
    weight: int = 1


def stages(folder: Path) -> dict[str, int]:
    """Return when every finished stage below a folder was written [ns]; a stage written again has another time."""
    found = folder.glob("*/stages/*/*/stage.json")
    return {
        str(path.parent.relative_to(folder)): path.stat().st_mtime_ns
        for path in found
        if not path.parent.parent.name.startswith(".")
    }


def _files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


def _tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "run" / name).read_bytes() for name in TABLES}


def _pages(folder: Path) -> dict[str, bytes]:
    found = _files(folder / "pages")
    return {name: content for name, content in found.items() if not Path(name).name.startswith(".")}


def _weights(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "saved" / name).read_bytes() for name in ("weights.safetensors", "workload.json")}


def _profile(folder: Path) -> dict[str, bytes]:
    return {"mine.toml": (folder / "mine.toml").read_bytes()}


def _with_study(folder: Path, finished: Path) -> None:
    (folder / "small.toml").write_text(STUDY, encoding="utf-8")


def _with_run(folder: Path, finished: Path) -> None:
    shutil.copytree(finished / "run", folder / "run", symlinks=True)
    (folder / "run" / "priced.parquet").unlink()


def _with_boards(folder: Path, finished: Path) -> None:
    from tests.robustness.documents import write_boards

    write_boards(folder)


def _nothing(folder: Path, finished: Path) -> None:
    pass


def _run(folder: Path) -> tuple[str, ...]:
    return (*COSIM, "run", str(folder / "small.toml"), "--out", str(folder / "run"))


def _resume(folder: Path) -> tuple[str, ...]:
    begun = (folder / "run" / "plan.json").is_file()  # before that there is nothing to go on with
    return (*COSIM, "resume", str(folder / "run")) if begun else _run(folder)


def _report(folder: Path) -> tuple[str, ...]:
    return (*COSIM, "report", str(folder / "run"), "--out", str(folder / "pages" / "page.html"), "--digest",
            str(folder / "pages"))  # fmt: skip


def _calibrate(folder: Path) -> tuple[str, ...]:
    return (*COSIM, "calibrate", str(folder / "boards.csv"), "--name", "mine", "--board", "Nucleo-L4R5ZI", "--out",
            str(folder / "mine.toml"))  # fmt: skip


def _learn(form: str) -> Callable[[Path], tuple[str, ...]]:
    return lambda folder: (sys.executable, "-c", LEARN, json.dumps({**ARGUMENTS, "form": form}), str(folder))


COMMANDS = (
    Command("run", _run, _resume, _with_study, _tables, weight=6),
    Command("report", _report, _report, _with_run, _pages, weight=2),
    Command("train", _learn(""), _learn(""), _nothing, _weights),
    Command("quantize", _learn("w4a4"), _learn("w4a4"), _nothing, _weights),
    Command("calibrate", _calibrate, _calibrate, _with_boards, _profile),
)
"""The one table of what is ended and begun again: a command that writes is added by an entry here."""
