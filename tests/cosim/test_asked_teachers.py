"""A teacher asked about what a student sees: as about the dataset where nothing is changed, and in a whole study."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path

import pytest
import torch
from tiny_study import TINY, cosim

from cosim.datasets.registry import load
from cosim.preprocessing.scaling import fit_scaler
from cosim.study.check import check_study
from cosim.study.document import read_document
from cosim.teachers.asking import asked
from cosim.teachers.registry import parse_teacher
from cosim.teachers.teacher import TeacherSetting
from cosim.testing.teachers import generated_fold
from energy_models.errors import StudyError
from students.models.store import load_extra, load_student
from students.models.tensor_files import write_tensors
from students.spec import Shape, Training
from students.training import OUTPUTS

NETWORK = {"family": "eegnet", "options": {"temporal_filters": 2}, "layers": ["3"]}


@pytest.mark.parametrize(
    ("name", "options", "task"),
    [
        ("classical", {"baseline": "csp_lda"}, "classification"),
        ("classical", {"baseline": "tangent_space"}, "classification"),
        ("classical", {"baseline": "kalman"}, "regression"),
        ("network", NETWORK, "classification"),
        ("ensemble", {"members": [{"family": "gru"}]}, "regression"),
    ],
)
@pytest.mark.parametrize("scaled", ["raw", "standardised"])
def test_about_unchanged_inputs_it_answers_as_about_the_dataset(name, options, task, scaled, tmp_path: Path):
    dataset, fold = generated_fold(task)
    windows = dataset.windows.scaled(fit_scaler(dataset.windows.inputs(fold.all_training)))
    standardised = dataclasses.replace(dataset, windows=windows)
    shape = Shape(task=task, channels=len(windows.channels), steps=windows.steps, outputs=len(dataset.output_names),
                  step_rate_hz=dataset.step_rate_hz)  # fmt: skip
    setting = TeacherSetting(dataset, standardised, fold, shape, Training(epochs=1), tmp_path)
    teacher, parsed = parse_teacher(name, options)
    answers = teacher.fit(parsed, setting)
    seen, rows = standardised if scaled == "standardised" else dataset, fold.test[:3]
    given = asked(answers, dataset, seen)(torch.as_tensor(seen.windows.inputs(rows)))
    if name == "classical" and task == "regression":  # a filter's state begins anew with each example
        assert given[OUTPUTS].shape == (3, windows.steps, 2)
        return
    for key, tensor in answers(dataset, rows).items():
        torch.testing.assert_close(given[key], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("teacher", ["network", "classical"])
def test_a_study_whose_students_learn_from_mixtures_and_noise(teacher, tmp_path: Path):
    """A margin of -2 lets every teacher pass; a network is kept with its checkpoint, a classical decoder is not."""
    text = TINY.replace("[teacher]", "[gate]\nmargin = -2.0\n\n[teacher]").replace("seeds = [0, 1]", "seeds = [0]")
    options = 'options = { family = "eegnet", options = { temporal_filters = 2 } }'
    if teacher == "classical":
        options = 'options = { baseline = "csp_lda" }'
    text = text.replace('"ensemble"', f'"{teacher}"')
    text = text.replace(text[text.index("options = { members") : text.index("[[students]]")], f"{options}\n\n")
    both = ('{ name = "kl", options = { mixup = 0.4 } }', '{ name = "kl", options = { noise = 0.2 } }')
    choices = f"method_choices = [{', '.join(both)}]"
    text = text.replace('method = { name = "kl" }', choices)
    text = text[: text.index('[[students]]\nlabel = "Spikes"')] + text[text.index("[[baselines]]") :]
    file, run = tmp_path / "study.toml", tmp_path / "run"
    file.write_text(text)
    code, _, err = cosim("run", str(file), "--out", str(run))
    assert code == 0, err
    for kind in ("distilled", "quantised"):
        folders = [path.parent for path in run.glob(f"stages/{kind}/*/stage.json")]
        assert len(folders) == 4  # two folds, two methods
        assert {load_extra(folder)["distilled_from"] for folder in folders} == {"teacher"}
        methods = [load_student(folder)[1].method for folder in folders]
        assert {one.options["mixup"] for one in methods if one is not None} == {0.0, 0.4}
    kept = list(run.glob("stages/teacher/*/fitted/whole/*.safetensors"))
    assert len(kept) == (2 if teacher == "network" else 0)
    assert json.loads((run / "failures.json").read_text())["failures"] == []


def test_a_file_cannot_be_asked_and_the_study_says_so(tmp_path: Path):
    dataset = load("synthetic_eeg", data_dir=None, options=tomllib.loads(TINY)["dataset"]["options"])
    rows = torch.randn(len(dataset.windows), 2, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "mine.safetensors"
    write_tensors(path, {"outputs": rows}, {"dataset_digest": dataset.digest})
    text = TINY.replace("[teacher]", "[gate]\nmargin = -2.0\n\n[teacher]").replace("seeds = [0, 1]", "seeds = [0]")
    text = text.replace(text[text.index('name = "ensemble"') : text.index("[[students]]")],
                        f"name = \"file\"\noptions = {{ path = '{path}' }}\n\n")  # fmt: skip
    text = text.replace('name = "kl" }', 'name = "kl", options = { unit_drop = 0.2 } }').replace(', "w4a4"', "")
    file, run = tmp_path / "study.toml", tmp_path / "run"
    file.write_text(text[: text.index('[[students]]\nlabel = "Spikes"')] + text[text.index("[training]") :])
    code, _, err = cosim("run", str(file), "--out", str(run))
    assert code == 0, err
    gates = json.loads((run / "gates.json").read_text())["gates"]
    assert all("It cannot be asked about changed inputs" in gate["message"] for gate in gates)
    folders = [path.parent for path in run.glob("stages/distilled/*/stage.json")]
    assert {load_extra(folder)["distilled_from"] for folder in folders} == {"teacher"}


def test_out_of_fold_targets_and_changed_inputs_do_not_go_together():
    document = read_document("ssvep_few_labels")
    document["students"][0]["method"]["options"]["mixup"] = 0.2
    document["teacher"]["out_of_fold"] = {"folds": 3}
    with pytest.raises(StudyError, match=r"teacher.out_of_fold: 'kl' changes the inputs"):
        check_study(document, where="test")
