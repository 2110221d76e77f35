"""A teacher trained on other sessions gives its layers to methods that read them; none changes what is deployed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from test_classical_teacher import deployed
from test_contracts import METHODS
from tiny_study import TINY, cosim

from energy_models.workload import write_workload
from students.counting import observe
from students.models.build import build, mode
from students.models.store import load_extra, load_student
from students.spec import MethodSpec, Shape, StudentSpec, Training
from students.training import OUTPUTS, Examples, fit, parse_method

CHOICES = """method_choices = [
  { name = "fitnet", options = { student = "10", teacher = "8", first_epochs = 1 } },
  { name = "tskd", options = { student = "15", teacher = "9", size = 2 } },
  { name = "dlink", options = { student = "12", layers = ["6", "7"] } },
]"""
TEACHER = """name = "network"
options = { family = "conformer", options = { width = 4, blocks = 2 }, layers = ["6", "7", "8", "9"] }
learns_from = "left_out"

"""


def test_layers_of_a_conformer_trained_on_the_other_sessions_teach_a_convolutional_student(tmp_path: Path):
    """Two sessions of two runs: one run is tested, the other has the labels, the other session teaches the teacher."""
    text = TINY.replace("[teacher]", "[gate]\nmargin = -2.0\n\n[teacher]").replace("seeds = [0, 1]", "seeds = [0]")
    text = text.replace("runs = 1, trials = 12", "runs = 2, trials = 12").replace("epochs = 1", "epochs = 2")
    text = text.replace('group = "session"', 'group = "run"\nwithin = "session"').replace(', "w4a4"', "")
    text = text.replace('method = { name = "kl" }', CHOICES)
    text = text.replace(text[text.index('name = "ensemble"') : text.index("[[students]]")], TEACHER)
    file, run = tmp_path / "study.toml", tmp_path / "run"
    file.write_text(text[: text.index('[[students]]\nlabel = "Spikes"')] + text[text.index("[training]") :])
    code, _, err = cosim("run", str(file), "--out", str(run))
    assert code == 0, err
    taught = [path.parent for path in run.glob("stages/distilled/*/stage.json")]
    names = [str(load_student(folder)[1].method.name) for folder in taught]
    assert {name: names.count(name) for name in set(names)} == {"fitnet": 4, "tskd": 4, "dlink": 4}
    assert {load_extra(folder)["distilled_from"] for folder in taught} == {"teacher"}
    assert all("method_tsr" in load_extra(folder) for folder, name in zip(taught, names, strict=True) if name == "tskd")
    works: dict[str, set[str]] = {}
    for folder in (path.parent for path in run.glob("stages/result/*/stage.json")):
        student = json.loads((folder / "stage.json").read_text())["parents"]["student"]
        works.setdefault(student.partition("/")[0], set()).add(deployed(folder / "workload.json"))
    assert works["distilled"] == works["undistilled"]
    assert len(works["distilled"]) == 1


def examples_of(shape: Shape, names: tuple[str, ...]) -> Examples:
    """Return drawn examples with a teacher's tensors: outputs, and for other names 5 numbers (of each step)."""
    rng, steps = np.random.default_rng(0), () if shape.task == "classification" else (shape.steps,)
    draw = {name: (12, *steps, 2) if name == OUTPUTS else (12, 5, *steps) for name in names}
    teacher = {name: torch.as_tensor(rng.normal(size=size), dtype=torch.float32) for name, size in draw.items()}
    inputs = torch.as_tensor(rng.normal(size=(12, 3, 16)), dtype=torch.float32)
    targets = torch.arange(12) % 2 if shape.task == "classification" else torch.as_tensor(
        rng.normal(size=(12, 16, 2)), dtype=torch.float32)  # fmt: skip
    return Examples(inputs, targets, teacher)


@pytest.mark.parametrize(("name", "options", "task"), METHODS)
def test_no_method_changes_the_deployed_work(name, options, task, tmp_path: Path):
    shape = Shape(task=task, channels=3, steps=16, outputs=2, step_rate_hz=16.0)
    method = MethodSpec(name=name, options=options)
    found, parsed = parse_method(method)
    needs = found.needs(parsed)
    training = Training(epochs=needs.first_epochs + 1, batch_size=6)
    plain = StudentSpec(family="mlp", options={"hidden": 8, "depth": 1, "lags": 3}, shape=shape, seed=3,
                        training=training)  # fmt: skip
    examples, written = examples_of(shape, tuple(needs.teacher)), []
    for number, spec in enumerate((plain, plain.model_copy(update={"method": method}))):
        model, path = build(spec), tmp_path / f"{number}.json"
        fit(model, examples, examples, spec)
        work = observe(model, examples.inputs, name="x", mode=mode(spec), step_rate_hz=16.0, input_bits=32)
        write_workload(work, path)
        written.append(deployed(path))
    assert written[0] == written[1]
