"""A classical decoder as a teacher: its answers, its calibration, and a study with few labels from end to end."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from tiny_study import TINY, cosim, scores

from cosim.baselines.registry import run_baseline
from cosim.datasets.types import Dataset
from cosim.splits.few_labels import FewLabels, withhold
from cosim.splits.fold import Fold
from cosim.teachers.classical import fitted_scale
from cosim.teachers.registry import parse_teacher
from cosim.teachers.targets import read_targets
from cosim.teachers.teacher import TeacherSetting, targets_of
from cosim.testing import check_teacher
from cosim.testing.teachers import generated_fold
from energy_models.errors import StudentError, StudyError
from students.models.store import load_extra, load_student
from students.spec import Shape, Training
from students.training import OUTPUTS


def setting(dataset: Dataset, fold: Fold) -> TeacherSetting:
    shape = Shape(task=dataset.task, channels=4, steps=dataset.windows.steps, outputs=2, step_rate_hz=128)
    return TeacherSetting(dataset, dataset, fold, shape, Training(epochs=1), Path("none"))


@pytest.mark.parametrize(
    ("baseline", "task"),
    [("csp_lda", "classification"), ("tangent_space", "classification"), ("ridge_lags", "regression")],
)
def test_classical_teachers_keep_the_promises_of_teachers(baseline, task):
    check_teacher("classical", {"baseline": baseline}, task)


def test_its_answers_are_those_of_the_decoder_fitted_on_the_training_part_alone():
    dataset, fold = generated_fold("classification")
    few = withhold(dataset, fold, FewLabels(per_class=6), seed=0)
    teacher, options = parse_teacher("classical", {"baseline": "csp_lda"})
    targets = targets_of(teacher.fit(options, setting(dataset, few)), dataset, few)
    alone = run_baseline("csp_lda", dataset, few, {})
    np.testing.assert_allclose(targets.validation[OUTPUTS], alone.outputs_validation, rtol=1e-6)
    assert len(targets.unlabelled[OUTPUTS]) == len(few.unlabelled)
    blind = dataclasses.replace(dataset, target_values=np.where(
        np.isin(np.arange(len(dataset.windows)), few.unlabelled), 1 - dataset.targets, dataset.targets))  # fmt: skip
    again = targets_of(teacher.fit(options, setting(blind, few)), blind, few)
    assert torch.equal(again.unlabelled[OUTPUTS], targets.unlabelled[OUTPUTS])  # labels that are withheld are not read


def test_a_temperature_gives_the_least_cross_entropy_on_validation_and_changes_no_order():
    dataset, fold = generated_fold("classification")
    logits = np.random.default_rng(0).normal(size=(len(fold.validation), 2))
    logits[np.arange(len(logits)), dataset.targets[fold.validation]] += 0.5
    scale = fitted_scale(dataset, fold, logits)

    def loss(factor: float) -> float:
        rows = log_softmax(factor * logits, axis=1)
        return -rows[np.arange(len(rows)), dataset.targets[fold.validation]].mean()

    assert all(loss(scale) <= loss(scale * factor) for factor in (0.9, 1.1))
    assert fitted_scale(dataset, fold, 1e-3 * logits) == pytest.approx(100, rel=1e-2)  # 1000 times would be best


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "baseline: Field required"),
        ({"baseline": "csp_ldaa"}, "Did you mean 'csp_lda'"),
        ({"baseline": "csp_lda", "options": {"filterss": 2}}, "filterss"),
    ],
)
def test_mistakes_are_told(options, says):
    with pytest.raises(StudyError, match=says):
        parse_teacher("classical", options)


def test_a_temperature_is_of_classes():
    dataset, fold = generated_fold("regression")
    teacher, options = parse_teacher("classical", {"baseline": "ridge_lags", "calibration": "temperature"})
    with pytest.raises(StudentError, match="this is a regression"):
        teacher.fit(options, setting(dataset, fold))


ASKED = """[labels]
per_class = 2

[unlabelled]
stride_s = 0.5

[teacher]
name = "classical"
out_of_fold = { folds = 2, fewest_per_class = 1 }"""


def test_a_study_with_few_labels_compares_equal_steps_and_deploys_equal_work(tmp_path: Path):
    """Four labelled examples, ten others and a pool: both students see as many an epoch, in as many steps.

    The plain and the distilled student are the same network on the chip: their workloads cost the same.
    """
    text = TINY.replace('[teacher]\nname = "ensemble"', ASKED)
    text = text.replace(text[text.index("options = { members") : text.index("[[students]]")],
                        'options = { baseline = "tangent_space" }\n\n')  # fmt: skip
    text = text.replace("seeds = [0, 1]", "seeds = [0]").replace("trials = 12", "trials = 18")
    spikes = text.index('[[students]]\nlabel = "Spikes"')
    file, run = tmp_path / "study.toml", tmp_path / "run"
    file.write_text(text[:spikes] + text[text.index("[[baselines]]") :])
    code, _, err = cosim("run", str(file), "--out", str(run))
    assert code == 0, err
    table = scores(run)
    assert table["protocol"].str.contains("labels of 2 a class to train on and of as many to choose on").all()
    assert set(table["role"]) == {"student", "baseline", "teacher"}
    fold = next(run.glob("stages/fold/*"))
    kept = {part: np.load(fold / f"{part}.npy") for part in ("train", "validation", "unlabelled")}
    assert len(kept["train"]) == len(kept["validation"]) == 4
    assert len(kept["unlabelled"]) == 10
    pools = {path.parent.name: len(np.load(path)) for path in run.glob("stages/fold/*/pool.npy")}
    assert all(pools.values())
    for path in run.glob("stages/teacher/*/stage.json"):
        asked = read_targets(path.parent / "targets.safetensors").unlabelled[OUTPUTS]
        (name,) = json.loads(path.read_text())["parents"].values()
        assert len(asked) == 10 + pools[name.partition("/")[2]]
    gates = json.loads((run / "gates.json").read_text())["gates"]
    assert all("Its training targets are out of fold, 2 inner folds by time." in gate["message"] for gate in gates)
    works: dict[str, set[str]] = {}
    for folder in (path.parent for path in run.glob("stages/result/*/stage.json")):
        student = json.loads((folder / "stage.json").read_text())["parents"]["student"]
        works.setdefault(student.partition("/")[0], set()).add(deployed(folder / "workload.json"))
    assert works["undistilled"] == works["distilled"]
    assert len(works["distilled"]) == 1
    assert works["quantised"] != works["distilled"]
    assert all(load_student(path.parent)[1].method is None for path in run.glob("stages/undistilled/*/spec.json"))
    assert {load_extra(path.parent)["epochs"] for path in run.glob("stages/*/*/spec.json")} == {"1"}


def deployed(path: Path) -> str:
    """Return what a chip would do, without what depends on the values of weights and signals."""
    own = ("name", "kind", "calls", "input_shape", "output_shape", "weights", "biases", "weight_bits", "operations")
    rows = [
        {**{key: row[key] for key in own}, "products": sum(
            count["total"] for count in (row["products"] or {}).get("dense_full", {}).values()
        )}
        for row in json.loads(path.read_text())["layers"]
    ]  # fmt: skip
    return json.dumps(rows)
