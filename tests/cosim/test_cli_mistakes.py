"""Wrong inputs over all commands: one paragraph that says what, where and the remedy, exit code 2, nothing lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_study import cosim

ROOT = Path(__file__).parents[2]
LONG = "x" * 300
WORK = ("w.json", "--profile", "gap9")
RATE = ("--decode-rate", "4")
FOLDERS = ("dir", "dir.toml", "dir.json", "dir.onnx", "dir.csv")

MISTAKES: list[tuple[tuple[str, ...], str]] = [
    # a folder for a file, a file for a folder
    (("profiles", "dir.toml"), "dir.toml: cannot be read (Is a directory)"),
    (("sites", "dir.toml"), "dir.toml: cannot be read (Is a directory)"),
    (("run", "dir"), "It is a folder. A run goes on with: cosim resume dir"),
    (("estimate", "dir.json", "--profile", "gap9", *RATE), "Is a directory"),
    (("workload", "dir.onnx"), "no saved student"),
    (("workload", "eegnet_8_2", "--json", "dir"), "dir: the workload cannot be written (Is a directory)"),
    (("calibrate", "dir.csv", "--name", "a"), "dir.csv: cannot be read (Is a directory)"),
    (("resume", "empty.toml"), "there is no run in this folder"),
    # empty files, other encodings, other content
    (("profiles", "empty.toml"), "11 problems"),
    (("run", "empty.toml"), "study: is missing"),
    (("estimate", "empty.json", "--profile", "gap9", *RATE), "empty.json: not JSON"),
    (("workload", "empty.onnx"), "empty.onnx: it is cut short, or no ONNX file"),
    (("calibrate", "empty.csv", "--name", "a"), "column 'board' is missing"),
    (("profiles", "latin.toml"), "latin.toml: is not text in UTF-8 (byte 0xe9 in line 1)"),
    (("run", "latin.toml"), "is not text in UTF-8"),
    (("estimate", "latin.json", "--profile", "gap9", *RATE), "is not text in UTF-8"),
    (("calibrate", "latin.csv", "--name", "a"), "is not text in UTF-8"),
    (("estimate", "list.json", "--profile", "gap9", *RATE), "not a workload"),
    # names that do not exist, are too long, or empty
    (("profiles", LONG), "unknown profile"),
    (("profiles", f"{LONG}.toml"), "File name too long"),
    (("run", LONG), "there is no study"),
    (("report", LONG), "File name too long"),
    (("datasets", "nothing_here:corpus"), "module 'nothing_here' cannot be imported"),
    (("datasets", "os:path"), "the object is a module, not a Corpus"),
    (("workload", "os:getcwd"), "os:getcwd: it returned a str. Return a torch.nn.Module"),
    (("run", "demo", "--out", ""), "behind '--out': an empty argument"),
    (("profiles", ""), "behind 'profiles': an empty argument"),
    # numbers of a wrong kind or size
    (("estimate", *WORK, "--decode-rate", "nan"), "--decode-rate: nan Hz"),
    (("estimate", *WORK, "--decode-rate", "0"), "--decode-rate: 0 Hz"),
    (("estimate", *WORK, "--decode-rate", "4V"), "--decode-rate: '4V': unit 'V' has dimension voltage"),
    (("estimate", *WORK, "--decode-rate", "four"), "--decode-rate: 'four' is no number with a unit"),
    (("compare", "w.json@gap9", "w.json@vega", "--decode-rate", "-1"), "--decode-rate: -1 Hz"),
    (("estimate", *WORK, *RATE, "--draws", "1000"), "--draws: 1,000 draws"),
    (("compare", "w.json@gap9", "w.json@vega", *RATE, "--draws", "0"), "--draws: 0 draws"),
    (("estimate", *WORK, *RATE, "--set", "profile.static=1e400W"), "--set profile.static: '1e400W'"),
    (("estimate", *WORK, *RATE, "--set", "profile.static=1Hz"), "unit 'Hz' has dimension frequency"),
    (("estimate", *WORK, *RATE, "--site", "headset_pulp", "--budget", "-1mW"), "--budget: '-1mW'"),
    (("scale", "asic65_near_memory", "--node", "-28"), "node -28 nm is outside 7 to 90 nm"),
    (("scale", "asic65_near_memory", "--temperature", "1e9"), "outside 300 to 400 K"),
    (("run", "demo", "--set", "training.student.epochs=99999999999999999999"), "more than 64 bit"),
    (("run", "demo", "--set", "hardware.decode_rate_hz=1e400"), "inf is not a finite number"),
    (("run", "demo", "--workers", "-1"), "--workers"),
    # options that contradict each other, or say nothing
    (("estimate", *WORK, *RATE, "--json", "--csv"), "--json --csv: two forms at once"),
    (("estimate", *WORK, *RATE, "--sweep", "decode_rate=1,2"), "the rate is given twice"),
    (("estimate", *WORK, *RATE, "--budget", "1mW"), "--budget: of what?"),
    (("datasets", "synthetic_eeg", "--download", "eegmmidb"), "--download: one dataset is shown and another"),
    (("datasets", "synthetic_eeg", "--data-dir", "dir"), "--data-dir: a folder, and nothing to download"),
    (("datasets", "--download", "synthetic_eeg", "--data-dir", "dir"), "no public source"),
    (("calibrate", "empty.csv", "--name", "../a"), "--name: '../a' is no name"),
    (("scale", "gap9"), "nothing moves"),
    (("compare", "w.json@", "w.json@gap9", *RATE), "'w.json@' is no design"),
    (("doctr",), "Did you mean 'doctor'?"),
    (("profiles", "--jsn"), "--json"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of every wrong kind, and one good workload."""
    root = tmp_path_factory.mktemp("mistakes")
    for name in FOLDERS:
        (root / name).mkdir()
    for suffix in ("toml", "json", "csv", "onnx"):
        (root / f"empty.{suffix}").write_bytes(b"")
        (root / f"latin.{suffix}").write_bytes(b'{"\xe9"}')
    (root / "list.json").write_text("[1]")
    code, _, err = cosim(
        "workload", "eegnet_8_2", "--weight-bits", "8", "--activation-bits", "8", "--json", str(root / "w.json")
    )
    assert code == 0, err
    return root


def contents(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=lambda value: " ".join(value)[:40] if value else "")
def test_a_mistake_is_told_and_nothing_is_lost(
    arguments: tuple[str, ...], said: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before = contents(folder)
    code, out, err = cosim(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert contents(folder) == before


def test_there_are_forty_and_every_command_has_one() -> None:
    commands = {arguments[0] for arguments, _ in MISTAKES}
    assert len(MISTAKES) >= 40
    assert commands >= {"run", "resume", "report", "workload", "estimate", "compare", "calibrate", "scale", "profiles",
                        "sites", "datasets"}  # fmt: skip


def begin(folder: Path, *arguments: str, most_bytes: int | None = None) -> subprocess.Popen[str]:
    def limited() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    code = "import sys; from cosim.cli.start import main; print('begun', file=sys.stderr, flush=True); main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=limited,  # noqa: PLW1509  (no threads here)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (("scale", "asic65_near_memory", "--node", "28", "--out", "small.toml"), "small.toml"),
        (("new", "profile", "small"), "small.toml"),
        (("workload", "eegnet_8_2", "--json", "small.json"), "small.json"),
    ],
)
def test_a_file_that_does_not_fit_is_not_left_cut_short(
    arguments: tuple[str, ...], written: str, tmp_path: Path
) -> None:
    process = begin(tmp_path, *arguments, most_bytes=1000)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert f"{written}: " in err
    assert "File too large" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("after_s", [0.3, 0.8, 1.6])
def test_an_interrupt_ends_it_in_a_word(after_s: float, folder: Path) -> None:
    process = begin(folder, "estimate", "eegnet_8_2", "--profile", "gap9", *RATE, "--sweep", "bits=8,7,6,5,4,3,2")
    assert process.stderr is not None
    assert process.stderr.readline() == "begun\n"  # before it the interpreter itself starts
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    if process.returncode not in (0, -signal.SIGINT):  # else all was done, or the interpreter was ending
        assert process.returncode == 130
        assert err.splitlines()[-1] == "Stopped."
        assert "Traceback" not in err


def test_a_reader_that_goes_away_leaves_no_traceback(folder: Path) -> None:
    process = begin(folder, "profiles", "gap9", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    assert process.wait(timeout=120) in (0, 1)
