"""Forms that give one network are told before the training and on the page; tables have effective widths."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from tiny_study import cosim

from cosim.engine.same_forms import same_forms
from cosim.study.check import check_study
from students.spec import Shape

DECODER = """
from torch import nn


class Two(nn.Sequential):
    def __init__(self, channels: int, steps: int, outputs: int, hidden: int = 3, depth: int = 0) -> None:
        inner = [layer for _ in range(depth) for layer in (nn.Linear(hidden, hidden), nn.ReLU())]
        first = (nn.Flatten(), nn.Linear(channels * steps, hidden), nn.ReLU())
        super().__init__(*first, *inner, nn.Linear(hidden, outputs))
"""
STUDY = """
[study]
name = "widths"
title = "Widths"
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
family = "two_layers:Two"
forms = ["float32", "w4a4 edge=8", "w2a4 edge=8"]

[[students]]
label = "Shallow"
family = "shallow"
options = { filters = 2 }
forms = ["w4a4", "ternary-a4", "ptq w4a4", "w2a4 edge=8"]

[training]
student = { epochs = 1, batch_size = 8 }

[hardware]
profiles = ["cortex_m4f"]
sites = ["headset_commodity"]
decode_rate_hz = 1.0
observed_examples = 4
"""
SHAPE = Shape(task="classification", channels=4, steps=64, outputs=2, step_rate_hz=64.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a folder with a class of two products; it is the current one."""
    (tmp_path / "two_layers.py").write_text(DECODER)
    (tmp_path / "study.toml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("two_layers", None)


def told(family: str, options: str, forms: str) -> list[str]:
    text = STUDY[: STUDY.index("[[students]]")] + STUDY[STUDY.index("[training]") :]
    student = f'[[students]]\nlabel = "It"\nfamily = "{family}"\noptions = {options}\nforms = {forms}\n'
    notes = same_forms(check_study(tomllib.loads(text + student), where="here"), SHAPE)
    return [note.partition(" give ")[0].removeprefix("students.0 (It): ") for note in notes]


@pytest.mark.parametrize(
    ("family", "options", "forms", "expected"),
    [
        ("two_layers:Two", "{}", '["w4a4", "w4a4 edge=8", "w2a4 edge=8", "w3a4 edge=8"]',
         ["w4a4 edge=8, w2a4 edge=8 and w3a4 edge=8"]),
        ("two_layers:Two", "{ depth = 1 }", '["w4a4", "w2a4"]', []),
        ("two_layers:Two", "{ depth = [0, 1] }", '["w4a4", "w2a4"]', []),
        ("two_layers:Two", "{}", '["w4a4", "w2a4 edge=8", "w2a8", "w4a4 in=6", "float32"]', []),
        ("shallow", "{}", '["w8a8", "w4a8 edge=8", "w4a4 edge=8", "w2a4 edge=8", "w4a4", "w2a4"]',
         ["w8a8 and w4a8 edge=8", "w4a4 edge=8 and w2a4 edge=8"]),
        ("eegnet", "{ temporal_filters = 1 }", '["w8a8", "w4a4", "w2a4"]', []),
        ("mlp", "{ depth = 1 }", '["w4a4 edge=8", "w2a4 edge=8"]', ["w4a4 edge=8 and w2a4 edge=8"]),
        ("mlp", "{ depth = 1 }", '["w4a4", "w4a4 per=tensor", "w2a4", "ternary-a4", "ptq w4a4"]', []),
        ("mlp", "{}", '["w4a4 6=w2a4", "w4a4 linear=w2a4", "w4a4 2=w2a4 10=w2a4 6=w2a4"]',
         ["w4a4 linear=w2a4 and w4a4 10=w2a4 2=w2a4 6=w2a4"]),
    ],
)  # fmt: skip
def test_forms_are_the_same_where_no_width_differs(
    folder: Path, family: str, options: str, forms: str, expected: list[str]
) -> None:
    assert told(family, options, forms) == expected


def test_it_is_told_and_kept_and_tables_have_the_widths_of_products(folder: Path) -> None:
    code, _, err = cosim("run", "study.toml", "--out", "run", "--workers", "1", "--set", "students.1.forms=['float32']")
    assert code == 0, err
    said = " ".join(err.split())
    line = "students.0 (Own): w4a4 edge=8 and w2a4 edge=8 give the same network"
    assert said.index(f"Warning: {line}") < said.index("points finished")
    notes = json.loads((folder / "run" / "study.json").read_text())["notes"]
    assert [note.startswith(line) for note in notes] == [True]
    assert line in (folder / "run" / "report.html").read_text()
    table = pd.read_csv(folder / "run" / "results.csv").set_index("decoder")
    widths = table[["weight_bits", "weight_bits_by_layer", "activation_bits_by_layer"]].drop_duplicates()
    found = {str(name): tuple(map(str, row)) for name, row in zip(widths.index, widths.to_numpy(), strict=True)}
    assert found["Own w4a4 edge=8"] == ("4", "8/8", "8/4")
    assert found["Own w2a4 edge=8"] == ("2", "8/8", "8/4")
    assert found["Own float32"] == ("32", "32/32", "32/32")
