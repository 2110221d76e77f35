"""The whole path on a study of seconds: run, run again, kill and resume, price again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pandas as pd
import pytest
from tiny_study import TINY_POINTS, cosim, stage_times, write_tiny

COSIM = [sys.executable, "-c", "from cosim.cli import main; main()"]
PATIENCE_SECONDS = 150
KILLS = 3


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COSIM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    run = folder / "run"
    code, out, err = cosim("run", str(write_tiny(folder)), "--out", str(run))
    assert code == 0, err
    assert out.strip() == str(run / "report.html")
    return run


def scores(run: Path) -> pd.DataFrame:
    return pd.read_parquet(run / "scores.parquet").drop(columns="versions")


def test_every_point_has_a_score_and_every_workload_a_price(finished: Path) -> None:
    table = scores(finished)
    assert len(table) == TINY_POINTS
    assert table["score"].between(0, 1).all()
    assert set(table["role"]) == {"student", "baseline", "teacher"}
    priced = pd.read_parquet(finished / "priced.parquet")
    assert set(priced["workload_digest"]) == set(table["workload_digest"]) - {""}
    assert len(priced) == 4 * priced["workload_digest"].nunique()
    assert (priced["total_power_low_w"] <= priced["total_power_high_w"]).all()


def test_gates_show_their_numbers(finished: Path) -> None:
    gates = json.loads((finished / "gates.json").read_text())["gates"]
    assert {gate["decoder"] for gate in gates} == {"EEGNet-1"}
    assert len(gates) == 2
    for gate in gates:
        assert gate["passed"] == (gate["teacher_score"] > gate["student_score"])
        assert gate["message"]


def test_distillation_follows_the_gate(finished: Path) -> None:
    passed = {gate["fold"]: gate["passed"] for gate in json.loads((finished / "gates.json").read_text())["gates"]}
    table = scores(finished)
    for _, row in table[table["decoder"] == "EEGNet-1 w4a4"].iterrows():
        assert row["distilled_from"] == ("ensemble" if passed[row["fold"]] else "float student")
    for _, row in table[table["decoder"] == "EEGNet-1 float32"].iterrows():
        assert row["distilled_from"] == ("ensemble" if passed[row["fold"]] else "")


def test_an_unchanged_run_does_nothing_again(finished: Path) -> None:
    before, table = stage_times(finished), scores(finished)
    code, out, err = cosim("resume", str(finished), "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["computed"] == 0
    assert answer["points"] == TINY_POINTS
    assert stage_times(finished) == before
    pd.testing.assert_frame_equal(scores(finished), table)


def test_repricing_trains_nothing(finished: Path, tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "energy_models" / "data" / "profiles" / "cortex_m4f.toml"
    mine = tmp_path / "cortex_m4f.toml"
    mine.write_text(shipped.read_text())
    plan_path = finished / "plan.json"
    plan = json.loads(plan_path.read_text())
    changed = json.loads(plan_path.read_text())
    changed["study"]["hardware"] |= {"profiles": [str(mine)], "decode_rate_hz": 2.0}
    before, prices = stage_times(finished), (finished / "priced.parquet").read_bytes()
    try:
        plan_path.write_text(json.dumps(changed))
        code, _, err = cosim("report", str(finished))
        assert code == 0, err
        priced = pd.read_parquet(finished / "priced.parquet")
        assert set(priced["decode_rate_hz"]) == {2.0}
        assert stage_times(finished) == before
    finally:
        plan_path.write_text(json.dumps(plan))
        (finished / "priced.parquet").write_bytes(prices)


def test_killed_at_random_and_resumed_nothing_is_lost_or_done_twice(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    seed = time.time_ns() % 1_000_000
    chance = random.Random(seed)  # noqa: S311
    seen: dict[str, int] = {}
    arguments = ("run", str(write_tiny(tmp_path)), "--out", str(run))
    for _ in range(KILLS):
        process = start(*arguments)
        wait = time.monotonic() + 3.0 + 4.0 * chance.random()  # the imports alone take three
        while time.monotonic() < wait and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = stage_times(run) if (run / "stages").exists() else {}
        assert seen.items() <= now.items(), f"a finished stage was lost or written again (seed {seed})"
        seen = now
        arguments = ("resume", str(run)) if (run / "plan.json").exists() else arguments
    code, _, err = finish(start(*arguments))
    assert code == 0, err
    final = stage_times(run)
    assert seen.items() <= final.items(), f"seed {seed}"
    assert set(final) == set(stage_times(finished))
    pd.testing.assert_frame_equal(scores(run), scores(finished))
    trials = optuna.load_study(study_name=None, storage=f"sqlite:///{run / 'study.db'}").get_trials(deepcopy=False)
    assert sum(trial.state == optuna.trial.TrialState.COMPLETE for trial in trials) == 3
    assert not any(trial.state == optuna.trial.TrialState.RUNNING for trial in trials)


def test_interrupted_cleanly(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start("run", str(write_tiny(tmp_path)), "--out", str(run))
    end = time.monotonic() + PATIENCE_SECONDS
    while not (run / "stages" / "plain").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130
    assert out == ""
    assert f"cosim resume {run}" in err
    assert "Traceback" not in err
    assert not (run / "stages" / ".partial").exists()


def test_two_processes_do_not_share_a_run(finished: Path) -> None:
    from cosim.run_folder import locked

    with locked(finished):
        code, out, err = cosim("resume", str(finished))
    assert code == 2
    assert out == ""
    assert "another cosim process" in err
    assert "Traceback" not in err


def test_a_sampler_weighs_score_against_power(tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = {
        "students": "[{label='E', family='eegnet', options={temporal_filters=[1, 2], depth=[1, 2]}}]",
        "search": "{sampler='nsga2', trials=5, population=2, profile='cortex_m4f', site='headset_commodity'}",
        "study.seeds": "[0]",
        "baselines": "[]",
    }
    pairs = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    code, _, err = cosim("run", str(write_tiny(tmp_path)), "--out", str(run), *pairs)
    assert code == 0, err
    trials = optuna.load_study(study_name=None, storage=f"sqlite:///{run / 'study.db'}").get_trials(deepcopy=False)
    assert len(trials) == 5
    assert all(0 <= trial.values[0] <= 1 < trial.values[1] * 1e6 for trial in trials)  # more than a microwatt
    before = stage_times(run)
    code, out, _ = cosim("resume", str(run), "--json")
    assert code == 0
    assert json.loads(out)["computed"] == 0
    assert stage_times(run) == before


@pytest.mark.parametrize("kibibytes", [90, 190, 400])
def test_a_disk_that_fills_up(tmp_path: Path, kibibytes: int) -> None:
    """On a small file system of its own: in a fold, in the database, in a result. Then room, and resume."""
    small = tmp_path / "small"
    small.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(small)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:  # noqa: S607
        pytest.skip("needs the right to mount a small file system")
    try:
        code, out, err = cosim("run", str(write_tiny(tmp_path)), "--out", str(small / "run"))
        assert (code, out) == (2, "")
        assert "the disk is full" in err
        assert not list((small / "run" / "stages").glob(".partial/*"))
        subprocess.run(["mount", "-o", "remount,size=8m", str(small)], check=True)  # noqa: S607
        before = stage_times(small / "run")
        code, _, err = cosim("run", str(write_tiny(tmp_path)), "--out", str(small / "run"))
        assert code == 0, err
        assert before.items() <= stage_times(small / "run").items()
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)  # noqa: S607
