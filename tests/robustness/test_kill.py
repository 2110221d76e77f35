"""Ten interventions on commands that write: nothing finished is lost or done twice, results are the same."""

from __future__ import annotations

import pytest

from tests.robustness.kill import OF_TRACKER, _finished_before, planned, run_all, table

COUNT, SEED = 10, 0


@pytest.mark.slow
def test_commands_ended_at_random_leave_the_same_results(capsys: pytest.CaptureFixture[str]) -> None:
    told = list(run_all(COUNT, SEED))
    with capsys.disabled():
        print(f"\n{table(told)}")  # noqa: T201
    assert not [one.fault for one in told if one.fault]
    assert sum(len(one.done) for one in told) == COUNT


def test_a_plan_has_as_many_interventions_as_asked_for_and_every_way_and_command() -> None:
    plan = planned(200, 3)
    assert sum(len(series.ways) for series in plan) == 200
    assert {series.command.name for series in plan} == {"run", "report", "train", "quantize", "calibrate"}
    assert len({way.name for series in plan for way in series.ways}) == 7
    assert plan == planned(200, 3)


def test_a_traceback_of_the_process_that_counts_shared_memory_is_no_fault_of_a_command() -> None:
    one = "Traceback (most recent call last):\n  File \"/x/multiprocessing/resource_tracker.py\", line 239, in main\n"
    one += "    cache[rtype].remove(name)\nKeyError: '/loky-1'\n"
    assert OF_TRACKER.sub("", f"a\n{one}{one}b") == "a\nb"
    other = one.replace("resource_tracker.py", "ours.py")
    assert OF_TRACKER.sub("", other) == other


def test_a_calibration_that_an_earlier_start_finished_is_no_fault() -> None:
    said = "Error: mine.toml: is there already. Remove it, or choose another --name or --out"
    assert _finished_before(("cosim", "calibrate", "boards.csv"), said)
    assert not _finished_before(("cosim", "run", "small.toml"), said)
    assert not _finished_before(("cosim", "calibrate", "boards.csv"), "Error: it is damaged")
