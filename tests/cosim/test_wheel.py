"""A new user's session on the wheel, in an environment that knows nothing of the checkout."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cosim", "students", "energy_models")
SESSION = '''
import torch
import cosim
assert "site-packages" in cosim.__file__ and "env" in cosim.__file__, cosim.__file__
model, x = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(400, 2)), torch.randn(8, 4, 100)
work   = cosim.count(model, x, rate_hz=250)
report = cosim.estimate(work, "cortex_m4f", "headset_pulp", decode_rate_hz=4)
table  = cosim.sweep(work, machines=["gap9", "cortex_m4f"], sites=["headset_pulp"],
                     over={"decode_rate_hz": [1, 4], "site.front_end.power": [1e-6, "3uW/channel"]})
data   = cosim.load_dataset("synthetic_eeg", channels=4, sessions=2, runs=1, trials=12, rate_hz=64.0, trial_s=1.0)
how    = {"options": {"temporal_filters": 1}, "training": {"epochs": 1, "batch_size": 8}}
bits   = cosim.sweep("eegnet", data=data, forms=["float32", "w4a4"], machines=["gap9"], sites=["headset_pulp"],
                     out="run", **how)
run    = cosim.load_run("run")
small  = run.decoder("eegnet w4a4")
print(report, table, bits, run, small, small.workload(), sep="\\n")
small.model()
cosim.quantize(run.decoder("eegnet float32").student(), "w8a8")
for catalogue in (cosim.machines, cosim.sites, cosim.corpora, cosim.families, cosim.architectures, cosim.studies):
    assert len(catalogue()), catalogue
assert run.page().is_file()
'''


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel, and beside it what the wheel depends on."""
    folder = tmp_path_factory.mktemp("wheel")
    source, built = folder / "source", folder / "built"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, source / name)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(built)!r})"
    made = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    (wheel,) = built.glob("*.whl")
    venv.create(folder / "env")
    (inside,) = (folder / "env" / "lib").glob("python*/site-packages")
    shutil.unpack_archive(wheel, inside, "zip")
    (inside / "needed.pth").write_text("\n".join(site.getsitepackages()))  # found, their own .pth files not followed
    return folder / "env" / "bin" / "python"


@pytest.mark.slow
def test_a_session_as_in_the_readme_runs_on_the_wheel(python: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COSIM_DATA")}
    environment["COSIM_CACHE"] = str(tmp_path / "cache")
    done = subprocess.run(
        [str(python), "-c", SESSION], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    shown = done.stdout.splitlines()
    assert len(shown) == 6
    assert shown[0].startswith("<Estimate: Sequential on ")
    assert shown[3].startswith("<Run: sweep in run: 2 decoders")


def test_the_wheel_says_that_its_packages_are_typed(python: Path) -> None:
    (inside,) = (python.parents[1] / "lib").glob("python*/site-packages")
    for name in PACKAGES:
        assert (inside / name / "py.typed").is_file()
