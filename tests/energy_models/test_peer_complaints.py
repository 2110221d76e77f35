"""What users of other tools complain about, each as a test that fails if ours gave them cause."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from energy_workloads import dense_layer, in_turn, neurons, toy_array, toy_output_stationary, with_operations, workload

from energy_models.calibration import toml_text
from energy_models.hardware import HardwareProfile, load_profile, load_site, profile_names, site_names
from energy_models.mapping import count_actions, place
from energy_models.pricing import cost_terms_of, estimate
from energy_models.workload import Workload, read_workload, write_workload

SMALL = workload(dense_layer(64, 32), dense_layer(32, 4, name="out"))


def compute_j(work: Workload, machine: HardwareProfile) -> float:
    report = estimate(work, machine, None, decode_rate_hz=1)
    return sum(layer.energy_j["compute"].nominal for layer in report.layers)


# Timeloop (NVlabs/timeloop#119): a MAC is always 1 pJ, whatever the reference table said
@pytest.mark.parametrize("factor", [2, 10])
def test_the_price_in_the_file_is_the_price_paid(factor: int) -> None:
    machine = load_profile("asic65_near_memory")
    path = "execution.operations.integer.multiply.per_square_bit"
    paid = [term for term in cost_terms_of(SMALL, machine, None, decode_rate_hz=1).layers[0].price.energy_j["compute"]
            if path in term.over]
    assert sum(term.count for term in paid) == 64 * 32 * 8 * 8
    products_j = (64 * 32 + 32 * 4) * 8 * 8 * machine.bands[path].nominal
    more = compute_j(SMALL, _with_price(machine, factor)) - compute_j(SMALL, machine)
    assert more == pytest.approx((factor - 1) * products_j, rel=1e-6)


def _with_price(machine: HardwareProfile, factor: int) -> HardwareProfile:
    table = machine.model_dump(mode="json", exclude_none=True)
    price = table["execution"]["operations"]["integer"]["multiply"]["per_square_bit"]
    price |= {bound: price[bound] * factor for bound in ("low", "value", "high")}
    return HardwareProfile.model_validate(table)


# Timeloop#66, SCALE-Sim#148: one cannot tell which energy tables were used
@pytest.mark.parametrize("name", profile_names())
def test_a_report_says_what_it_was_priced_with(name: str) -> None:
    machine = load_profile(name)
    report = estimate(SMALL, machine, None, decode_rate_hz=1)
    assert (report.profile, report.profile_hash) == (machine.name, machine.digest)
    assert report.sources
    assert set(report.sources) <= {constant.source for constant in machine.quantity_at.values()}


# accelergy#30: components missing from the reference table are left out without a word
def test_what_has_no_price_is_an_infeasibility() -> None:
    strange = workload(with_operations(dense_layer(16, 6), divide=3))
    report = estimate(strange, toy_array(), None, decode_rate_hz=1)
    assert any("prices no integer divide" in line for line in report.infeasibilities)


# timeloop-accelergy-exercises#4: area is always 0
def test_a_limit_on_density_has_an_area() -> None:
    limited = [site for name in site_names() if (site := load_site(name)).power_density is not None]
    assert len(limited) >= 4
    for site in limited:
        assert site.package is not None
        assert site.package.surface_m2.low > 0


# ZigZag: a layer that does not fit raises one text with four possible causes
def test_what_does_not_fit_says_where_and_by_how_much() -> None:
    big = workload(dense_layer(1000, 100))
    report = estimate(big, toy_array(), None, decode_rate_hz=1)
    # 100,000 weights of 8 bit into 1024 byte
    assert any("weights need 800000 bits; memory w of toy has 8192 free and misses 791808 bits" in line
               for line in report.infeasibilities)


# SCALE-Sim: writes 1.25 times as many outputs as there are
def test_outputs_are_written_once() -> None:
    for machine in (toy_output_stationary(), load_profile("asic45_reference")):
        one = workload(dense_layer(64, 32, positions=16, activation_bits=8))
        (counts,) = count_actions(one, machine.execution, place(one, machine))
        word = machine.memories[-1].word_bits
        written = sum(access.writes for access in counts.accesses if access.operand == "activations")
        assert written == 32 * 16 * 8 / word


# MAESTRO: the energy on the console and the energy in the CSV of one run differ 7.6 times
def test_rows_and_total_are_one_sum() -> None:
    report = estimate(SMALL, load_profile("asic45_reference"), load_site("implant_utah96"), decode_rate_hz=10)
    parts = in_turn(band.nominal for layer in report.layers for band in layer.energy_j.values())
    assert parts == report.decode_energy_j.nominal
    assert in_turn(band.nominal for band in report.power_w.values()) == report.total_power_w.nominal


# ZigZag#72: not reproducible from run to run
def test_two_runs_agree_to_the_last_bit() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/energy_models')\n"
        "from energy_workloads import dense_layer, workload\n"
        "from energy_models.hardware import load_profile, load_site\n"
        "from energy_models.pricing import estimate\n"
        "r = estimate(workload(dense_layer(64, 32)), load_profile('asic22_fdx'), load_site('implant_utah96'),\n"
        "             decode_rate_hz=10)\n"
        "print(r.profile_hash, r.total_power_w, r.decode_energy_j, r.sources, r.assumed)\n"
    )
    root = Path(__file__).parents[2]
    said = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] != ""


# ZigZag#68: what is saved is not what was evaluated
def test_what_is_saved_is_what_was_priced(tmp_path: Path) -> None:
    machine = load_profile("event_core_28nm")
    spikes = workload(dense_layer(64, 32, activation_bits=1, events=16), neurons(32, active=20, spikes=6))
    write_workload(spikes, tmp_path / "w.json")
    (tmp_path / f"{machine.name}.toml").write_text(toml_text(machine.model_dump(mode="json", exclude_none=True)))
    again = load_profile(tmp_path / f"{machine.name}.toml")
    kept = estimate(read_workload(tmp_path / "w.json"), again, None, decode_rate_hz=10)
    assert kept == estimate(spikes, machine, None, decode_rate_hz=10)
