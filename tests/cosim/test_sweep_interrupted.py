"""A run in a process of its own, killed and interrupted: nothing finished is lost, nothing is done twice."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

import optuna
import pandas as pd
import pytest
from tiny_study import scores, stage_times, write_tiny
from toy_stages import TOP, MemoryStore, SerialExecutor, compute

from cosim.engine.executors.interrupts import TerminatedError, end_if_asked, interrupts_held, termination_heeded
from cosim.engine.scheduler import Scheduler
from cosim.engine.stage import make_stage

# A shell that starts the tests in the background ignores Ctrl-C for all of them; a run at a terminal does not.
HEEDING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
COSIM = [sys.executable, "-c", f"{HEEDING}; from cosim.cli.app import main; main()"]
PATIENCE_SECONDS = 150
KILLS = 3
MOST_STAGES = 6  # between two kills; three times that, and what finishes meanwhile, is well below the 39 there are


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COSIM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,  # a group of its own, as a shell makes one for each command
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


def await_stages(process: subprocess.Popen[str], run: Path, count: int) -> None:
    """Wait until a run has finished that many stages."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (run / "stages").exists() or len(stage_times(run)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_killed_at_random_and_resumed_nothing_is_lost_or_done_twice(finished: Path, tmp_path: Path) -> None:
    """Kills fall in the middle of the work, wherever that is: after a random number of stages and a random moment."""
    run = tmp_path / "run"
    seed = time.time_ns() % 1_000_000
    chance = random.Random(seed)  # noqa: S311
    seen: dict[str, int] = {}
    arguments = ("run", str(write_tiny(tmp_path)), "--out", str(run))
    for _ in range(KILLS):
        process = start(*arguments)
        await_stages(process, run, len(seen) + chance.randint(1, MOST_STAGES))
        time.sleep(0.1 * chance.random())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, f"it had ended before the kill (seed {seed})"
        now = stage_times(run)
        assert seen.items() <= now.items(), f"a finished stage was lost or written again (seed {seed})"
        seen = now
        arguments = ("resume", str(run))
    assert set(seen) < set(stage_times(finished)), f"nothing was left to resume (seed {seed})"
    code, _, err = finish(start(*arguments))
    assert code == 0, err
    final = stage_times(run)
    assert seen.items() <= final.items(), f"seed {seed}"
    assert set(final) == set(stage_times(finished))
    pd.testing.assert_frame_equal(scores(run), scores(finished))
    trials = optuna.load_study(study_name=None, storage=f"sqlite:///{run / 'study.db'}").get_trials(deepcopy=False)
    assert sum(trial.state == optuna.trial.TrialState.COMPLETE for trial in trials) == 3
    assert not any(trial.state == optuna.trial.TrialState.RUNNING for trial in trials)


@pytest.mark.parametrize("stages", [0, 6])
def test_interrupted_cleanly(tmp_path: Path, stages: int) -> None:
    """Ctrl-C at a terminal goes to the coordinator and to every process it started."""
    run = tmp_path / "run"
    process = start("run", str(write_tiny(tmp_path)), "--out", str(run))
    await_stages(process, run, stages)
    os.killpg(process.pid, signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130
    assert out == ""
    assert f"cosim resume {run}" in err
    assert "Traceback" not in err
    assert not (run / "stages" / ".partial").exists()


def test_terminated_cleanly(tmp_path: Path) -> None:
    """Batch systems send SIGTERM to the coordinator alone."""
    run = tmp_path / "run"
    process = start("run", str(write_tiny(tmp_path)), "--out", str(run))
    await_stages(process, run, 3)
    process.terminate()
    code, out, err = finish(process)
    assert (code, out) == (143, "")
    assert f"cosim resume {run}" in err
    assert "Traceback" not in err
    assert not (run / "stages" / ".partial").exists()


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGTERM, TerminatedError), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_waits_until_a_process_is_started_whole(number: int, raised: type[BaseException]) -> None:
    done: list[str] = []

    def started() -> None:
        with interrupts_held():
            signal.raise_signal(number)
            done.append("whole")

    with pytest.raises(raised) as caught, termination_heeded():
        started()
    assert done == ["whole"]
    assert caught.type is raised


class Finalised:
    """Python drops what is raised while it clears up an object: the run would go on."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)


SIGNALS = pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGTERM, TerminatedError), (signal.SIGINT, KeyboardInterrupt)]
)


@pytest.fixture
def heard() -> Generator[None]:
    """Tests that a shell starts in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@SIGNALS
@pytest.mark.usefixtures("heard")
def test_a_signal_whose_exception_python_drops_ends_the_run_all_the_same(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], number: int, raised: type[BaseException]
) -> None:
    store = MemoryStore(tmp_path)
    scheduler = Scheduler(store, SerialExecutor(partial(compute, store)))
    scheduler.add(make_stage(TOP, {"name": "a"}))
    with pytest.raises(raised) as caught, termination_heeded():  # noqa: PT012
        Finalised(number)
        scheduler.step()
    assert caught.type is raised
    assert not store.kept
    assert "Traceback" not in capfd.readouterr().err
    end_if_asked()  # the next run is asked nothing


@SIGNALS
@pytest.mark.usefixtures("heard")
def test_a_signal_dropped_in_the_last_moment_is_told(number: int, raised: type[BaseException]) -> None:
    with pytest.raises(raised), termination_heeded():
        Finalised(number)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("heard")
def test_other_errors_of_finalisers_are_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError("ours")

    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(what.exc_type))
    with termination_heeded():
        Broken()
    assert told == [ValueError]


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("way", ["no handler", "a handler of the caller"])
def test_what_a_library_logs_of_a_signal_is_not_printed(
    way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [] if way == "no handler" else [logging.StreamHandler()])
    told = logging.getLogger("a library")
    with pytest.raises(TerminatedError), termination_heeded():  # noqa: PT012
        try:
            raise ValueError("ours")
        except ValueError:
            told.exception("reset failed")
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException:
            told.exception("during reset")
            raise
    told.error("afterwards")
    printed = capsys.readouterr().err
    assert "during reset" not in printed
    assert all(said in printed for said in ("ValueError: ours", "afterwards"))


@pytest.mark.usefixtures("heard")
def test_handlers_are_put_back_and_a_callers_own_stays() -> None:
    def own(number: int, frame: object) -> None: ...

    signal.signal(signal.SIGINT, own)
    with termination_heeded():
        assert signal.getsignal(signal.SIGINT) is own
    signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    with termination_heeded():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert (signal.getsignal(signal.SIGTERM), sys.unraisablehook) == before
