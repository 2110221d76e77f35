"""Node, supply and temperature: anchors recomputed, laws by hand, properties, refusals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import pytest
from energy_workloads import dense_layer, workload
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energy_models.errors import ProfileError
from energy_models.hardware import load_profile, profile_names
from energy_models.pricing import estimate
from energy_models.quantities import load_sources, quantities
from energy_models.technology import sweep
from energy_models.technology.scaling import (
    dynamic_factor,
    frequency_factor,
    load_technology,
    minimum_energy_supply_v,
    node_factor,
    nominal_supply_v,
    operation_energy_ratio,
    scaled_profile,
    sram_factor,
    supply_factor,
    temperature_factor,
)
from energy_models.technology.scaling.technology import CircuitClass

KIB = 8 * 1024
CLASSES: tuple[CircuitClass, ...] = (
    "multiplier", "adder", "float_multiplier", "float_adder", "wire", "analogue", "leakage",
)
COARSEST_NM = 90
BUILT_UP = [
    name for name in profile_names()
    if not load_profile(name).execution.contains_memory and load_profile(name).node.value <= COARSEST_NM
]
nodes = st.floats(7, 90)
supplies = st.floats(0.4, 1.1)
sizes = st.floats(1024, 1e8)

# Stillmaker and Baas 2017: a V^2 + b V + c, in the order of the nodes
POLYNOMIALS = {
    90: (4.762, -4.781, 2.092), 65: (3.755, -4.398, 1.975), 45: (1.103, -0.362, 0.2767), 32: (0.9559, -0.7823, 0.471),
    20: (0.373, -0.1582, 0.04104), 16: (0.2958, -0.1241, 0.03024), 14: (0.2363, -0.09675, 0.02239),
    10: (0.2068, -0.09311, 0.02375), 7: (0.1776, -0.09097, 0.02447),
}


def polynomial(node: int, volts: float) -> float:
    a, b, c = POLYNOMIALS[node]
    return a * volts**2 + b * volts + c


def runs(node: int) -> Mapping[tuple[int, int], Mapping[str, float]]:
    """The sweep's low-standby-power memories at 300 K by size and width."""
    return {
        (run.size_bytes, run.width_bits): {str(law): value for law, value in run.figures.items()}
        for run in sweep()
        if (run.node_nm, run.flavour, run.temperature_k) == (node, "itrs-lstp", 300)
    }


def test_every_constant_walks_to_a_source() -> None:
    sources = load_sources()
    found = dict(quantities(load_technology()))
    assert len(found) > 60
    for path, quantity in found.items():
        assert quantity.where, path
        assert quantity.basis != "assumed" or quantity.note, path
        assert sources[quantity.source].was_read or quantity.basis == "assumed", path


def test_shape_and_coarse_legs_are_the_polynomials_inside_their_range() -> None:
    technology = load_technology()
    for point in technology.shape:
        expected = polynomial(int(point.node_nm), 0.8) / polynomial(45, 0.8)
        assert point.energy.value == pytest.approx(expected, rel=1e-4)
    for kind in ("multiplier", "adder", "float_multiplier", "float_adder"):
        first, second, _ = technology.classes[kind]
        assert first.ratio.value == pytest.approx(polynomial(65, 1.1) / polynomial(90, 1.2), rel=1e-4)
        assert second.ratio.value == pytest.approx(polynomial(45, 0.9) / polynomial(65, 1.1), rel=1e-4)


@pytest.mark.parametrize(
    # Jouppi 2021, Table 2, 7 nm over Horowitz 2014, 45 nm [pJ]; the geometric mean of two widths
    ("kind", "expected"),
    [
        ("multiplier", math.sqrt(0.07 / 0.2 * 1.48 / 3.1)), ("adder", math.sqrt(0.007 / 0.03 * 0.03 / 0.1)),
        ("float_multiplier", math.sqrt(1.31 / 3.7 * 0.34 / 1.1)), ("float_adder", math.sqrt(0.38 / 0.9 * 0.16 / 0.4)),
        ("wire", 14 / 100), ("analogue", 1.0), ("leakage", 1.0),
    ],
)
def test_classes_return_their_anchors_at_7_nm(kind: CircuitClass, expected: float) -> None:
    assert node_factor(kind, 45, 7).nominal == pytest.approx(expected, rel=1e-4)


def test_memories_return_their_anchors() -> None:
    for size, width, coarse, fine in (
        (8, 32, 90, 65), (8, 32, 65, 45), (8, 32, 45, 32), (8, 64, 32, 22), (32, 64, 90, 65), (32, 64, 65, 45),
        (32, 32, 45, 32), (32, 32, 32, 22), (1024, 8, 90, 65), (1024, 8, 65, 45), (1024, 8, 45, 32), (1024, 32, 32, 22),
    ):
        read = [runs(node)[size * 1024, width]["read"] for node in (coarse, fine)]
        assert sram_factor(size * KIB, coarse, fine).nominal == pytest.approx(read[1] / read[0], rel=1e-4)
    # 7 nm over 45 nm, 64-bit accesses: 14/100 pJ at 1 MB is met; 7.5/10 at 8 KB and 8.5/20 at 32 KB are bounds
    assert sram_factor(1024 * KIB, 45, 7).nominal == pytest.approx(0.14, rel=1e-4)
    for size, ratio in ((8, 0.75), (32, 0.425)):
        band = sram_factor(size * KIB, 45, 7)
        assert band.nominal < ratio < band.high


def test_between_anchors_by_hand() -> None:
    # multiplier 45 to 20 nm: the way is ln 0.22106 / ln 0.094309 = 1.50932 / 2.36118 = 0.63922; 0.40877^0.63922
    assert node_factor("multiplier", 45, 20).nominal == pytest.approx(0.40877**0.63922, rel=1e-4)
    # 28 nm lies ln(32/28)/ln(32/20) = 0.28411 of the way from 32 to 20: ln s = -0.41652 + 0.28411 (-1.50932 + 0.41652)
    shape = math.exp(-0.41652 + 0.28411 * (-1.50932 + 0.41652))
    way = math.log(shape) / math.log(0.094309)
    assert node_factor("adder", 45, 28).nominal == pytest.approx(0.26458**way, rel=1e-4)
    # 16 KiB is half-way in the logarithm between 8 and 32 KiB
    assert sram_factor(16 * KIB, 45, 32).nominal == pytest.approx(math.sqrt(0.56345 * 0.49081), rel=1e-4)
    # below the smallest and above the largest memory of the tables nothing is added
    assert sram_factor(64, 45, 32) == sram_factor(8 * KIB, 45, 32)
    # 55 nm: nominal supply between 1.1 V at 65 and 0.9 V at 45, ln(65/55)/ln(65/45) = 0.45429 of the way
    assert nominal_supply_v(55) == pytest.approx(1.1 * (0.9 / 1.1) ** 0.45429, rel=1e-4)


def test_supply_laws_by_hand() -> None:
    assert dynamic_factor(0.9, 0.6).nominal == pytest.approx((0.6 / 0.9) ** 2)
    slope = 1.4 * 1.380649e-23 * 300 / 1.602176634e-19  # 36.19 mV
    leaked = 0.6 / 0.9 * math.exp(0.08 * (0.6 - 0.9) / slope)
    assert supply_factor(0.9, 0.6).nominal == pytest.approx(leaked)

    def speed(volts: float) -> float:  # I / V, the drive current of the module's equation
        return math.log(1 + math.exp((volts - 0.4) / (1.3 * slope))) ** 1.3 / volts

    assert frequency_factor(0.9, 0.6).nominal == pytest.approx(speed(0.6) / speed(0.9))
    # far above the threshold: the alpha-power law (V - Vth)^1.3 / V; far below: exp((V - Vth) / slope) / V
    assert frequency_factor(1.5, 3.0).nominal == pytest.approx((2.6 / 1.1) ** 1.3 / 2, rel=1e-6)
    assert frequency_factor(0.1, 0.05).nominal == pytest.approx(2 * math.exp(-0.05 / slope), rel=2e-3)
    assert temperature_factor(300, 366).nominal == pytest.approx(4.0)  # two doublings of 33 K


@given(st.sampled_from(CLASSES), nodes, nodes, nodes)
def test_nodes_compose_and_never_point_the_wrong_way(kind: CircuitClass, a: float, b: float, c: float) -> None:
    whole, first, second = node_factor(kind, a, c), node_factor(kind, a, b), node_factor(kind, b, c)
    assert first.nominal * second.nominal == pytest.approx(whole.nominal)
    assert whole.low <= whole.nominal <= whole.high
    assert first.low * second.low <= whole.low * (1 + 1e-9)
    assert first.high * second.high >= whole.high * (1 - 1e-9)
    assert node_factor(kind, a, b).nominal * node_factor(kind, b, a).nominal == pytest.approx(1.0)
    if kind not in ("analogue", "leakage"):
        assert (whole.nominal <= 1 + 1e-12) == (c <= a) or whole.nominal == pytest.approx(1.0)


@given(sizes, nodes, nodes, nodes)
def test_memories_compose_and_never_cost_more_at_a_finer_node(size: float, a: float, b: float, c: float) -> None:
    whole = sram_factor(size, a, c)
    assert sram_factor(size, a, b).nominal * sram_factor(size, b, c).nominal == pytest.approx(whole.nominal)
    assert whole.low <= whole.nominal <= whole.high
    coarse, fine = max(a, c), min(a, c)
    assert sram_factor(size, coarse, fine).nominal <= 1 + 1e-12


@given(supplies, supplies, supplies)
def test_supplies_compose_and_rise(a: float, b: float, c: float) -> None:
    for law in (dynamic_factor, frequency_factor, supply_factor):
        assert law(a, b).nominal * law(b, c).nominal == pytest.approx(law(a, c).nominal)
        assert law(a, c).low <= law(a, c).nominal <= law(a, c).high
        if a < c - 1e-9:
            assert law(a, c).nominal > 1


@given(st.floats(300, 400), st.floats(300, 400), st.floats(300, 400))
def test_leakage_is_exponential_in_temperature(a: float, b: float, c: float) -> None:
    assert temperature_factor(a, b).nominal * temperature_factor(b, c).nominal == pytest.approx(
        temperature_factor(a, c).nominal
    )
    # equal steps, equal ratios
    assert temperature_factor(a, a + 10).nominal == pytest.approx(temperature_factor(b, b + 10).nominal)
    if a < c:
        assert temperature_factor(a, c).nominal > 1


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.3])
def test_an_operation_has_a_supply_of_least_energy(share: float) -> None:
    best = minimum_energy_supply_v(0.1, 1.1, reference_v=0.9, leakage_share=share)
    assert 0.1 < best < 1.1
    least = operation_energy_ratio(best, 0.9, share)
    # it falls towards the minimum from both sides, and nowhere turns up above it as the polynomials do
    below = [operation_energy_ratio(best - step * (best - 0.1) / 20, 0.9, share) for step in range(20)]
    above = [operation_energy_ratio(best + step * (1.1 - best) / 20, 0.9, share) for step in range(20)]
    for side in (below, above):
        assert side[0] == least
        assert all(one < other for one, other in pairwise(side))
    # more leakage moves the minimum up; without leakage there is none
    assert minimum_energy_supply_v(0.1, 1.1, reference_v=0.9, leakage_share=2 * share) > best
    assert minimum_energy_supply_v(0.1, 1.1, reference_v=0.9, leakage_share=0.0) == pytest.approx(0.1)


def test_supplies_out_of_order_are_refused() -> None:
    with pytest.raises(ProfileError, match=r"no supply lies between 0\.9 and 0\.5 V"):
        minimum_energy_supply_v(0.9, 0.5, reference_v=0.9, leakage_share=0.1)


@pytest.mark.parametrize("name", BUILT_UP)
def test_every_machine_moves_and_every_number_says_how(name: str) -> None:
    profile = load_profile(name)
    moved = scaled_profile(profile, node_nm=32, temperature_k=310)
    before, after = profile.quantity_at, moved.quantity_at
    assert set(before) == set(after)
    changed = {path for path in before if before[path] != after[path]}
    assert {"node", "supply", "temperature", "static", "memories[0].read", "memories[0].retention"} <= changed
    assert any(path.startswith("execution.operations.integer.multiply") for path in changed)
    for path in changed - {"node", "supply", "temperature"}:
        one, other = before[path], after[path]
        assert other.basis == ("assumed" if one.basis == "assumed" else "derived"), path
        assert other.source == one.source, path
        assert other.where.startswith(one.where), path
        assert "32 nm" in other.where, path
        if one.value and path != "clock":  # relative width never shrinks
            assert other.high / other.value >= one.high / one.value * (1 - 1e-9), path
            assert other.low / other.value <= one.low / one.value * (1 + 1e-9), path
    fixed = [path for path in before if path.endswith((".capacity", ".bank", "control_factor", "wake.time"))]
    assert fixed
    assert not changed & set(fixed)
    assert moved.name.startswith(f"{name}_scaled_32nm_")


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(BUILT_UP), st.floats(7, 90), st.floats(7, 90))
def test_profiles_compose(name: str, middle: float, end: float) -> None:
    profile = load_profile(name)
    assume(abs(end - profile.node.band.nominal * 1e9) > 1e-6)  # a machine at its own node keeps its name
    direct = scaled_profile(profile, node_nm=end)
    by_way = scaled_profile(scaled_profile(profile, node_nm=middle), node_nm=end)
    for path, band in direct.bands.items():
        assert by_way.bands[path].nominal == pytest.approx(band.nominal), path
    if direct is not profile:  # back at its own node it is named as scaled by one way only
        assert (by_way.name, by_way.title) == (direct.name, direct.title)


def test_one_machine_by_hand() -> None:
    # at 45 nm from 0.9 to 0.6 V, 33 K warmer
    profile = load_profile("asic45_reference")
    start = profile.temperature.band.nominal
    moved = scaled_profile(profile, supply_v=0.6, temperature_k=start + 33, clock="reached")
    ratio = {path: moved.bands[path].nominal / band.nominal for path, band in profile.bands.items() if band.nominal}
    assert ratio["memories[0].read"] == pytest.approx(4 / 9)
    assert ratio["execution.operations.integer.add.per_bit"] == pytest.approx(4 / 9)
    assert ratio["memories[0].retention"] == pytest.approx(2.0)  # one doubling; its rail is its own
    assert ratio["static"] == pytest.approx(2.0 * supply_factor(0.9, 0.6).nominal)
    assert ratio["clock"] == pytest.approx(frequency_factor(0.9, 0.6).nominal)
    assert ratio["wake.time"] == 1
    assert moved.supply.value == 0.6


def test_a_chosen_clock_stays_unless_it_is_asked_to_move() -> None:
    work, chosen = workload(dense_layer(64, 64)), load_profile("asic45_reference")
    kept, reached = scaled_profile(chosen, supply_v=0.6), scaled_profile(chosen, supply_v=0.6, clock="reached")
    assert kept.clock == chosen.clock
    assert reached.clock.value == pytest.approx(chosen.clock.value * frequency_factor(0.9, 0.6).nominal)
    before, same, slower = (estimate(work, one, None, decode_rate_hz=10).latency_s.nominal - one.wake.time.band.nominal
                            for one in (chosen, kept, reached))
    assert same == pytest.approx(before)  # latency and deadline are those of the clock that the designer chose
    assert slower == pytest.approx(before / frequency_factor(0.9, 0.6).nominal)
    for path in ("memories[0].read", "static", "execution.operations.integer.add.per_bit"):
        assert kept.bands[path] == reached.bands[path]
    # a measured chip's power holds at the clock it was measured at: both move
    chip = scaled_profile(load_profile("gap9"), supply_v=0.8)
    assert chip.clock.value == pytest.approx(240 * frequency_factor(0.65, 0.8).nominal)


def test_a_memory_of_registers_goes_with_logic() -> None:
    profile = load_profile("asic22_fdx")
    (place,) = (index for index, one in enumerate(profile.memories) if one.name == "registers")
    moved = scaled_profile(profile, node_nm=45)
    register, adder = f"memories[{place}].read", "execution.operations.integer.add.per_bit"
    ratios = [moved.bands[path].nominal / profile.bands[path].nominal for path in (register, adder)]
    assert ratios[0] == pytest.approx(ratios[1])


def test_leakage_does_not_follow_the_energy_of_operations() -> None:
    profile = load_profile("asic45_reference")
    moved = scaled_profile(profile, node_nm=7)
    energy = moved.bands["execution.operations.integer.multiply.per_square_bit"].nominal
    assert energy < 0.5 * profile.bands["execution.operations.integer.multiply.per_square_bit"].nominal
    assert moved.bands["memories[0].retention"].nominal == pytest.approx(profile.bands["memories[0].retention"].nominal)


@pytest.mark.parametrize("name", [one for one in profile_names() if load_profile(one).execution.contains_memory])
def test_published_totals_move_in_supply_but_not_in_node(name: str) -> None:
    profile = load_profile(name)
    assert scaled_profile(profile, temperature_k=profile.temperature.band.nominal + 20).bands["static"].nominal == (
        pytest.approx(profile.bands["static"].nominal * 2 ** (20 / 33))
    )
    with pytest.raises(ProfileError, match="totals of one chip"):
        scaled_profile(profile, node_nm=45 if profile.node.value != 45 else 28)


def test_energy_per_cycle_of_a_measured_core_goes_with_the_square_of_the_supply() -> None:
    profile = load_profile("gap9")
    moved = scaled_profile(profile, supply_v=0.8)
    per_cycle = [one.bands["execution.active_power"].nominal / one.bands["clock"].nominal for one in (profile, moved)]
    assert per_cycle[1] / per_cycle[0] == pytest.approx((0.8 / 0.65) ** 2)


def test_nothing_moved_is_the_same_profile() -> None:
    profile = load_profile("asic65_near_memory")
    same = scaled_profile(profile, node_nm=65, supply_v=profile.supply.value, temperature_k=profile.temperature.value)
    assert same is profile


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("asic45_reference", {"node_nm": 130.0}, "node 130 nm is outside 7 to 90 nm.*Give a node"),
        ("asic130_open", {"node_nm": 65.0}, "node 130 nm is outside 7 to 90 nm"),
        ("asic45_reference", {"node_nm": 5.0}, "node 5 nm is outside"),
        ("asic45_reference", {"node_nm": math.nan}, "node nan nm is outside"),
        ("asic45_reference", {"supply_v": 0.3}, r"supply 0.3 V is outside 0.4 to 1.32 V at 45 nm"),
        ("asic45_reference", {"supply_v": 1.4}, "supply 1.4 V is outside"),
        ("asic45_reference", {"temperature_k": 290.0}, "temperature 290 K is outside 300 to 400 K"),
        ("cortex_m4f", {"supply_v": 1.2}, "supply 1.8 V is outside.*regulator inside the chip"),
    ],
)
def test_outside_the_range_is_refused(name: str, changes: dict[str, float], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        scaled_profile(load_profile(name), **changes)


def test_less_supply_always_saves_at_a_fixed_rate_until_the_deadline() -> None:
    # what leaks between decisions does so whatever the clock is: no minimum, but a latency that grows
    work, profile = workload(dense_layer(64, 64)), load_profile("asic45_reference")
    reports = [estimate(work, scaled_profile(profile, supply_v=volts, clock="reached"), None, decode_rate_hz=10)
               for volts in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    for lower, higher in pairwise(reports):
        assert lower.total_power_w.nominal < higher.total_power_w.nominal
        assert lower.latency_s.nominal > higher.latency_s.nominal


def test_cells_are_not_credited_below_their_lowest_supply() -> None:
    # six transistors are read at 0.6 V: from 0.9 V an access falls to (0.6 / 0.9)^2 and no further, logic does
    profile = load_profile("asic45_reference")
    at = {volts: scaled_profile(profile, supply_v=volts).bands for volts in (0.7, 0.6, 0.5, 0.4)}
    for path in ("memories[0].read", "memories[1].write", "memories[0].awake_leakage"):
        assert at[0.7][path].nominal > at[0.6][path].nominal
        assert at[0.6][path] == at[0.5][path] == at[0.4][path]
    assert at[0.5]["memories[0].read"].nominal == pytest.approx(10e-12 * (0.6 / 0.9) ** 2)
    adder = "execution.operations.integer.add.per_bit"
    assert at[0.4][adder].nominal < at[0.5][adder].nominal < at[0.6][adder].nominal


def test_area_goes_with_the_square_of_the_node() -> None:
    profile = load_profile("asic65_near_memory")
    assert profile.area is not None
    assert scaled_profile(profile, node_nm=32.5).bands["area"].nominal == pytest.approx(profile.area.band.nominal / 4)
    assert scaled_profile(profile, supply_v=0.7).area == profile.area
