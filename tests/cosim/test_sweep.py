"""The whole path on a study of seconds: run, run again, price again, search, and every way it may be refused."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import optuna
import pandas as pd
import pytest
from tiny_study import TINY, TINY_POINTS, cosim, scores, stage_times, write_tiny

from cosim.engine.run_folder import load_plan, save_plan
from cosim.study.check import check_study


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
    assert {gate["student"] for gate in gates} == {"EEGNet-1"}
    assert len(gates) == 2
    for gate in gates:
        assert gate["passed"] == (gate["teacher_score"] > gate["student_score"])
        assert "validation balanced_accuracy, " in gate["message"]


def test_workloads_say_which_student_they_are_of_and_what_was_folded(finished: Path) -> None:
    found = [json.loads(path.read_text()) for path in finished.glob("stages/result/*/workload.json")]
    assert found
    for document in found:
        assert {"spec", "dataset", "torch", "cosim"} <= set(document["provenance"])
        assert document["provenance"]["folded"]  # EEGNet's batch norms


def test_distillation_follows_the_gate(finished: Path) -> None:
    passed = {gate["fold"]: gate["passed"] for gate in json.loads((finished / "gates.json").read_text())["gates"]}
    table = scores(finished)
    for _, row in table[table["decoder"] == "EEGNet-1 w4a4"].iterrows():
        assert row["distilled_from"] == ("teacher" if passed[row["fold"]] else "float student")
    for _, row in table[table["decoder"] == "EEGNet-1 float32"].iterrows():
        assert row["distilled_from"] == ("teacher" if passed[row["fold"]] else "")


def test_an_unchanged_run_does_nothing_again(finished: Path) -> None:
    before, table = stage_times(finished), scores(finished)
    code, out, err = cosim("resume", str(finished), "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["computed"] == 0
    assert answer["points"] == TINY_POINTS
    assert stage_times(finished) == before
    pd.testing.assert_frame_equal(scores(finished), table)


def test_the_time_of_every_stage_is_told(finished: Path) -> None:
    times = json.loads((finished / "times.json").read_text())
    assert {f"{row['kind']}/{row['digest']}" for row in times["stages"]} == set(stage_times(finished))
    assert all(row["seconds"] > 0 and row["started"] and row["worker"] for row in times["stages"])
    for kind, found in times["by_kind"].items():
        mine = [row["seconds"] for row in times["stages"] if row["kind"] == kind]
        of_processor = [row["process_seconds"] for row in times["stages"] if row["kind"] == kind]
        assert found["stages"] == len(mine)
        assert found["seconds"] == pytest.approx(sum(mine))
        assert found["process_seconds"] == pytest.approx(sum(of_processor))
        assert found["process_seconds"] > 0
    kernels = {(row["kind"], row["kernels"]) for row in times["stages"]}
    assert any(kind == "undistilled" and "norm, ReLU and pool" in said for kind, said in kernels)
    assert all(not said for kind, said in kernels if kind == "fold")
    code, out, err = cosim("resume", str(finished), "--json")
    assert code == 0
    for name in ("seconds", "process_seconds"):
        assert json.loads(out)[name] == {kind: found[name] for kind, found in times["by_kind"].items()}
    assert "Time of all stages, by kind: " in err
    assert " s of a processor (" in err


def test_a_digest_is_written_beside_the_page(finished: Path, tmp_path: Path) -> None:
    code, out, err = cosim("report", str(finished), "--out", str(tmp_path / "p.html"), "--digest", str(tmp_path / "d"))
    assert code == 0, err
    page, digest = map(Path, out.split())
    assert (page.name, digest.parent) == ("p.html", tmp_path / "d")
    assert digest.with_suffix(".svg").is_file()


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


def test_prices_older_than_the_scores_are_made_again(finished: Path) -> None:
    """As a kill between writing one table and the other leaves them."""
    path = finished / "priced.parquet"
    whole = pd.read_parquet(path)
    kept = whole["workload_digest"] != whole["workload_digest"].iloc[0]
    whole[kept].to_parquet(path, index=False)
    code, out, err = cosim("pareto", str(finished), "--json")
    assert code == 0, err
    pd.testing.assert_frame_equal(pd.read_parquet(path), whole)
    assert len(json.loads(out)) == 4 * 5


def _of_other_code(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(model_hash="older", decoder_power_nominal_w=0.0)


def _of_an_older_schema(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="model_hash")


@pytest.mark.parametrize("aged", [_of_other_code, _of_an_older_schema])
def test_prices_made_by_other_code_are_made_again(
    finished: Path, aged: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    path = finished / "priced.parquet"
    whole = pd.read_parquet(path)
    aged(whole).to_parquet(path, index=False)
    code, _, err = cosim("pareto", str(finished), "--json")
    assert code == 0, err
    pd.testing.assert_frame_equal(pd.read_parquet(path), whole)


@pytest.mark.parametrize("below", ["file/page.html", "folder", "x" * 300])
def test_a_page_that_cannot_be_written(finished: Path, tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    code, out, err = cosim("report", str(finished), "--out", str(tmp_path / below))
    assert (code, out) == (2, "")
    assert "this file cannot be written" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_damaged_database_is_told_and_costs_no_point(finished: Path) -> None:
    database = finished / "study.db"
    whole, before = database.read_bytes(), stage_times(finished)
    try:
        database.write_bytes(b"garbage" * 1000)
        code, _, err = cosim("resume", str(finished))
        assert code == 2
        assert f"{database}: the database of the search cannot be used (file is not a database)" in err
        database.unlink()
        assert json.loads(cosim("resume", str(finished), "--json")[1])["computed"] == 0
        assert stage_times(finished) == before
    finally:
        database.write_bytes(whole)


def test_when_every_point_fails_the_reason_is_told(tmp_path: Path) -> None:
    settings = ("training.student.learning_rate=1e30", "baselines=[]", "study.seeds=[0]")
    pairs = [part for setting in settings for part in ("--set", setting)]
    code, out, err = cosim("run", str(write_tiny(tmp_path)), "--out", str(tmp_path / "run"), *pairs)
    assert (code, out) == (2, "")
    assert "points failed, the first of them: " in err
    assert "seed 0: fit: the training loss is" in err
    assert len(json.loads((tmp_path / "run" / "failures.json").read_text())["failures"]) == 10


def test_a_run_remembers_where_it_was_started_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = check_study(tomllib.loads(TINY), where="tiny")
    save_plan(Path("run"), study, Path("recordings"), "cosim run tiny")
    assert load_plan(tmp_path / "run")[1] == tmp_path / "recordings"


def test_two_processes_do_not_share_a_run(finished: Path) -> None:
    from cosim.engine.run_folder import locked

    with locked(finished):
        code, out, err = cosim("resume", str(finished))
    assert code == 2
    assert out == ""
    assert "another cosim process" in err
    assert "Traceback" not in err


def test_a_sampler_weighs_score_against_power(tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = {
        "students": "[{label='E', family='eegnet', method={name='kl'},"
        " options={temporal_filters=[1, 2], depth=[1, 2]}}]",
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


@pytest.mark.parametrize("command", ["pareto", "feasibility"])
def test_a_machine_that_cannot_run_a_decoder_has_no_power_for_it(finished: Path, command: str) -> None:
    code, out, err = cosim(command, str(finished), "--json")
    assert code == 0, err
    rows = json.loads(out)
    unable = [row for row in rows if row["verdict"] == "does not fit the machine"]
    assert unable
    assert len(unable) < len(rows)
    assert all((row["power_w"] is None) == (row in unable) for row in rows)
