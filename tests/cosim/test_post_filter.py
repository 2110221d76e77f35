"""Bessel filters after a decoder: their function against scipy, their work by hand, what waiting does to deadlines."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import signal

from cosim.engine.stages.result import _filtered
from cosim.engine.student_check import check_students
from cosim.preprocessing import BesselFilter
from cosim.report.estimate_tables import estimate_tables
from cosim.report.inputs import lag_lines
from cosim.study.check import check_study
from cosim.tables.results import write_parquet
from cosim.tables.workloads import WORKLOADS, StoredWorkload
from energy_models.errors import DataError, StudyError
from energy_models.feasibility import check_limits
from energy_models.hardware import load_profile, load_site
from energy_models.pricing import estimate
from energy_models.workload import Workload, parse_workload, workload_digest, workload_text
from students.counting import observe
from students.models.build import build
from students.spec import Shape, StudentSpec

RATE_HZ = 250.0
CAUSAL = BesselFilter(order=4, cutoff_hz=6.3)
BLOCK = BesselFilter(order=4, cutoff_hz=6.3, direction="block", block_steps=32)


def walk(steps: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(0).normal(size=(steps, 2)), axis=0)


@pytest.mark.parametrize("steps", [64, 70])
def test_a_block_is_filtered_as_the_published_script_does(steps: int) -> None:
    """`scipy.signal.filtfilt` with a Bessel filter of order 4, block by block; the cut-off is 6.3 / 125 of Nyquist."""
    estimates = walk(steps)
    coefficients = signal.bessel(4, 6.3 / 125, btype="low")
    found = BLOCK.apply(estimates, RATE_HZ)
    for start in range(0, steps, 32):
        block = estimates[start : start + 32]
        wanted = signal.filtfilt(*coefficients, block, axis=0, padlen=min(15, len(block) - 1))
        np.testing.assert_allclose(found[start : start + 32], wanted, rtol=1e-6, atol=1e-8)


def test_the_causal_filter_sees_nothing_later_and_begins_at_rest() -> None:
    estimates = walk(60)
    found, changed = CAUSAL.apply(estimates, RATE_HZ), estimates.copy()
    changed[40:] += 9
    assert np.array_equal(CAUSAL.apply(changed, RATE_HZ)[:40], found[:40])
    np.testing.assert_allclose(CAUSAL.apply(np.ones((30, 2)), RATE_HZ), 1.0)
    assert np.ptp(np.diff(found, axis=0)) < np.ptp(np.diff(estimates, axis=0))


def test_the_work_of_a_causal_filter_by_hand() -> None:
    """Two sections of 5 products, 4 additions and 2 states, for 2 outputs, in each decode."""
    row = CAUSAL.work(2, 100, "integer")
    assert {kind: count.mean for kind, count in row.operations.items()} == {"multiply": 20, "add": 16}
    assert (row.operations["multiply"].total, row.weights) == (2000, 10)
    assert (row.state_elements, row.state_reads, row.state_writes) == (8, 8, 8)
    assert CAUSAL.delay_s(RATE_HZ) == 0


def test_the_work_of_a_block_by_hand() -> None:
    """A block of 32 is continued by 15 at both ends: 62 steps, two ways, two sections, two outputs.

    Products (5 x 2 x 62 x 2 x 2 + 2 x 2 x 2 x 2) / 32 = 2496 / 32 = 78; additions (4 x 496 + 60) / 32, rounded up.
    It keeps 62 estimates of 2 outputs and 8 states; the first estimate waits for 31 others.
    """
    row = BLOCK.work(2, 10, "integer")
    assert row.operations["multiply"].mean == 78
    assert row.operations["add"].mean == -(-(4 * 496 + 60) // 32)
    assert row.state_elements == 62 * 2 + 8
    assert BLOCK.delay_s(RATE_HZ) == pytest.approx(31 / 250)


@pytest.mark.parametrize(("order", "cutoff_hz"), [(1, 20.0), (4, 5.04), (5, 60.0)])
def test_the_lag_of_a_causal_filter_is_its_group_delay_and_what_a_ramp_is_late_by(order: int, cutoff_hz: float) -> None:
    one = BesselFilter(order=order, cutoff_hz=cutoff_hz)
    coefficients = signal.bessel(order, cutoff_hz, fs=RATE_HZ)
    assert one.lag_s(RATE_HZ) * RATE_HZ == pytest.approx(signal.group_delay(coefficients, w=[0.0])[1][0], rel=1e-4)
    ramp = np.arange(2000.0)[:, None]
    assert one.lag_s(RATE_HZ) == pytest.approx((ramp[-1, 0] - one.apply(ramp, RATE_HZ)[-1, 0]) / RATE_HZ, rel=1e-6)
    assert one.delay_s(RATE_HZ) == 0


def test_a_block_does_not_lag() -> None:
    assert BLOCK.lag_s(RATE_HZ) == 0
    ramp, long = np.arange(1000.0)[:, None], BLOCK.model_copy(update={"block_steps": 1000})
    assert long.apply(ramp, RATE_HZ)[500, 0] == pytest.approx(500, abs=1e-6)  # in the middle, away from both ends


def test_a_student_with_a_causal_filter_says_its_lag_and_waits_for_nothing() -> None:
    spec = StudentSpec(
        family="snn_streaming", seed=0,
        shape=Shape(task="regression", channels=4, steps=20, outputs=2, step_rate_hz=RATE_HZ),
    )
    causal, block = (_filtered(workload(), one, spec) for one in (CAUSAL, BLOCK))
    assert (causal.lag_s, causal.delay_s) == (pytest.approx(0.0807, abs=1e-4), 0)
    assert (block.lag_s, block.delay_s) == (0, pytest.approx(0.124))


def test_a_lag_is_told_beside_the_figures_and_moves_none(tmp_path: Path) -> None:
    plain = workload()
    late = plain.replace(lag_s=0.101)
    found = [
        estimate_tables(one, "cortex_m4f", "implant_utah96", decode_rate_hz=RATE_HZ, draws=2, seed=0)
        for one in (plain, late)
    ]
    assert found[0].report == found[1].report
    assert not any("lag" in line for line in found[0].notes)
    assert any("estimates lag 101 ms" in line and "no deadline" in line for line in found[1].notes)
    assert "lag_s" not in workload_text(plain)
    assert parse_workload(workload_text(late), where="text").lag_s == 0.101
    stored = [StoredWorkload(workload_digest(one), workload_text(one)) for one in (plain, late)]
    write_parquet(stored, tmp_path / WORKLOADS)
    scores = pd.DataFrame({"decoder": ["A", "B", "T"], "workload_digest": [*map(workload_digest, (plain, late)), ""]})
    lines = lag_lines(SimpleNamespace(scores=scores, folder=tmp_path))  # type: ignore[arg-type]
    assert [one["decoders"] for one in lines] == [["B"]]
    assert "estimates lag 101 ms" in lines[0]["line"]


def test_impossible_filters_are_refused() -> None:
    with pytest.raises(DataError, match="not below half the rate"):
        BesselFilter(cutoff_hz=125.0).sections(RATE_HZ)
    for wrong in ({"order": 0}, {"block_steps": 1}, {"cutoff_hz": -1.0}, {"window": 3}):
        with pytest.raises(ValidationError):
            BesselFilter.model_validate({"cutoff_hz": 5.0, **wrong})


def workload() -> Workload:
    import torch

    shape = Shape(task="regression", channels=4, steps=20, outputs=2, step_rate_hz=RATE_HZ)
    student = build(StudentSpec(family="snn_streaming", shape=shape, seed=0)).eval()
    inputs = torch.ones(1, 4, 20)
    return observe(student, inputs, name="net", mode="stream", step_rate_hz=RATE_HZ, input_bits=8)


def test_waiting_is_part_of_latency_and_of_the_deadline_and_takes_no_power() -> None:
    plain = workload()
    waiting = plain.replace(delay_s=0.124)
    profile, site = load_profile("cortex_m4f"), load_site("implant_utah96")
    before, after = (estimate(one, profile, site, decode_rate_hz=RATE_HZ) for one in (plain, waiting))
    assert after.latency_s.nominal == pytest.approx(before.latency_s.nominal + 0.124)
    assert after.total_power_w == before.total_power_w
    limits = [{check.name: check for check in check_limits(site, one)} for one in (before, after)]
    assert limits[1]["deadline"].value.nominal == pytest.approx(limits[0]["deadline"].value.nominal + 0.124)
    assert limits[1]["deadline"].headroom < limits[0]["deadline"].headroom


def test_a_workload_that_waits_is_written_and_read_and_one_that_does_not_is_as_before() -> None:
    plain = workload()
    assert "delay_s" not in workload_text(plain)
    waiting = plain.replace(delay_s=0.124)
    assert parse_workload(workload_text(waiting), where="text").delay_s == 0.124
    assert workload_digest(waiting) != workload_digest(plain)


STUDY = {
    "study": {"name": "filtered", "title": "Filtered", "seeds": [0]},
    "dataset": {"name": "synthetic_spikes"},
    "split": {"method": "blocked_in_time"},
    "students": [{"label": "a", "family": "snn_streaming", "after": {"name": "bessel", "cutoff_hz": 5.0}}],
    "hardware": {"profiles": ["cortex_m4f"], "sites": ["implant_utah96"], "decode_rate_hz": 20.0},
}


def test_a_filter_that_does_not_go_with_the_recordings_is_told_before_anything_is_computed() -> None:
    study = check_study(STUDY, where="text")
    shape = Shape(task="regression", channels=4, steps=20, outputs=2, step_rate_hz=20.0)
    check_students(study, shape)
    with pytest.raises(StudyError, match=r"students\.0\.after: .*half the rate"):
        check_students(study, shape.model_copy(update={"step_rate_hz": 8.0}))
    with pytest.raises(StudyError, match=r"students\.0\.after: .*for a regression"):
        check_students(study, shape.model_copy(update={"task": "classification"}))
