"""Texts: studies, machines, sites, workloads, board measurements, architectures."""

from __future__ import annotations

import csv
import io
import json
import math
import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

from cosim.engine.search import search_size
from cosim.study.check import read_study
from energy_models.calibration import calibrate, calibrated_profile, read_board_table, table_source
from energy_models.hardware import load_profile, load_site
from energy_models.workload import Workload, read_workload
from students.architectures import architecture_workload
from tests.robustness import values
from tests.robustness.kind import Kind
from tests.robustness.mild import json_order, line_ends, toml_order
from tests.robustness.sound import check_counts, check_price, demand

DATA = Path(str(files("energy_models.data")))
MACHINE, SITE = "asic65_near_memory", "implant_epilepsy"
NETWORK = DATA / "workloads" / "eegnet_8_2.json"
COPY = "copy"  # a name of its own, so that nothing is taken from what ships
SHOWN_ROWS = 7


def in_toml(path: Path, dice: Random) -> str:
    """Change a value of a TOML file."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    said = values.changed(document, dice)
    path.write_text(values.toml(document), encoding="utf-8")
    return said


def in_json(path: Path, dice: Random) -> str:
    """Change a value of a JSON file."""
    document = json.loads(path.read_text(encoding="utf-8"))
    said = values.changed(document, dice)
    path.write_text(json.dumps(document), encoding="utf-8")
    return said


def in_csv(path: Path, dice: Random) -> str:
    """Change a cell, a row or a column of a CSV file, or their order."""
    rows: list[list[str]] = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    row, column = dice.randrange(len(rows)), dice.randrange(len(rows[0]))
    act = dice.choice(
        ("cell",) * 6 + ("drop row", "drop column", "double row", "double column", "order", "columns", "short")
    )
    match act:
        case "cell":
            rows[row][column] = str(dice.choice((*values.NUMBERS[:-1], "", "x", "1e3", "1,5", "٣", "-")))
        case "drop row":
            del rows[row]
        case "drop column":
            rows = [[cell for place, cell in enumerate(one) if place != column] for one in rows]
        case "double row":
            rows.insert(row, list(rows[row]))
        case "double column":
            rows = [[*one, one[column]] for one in rows]
        case "order":
            rows[1:] = dice.sample(rows[1:], len(rows) - 1)
        case "columns":
            order = dice.sample(range(len(rows[0])), len(rows[0]))
            rows = [[one[place] for place in order] for one in rows]
        case _:
            rows[row] = rows[row][:column]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    return f"{act} {row} {column}"


def _toml_of(source: Path, stem: str, **changes: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / f"{stem}.toml"
        path.write_text(values.toml({**tomllib.loads(source.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
        return path

    return write


@cache
def _network() -> Workload:
    return read_workload(NETWORK)


@cache
def _placed() -> tuple[Any, Any]:
    return load_profile(MACHINE), load_site(SITE)


def _read_study(path: Path) -> None:
    demand(search_size(read_study(str(path), [])) >= 0, "a search of a negative size")


def _read_machine(path: Path) -> None:
    check_price(_network(), load_profile(path), _placed()[1])


def _read_site(path: Path) -> None:
    check_price(_network(), _placed()[0], load_site(path))


def _read_workload(path: Path) -> None:
    found = read_workload(path)
    check_price(found, *_placed())


def _read_boards(path: Path) -> None:
    rows = read_board_table(path)
    found = calibrate(rows, board=rows[0].board, software=rows[0].software)
    weights = [found.weights.layer, *found.weights.kinds.values()]
    demand(all(math.isfinite(one) and one >= 0 for one in weights), f"weights {weights}")
    profile = calibrated_profile(found, load_profile("cortex_m4f"), name="mine", source=table_source(path))
    demand(profile["name"] == "mine", "another name")


def _read_architecture(path: Path) -> None:
    check_counts(architecture_workload(str(path)))


def write_boards(folder: Path) -> Path:
    """Write the first rows of the table of boards that ships."""
    lines = (DATA / "measurements" / "mlperf_tiny.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    path = folder / "boards.csv"
    path.write_text("".join(lines[:SHOWN_ROWS]), encoding="utf-8")
    return path


def _workload(folder: Path) -> Path:
    path = folder / "work.json"
    path.write_text(
        json.dumps({**json.loads(NETWORK.read_text(encoding="utf-8")), "name": path.stem}), encoding="utf-8"
    )
    return path


def _architecture(folder: Path) -> Path:
    source = Path(str(files("students.architectures"))) / "data" / "motor_imagery" / "eegnet_8_2.toml"
    return _toml_of(source, COPY, name=COPY)(folder)


_STUDY = Path(str(files("cosim.study"))) / "shipped" / "demo.toml"
_MACHINE = _toml_of(DATA / "profiles" / f"{MACHINE}.toml", COPY, name=COPY)
_SITE = _toml_of(DATA / "sites" / f"{SITE}.toml", COPY, name=COPY)
DOCUMENTS = (
    Kind("study", _toml_of(_STUDY, "mine"), _read_study, toml_order, (in_toml,), weight=2),
    Kind("profile", _MACHINE, _read_machine, toml_order, (in_toml,), weight=2),
    Kind("site", _SITE, _read_site, toml_order, (in_toml,), weight=2),
    Kind("workload", _workload, _read_workload, json_order, (in_json,), weight=2),
    Kind("calibration", write_boards, _read_boards, line_ends, (in_csv,)),
    Kind("architecture", _architecture, _read_architecture, toml_order, (in_toml,)),
)
