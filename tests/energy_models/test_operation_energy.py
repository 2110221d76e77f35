"""Operation costs against the tables they come from; every shipped cost of an integer datapath recomputed."""

from __future__ import annotations

import pytest

from energy_models.errors import PriceError
from energy_models.hardware import OperationCost, ProgrammableCore, load_profile
from energy_models.technology import multiplier_law, operation_laws, table_pj
from energy_models.technology.scaling import node_factor


def stillmaker_45(volts: float) -> float:
    return 1.103 * volts**2 - 0.362 * volts + 0.2767


# How each profile's logic is scaled from the node of its law: Stillmaker-Baas polynomials over 45 nm at 0.9 V;
# 0.5132 is their ratio of 28 to 45 nm at 0.8 V; V^2 at 22 nm.
SCALED = {
    "asic45_reference": (45, 1.0),
    "asic65_near_memory": (45, (3.755 * 0.64 - 4.398 * 0.8 + 1.975) / stillmaker_45(0.9)),
    "event_core_28nm": (45, 0.5132 * stillmaker_45(0.8) / stillmaker_45(0.9)),
    "asic22_fdx": (22, (0.5 / 0.8) ** 2),
}


def shipped_operations(name: str) -> dict[str, OperationCost]:
    execution = load_profile(name).execution
    assert not isinstance(execution, ProgrammableCore)
    return {str(operation): cost for operation, cost in execution.operations["integer"].items()}


@pytest.mark.parametrize("name", SCALED)
def test_every_shipped_operation_cost_is_its_law(name: str) -> None:
    node, factor = SCALED[name]
    laws = operation_laws(node, factor=factor)
    costs = shipped_operations(name)
    assert set(costs) == {*laws, "lookup"}
    for operation, law in laws.items():
        cost = costs[operation]
        for quantity, per in ((cost.per_bit, law.per_bit), (cost.per_square_bit, law.per_square_bit)):
            # five digits are printed; the fit of qtools that two profiles quote has five digits as well
            assert (0.0 if quantity is None else quantity.band.nominal) == pytest.approx(per * 1e-15, rel=2e-4)


@pytest.mark.parametrize("name", ["asic45_reference", "asic22_fdx"])
def test_shipped_registers_and_lower_bounds_are_their_table_entries(name: str) -> None:
    node, factor = SCALED[name]
    found = load_profile(name).quantity_at
    bit = table_pj("register", 1, node) * factor
    assert found["execution.register_write"].band.nominal == pytest.approx(bit * 1e-12, rel=2e-4)
    assert found["execution.register_read"].band.high == pytest.approx(bit * 1e-12, rel=2e-4)
    compared = table_pj("compare", 32, node) / 32 * factor
    assert found["execution.operations.integer.compare.per_bit"].band.low == pytest.approx(compared * 1e-12, rel=2e-4)


def test_laws_return_their_anchors() -> None:
    # 45 nm: 3.1 = 1024 a + 32 c and 0.2 = 64 a + 8 c pJ, so a = (3.1 - 0.8) / 768 pJ, c = 0.025 - 8 a
    law = operation_laws(45)["multiply"]
    assert law.per_square_bit == pytest.approx((3.1 - 0.8) / 768 * 1e3)
    assert law.energy_fj(8, 8) == pytest.approx(200)
    assert law.energy_fj(32, 32) == pytest.approx(3100)
    assert operation_laws(45)["add"].energy_fj(32, 32) == pytest.approx(100)
    # the 8-bit adder is printed as 0.03 pJ; a line through 32 bits says 0.025, half a printed digit less
    assert operation_laws(45)["add"].energy_fj(8, 8) == pytest.approx(30, abs=5.01)
    # 7 nm: through both points the linear term is negative; the square alone misses them by 15 and 13 %
    law = multiplier_law(7)
    assert law.per_bit == 0
    assert law.energy_fj(8, 8) / 70 == pytest.approx(1.1496, rel=1e-3)
    assert law.energy_fj(32, 32) / 1480 == pytest.approx(1 / 1.1496, rel=1e-3)


def test_classes_scale_each_by_their_own_factor() -> None:
    # 20 nm lies ln 0.22106 / ln 0.094309 = 0.63922 of the way that the polynomials at 0.8 V go from 45 to 7 nm
    way = 0.63922
    assert table_pj("multiply", 8, 20) == pytest.approx(0.2 ** (1 - way) * 0.07**way, rel=1e-4)
    assert table_pj("multiply", 32, 20) == pytest.approx(3.1 ** (1 - way) * 1.48**way, rel=1e-4)
    assert table_pj("add", 32, 20) == pytest.approx(0.1 ** (1 - way) * 0.03**way, rel=1e-4)
    assert table_pj("shift", 32, 20) == pytest.approx(0.41652 * 0.3**way, rel=1e-4)


def test_a_cost_of_its_own_node_is_the_scaled_cost_of_another() -> None:
    # a class goes with the geometric mean of its 8 and 32 bit entries
    for operation, factor in (("add", node_factor("adder", 45, 22)), ("multiply", node_factor("multiplier", 45, 22))):
        narrow, wide = (table_pj(operation, bits, 22) / table_pj(operation, bits, 45) for bits in (8, 32))
        assert (narrow * wide) ** 0.5 == pytest.approx(factor.nominal, rel=1e-4)


def test_multiplier_is_a_product_of_both_widths() -> None:
    law = operation_laws(45)["multiply"]
    assert law.energy_fj(4, 8) == law.energy_fj(8, 4)
    assert law.energy_fj(4, 8) < law.energy_fj(8, 8)
    line = operation_laws(45)["accumulate"]
    assert line.energy_fj(16, 16) * 2 == line.energy_fj(32, 32)


def test_what_no_table_has_is_refused() -> None:
    for node in (5, 65):
        with pytest.raises(PriceError, match="no operation table reaches"):
            operation_laws(node)
    with pytest.raises(PriceError, match="no table has add at 64 bits"):
        table_pj("add", 64, 45)
