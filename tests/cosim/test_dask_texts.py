"""What a Dask cluster is sent is text and the name of a function: a stage arrives as it was, and nothing is pickled."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from test_sweep_pool import diamond
from toy_stages import MIDDLE, TOP

from cosim.engine.executors.dask_call import (
    DaskJob,
    call,
    read_stage,
    read_time_text,
    stage_job,
    stage_text,
    time_text,
)
from cosim.engine.executors.dask_executor import DaskExecutor
from cosim.engine.executors.dask_worker import SharedFolders, shared_folders
from cosim.engine.record import StageTime
from cosim.engine.stage import Stage, make_stage
from energy_models.errors import CosimError


def test_a_stage_arrives_with_all_it_builds_on_each_once() -> None:
    top, left, right, bottom = diamond()
    text = stage_text(bottom)
    assert read_stage(text) == bottom
    assert [one["digest"] for one in json.loads(text)] == [top.digest, left.digest, right.digest, bottom.digest]
    read = read_stage(text)
    assert read.parents["middle_0"].parents["top"] is read.parents["middle_1"].parents["top"]


def test_numbers_and_texts_of_a_configuration_arrive_as_they_were() -> None:
    config: dict[str, Any] = {
        "rate": 0.1, "whole": 1.0, "count": 1, "large": 2**63, "none": None, "on": True, "name": "µW \u2028 \\ \"",
        "list": [1, 2.5, {"deep": []}],
    }  # fmt: skip
    stage = make_stage(TOP, config)
    read = read_stage(stage_text(stage))
    assert read == stage
    assert {name: type(value) for name, value in read.config.items()} == {n: type(v) for n, v in config.items()}
    assert make_stage(TOP, read.config).digest == stage.digest


def test_parents_that_many_share_cost_one_entry_each() -> None:
    stage = make_stage(TOP, {})
    for layer in range(40):  # 2**40 paths
        stage = Stage(MIDDLE.name, {}, {"top": stage, "top_again": stage}, f"{layer:032x}", "point")
    assert len(json.loads(stage_text(stage))) == 41
    assert read_stage(stage_text(stage)).digest == stage.digest


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "[{}]", "[1]", "null",
     '[{"digest": "a", "kind": "top", "config": {}, "failure": "run", "parents": {"top": "absent"}}]'],
)  # fmt: skip
def test_another_versions_text_is_an_error_that_says_so(text: str) -> None:
    with pytest.raises(CosimError, match="same version of cosim on all"):
        read_stage(text)


def test_the_time_comes_back() -> None:
    time = StageTime("top", "0" * 32, "2026-01-01T00:00:00.000+00:00", 1.5, "host:7", None, "numba")
    assert read_time_text(time_text(time)) == time


def test_folders_arrive_as_they_were(tmp_path: Path) -> None:
    folders = shared_folders(tmp_path / "a run")
    assert SharedFolders.of(folders.texts()) == folders


class Client:
    """Stands in for Dask's, and keeps what it was given."""

    status = "running"

    def __init__(self) -> None:
        self.given: list[tuple[Any, ...]] = []

    def submit(self, *task: Any, key: str, pure: bool) -> Any:
        self.given.append(task)
        assert not pure
        return type("Future", (), {"key": key, "add_done_callback": lambda self, done: None})()


def test_dask_is_given_a_named_function_and_texts_only(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra cosim[cluster] is not installed")
    client, stage = Client(), make_stage(TOP, {"name": "a"})
    job = stage_job(tmp_path, "cpu")
    DaskExecutor(client, job, print).submit(stage)
    ((function, place, text),) = client.given
    assert function is call
    assert getattr(import_module(function.__module__), function.__qualname__) is function
    assert {type(value) for value in (*place, *place.values(), text)} == {str}
    assert type(place) is dict
    assert place["device"] == "cpu"
    assert read_stage(text) == stage


def test_the_scheduler_need_not_import_what_computes() -> None:
    """It imports the module of the function while it serves every worker."""
    said = f"import sys, {DaskJob.__module__}; print(sorted({{'torch', 'scipy', 'distributed'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
