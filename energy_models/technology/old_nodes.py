"""Memories and products at 130 and 180 nm, which implants use and CACTI does not reach, from open silicon.

Ten SRAM macros of IHP's open 130 nm process (SG13G2, 1.2 V, 25 C), least squares in relative error, N words of W bits:

    read, write   E = c + W (a + b N)        [J] a word: control, W columns of an amplifier and N cells

A bit line grows with its cells and there are W of them, so that three constants meet all ten within 11 %. Files of a
process are no silicon: internal power is good to a factor 2, for macros and products alike. Leakage is
one constant a bit in the process's own files, without what surrounds the cells. At 180 nm no macro is open: energies go
as those of a multiply-accumulate in both processes' standard cells, each at its own supply.
"""

from __future__ import annotations

import csv
import math
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import PriceError
from energy_models.quantities import Band, Quantity
from energy_models.technology.sram_steps import MemoryCosts

MACROS = "measurements/open_sram.csv"
OldNode = Literal[130, 180]
OLD_NODES: tuple[OldNode, ...] = (130, 180)
Figure = Literal["read", "write"]
_COLUMNS = {"read": "read_pJ", "write": "write_pJ"}
FILES_AGAINST_SILICON = 2.0
"""How far a figure by the files of a process may be off either way, as their record (`ihp_sg13g2`) says."""


def by_files(below: float, above: float) -> tuple[float, float]:
    """Return the factors below and above a figure by a process's files.

    Parameters
    ----------
    below, above : float
        Those of another, independent cause; 1 where there is none. Logarithms of both causes add as squares.
    """
    files_log = math.log(FILES_AGAINST_SILICON)
    low, high = (math.exp(math.hypot(math.log(one), files_log)) for one in (below, above))
    return low, high


def _product(simulated: Band) -> Band:
    below, above = by_files(simulated.nominal / simulated.low, simulated.high / simulated.nominal)
    return Band(simulated.nominal / below, simulated.nominal, simulated.nominal * above)


PRODUCT_PJ = {130: _product(Band(3.5, 5.7, 8.9)), 180: _product(Band(9.6, 14.8, 21.2))}
"""Multiply-accumulate of 8 x 8 bit into 24, its registers and clock pins, a cycle [pJ], in IHP SG13G2 at 1.2 V and
GF180MCU at 1.8 V (record `ihp_sg13g2`): with cell delays. Simulated from 3.5 and 9.6 (without glitches) to 8.9 and 21.2
(with delays and 5 fF of wire a net), and wider by what files are off against silicon."""
LEAKAGE_FACTOR = (3.0, 5.0)
"""How far leakage may lie below and above the cells' own: corners apart, and the periphery left out. Assumed."""
COARSER = Band(2.25, PRODUCT_PJ[180].nominal / PRODUCT_PJ[130].nominal, 3.12)
"""Energy at 180 nm over that at 130 nm: of the products; low: the supply squared, high: length and supply squared."""


@cache
def _macros() -> tuple[dict[str, float], ...]:
    text = (files("energy_models.data") / MACROS).read_text(encoding="utf-8")
    return tuple({name: float(value) for name, value in row.items()} for row in csv.DictReader(text.splitlines()))


@cache
def macro_law(figure: Figure) -> tuple[float, float, float, float]:
    """Return c, a and b of a figure at 130 nm [pJ], and the worst macro's ratio to the law, or its inverse, less 1."""
    rows = _macros()
    measured: NDArray[np.float64] = np.array([row[_COLUMNS[figure]] for row in rows])
    terms = np.array([[1.0, row["width_bits"], row["width_bits"] * row["words"]] for row in rows])
    solved, *_ = np.linalg.lstsq(terms / measured[:, None], np.ones(len(rows)), rcond=None)
    ratio = terms @ solved / measured
    fixed, column, cell = (float(one) for one in solved)
    return fixed, column, cell, float(np.maximum(ratio, 1.0 / ratio).max() - 1.0)


def old_memory_costs(node_nm: int, *, words: int, width_bits: int) -> MemoryCosts:
    """Return what an SRAM macro costs at 130 or 180 nm, at the nominal supply of its process and 25 C.

    Parameters
    ----------
    node_nm : {130, 180}
    words, width_bits : int
        Of the macro; within those of the open ones.

    Raises
    ------
    PriceError
        Another node, or a macro outside the range of the open ones, which is stated.
    """
    if node_nm not in OLD_NODES:
        raise PriceError(
            f"no open macro reaches {node_nm} nm", where=MACROS, remedy="130 and 180 nm; finer ones: sram_costs"
        )
    ranges = {name: (min(row[name] for row in _macros()), max(row[name] for row in _macros()))
              for name in ("words", "width_bits")}
    for name, value in (("words", words), ("width_bits", width_bits)):
        least, most = ranges[name]
        if not least <= value <= most:
            raise PriceError(
                f"a macro of {words} words of {width_bits} bit", where=MACROS,
                remedy=f"{name} from {least:g} to {most:g}; compose larger memories of banks",
            )
    return MemoryCosts(
        _energy("read", words, width_bits, node_nm), _energy("write", words, width_bits, node_nm), _leakage(node_nm),
        _access(node_nm),
    )


def _energy(figure: Figure, words: int, width_bits: int, node: OldNode) -> Quantity:
    fixed, column, cell, worst = macro_law(figure)
    value = fixed + width_bits * (column + cell * words)
    scale = COARSER if node == 180 else Band(1.0, 1.0, 1.0)
    how = f"; times {scale.nominal:.3g} to 180 nm, as a product of 8 bit (GF180MCU over SG13G2)" if node == 180 else ""
    below, above = by_files(1.0 + worst, 1.0 + worst)
    return Quantity(
        value=value * scale.nominal, low=value / below * scale.low, high=value * above * scale.high,
        unit="pJ", basis="derived", source="ihp_sg13g2",
        where=f"{figure} law of ten macros, {words} words of {width_bits} bit{how}",
        note=f"bounds: factor {above:.3g}, of the worst macro's {worst:.0%} and files good to a factor "
        f"{FILES_AGAINST_SILICON:g}",
    )


def _leakage(node: OldNode) -> Quantity:
    value = float(np.mean([1e3 * row["leakage_nW"] / (row["words"] * row["width_bits"]) for row in _macros()]))
    below, above = LEAKAGE_FACTOR
    other = "; taken as at 130 nm" if node == 180 else ""
    return Quantity(
        value=value, low=value / below, high=value * above, unit="pW/bit", basis="assumed", source="ihp_sg13g2",
        where=f"leakage power of the typical corner, 1.2 V, 25 C{other}",
        note="one constant a bit: what surrounds the cells is left out; low: factor 3, high: factor 5",
    )


def _access(node: OldNode) -> Quantity:
    times = [row["access_ns"] for row in _macros()]
    note = "median, least and most"
    if node == 130:
        return Quantity(
            value=float(np.median(times)), low=min(times), high=max(times), unit="ns", basis="derived",
            source="ihp_sg13g2", where="ten macros, clock to output", note=note,
        )
    slower = node / 130
    return Quantity(
        value=float(np.median(times)) * slower, low=min(times), high=max(times) * slower**2, unit="ns", basis="assumed",
        source="ihp_sg13g2", where=f"ten macros of 130 nm, clock to output, times {slower:.3g}",
        note=f"{note}; slower by the ratio of lengths, low: not at all, high: by its square",
    )
