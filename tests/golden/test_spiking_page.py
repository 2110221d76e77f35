"""``docs/spiking.md`` is what its archived runs give at today's prices, and its command's studies are studies."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from spiking_page import ARCHIVES, DOCS, LOCK_IN_AND_EEGNET, TITLES, VELOCITY, fires_little, write_page
from spiking_parts.apart import apart
from spiking_parts.findings import NONE, findings
from spiking_parts.rows import read_part, work_of

from cosim.study.check import check_study
from energy_models.workload import Workload, neuron_layer
from students.families import load_family

COMMAND = Path(__file__).parents[2] / "benchmarks" / "spiking.py"
STALE = "spiking.md is not what its archived runs give today: python benchmarks/spiking.py --reprice writes it again"


def test_the_page_is_what_repricing_gives(tmp_path: Path) -> None:
    write_page(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["spiking.md"]
    said = (tmp_path / "spiking.md").read_text(encoding="utf-8").partition("## Bars")[0].partition("## What it says")[2]
    assert NONE not in said, "a figure of the findings has no row"
    assert (tmp_path / "spiking.md").read_bytes() == (DOCS / "spiking.md").read_bytes(), STALE


def _neurons(steps: int, mode: str = "stream", spikes: int = 48) -> Workload:
    """Return 32 neurons that fire so often in one decode of a bin, in so many time steps."""
    layers = (neuron_layer("neurons", 32, spikes=spikes, steps=steps),)
    return Workload("neurons", mode, 1, 1, 32, 20.0, 1, layers)  # type: ignore[arg-type]


@pytest.mark.parametrize(("steps", "a_step"), [(1, 1.5), (3, 0.5), (15, 0.1)])
def test_events_of_all_steps_of_a_bin_add_up(steps: int, a_step: float) -> None:
    """48 spikes of 32 neurons are 1.5 a bin, however many steps they are spread over: above the bar of 0.8."""
    work = work_of(_neurons(steps), "implant_utah96", 20.0)
    assert (work.rate, work.bin_rate) == pytest.approx((a_step, 1.5))
    assert not fires_little("velocity_42_units", work)
    assert fires_little("seizure", work)


def test_velocity_decoders_of_unknown_rate_are_not_within_the_bar_of_events() -> None:
    assert set(TITLES) >= VELOCITY
    assert fires_little("velocity_42_units", work_of(_neurons(15, spikes=25), "implant_utah96", 20.0))
    assert not fires_little("velocity_42_units", work_of(_neurons(15, "window", 1), "implant_utah96", 20.0))
    silent = Workload("none", "stream", 1, 1, 32, 20.0, 1, ())
    assert work_of(silent, "implant_utah96", 20.0, ()).bin_rate is None
    assert not fires_little("velocity_95_channels", work_of(silent, "implant_utah96", 20.0, ()))


def test_findings_take_their_figures_from_the_rows() -> None:
    part = read_part(ARCHIVES / "velocity_42_units")
    said = " ".join(findings([part], {part.name: {}}).split())
    found = {one.label: one for one in part.rows}
    a_bin = found["MLP w4a4 as spikes"].work.bin_rate
    assert f"there are {a_bin:.2f} per neuron and bin on 42 units" in said
    assert f"and {NONE} on 95 channels" in said


def test_decoders_of_two_runs_are_compared_session_by_session() -> None:
    lock_in, eegnet = LOCK_IN_AND_EEGNET
    found = apart(lock_in, eegnet)
    assert (found.over, found.count, found.seeds) == ("subjects", 6, 2)
    assert found.low < found.mean < found.high
    assert apart(eegnet, lock_in).mean == -found.mean
    assert apart(eegnet, eegnet).high == 0
    with pytest.raises(ValueError, match="not scored on the same sessions"):
        apart(lock_in, (ARCHIVES / "velocity_42_units", "MLP float32"))


def test_every_part_is_a_study_whose_first_network_has_no_spikes_and_a_form_of_4_bits() -> None:
    found = spec_from_file_location("spiking", COMMAND)
    assert found is not None
    assert found.loader is not None
    sys.modules[found.name] = spiking = module_from_spec(found)
    found.loader.exec_module(spiking)
    assert set(spiking.PARTS) == set(TITLES)
    for name, part in spiking.PARTS.items():
        study = check_study(spiking.study_of(name, [0, 1]), where=name)
        assert study.study.seeds == (0, 1)
        if all(load_family(one.family).spiking for one in study.students):
            assert name == "ssvep_lock_in"  # compared with the networks of the part ssvep in the findings
        else:
            assert not load_family(study.students[0].family).spiking
            assert [str(form) for form in study.students[0].forms][:2] == ["float32", "w4a4"]
        forms = {f"{one.label} {form}" for one in study.students for form in one.forms}
        assert set(part.converted) <= forms
        fewer = check_study(spiking.study_of(name, [0], [study.students[0].label]), where=name)
        assert len(fewer.students) == 1
    del sys.modules[found.name]
