"""The device of a study reaches everything that computes with networks, and one that is not there is refused."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from tiny_study import write_tiny
from toy_stages import SerialExecutor

from cosim.api.run import run_study
from cosim.engine import fold_data, training_job
from cosim.engine.executors import worker
from cosim.engine.files import read_json
from cosim.engine.local_store import LocalStore
from cosim.engine.stage import make_stage
from cosim.engine.stages import result
from cosim.engine.stages.data import DATA
from cosim.study.check import read_study
from cosim.teachers import ensemble
from energy_models.errors import StudyError


@pytest.mark.parametrize("device", ["meta", "cuda:7", "nonsense"])
def test_a_device_that_is_not_there_is_refused(tmp_path: Path, device: str) -> None:
    study = read_study(str(write_tiny(tmp_path)), [f"compute.device={device}"])
    with pytest.raises(StudyError, match=rf"compute.device: the device '{device}' cannot be used"):
        run_study(study, root=tmp_path / "run", data_dir=None, workers=1, command="", watch=lambda status: None)


def test_stages_are_told_the_device_and_record_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    kind = dataclasses.replace(DATA, work=lambda workspace: told.append(workspace.device))
    monkeypatch.setitem(worker.KINDS, "data", kind)  # type: ignore[arg-type]
    store, stage = LocalStore(tmp_path), make_stage(kind, {"name": "x"})
    worker.run_stage(store, "cuda:3", stage)
    assert told == ["cuda:3"]
    assert read_json(store.folder(stage.key) / "stage.json")["device"] == "cuda:3"


def test_training_decoding_and_counting_run_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call that takes a device is asked for the same one; here it is the CPU under its longer name."""
    asked: dict[str, set[str]] = {}

    def watched(module: Any, name: str) -> None:
        plain = getattr(module, name)

        def call(*arguments: Any, **named: Any) -> Any:
            asked.setdefault(f"{module.__name__.rpartition('.')[2]}.{name}", set()).add(str(named.get("device")))
            return plain(*arguments, **named)

        monkeypatch.setattr(module, name, call)

    for module, names in (
        (training_job, ["fit"]), (fold_data, ["predict"]), (result, ["observe"]), (ensemble, ["fit", "predict"]),
    ):  # fmt: skip
        for name in names:
            watched(module, name)
    study = read_study(str(write_tiny(tmp_path)), ['students.0.forms=["float32"]', "compute.device=cpu:0"])
    serial = lambda workers, run, start, preload: nullcontext(SerialExecutor(run))  # noqa: E731
    monkeypatch.setattr("cosim.api.run.LocalExecutor", serial)
    run_study(study, root=tmp_path / "run", data_dir=None, workers=1, command="", watch=lambda status: None)
    called = {"training_job.fit", "fold_data.predict", "result.observe", "ensemble.fit", "ensemble.predict"}
    assert asked == {key: {"cpu:0"} for key in called}
