"""Small memories: registers, below the size of any SRAM macro, and which of the two a size needs."""

from __future__ import annotations

from energy_models.errors import PriceError
from energy_models.quantities import Quantity
from energy_models.technology.operation_energy import OLD_NM, table_pj
from energy_models.technology.sram import (
    REFERENCE_BITS,
    REFERENCE_K,
    REGISTER_BYTES,
    Flavour,
    memory_fit,
)
from energy_models.technology.sram_steps import MemoryCosts, sram_costs

REGISTER_FACTOR = 3.0
"""Bound of the energy of a register bit, either way."""
REGISTER_CELLS = 4.0
"""SRAM cells that leak as much as a register bit: 24 transistors to 6."""


def register_file_costs(node_nm: float, *, size_bytes: int, width_bits: int) -> MemoryCosts:
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
            remedy=f"Give 1 to {REGISTER_BYTES} bytes; larger memories are SRAM macros: see sram_costs",
        )
    fit = memory_fit(int(node_nm), "itrs-lstp")
    bit_pj = table_pj("register", 1, node_nm)
    cell = fit.laws["leakage"].at(fit.sizes_bytes[0], REFERENCE_BITS, REFERENCE_K)
    scaled = bit_pj / table_pj("register", 1, OLD_NM)
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


def memory_costs(
    node_nm: int, flavour: Flavour, *, size_bytes: int, width_bits: int, temperature_k: float
) -> MemoryCosts:
    """Return what a memory of any size costs: registers to 256 bytes, the smallest macro above, then SRAM by its size.

    So energy has a floor: a tiny buffer costs its registers, not a law of large memories carried towards zero.

    Parameters
    ----------
    node_nm : int
        Technology node [nm].
    flavour : {'itrs-lstp', 'itrs-lop', 'itrs-hp'}
        Transistors of SRAM cells; registers are of low standby power.
    size_bytes, width_bits : int
        Memory (or bank) and its word.
    temperature_k : float
        Silicon temperature [K]; registers are known at 300 K only.

    Raises
    ------
    PriceError
        Outside the swept range, or for registers at a node or temperature without data.
    """
    if size_bytes > REGISTER_BYTES:
        smallest = memory_fit(node_nm, flavour).sizes_bytes[0]
        return sram_costs(
            node_nm, flavour, size_bytes=max(size_bytes, smallest), width_bits=width_bits, temperature_k=temperature_k
        )
    if temperature_k != REFERENCE_K:
        raise PriceError(
            f"registers at {temperature_k:g} K", where="memory laws", remedy=f"Price them at {REFERENCE_K:g} K"
        )
    return register_file_costs(node_nm, size_bytes=size_bytes, width_bits=width_bits)
