"""A study whose student is a class in a file beside it: found, named by its sources, told what is wrong with it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_study import cosim, stage_times

from cosim.datasets.registry import describe, load
from cosim.engine.sources import Sources
from energy_models.errors import DataError

DECODER = """
from torch import nn

from own_blocks import block


class Own(nn.Module):
    def __init__(self, channels: int, steps: int, outputs: int, filters: int = 3) -> None:
        super().__init__()
        self.first, self.second = block(channels, filters), block(filters, filters)
        self.readout = nn.Linear(filters * (steps // 16), outputs)

    def forward(self, signal):
        return self.readout(self.second(self.first(signal)).flatten(1))
"""
BLOCKS = """
from torch import nn


def block(inputs, outputs):
    conv = nn.Conv1d(inputs, outputs, 5, padding="same", bias=False)
    return nn.Sequential(conv, nn.BatchNorm1d(outputs), nn.ReLU(), nn.AvgPool1d(4))
"""
STUDY = """
[study]
name = "own"
title = "Own"
seeds = [0]

[dataset]
name = "synthetic_eeg"
options = { channels = 4, sessions = 2, runs = 1, trials = 12, rate_hz = 64.0, trial_s = 1.0 }

[split]
method = "leave_one_group_out"
group = "session"
validation = "fraction"

[[students]]
label = "Own"
family = "own_decoder:Own"
options = { filters = 2 }
forms = ["float32", "w4a4"]

[training]
student = { epochs = 1, batch_size = 8 }

[hardware]
profiles = ["cortex_m4f"]
sites = ["headset_commodity"]
decode_rate_hz = 1.0
observed_examples = 4
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a folder with the class, what it imports, and the study; it is the current one."""
    (tmp_path / "own_decoder.py").write_text(DECODER)
    (tmp_path / "own_blocks.py").write_text(BLOCKS)
    (tmp_path / "own.toml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one not in ("", os.getcwd())])
    yield tmp_path
    forget()


def forget() -> None:
    for name in ("own_decoder", "own_blocks", "own_dataset"):
        sys.modules.pop(name, None)


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))  # however fast this test is
    forget()


def test_it_is_found_in_the_current_folder_and_scored_and_priced(folder: Path) -> None:
    code, _, err = cosim("run", "own.toml", "--out", "run", "--workers", "1")
    assert code == 0, err
    scores = pd.read_parquet(folder / "run" / "scores.parquet")
    assert set(scores["form"]) == {"float32", "w4a4"}
    assert set(scores["family"]) == {"own_decoder:Own"}
    assert scores["score"].between(0, 1).all()
    before = stage_times(folder / "run")
    rewrite(folder / "own_blocks.py", "nn.AvgPool1d(4)", "nn.MaxPool1d(4)")
    code, _, err = cosim("run", "own.toml", "--out", "run", "--workers", "1")
    assert code == 0, err
    added = set(stage_times(folder / "run")) - set(before)
    assert {name.partition("/")[0] for name in added} == {"undistilled", "quantised", "result"}


def test_the_hash_follows_the_class_and_what_it_imports_from_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(folder)

    def digest() -> str:
        return Sources().digest(["own_decoder"])

    first = digest()
    assert set(Sources().reached(["own_decoder"])) == {"own_decoder", "own_blocks"}
    rewrite(folder / "own_decoder.py", "filters: int = 3", "filters: int = 4")
    second = digest()
    rewrite(folder / "own_blocks.py", "nn.ReLU()", "nn.ELU()")
    assert len({first, second, digest()}) == 3
    rewrite(folder / "own_blocks.py", "from torch import nn", "from torch import nn  # of PyTorch")
    assert len({first, second, digest()}) == 3


def test_a_process_that_outlives_an_edit_reads_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(folder)
    sources = Sources()
    before = sources.digest(["own_decoder"])
    rewrite(folder / "own_blocks.py", "nn.ReLU()", "nn.ELU()")
    assert sources.digest(["own_decoder"]) == before
    sources.forget_changed()
    assert sources.digest(["own_decoder"]) == Sources().digest(["own_decoder"]) != before


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("class Own(", "class Owen(", "there is no 'Own' in module 'own_decoder'.*Did you mean 'Owen'"),
        ("def forward(self, signal):", "def forward(self signal):", "SyntaxError: .*own_decoder.py line 13.*Mend"),
        ("from own_blocks", "from own_block", "No module named 'own_block', own_decoder.py line 4.*Mend own_decoder"),
        ("filters: int = 3", "filters: int, taps: int", "students.0.options.taps: is missing"),
        ("filters: int = 3", "width: int = 3", "students.0.options.filters: there is no such setting.*width"),
        ("outputs)\n\n", "outputs + 1)\n\n", r"students.0: .*Own\(channels=4.*filters=2\).*returned \(3, 3\)"),
        ("self.first(signal)", "self.first(signal).sin()", r"students.0.forms.1: .*sin\(\), own_decoder.py line 14"),
        ("self.second(self.first(signal))", "signal", "raised RuntimeError: mat1 .*own_decoder.py line 14"),
    ],
)
def test_what_is_wrong_with_it_is_told_before_anything_is_computed(
    folder: Path, old: str, new: str, says: str
) -> None:
    rewrite(folder / "own_decoder.py", old, new)
    code, _, err = cosim("run", "own.toml", "--out", "run")
    assert code == 2
    assert "nothing was computed" in err
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(" ".join(err.split()))
    assert not list((folder / "run").glob("stages/*/*")) if (folder / "run").exists() else True


def test_a_file_in_another_folder_is_not_found_and_the_remedy_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    code, _, err = cosim("run", "../own.toml")
    assert code == 2
    assert "Start from the folder that holds own_decoder.py" in " ".join(err.split())


def weights_of(folder: Path, **changes: object) -> dict[str, torch.Tensor]:
    """Write weights of the class for the study's recordings and return them."""
    sys.path.append(str(folder))
    made = importlib.import_module("own_decoder").Own(4, 64, 2, **{"filters": 2, **changes})
    sys.path.remove(str(folder))
    tensors = made.state_dict()
    save_file(tensors, folder / "own.safetensors")
    return tensors


def test_trained_weights_are_taken_as_they_are_and_decide_the_stage(folder: Path) -> None:
    given = weights_of(folder)
    student = 'forms = ["float32"]\nweights = "own.safetensors"\ntraining = { epochs = 0 }'
    rewrite(folder / "own.toml", 'forms = ["float32", "w4a4"]', student)
    code, _, err = cosim("run", "own.toml", "--out", "run", "--workers", "1")
    assert code == 0, err
    kept = [load_file(path) for path in (folder / "run").glob("stages/undistilled/*/weights.safetensors")]
    assert len(kept) == 2
    assert all(torch.equal(one[name], value) for one in kept for name, value in given.items())
    save_file({name: value + 1 for name, value in given.items()}, folder / "own.safetensors")
    code, _, err = cosim("run", "own.toml", "--out", "run", "--workers", "1")
    assert code == 0, err
    assert len(list((folder / "run").glob("stages/undistilled/*"))) == 4


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["students.0.options.filters=3"], r"students.0: .*own.safetensors: the weights do not fit: first.0.weight is"),
        (["students.0.weights=own.pt"], "weights are read from .safetensors files only.*save_file"),
        (["students.0.weights=none.safetensors"], "students.0: none.safetensors: cannot read tensors"),
        (["students.0.quantised_training.epochs=0"], "students.0.quantised_training.epochs: 0"),
        (["students.0.training.epochs=0"], "students.0.quantised_training.epochs: 0, where integers"),
        (["dataset.name=own_decoder:Own"], "dataset.name: .*is a type, not a Corpus.*or a function"),
    ],
)
def test_weights_that_do_not_fit_are_told_before_anything_is_computed(
    folder: Path, settings: list[str], says: str
) -> None:
    weights_of(folder)
    changes = ["students.0.weights=own.safetensors", *settings]
    code, _, err = cosim("run", "own.toml", *(word for one in changes for word in ("--set", one)))
    assert code == 2
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(" ".join(err.split()))


def test_no_epochs_need_weights(folder: Path) -> None:
    code, _, err = cosim("run", "own.toml", "--set", "students.0.training.epochs=0")
    assert code == 2
    assert "students.0.training.epochs: 0, and no weights to take as they are" in " ".join(err.split())


DATASET = """
from pathlib import Path

from cosim.datasets.registry import load


def made(channels: int, trials=12, sessions: list[str] = ("a", "b"), *, folder: Path = Path(".")):
    if channels == 7:
        return {"inputs": [channels]}
    if channels == 8:
        return sessions[len(sessions)]
    assert isinstance(folder, Path)
    options = {"channels": channels, "trials": trials, "sessions": len(sessions), "runs": 1, "rate_hz": 64.0}
    return load("synthetic_eeg", data_dir=None, options={**options, "trial_s": 1.0})


def placed(channels, /):
    return None
"""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("{ trials = 12 }", "dataset.options.channels: is missing"),
        ("{ chanels = 4 }", r"dataset.options.chanels: there is no such setting; did you mean 'channels'"),
        ('{ channels = "many" }', "dataset.options.channels: .*integer"),
        ("{ channels = 4, sessions = 3 }", "dataset.options.sessions: .*list"),
        ("{ channels = 7 }", r"made\(channels=7\) returned a dict, not a Dataset.*assemble.epoched"),
        ("{ channels = 8 }", r"made\(channels=8\) raised IndexError: .*own_dataset.py line 11"),
    ],
)
def test_a_dataset_function_takes_the_options_of_the_study(folder: Path, options: str, says: str) -> None:
    (folder / "own_dataset.py").write_text(DATASET)
    text = (folder / "own.toml").read_text()
    old = text[text.index('name = "synthetic_eeg"') : text.index("[split]")]
    (folder / "own.toml").write_text(text.replace(old, f'name = "own_dataset:made"\noptions = {options}\n'))
    code, _, err = cosim("run", "own.toml")
    assert code == 2
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(" ".join(err.split()))


def test_a_dataset_function_is_called_with_what_the_study_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(folder)
    (folder / "own_dataset.py").write_text(DATASET)
    options = {"channels": 5, "sessions": ["x", "y", "z"], "folder": "here"}
    found = load("own_dataset:made", data_dir=None, options=options)
    assert len(found.windows.channels) == 5
    assert len(found.windows) == 3 * 12
    assert describe("own_dataset:made").options["trials"] == "12"
    with pytest.raises(DataError, match="its argument 'channels' cannot be an option"):
        describe("own_dataset:placed")
