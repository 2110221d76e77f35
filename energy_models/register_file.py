"""Memories of registers, below the size of any SRAM macro."""

from __future__ import annotations

from energy_models.compute_anchors import OLD_NM, anchor_pj
from energy_models.errors import PriceError
from energy_models.memory_laws import REFERENCE_BITS, REFERENCE_K, MemoryCosts, memory_fit
from energy_models.quantity import Quantity

REGISTER_BYTES = 256
REGISTER_FACTOR = 3.0
"""Bound of the energy of a register bit, either way."""
REGISTER_CELLS = 4.0
"""SRAM cells that leak as much as a register bit: 24 transistors to 6."""


def register_file(node_nm: float, *, size_bytes: int, width_bits: int) -> MemoryCosts:
    """Return what a memory of registers costs: the floor below which no SRAM macro is built.

    A word costs ``W`` register bits (Aladdin's 45 nm table, scaled as an adder), whatever the size. A register bit has
    about four times the transistors of a cell and leaks as many times a cell of low-standby-power SRAM of 1 KiB.

    Parameters
    ----------
    node_nm : float
        Technology node [nm]: one of the sweep's that the operation tables reach (22, 32, 45).
    size_bytes, width_bits : int
        At most 256 bytes.

    Raises
    ------
    PriceError
        When the memory is larger, or the node is in only one of the tables.
    """
    if not 0 < size_bytes <= REGISTER_BYTES or width_bits < 1:
        raise PriceError(
            f"register file of {size_bytes} bytes, {width_bits} bit a word", where="memory laws",
            remedy=f"Give 1 to {REGISTER_BYTES} bytes; larger memories are SRAM macros: see sram",
        )
    fit = memory_fit(int(node_nm), "itrs-lstp")
    bit_pj = anchor_pj("register", 1, node_nm)
    cell = fit.laws["leakage"].at(fit.sizes_bytes[0], REFERENCE_BITS, REFERENCE_K)
    scaled = bit_pj / anchor_pj("register", 1, OLD_NM)
    where = f"register bit at 1 ns, {OLD_NM:g} nm, times {scaled:.4g} to {node_nm:g} nm"
    spread = f"bound: factor {REGISTER_FACTOR:g}, standard-cell memory of 65 nm takes 14 fJ a bit at 0.5 V"
    word_pj = bit_pj * width_bits
    word = Quantity(
        value=word_pj, low=word_pj / REGISTER_FACTOR, high=word_pj * REGISTER_FACTOR,
        unit="pJ", basis="derived", source="aladdin_tables", where=where, note=spread,
    )
    kept = REGISTER_CELLS * cell
    retention = Quantity(
        value=kept, low=cell / REGISTER_CELLS, high=kept * REGISTER_CELLS, unit="pW/bit", basis="assumed",
        source="cacti7", where=f"leakage law at {node_nm:g} nm, itrs-lstp, 300 K, 1 KiB",
        note="a register bit taken to leak as four cells; bound: factor 4 above, a quarter of a cell below",
    )
    access = Quantity(
        value=1.0, low=0.1, high=1.0, unit="ns", basis="assumed", source="aladdin_tables", where="synthesised for 1 ns",
        note="an upper bound; how much faster it could be is not stated",
    )
    return MemoryCosts(word, word, retention, access)
