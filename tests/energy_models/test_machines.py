"""Every shipped machine: sources, prices for all operations, and the figures it must reproduce."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import pytest
from energy_workloads import DECODES, count, dense_layer, products, profile_text, with_operations, workload

from energy_models.errors import PriceError
from energy_models.hardware import (
    EventCycles,
    EventDriven,
    EventTable,
    OperationCost,
    ProgrammableCore,
    WeightStationaryArray,
    load_profile,
    load_site,
    profile_names,
    site_names,
)
from energy_models.mapping import Operations, place
from energy_models.pricing import band, estimate
from energy_models.pricing.layer import find_cost, operation_terms
from energy_models.quantities import Band, load_sources, quantities
from energy_models.workload import OPERATIONS, Count, Kind, LayerWork, Workload

MACHINES = profile_names()
SPIKING_ONLY = {name for name in MACHINES if isinstance(load_profile(name).execution, EventTable | EventCycles)}


def test_the_machines_ship() -> None:
    microcontrollers = {"cortex_m4f", "nrf52840", "cortex_m33_u575", "cortex_m7_h7a3", "apollo4_plus"}
    cores = {*microcontrollers, "cortex_m33_u3c5", "mr_wolf", "vega", "gap9", "ndp120", "nrf54lm20b_axon"}
    assert {"asic65_near_memory", "event_core_28nm", *cores} <= set(MACHINES)
    assert all(isinstance(load_profile(name).execution, ProgrammableCore) for name in cores)
    assert {"loihi", "loihi2", "odin_reckon", "seneca", "spinnaker2", "truenorth", "xylo"} == SPIKING_ONLY


@pytest.mark.parametrize("name", [*MACHINES, *site_names()])
def test_every_number_walks_to_a_source(name: str) -> None:
    model = load_profile(name) if name in MACHINES else load_site(name)
    found = dict(quantities(model))
    sources = load_sources()
    assert len(found) > 5
    for path, quantity in found.items():
        assert quantity.source in sources, path
        assert quantity.where, path
        assert quantity.basis != "assumed" or quantity.note, path
        assert sources[quantity.source].was_read or quantity.basis == "assumed", path


def operation_energy_j(cost: OperationCost, widths: tuple[int, int]) -> Band:
    constants = {f"cost.{path}": quantity.band for path, quantity in quantities(cost)}
    return band(operation_terms(cost, "cost", widths), constants)


@pytest.mark.parametrize("name", sorted(set(MACHINES) - SPIKING_ONLY))
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_of_the_vocabulary_is_priced(name: str, operation: str) -> None:
    layer = LayerWork(
        name="features", kind="feature", arithmetic="integer", calls=1, input_shape=(8,), output_shape=(8,), inputs=8,
        outputs=8, operations={operation: count(8)}, activation_bits=16, output_bits=16, state_bits=16,
    )
    without = dataclasses.replace(layer, operations={})
    profile = load_profile(name)
    priced, bare = (estimate(workload(w), profile, None, decode_rate_hz=1) for w in (layer, without))
    assert not priced.infeasibilities
    assert priced.decode_energy_j.low > bare.decode_energy_j.low


@pytest.mark.parametrize("name", MACHINES)
def test_an_operation_outside_the_vocabulary_is_an_infeasibility(name: str) -> None:
    strange = workload(with_operations(dense_layer(16, 6), teleport=3))
    report = estimate(strange, load_profile(name), None, decode_rate_hz=1)
    assert any("teleport" in line for line in report.infeasibilities)


@pytest.mark.parametrize("name", ["asic65_near_memory", "event_core_28nm", "gap9"])
def test_float_work_on_integer_machines_is_an_infeasibility(name: str) -> None:
    layer = dense_layer(16, 6, weight_bits=32, activation_bits=32, arithmetic="float")
    report = estimate(workload(layer), load_profile(name), None, decode_rate_hz=1)
    assert any(f"profile '{name}' prices no float" in line for line in report.infeasibilities)


def test_price_error_says_what_is_priced() -> None:
    array = load_profile("asic65_near_memory").execution
    assert isinstance(array, WeightStationaryArray)
    with pytest.raises(PriceError, match=r"prices no integer multiply at 64x8 bits.*integer multiply to 48 bits"):
        find_cost(array.operations, "asic65_near_memory", Operations("multiply", "integer", (64, 8), 1.0))


def test_horowitz_multiplications_come_back_at_45_nm() -> None:
    # ISSCC 2014 Fig. 1.1.9: 8-bit multiply 0.2 pJ, 32-bit 3.1 pJ; add 0.03 (fit: 0.025) and 0.1 pJ. The 65 nm profile
    # multiplies by E65(0.8 V)/E45(0.9 V) = (3.755 x 0.64 - 4.398 x 0.8 + 1.975)/(1.103 x 0.81 - 0.362 x 0.9 + 0.2767)
    scale = (2.4032 - 3.5184 + 1.975) / (0.89343 - 0.3258 + 0.2767)
    array = load_profile("asic65_near_memory").execution
    assert isinstance(array, WeightStationaryArray)
    costs = array.operations["integer"]
    for bits, multiply_pj, add_pj in ((8, 0.2, 0.025), (32, 3.1, 0.1)):
        multiply = operation_energy_j(costs["multiply"], (bits, bits)).nominal / scale
        add = operation_energy_j(costs["add"], (bits, bits)).nominal / scale
        assert multiply == pytest.approx(multiply_pj * 1e-12, rel=1e-3)
        assert add == pytest.approx(add_pj * 1e-12, rel=1e-3)


def _mlperf(name: str, per_kind: dict[Kind, int], layers: int) -> Workload:
    """A network of `layers` layers with products: all but the given kinds hold none and only carry their overhead."""
    parts = [_bulk(f"{kind}", kind, macs) for kind, macs in per_kind.items()]
    parts += [_bulk(f"small{i}", "conv", 0) for i in range(layers - len(parts))]
    return workload(*parts).replace(name=name)


def _bulk(name: str, kind: Kind, macs: int) -> LayerWork:
    kernel, channels = {"conv": ((3, 3), 16), "pointwise": ((1, 1), 16)}.get(kind, ((), 1))
    return LayerWork(
        name=name, kind=kind, arithmetic="integer", calls=1, input_shape=(1,), output_shape=(64,), inputs=1, outputs=64,
        reduction=channels * math.prod(kernel), kernel=kernel, products=products(macs), weight_bits=8,
        activation_bits=8, output_bits=8, accumulator_bits=32,
    )


AD = _mlperf("ad", {"linear": 264_192}, 10)
IC = _mlperf("ic", {"conv": 12_238_848, "pointwise": 262_144, "linear": 640}, 10)


def test_resnet_macs_are_the_published_ones() -> None:
    found = sum(layer.products.dense_valid.mean for layer in IC.layers if layer.products is not None)
    assert found == 12_501_632
    assert count(1).decodes == DECODES


@pytest.mark.parametrize(("network", "measured_uj"), [(AD, 5.252), (IC, 27.711)])
def test_gap9_bounds_hold_mlperf_tiny(network: Workload, measured_uj: float) -> None:
    # v1.0, gap9_650_240: ad 5.252 uJ, ic 27.711 uJ; ic uses the 3x3 engine, which 1-d networks do not: near our low
    energy = estimate(network, load_profile("gap9"), None, decode_rate_hz=1).decode_energy_j
    assert energy.low * 1e6 < measured_uj < energy.high * 1e6


def _eegnet_text_book() -> Workload:
    """EEGNet-8,2 on 22 x 1000 as written: 11.6 million products in its first two layers, 11.75 million in all."""
    kinds: dict[Kind, int] = {"conv": 11_264_000, "depthwise": 352_000 + 64_000, "pointwise": 64_000, "linear": 1_984}
    network = _mlperf("eegnet", kinds, 5)
    # along time, which no engine for squares takes
    along_time = tuple(dataclasses.replace(layer, kernel=()) for layer in network.layers)
    return network.replace(layers=along_time)


@pytest.mark.parametrize(
    # Published per-product energies times 11,745,984 products: Cortex-M4 520 to 770 pJ with what a stem costs,
    # 454 pJ a product of ic beside it (6,919 uJ less 442,368 products of 9.84 cycles at 341 pJ): 5,333 to 9,044 uJ;
    # GAP9's MLPerf Tiny networks 2.2 to 19.9 pJ, Q-EEGNet on Mr. Wolf 47.4 pJ: 26 to 559 uJ.
    ("name", "low_uj", "high_uj"), [("cortex_m4f", 5333, 9044), ("gap9", 26, 559)],
)
def test_eegnet_lies_in_the_published_band(name: str, low_uj: float, high_uj: float) -> None:
    energy = estimate(_eegnet_text_book(), load_profile(name), None, decode_rate_hz=1).decode_energy_j
    assert energy.low * 1e6 < high_uj
    assert energy.high * 1e6 > low_uj
    # the nominal GAP9 takes the kernels of its sibling Vega, 6 products a cycle
    assert low_uj < energy.nominal * 1e6 < 1.25 * high_uj


def test_requantisation_is_shift_round_clip_and_half_width_multiply() -> None:
    # at A bits: shifter 416.52 / 32 A, two adders 2 x 3.125 A, multiplier A x A/2: 2.9948 A^2 / 2 + 1.0417 (3/4) A fJ
    for name, scale in (("asic65_near_memory", 1.01832), ("event_core_28nm", 0.42123)):
        execution = load_profile(name).execution
        assert isinstance(execution, WeightStationaryArray | EventDriven)
        spent = operation_energy_j(execution.operations["integer"]["requantise"], (20, 20)).nominal
        by_hand = 416.52 / 32 * 20 + 2 * 3.125 * 20 + 2.9948 * 200 + 1.0417 * 0.75 * 20
        assert spent == pytest.approx(by_hand * scale * 1e-15, rel=1e-4)


@pytest.mark.parametrize(
    # second-hand figures of which no source says that they were measured, and simulated ones
    ("site", "path", "basis"),
    [
        ("implant_utah96", "temperature.slope", "simulated"), ("implant_utah96", "front_end.power", "assumed"),
        ("implant_epilepsy", "front_end.power", "assumed"), ("headset_commodity", "battery.lifetime", "assumed"),
    ],
)
def test_nothing_second_hand_is_called_measured(site: str, path: str, basis: str) -> None:
    assert load_site(site).quantity_at[path].basis == basis


def test_event_core_reproduces_measured_energy_per_synaptic_operation() -> None:
    # ODIN 12.7 and ReckOn 5.3 pJ/SOP at 28 nm; geometric mean 8.20 pJ. A fully connected 256 x 256 crossbar of 4-bit
    # weights and 16-bit state, all inputs spiking once.
    profile = load_profile("event_core_28nm")
    layer = dense_layer(256, 256, weight_bits=4, activation_bits=1, accumulator_bits=16)
    report = estimate(workload(layer), profile, None, decode_rate_hz=1)
    per_event = report.decode_energy_j.times(1 / 256**2)
    assert per_event.nominal == pytest.approx((5.3 * 12.7) ** 0.5 * 1e-12, rel=1e-3)
    assert per_event.low < 5.3e-12
    assert per_event.high > 12.7e-12


def test_profile_styles() -> None:
    styles = {name: type(load_profile(name).execution) for name in MACHINES}
    assert styles["asic65_near_memory"] is WeightStationaryArray
    assert styles["event_core_28nm"] is EventDriven
    assert styles["cortex_m4f"] is styles["gap9"] is ProgrammableCore


def test_report_names_its_sources_and_assumptions() -> None:
    site = load_site("implant_utah96")
    report = estimate(workload(dense_layer(16, 6)), load_profile("gap9"), site, decode_rate_hz=50)
    assert {"mlperf_tiny", "biofoundation_ares", "antoniadis2026", "adc_survey_bound"} <= set(report.sources)
    assert not {"stm32l4r5_guide", "ti_ads1198"} & set(report.sources)
    assert any(line.startswith("gap9.wake.energy: 6 uJ") for line in report.assumed)
    assert any(line.startswith("implant_utah96.regulator.efficiency: 0.8 1") for line in report.assumed)
    alone = estimate(workload(dense_layer(16, 6)), load_profile("gap9"), None, decode_rate_hz=50)
    assert "antoniadis2026" not in alone.sources
    assert all(line.startswith("gap9.") for line in alone.assumed)


@pytest.mark.parametrize("name", MACHINES)
def test_memory_use_is_what_the_workload_stores(name: str) -> None:
    work = workload(dense_layer(64, 32, weight_bits=4), dense_layer(32, 2, weight_bits=4, name="read-out"))
    uses = place(work, load_profile(name)).uses
    # 64 x 32 + 32 x 2 weights of 4 bit; 64 + 32 activations of 8 bit; 16 channels x 8 bit of input. Unfinished sums of
    # 32 bit stand in memory for one tile of 8 columns on the array (64 products take 4 tiles of 16 rows), for all 32
    # outputs on event cores, and in registers of the others. A copy to reload the weights from holds them once more.
    stationary, events = name in ("asic65_near_memory", "asic130_open"), name == "event_core_28nm"
    sums = 8 if stationary else 32 if events or name in SPIKING_ONLY else 0
    copy = 8448 if name == "asic22_fdx" else 0
    assert sum(use.used_bits for use in uses) == 8448 + copy + 768 + 128 + sums * (32 - 8)


def test_profile_values_do_not_hide_in_code(tmp_path: Path) -> None:
    # a changed number in the file changes hash and estimate: nothing is cached by name or duplicated in code
    text = profile_text("asic65_near_memory").replace("control_factor = { value = 2,", "control_factor = { value = 3,")
    path = tmp_path / "asic65_near_memory.toml"
    path.write_text(text)
    changed = load_profile(path)
    shipped = load_profile("asic65_near_memory")
    assert changed.digest != shipped.digest
    work = workload(dense_layer(16, 6))
    ours, theirs = (estimate(work, p, None, decode_rate_hz=1).layers[0].energy_j for p in (shipped, changed))
    assert theirs["control"].nominal == pytest.approx(2 * ours["control"].nominal)


def test_count_mean_of_varying_decodes_is_priced() -> None:
    layer = with_operations(dense_layer(16, 6))
    varying = dataclasses.replace(layer, operations={"add": Count.of([0, 8, 16, 8])})
    constant = with_operations(layer, add=8)
    profile = load_profile("asic65_near_memory")
    one, other = (estimate(workload(w), profile, None, decode_rate_hz=1).decode_energy_j for w in (varying, constant))
    assert one == other


def test_estimate_with_torch_unimportable() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "sys.path.insert(0, 'tests/energy_models')\n"
        "from energy_workloads import dense_layer, workload\n"
        "from energy_models.hardware import load_profile, load_site\n"
        "from energy_models.pricing import estimate\n"
        "work, site = workload(dense_layer(16, 6)), load_site('implant_utah96')\n"
        "r = estimate(work, load_profile('gap9'), site, decode_rate_hz=50)\n"
        "print(r.total_power_w.nominal > 0)\n"
    )
    root = __file__.rsplit("/tests/", 1)[0]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "True"
