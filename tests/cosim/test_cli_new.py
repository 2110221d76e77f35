"""``cosim new``: each file it writes works as it is, keeps its contract, and is used by the command it prints."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tiny_study import cosim

ROOT = Path(__file__).parents[2]
QUICKER = (
    "--set", "training.teacher={epochs=1,batch_size=16}", "--set", "training.student.epochs=1",
    "--set", 'students.0.forms=["w4a4"]', "--set", "baselines=[]",
)  # fmt: skip
KINDS = ("study", "site", "profile", "family", "dataset", "method")
CONTRACTS = {
    "profile": "check_profile('my_profile.toml')", "site": "check_site('my_site.toml')",
    "family": "check_family('my_family:FAMILY')", "dataset": "check_dataset('my_dataset:DATASET')",
    "method": "check_method('my_method:METHOD', tasks=['classification'])",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the command line adds the current folder


def fresh(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def begun(kind: str, name: str = "mine", *options: str) -> str:
    """Write a file into the current folder and return the command that is printed."""
    code, out, err = cosim("new", kind, name, *options)
    assert code == 0, err
    assert err.startswith("Written: ")
    return out.strip()


def test_what_is_written_keeps_its_contract(tmp_path: Path) -> None:
    for kind in CONTRACTS:
        begun(kind, f"my_{kind}")
    checks = "".join(f"{check}; print('{kind}')\n" for kind, check in CONTRACTS.items())
    done = fresh(tmp_path, f"import sys; sys.path.append('')\nfrom cosim.testing import *\n{checks}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [*CONTRACTS]


@pytest.mark.parametrize("kind", ["site", "profile"])
def test_the_printed_command_prices_what_is_written(kind: str, tmp_path: Path) -> None:
    command = shlex.split(begun(kind))
    assert command[0] == "cosim"
    assert any("mine" in word for word in command)
    done = run_in(tmp_path, command)
    assert "INCOMPLETE" not in done.stdout


def test_the_printed_commands_train_what_is_written(tmp_path: Path) -> None:
    """One run for all: the study's command, with what the others set in theirs."""
    command = shlex.split(begun("study"))
    assert command == ["cosim", "run", "mine.toml"]
    for kind in ("family", "dataset", "method"):
        printed = shlex.split(begun(kind, f"my_{kind}"))
        assert printed[:3] == ["cosim", "run", "example"]
        assert printed[-2:] == ["--out", f"runs/my_{kind}"]
        assert any(f"my_{kind}:{kind.upper()}" in word for word in printed[3:-2])
        command += printed[3:-2]
    run_in(tmp_path, [*command, *QUICKER])  # the guide's test runs a study as it is printed
    table = pd.read_parquet(tmp_path / "runs" / "mine" / "scores.parquet")
    students = table[(table["role"] == "student") & (table["form"] == "w4a4")]
    assert len(students)
    assert {*students["family"]} == {"my_family:FAMILY"}
    assert {*students["method"]} == {"my_method:METHOD"}
    assert {*students["dataset"]} == {"my_dataset"}


def run_in(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    done = fresh(folder, "from cosim.cli.app import main; main()", *command[1:])
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_written_over(kind: str, tmp_path: Path) -> None:
    begun(kind)
    (path,) = tmp_path.iterdir()
    path.write_text("mine")
    code, out, err = cosim("new", kind, "mine")
    assert (code, out) == (2, "")
    assert "is there already" in err
    assert path.read_text() == "mine"


def test_shipped_files_are_copied_under_the_new_name(tmp_path: Path) -> None:
    for kind, like in (("study", "seizure"), ("profile", "xylo"), ("site", "implant_utah96")):
        begun(kind, f"my_{kind}", "--like", like)
    assert json.loads(cosim("profiles", "my_profile.toml", "--json")[1])["name"] == "my_profile"
    assert json.loads(cosim("sites", "my_site.toml", "--json")[1])["name"] == "my_site"
    assert 'name = "my_study"' in (tmp_path / "my_study.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("study", "My study"), "is no name"),
        (("study", "../mine"), "is no name"),
        (("family", "class"), "is no name"),
        (("family", "json"), "a module that is installed"),
        (("profile", "mine", "--like", "gap8"), "'gap9'"),
        (("study", "mine", "--like", "dmeo"), "'demo'"),
        (("method", "mine", "--like", "kl"), "--like: a method is begun from one example only"),
        (("familly", "mine"), "family"),
    ],
)
def test_mistakes_write_nothing(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    code, out, err = cosim("new", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert not list(tmp_path.iterdir())
