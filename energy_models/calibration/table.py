"""Reads a table of board measurements: CSV, one network on one board a row, units in the names of the columns.

- ``board``: what was measured; one scale is fitted per board and software
- ``chip``: rows of one chip are left out together in cross-validation; default: the board
- ``network``: its name; ``variant``: optional, rows of one network that differ in a detail and are left out together
- ``conv_macs``, ``depthwise_macs``, ... (`PRODUCT_KINDS`): products of each kind in one inference
- ``layers``: layers with products
- ``energy_uj``: energy of one inference [uJ]; empty where only its time was measured
- ``inferences_per_s`` or ``latency_ms``: one of the two
- ``clock_mhz``: clock [MHz]
- ``power_mw``: optional; where given it must be energy over latency
- ``software``: stack and version; one scale is fitted for each board and software
- ``library``: optional, the generation of kernels in that software, whose layer weights are shared by all chips;
  default: the software
- ``core``: optional, the processor, in words
- ``supply_v``: optional, supply of the chip [V]
- ``regulator``: optional, ``linear`` (the chip draws the same current at any supply) or ``switched`` (the same power)
- ``source``: optional, key of a bibliographic record
"""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from energy_models.errors import DataError, unknown_name
from energy_models.quantities import read_text
from energy_models.workload import ProductKind

Regulator = Literal["linear", "switched", ""]
"""How a chip makes its core's supply: by a linear regulator, a switched one, or unknown."""

PRODUCT_KINDS: tuple[ProductKind, ...] = (
    "stem", "conv", "temporal", "depthwise", "pointwise", "linear", "recurrent", "attention", "matmul", "filter",
    "feature",
)
REQUIRED = ("board", "network", "layers", "energy_uj", "clock_mhz", "software")
SPEEDS = ("inferences_per_s", "latency_ms")
OPTIONAL = ("chip", "variant", "class", "power_mw", "source", "library", "core", "supply_v", "regulator")
_MACS = tuple(f"{kind}_macs" for kind in PRODUCT_KINDS)
KNOWN = (*REQUIRED, *SPEEDS, *OPTIONAL, *_MACS)
SHIPPED = ("mlperf_tiny.csv", "kernel_libraries.csv", "pulp_eeg.csv", "data_sheets.csv")
"""Tables of boards among the measurements that ship."""
DISAGREEMENT = 0.1
"""Energy and power x latency of one row may differ by so much before a unit must be wrong."""
CYCLES_PER_MAC = (1e-3, 1e3)
"""Outside of this no programmable core has been measured: a unit must be wrong."""
SUPPLY_V = (0.3, 6.0)
"""Assumed: from cores near the threshold of their transistors to boards at 5 V; outside of it a unit must be wrong."""
MEASURED = (1e-12, 1e12)
"""Outside of this nothing has been measured in the unit of a column; products of two such numbers stay finite."""
SHOWN_PROBLEMS = 12
COUNT_DIGITS = 18
"""Of a count: it fits 64 bits."""


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One network measured on one board, in SI.

    Parameters
    ----------
    board, chip, network, variant, software, source, library, core : str
    macs : mapping of ProductKind to int
        Products of one inference; kinds without any are absent.
    layers : int
        Layers with products.
    energy_j : float or None
        Of one inference; None where only its time was measured.
    latency_s, clock_hz : float
    supply_v : float or None
    regulator : {'linear', 'switched', ''}
    """

    board: str
    chip: str
    network: str
    software: str
    source: str
    macs: Mapping[ProductKind, int]
    layers: int
    energy_j: float | None
    latency_s: float
    clock_hz: float
    variant: str = ""
    library: str = ""
    core: str = ""
    supply_v: float | None = None
    regulator: Regulator = ""

    def __hash__(self) -> int:
        return hash((self.board, self.software, self.network, self.variant, self.latency_s))

    @property
    def kernels(self) -> str:
        """Library whose kernels ran: what shares layer weights."""
        return self.library or self.software

    @property
    def group(self) -> tuple[str, str]:
        """Board and software: what shares one scale."""
        return self.board, self.software

    @property
    def cycles(self) -> float:
        """Clock cycles of one inference."""
        return self.latency_s * self.clock_hz

    @property
    def power_w(self) -> float | None:
        """Average power during one inference; None where its energy was not measured."""
        return None if self.energy_j is None else self.energy_j / self.latency_s


@cache
def shipped_rows(device_class: str) -> tuple[BoardRow, ...]:
    """Return the shipped rows of a class of boards.

    Parameters
    ----------
    device_class : {'axon', 'cortex_m', 'gap9', 'ndp', 'other_cores', 'pulp', 'tinymaix'}
        MLPerf Tiny and tables of kernel libraries on Cortex-M, on GAP9, on NDP120, on Axon and on other
        processors; EEG networks on Mr. Wolf and Vega.

    Raises
    ------
    DataError
        When there is no such class.
    """
    found = _shipped_records()
    classes = sorted({record["class"] for record, _, _ in found})
    if device_class not in classes:
        raise DataError(f"no class {device_class!r}", remedy=unknown_name("classes", device_class, classes))
    return tuple(_row(*one) for one in found if one[0]["class"] == device_class)


@cache
def shipped_boards() -> tuple[BoardRow, ...]:
    """Return the shipped rows of all classes."""
    return tuple(_row(*one) for one in _shipped_records())


def _shipped_records() -> list[tuple[dict[str, str], Path, int]]:
    folder = Path(str(files("energy_models.data") / "measurements"))
    tables = [folder / name for name in SHIPPED]
    return [(record, path, line) for path in tables for line, record in enumerate(_records(path), 2)]


def read_board_table(path: Path) -> tuple[BoardRow, ...]:
    """Return the rows of a table of board measurements; the module's text says which columns it needs.

    Raises
    ------
    DataError
        A file that cannot be read, a column that is missing or unknown, a value that is no number, or figures of one
        row that contradict each other (a wrong unit).
    """
    records = _records(path)
    rows, problems = list[BoardRow](), list[DataError]()
    for line, record in enumerate(records, 2):
        try:
            rows.append(_row(record, path, line))
        except DataError as error:
            problems.append(error)
    if problems:
        raise _together(problems)
    if not rows:
        raise DataError("holds no row", where=path.name, remedy="Give one measured network a row")
    seen: set[tuple[str, ...]] = set()
    for row in rows:
        key = (*row.group, row.network, row.variant)
        if key in seen:
            raise DataError(
                f"{row.network} on {row.board} with {row.software} is given twice", where=path.name,
                remedy="Average repeated runs, or tell the boards apart in column 'board'",
            )
        seen.add(key)
    return tuple(rows)


def _together(problems: Sequence[DataError]) -> DataError:
    """Return the one error of several rows, the first of each."""
    if len(problems) == 1:
        return problems[0]
    lines = "".join(f"\n  {error}" for error in problems[:SHOWN_PROBLEMS])
    return DataError(f"{len(problems)} rows cannot be used:{lines}\n", remedy="Mend them all")


def _records(path: Path) -> list[dict[str, str]]:
    text = read_text(path, error=DataError, remedy="Name a readable CSV file")
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        columns = [name.strip() for name in reader.fieldnames or ()]
        _check_columns(columns, path)
        reader.fieldnames = columns
        found = list[dict[str, str]]()
        for record in reader:
            _check_fields(record, f"{path.name} line {reader.line_num}", columns)
            found.append({key: value.strip() for key, value in record.items()})
        return found
    except csv.Error as error:
        raise DataError(f"cannot be read ({error})", where=str(path), remedy="Name a readable CSV file") from error


def _check_fields(record: Mapping[str, str | list[str] | None], where: str, columns: Sequence[str]) -> None:
    """Raise for a row of fewer or more fields than the header: a file that was cut, or a comma inside a field."""
    found = sum(len(one) if isinstance(one, list) else one is not None for one in record.values())
    if found != len(columns):
        raise DataError(
            f"{found} fields, but the header has {len(columns)}", where=where,
            remedy="Write every field, empty ones too, and put fields that hold commas in quotes",
        )


def _check_columns(columns: Sequence[str], path: Path) -> None:
    problems = [f"column {name!r} is missing" for name in REQUIRED if name not in columns]
    if sum(name in columns for name in SPEEDS) != 1:
        problems.append("need exactly one of the columns 'inferences_per_s' and 'latency_ms'")
    if not any(name in columns for name in _MACS):
        problems.append("no column of products, such as 'conv_macs'")
    for name in columns:
        if name not in KNOWN:
            near = difflib.get_close_matches(name, KNOWN, n=1)
            problems.append(f"unknown column {name!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    if problems:
        remedy = f"The columns are: {', '.join(KNOWN)}; units are those of their names"
        raise DataError("; ".join(problems), where=path.name, remedy=remedy)


def _row(record: Mapping[str, str], path: Path, line: int) -> BoardRow:
    where = f"{path.name} line {line}"
    for name in ("board", "network", "software"):
        if not record[name]:
            raise DataError(f"column {name!r} is empty", where=where, remedy="Name it")
    macs: dict[ProductKind, int] = {
        kind: _count(record[f"{kind}_macs"], f"{kind}_macs", where)
        for kind in PRODUCT_KINDS
        if record.get(f"{kind}_macs")
    }
    fast = "inferences_per_s" in record
    speed = _positive(record[SPEEDS[0] if fast else SPEEDS[1]], SPEEDS[0] if fast else SPEEDS[1], where)
    row = BoardRow(
        board=record["board"], chip=record.get("chip") or record["board"], network=record["network"],
        software=record["software"], source=record.get("source", ""),
        macs=_present(macs),
        layers=_count(record["layers"], "layers", where),
        energy_j=_positive(record["energy_uj"], "energy_uj", where) * 1e-6 if record["energy_uj"] else None,
        latency_s=1.0 / speed if fast else speed * 1e-3,
        clock_hz=_positive(record["clock_mhz"], "clock_mhz", where) * 1e6, variant=record.get("variant", ""),
        library=record.get("library", ""), core=record.get("core", ""),
        supply_v=_supply(record.get("supply_v", ""), where),
        regulator=_regulator(record.get("regulator", ""), where),
    )
    _check_units(row, record.get("power_mw", ""), where)
    return row


def _supply(text: str, where: str) -> float | None:
    if not text:
        return None
    value = _positive(text, "supply_v", where)
    if not SUPPLY_V[0] <= value <= SUPPLY_V[1]:
        remedy = f"Supplies of {SUPPLY_V[0]:g} to {SUPPLY_V[1]:g} V are read: check the unit of supply_v"
        raise DataError(f"supply_v = {text!r:.40}", where=where, remedy=remedy)
    return value


def _regulator(text: str, where: str) -> Regulator:
    if text not in ("linear", "switched", ""):
        remedy = "Write linear (the same current at any supply), switched (the same power), or nothing"
        raise DataError(f"regulator = {text!r:.40}", where=where, remedy=remedy)
    return text


def _present(macs: Mapping[ProductKind, int]) -> Mapping[ProductKind, int]:
    return {kind: count for kind, count in macs.items() if count}


def _check_units(row: BoardRow, power_mw: str, where: str) -> None:
    if not row.macs:
        raise DataError("no products", where=where, remedy=f"Fill at least one of {', '.join(_MACS)}")
    if power_mw and row.power_w is not None:
        stated = _positive(power_mw, "power_mw", where) * 1e-3
        if abs(math.log(row.power_w / stated)) > math.log1p(DISAGREEMENT):
            raise DataError(
                f"{row.power_w * row.latency_s * 1e6:g} uJ over {row.latency_s * 1e3:g} ms are "
                f"{row.power_w * 1e3:.4g} mW, column 'power_mw' says {stated * 1e3:g}",
                where=where, remedy="One of the three is in another unit than its column's name",
            )
    each = row.cycles / sum(row.macs.values())
    if not CYCLES_PER_MAC[0] <= each <= CYCLES_PER_MAC[1]:
        raise DataError(
            f"{row.cycles:.4g} cycles for {sum(row.macs.values())} products, {each:.3g} cycles each", where=where,
            remedy="No core does that: check the units of clock, latency and products",
        )


def _positive(text: str, column: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not MEASURED[0] <= value <= MEASURED[1]:
        remedy = f"Write a number from {MEASURED[0]:g} to {MEASURED[1]:g}, without its unit"
        raise DataError(f"{column} = {text!r:.40}", where=where, remedy=remedy)
    return value


def _count(text: str, column: str, where: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > COUNT_DIGITS:
        shown = text if len(text) <= COUNT_DIGITS else f"{text[:COUNT_DIGITS]}..."
        remedy = f"Write a whole number, 0 or more, of {COUNT_DIGITS} digits at most"
        raise DataError(f"{column} = {shown!r}", where=where, remedy=remedy)
    return int(text)


