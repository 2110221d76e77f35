"""A package of somebody else adds one plug-in of every kind, passes their contracts, and runs a study of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONTRACTS = """
from cosim.testing import *
check_family("example_pooled")
check_method("example_cosine")
check_encoder("example_log")
check_teacher("example_centroids", {})
check_dataset("example_tones")
check_baseline("example_loudest")
check_profile("example_board")
check_site("example_desk")
print("every contract is kept")
"""
STUDY = """
[study]
name = "theirs"
title = "Their plug-ins together"
seeds = [0]

[dataset]
name = "example_tones"

[split]
method = "leave_one_group_out"
group = "session"

[teacher]
name = "example_centroids"

[[students]]
label = "Pooled"
family = "example_pooled"
forms = ["float32", "w4a4"]
method = { name = "example_cosine" }

[[baselines]]
name = "example_loudest"

[training]
student = { epochs = 3, batch_size = 8 }

[hardware]
profiles = ["example_board"]
sites = ["example_desk"]
decode_rate_hz = 1.0
observed_examples = 4
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Install the package into a folder of its own, and return an environment that has this folder on its path."""
    source = tmp_path_factory.mktemp("source") / "package"
    shutil.copytree(HERE / "package", source)
    for name in ("family", "method", "dataset"):  # what `cosim new` writes, here as a package would hold it
        shutil.copy(ROOT / "cosim" / "cli" / "templates" / f"{name}.py", source / "cosim_example")
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
               "--disable-pip-version-check", "--target", str(folder), str(source)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def run(environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=dict(environment)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def cosim(environment: Mapping[str, str], *arguments: str) -> str:
    return run(environment, "-c", "from cosim.cli.app import main; main()", *arguments)


def test_their_plugins_keep_every_contract(environment: Mapping[str, str]) -> None:
    assert run(environment, "-c", CONTRACTS).strip() == "every contract is kept"


def test_the_command_line_lists_them(environment: Mapping[str, str]) -> None:
    assert "example_board" in cosim(environment, "profiles", "--json")
    assert "example_desk" in cosim(environment, "sites", "--json")
    assert "example_tones" in cosim(environment, "datasets", "--json")


@pytest.mark.slow
def test_a_study_uses_all_of_them(environment: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "theirs.toml").write_text(STUDY)
    cosim(environment, "run", str(tmp_path / "theirs.toml"), "--out", str(tmp_path / "run"), "--workers", "2")
    scores = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    assert set(scores["role"]) == {"student", "baseline", "teacher"}
    assert set(scores.loc[scores["role"] == "student", "form"]) == {"float32", "w4a4"}
    assert (scores.loc[scores["role"] == "teacher", "score"] > 0.9).all()  # loud channels are easily told apart
    assert (tmp_path / "run" / "report.html").is_file()
