"""Files of a run folder damaged for real: what is damaged is set aside, told and computed again; scores stay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from tiny_study import cosim, scores, stage_times
from toy_stages import MIDDLE, TOP, SerialExecutor, compute, when

from cosim.engine.local_store import LocalStore
from cosim.engine.scheduler import Scheduler
from cosim.engine.stage import Stage, make_stage
from cosim.engine.stage_hashes import HASHES
from cosim.engine.store import StageKey, StageLostError

KEY = StageKey("distilled", "abc")


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


Damage = Callable[[Path], None]
DAMAGES: tuple[Damage, ...] = (flip, truncate, empty, Path.unlink, replace_by_folder)


def write(root: Path) -> Path:
    store = LocalStore(root)
    with store.create(KEY) as folder:
        (folder / "sub").mkdir()
        (folder / "a.txt").write_text("content")
        (folder / "sub" / "b.txt").write_text("more content")
    assert store.has(KEY)
    return store.folder(KEY)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["a.txt", "sub/b.txt", HASHES])
def test_every_damage_of_every_file_is_found_and_set_aside(tmp_path: Path, name: str, damage: Damage) -> None:
    folder, store = write(tmp_path), LocalStore(tmp_path)
    damage(folder / name)
    with pytest.raises(StageLostError, match="cosim resume"):
        store.folder(KEY)
    assert folder.is_dir()  # a reader moves nothing
    assert not store.has(KEY)
    assert not folder.exists()
    (note,) = store.set_aside()
    assert "stage distilled/abc is damaged: " in note
    assert (tmp_path / "run.log").read_text().strip() == note
    kept = tmp_path / "damaged" / "distilled-abc-1"
    assert sum(path.is_file() for path in kept.rglob("*")) >= 2
    write(tmp_path)
    flip(folder / "a.txt")
    assert not store.has(KEY)
    assert len(store.set_aside()) == 2  # the first is still there
    assert kept.is_dir()


def test_a_file_that_was_not_written_is_damage_but_a_hidden_one_is_not(tmp_path: Path) -> None:
    folder, store = write(tmp_path), LocalStore(tmp_path)
    (folder / ".DS_Store").write_text("left by a file manager")
    assert store.has(KEY)
    (folder / "group.day.npy").write_text("read by its ending")
    with pytest.raises(StageLostError, match=r"group\.day\.npy does not belong there"):
        store.folder(KEY)


def test_a_file_in_the_place_of_a_stage_is_set_aside(tmp_path: Path) -> None:
    folder = write(tmp_path)
    shutil.rmtree(folder)
    folder.write_text("?")
    assert not LocalStore(tmp_path).has(KEY)
    assert (tmp_path / "damaged" / "distilled-abc-1").read_text() == "?"


def test_a_stage_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StageLostError, match="this stage is missing"):
        LocalStore(tmp_path).folder(KEY)


def test_files_are_read_once_and_again_only_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosim.engine import stage_hashes

    read: list[str] = []
    plain = stage_hashes._hash
    folder, store = write(tmp_path), LocalStore(tmp_path)
    monkeypatch.setattr(stage_hashes, "_hash", lambda path: read.append(path.name) or plain(path))
    for _ in range(3):
        assert store.has(KEY)
    assert read == []
    (folder / "a.txt").write_text("content")  # the same, written again
    assert store.folder(KEY) == folder
    assert sorted(read) == ["a.txt", "b.txt"]


class Saboteur(SerialExecutor):
    """Damages a parent just before its child is computed, the first `times` times."""

    def __init__(self, store: LocalStore, times: int) -> None:
        super().__init__(partial(compute, store))
        self.store, self.times = store, times

    def submit(self, stage: Stage) -> None:
        if stage.kind == "middle" and self.times > 0:
            self.times -= 1
            flip(self.store.folder(stage.parents["top"].key) / "when.txt")
        super().submit(stage)


def follow(store: LocalStore, executor: Saboteur, stage: Stage) -> None:
    scheduler = Scheduler(store, executor)
    scheduler.add(stage)
    for _ in range(20):
        if scheduler.done(stage):
            return
        scheduler.step()
    raise AssertionError("it does not end")


def test_damage_during_a_run_is_mended_and_twice_is_told(tmp_path: Path) -> None:
    top = make_stage(TOP, {})
    child = make_stage(MIDDLE, {"opens": "top"}, top=top)
    store = LocalStore(tmp_path / "once")
    executor = Saboteur(store, 1)
    follow(store, executor, child)
    assert executor.order == ["top", "middle", "top", "middle"]
    assert when(store, top) < when(store, child)
    with pytest.raises(StageLostError, match=r"when\.txt is not what was written"):
        follow(LocalStore(tmp_path / "twice"), Saboteur(LocalStore(tmp_path / "twice"), 9), child)


KINDS = ("data", "fold", "teacher", "undistilled", "gate", "distilled", "quantised", "result", "baseline",
         "teacher_result")  # fmt: skip


def test_a_damaged_run_is_resumed_to_the_same_scores(finished: Path, tmp_path: Path) -> None:
    """One file of one stage of every kind is damaged, each in another way; then `resume`."""
    run = tmp_path / "run"
    shutil.copytree(finished, run, symlinks=True)
    assert {path.name for path in (run / "stages").iterdir() if path.name[0] != "."} == set(KINDS)
    damaged: list[str] = []
    for number, kind in enumerate(KINDS):
        folder = min((run / "stages" / kind).iterdir())
        files = sorted(path for path in folder.iterdir() if path.name != HASHES)
        DAMAGES[number % len(DAMAGES)](files[number % len(files)])
        damaged.append(f"{kind}/{folder.name}")
    before = stage_times(finished)
    code, out, err = cosim("resume", str(run), "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["computed"] == len(KINDS) - 2  # recordings and folds are written by the coordinator
    assert len(answer["set_aside"]) == len(KINDS)
    assert all(any(name in note for note in answer["set_aside"]) for name in damaged)
    assert all(name in (run / "run.log").read_text() and name in err for name in damaged)
    assert len(list((run / "damaged").glob("*.txt"))) == len(KINDS)
    assert set(stage_times(run)) == set(before)
    pd.testing.assert_frame_equal(scores(run), scores(finished))
    assert json.loads(cosim("resume", str(run), "--json")[1])["set_aside"] == []


def test_tables_of_a_damaged_run_tell_what_to_do(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run, symlinks=True)
    (run / "priced.parquet").unlink()
    truncate(run / "workloads.parquet")
    code, _, err = cosim("feasibility", str(run))
    assert code == 2
    assert "workloads.parquet: not a Parquet file" in err
    assert f"cosim resume {run}" in err
    assert cosim("resume", str(run))[0] == 0
    assert cosim("feasibility", str(run), "--json")[1] == cosim("feasibility", str(finished), "--json")[1]


def test_workloads_that_are_not_those_of_the_scores_are_not_priced(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run, symlinks=True, ignore=shutil.ignore_patterns("stages"))
    whole = pd.read_parquet(finished / "workloads.parquet")
    for table, told in (
        (whole.iloc[1:], "it lacks the workload"),
        (whole.assign(workload_digest=whole["workload_digest"].tolist()[::-1]), "is not what was written"),
    ):
        table.to_parquet(run / "workloads.parquet", index=False)
        code, out, err = cosim("report", str(run), "--reprice")
        assert (code, out) == (2, "")
        assert told in err
        assert f"cosim resume {run}" in err
