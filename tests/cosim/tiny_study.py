"""A study that takes seconds, for tests of the whole path."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pandas as pd

from cosim.cli.app import main

TINY = """
[study]
name = "tiny"
title = "Tiny"
question = "Does the path hold together?"
seeds = [0, 1]

[dataset]
name = "synthetic_eeg"
options = { channels = 4, sessions = 2, runs = 1, trials = 12, rate_hz = 64.0, trial_s = 1.0 }

[split]
method = "leave_one_group_out"
group = "session"
validation = "fraction"

[teacher]
name = "ensemble"
options = { members = [{ family = "eegnet", options = { temporal_filters = 2 } }] }

[[students]]
label = "EEGNet-1"
family = "eegnet"
options = { temporal_filters = 1 }
forms = ["float32", "w4a4"]
method = { name = "kl" }

[[students]]
label = "Spikes"
family = "spiking_conv"
options = { mixtures = 2 }

[[baselines]]
name = "csp_lda"

[training]
student = { epochs = 1, batch_size = 8 }

[hardware]
profiles = ["cortex_m4f", "event_core_28nm"]
sites = ["headset_commodity", "implant_epilepsy"]
decode_rate_hz = 1.0
observed_examples = 4
"""

# Two folds: two seeds of four decoders (one undistilled), one baseline, one teacher each.
TINY_POINTS = 2 * (2 * 4 + 1 + 1)


def command(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Return what the command line does in a folder, as `subprocess.run` would, run in this process."""
    texts = [str(argument) for argument in arguments]
    with contextlib.chdir(folder), mock.patch.object(sys, "path", [*sys.path]):  # it adds the current folder
        return subprocess.CompletedProcess(texts, *cosim(*texts))


def cosim(*arguments: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of the command line, run in this process (imports are paid once)."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with mock.patch.object(sys, "argv", ["cosim", *arguments]), _captured(out, err):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def _captured(out: io.StringIO, err: io.StringIO) -> Iterator[None]:
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield


def write_tiny(folder: Path) -> Path:
    """Write the study file and return its path."""
    path = folder / "tiny.toml"
    path.write_text(TINY)
    return path


def scores(run: Path) -> pd.DataFrame:
    """Return a run's scores without the versions that computed them."""
    return pd.read_parquet(run / "scores.parquet").drop(columns="versions")


def stage_times(run: Path) -> dict[str, int]:
    """Return when every finished stage of a run was written [ns]; a stage written again has another time."""
    return {
        f"{kind.name}/{folder.name}": (folder / "stage.json").stat().st_mtime_ns
        for kind in (run / "stages").iterdir()
        if not kind.name.startswith(".")
        for folder in kind.iterdir()
        if (folder / "stage.json").exists()
    }
