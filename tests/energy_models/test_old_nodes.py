"""Memories at 130 and 180 nm: against the open macros, held out one by one, and by hand."""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
import pytest

from energy_models.errors import PriceError
from energy_models.hardware import WeightStationaryArray, load_profile
from energy_models.quantities import load_sources
from energy_models.technology import PRODUCT_PJ, macro_law, old_memory_costs
from energy_models.technology.old_nodes import MACROS

ROWS = list(csv.DictReader((files("energy_models.data") / MACROS).read_text(encoding="utf-8").splitlines()))


def test_the_anchor_and_every_open_macro_are_met() -> None:
    # 1024 words of 16 bit: read 26.49, write 32.92 pJ
    anchor = old_memory_costs(130, words=1024, width_bits=16)
    assert anchor.read.value == pytest.approx(26.4863, rel=0.04)
    assert anchor.write.value == pytest.approx(32.918, rel=0.03)
    assert len(ROWS) == 10
    for row in ROWS:
        costs = old_memory_costs(130, words=int(row["words"]), width_bits=int(row["width_bits"]))
        for quantity, column in ((costs.read, "read_pJ"), (costs.write, "write_pJ"), (costs.access, "access_ns")):
            assert quantity.low * (1 - 1e-9) <= float(row[column]) <= quantity.high * (1 + 1e-9)
        bits = int(row["words"]) * int(row["width_bits"])
        assert costs.retention.value == pytest.approx(1e3 * float(row["leakage_nW"]) / bits, rel=1e-3)


@pytest.mark.parametrize(("figure", "column", "worst"), [("read", "read_pJ", 0.20), ("write", "write_pJ", 0.12)])
def test_a_macro_that_was_left_out_is_met(figure: str, column: str, worst: float) -> None:
    measured = np.array([float(row[column]) for row in ROWS])
    width, words = (np.array([float(row[name]) for row in ROWS]) for name in ("width_bits", "words"))
    terms = np.stack([np.ones(len(ROWS)), width, width * words], axis=1) / measured[:, None]
    whole = np.linalg.solve(terms.T @ terms, terms.T @ np.ones(len(ROWS)))
    assert macro_law(figure)[:3] == pytest.approx(whole, rel=1e-8)  # type: ignore[arg-type]
    off: list[float] = []
    for out in range(len(ROWS)):
        kept = np.arange(len(ROWS)) != out
        one = np.linalg.solve(terms[kept].T @ terms[kept], terms[kept].T @ np.ones(len(ROWS) - 1))
        off.append(abs(float(terms[out] @ one) - 1.0))
    assert max(off) < worst
    assert np.median(off) < 0.05


def test_180_nm_is_130_nm_times_the_products_of_both() -> None:
    fine, coarse = (old_memory_costs(node, words=1024, width_bits=32) for node in (130, 180))
    ratio = 14.8 / 5.7
    assert coarse.read.value / fine.read.value == pytest.approx(ratio)
    # between the supplies squared, 1.5^2 = 2.25, and those times the lengths, 3.12
    assert coarse.read.low / fine.read.low == pytest.approx(2.25)
    assert coarse.read.high / fine.read.high == pytest.approx(3.12)
    assert coarse.access.value == pytest.approx(fine.access.value * 180 / 130)


def test_bands_are_no_narrower_than_their_files_are_good_for() -> None:
    # a factor 2 either way by the record of the files; with 5.7 / 3.5 = 1.63 below: exp(hypot(ln 2, ln 1.63)) = 2.33
    assert "factor 2" in load_sources()["ihp_sg13g2"].note
    product = PRODUCT_PJ[130]
    assert (product.nominal / product.low, product.high / product.nominal) == pytest.approx((2.334, 2.280), abs=2e-3)
    for node in (130, 180):
        costs = old_memory_costs(node, words=1024, width_bits=32)
        for one in (PRODUCT_PJ[node], costs.read.band, costs.write.band):
            assert one.low <= one.nominal / 2
            assert one.high >= one.nominal * 2


def test_outside_of_the_open_macros_is_refused() -> None:
    with pytest.raises(PriceError, match="no open macro reaches 90 nm"):
        old_memory_costs(90, words=1024, width_bits=16)
    with pytest.raises(PriceError, match="words from 64 to 4096"):
        old_memory_costs(130, words=8192, width_bits=16)
    with pytest.raises(PriceError, match="width_bits from 8 to 64"):
        old_memory_costs(130, words=1024, width_bits=128)


def test_the_machine_at_130_nm_is_made_of_them() -> None:
    profile = load_profile("asic130_open")
    law = old_memory_costs(130, words=1024, width_bits=32)
    for memory in profile.memories:
        assert memory.read is not None
        assert memory.write is not None
        for ours, theirs in ((memory.read, law.read), (memory.write, law.write)):
            assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high), rel=1e-4)
            assert ours.note == theirs.note
    execution = profile.execution
    assert isinstance(execution, WeightStationaryArray)
    costs = execution.operations["integer"]
    multiply, accumulate = costs["multiply"], costs["accumulate"]
    assert multiply.per_bit is not None
    assert multiply.per_square_bit is not None
    assert accumulate.per_bit is not None
    for quantity in (multiply.per_bit, multiply.per_square_bit, accumulate.per_bit):
        ends = [one / PRODUCT_PJ[130].nominal for one in (PRODUCT_PJ[130].low, PRODUCT_PJ[130].high)]
        assert [quantity.low / quantity.value, quantity.high / quantity.value] == pytest.approx(ends, rel=1e-3)
    product = 8 * multiply.per_bit.value + 64 * multiply.per_square_bit.value + 24 * accumulate.per_bit.value
    assert product == pytest.approx(1e3 * PRODUCT_PJ[130].nominal, rel=1e-3)
    # 0.0011745 mm2 x 128 x (130 / 45)^2 and 792.06 nW on 0.26395 mm2
    assert profile.static.value == pytest.approx(0.0011745 * 128 * (130 / 45) ** 2 * 0.79206 / 0.26395, rel=0.02)
