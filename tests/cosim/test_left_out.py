"""A method that leaves unlabelled examples out learns the teacher's answers on labelled ones, in as many steps."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tiny_study import TINY, cosim, scores

from cosim.datasets.registry import load
from cosim.engine.fold_data import FoldData
from cosim.splits.fold import Fold
from students.models.store import load_extra, load_student
from students.spec import MethodSpec
from students.training import leaves_unlabelled

CHOICES = """
method_choices = [
    { name = "kl" }, { name = "kl", options = { unlabelled = "left_out" } }, { name = "label_smoothing" },
]
"""


def test_targets_are_repeated_with_their_examples() -> None:
    """Examples 3, 5, 3, 5, 3 of two labelled and three unlabelled ones: rows 0, 1, 0, 1, 0 of the teacher's."""
    dataset = load("synthetic_eeg", data_dir=None, options={"channels": 4, "sessions": 1, "runs": 1, "trials": 12})
    fold = Fold("f", *(torch.tensor(rows).numpy() for rows in ([3, 5], [7], [9], [1, 2, 4])))
    found = FoldData(dataset, fold).repeated_train({"outputs": torch.tensor([[1.0, 2.0], [3.0, 4.0]])})
    assert found.teacher["outputs"].tolist() == [[1.0, 2.0], [3.0, 4.0]] * 2 + [[1.0, 2.0]]
    assert torch.equal(found.inputs[0], found.inputs[2])
    assert FoldData(dataset, fold).repeated_train({}).teacher == {}


def test_which_methods_leave_them_out() -> None:
    assert not leaves_unlabelled(MethodSpec(name="kl"))
    assert leaves_unlabelled(MethodSpec(name="relational", options={"unlabelled": "left_out"}))
    assert not leaves_unlabelled(MethodSpec(name="noise"))


def test_a_study_has_both_and_holds_them_against_the_best_control(tmp_path: Path) -> None:
    text = TINY[: TINY.index("[[students]]")].replace("seeds = [0, 1]", "seeds = [0]")
    text = text.replace("trials = 12", "trials = 18")
    text += '[[students]]\nlabel = "EEGNet"\nfamily = "eegnet"\noptions = { temporal_filters = 1 }\n' + CHOICES
    text += "[labels]\nper_class = 2\n\n[gate]\nmargin = -1.0\n\n" + TINY[TINY.index("[training]") :]
    file, run = tmp_path / "study.toml", tmp_path / "run"
    file.write_text(text)
    code, _, err = cosim("run", str(file), "--out", str(run))
    assert code == 0, err
    table = scores(run)
    assert set(table.loc[table["role"] == "student", "method"]) == {
        "", "kl", "kl unlabelled=left_out", "label_smoothing",
    }  # fmt: skip
    kinds = [one["kind"] for one in json.loads((run / "differences.json").read_text())["differences"]]
    assert kinds.count("control") == 2
    folders = [path.parent for path in run.glob("stages/distilled/*/spec.json")]
    assert {load_extra(folder)["distilled_from"] for folder in folders} == {"teacher"}
    weights: dict[object, list[torch.Tensor]] = {}
    for folder in folders:
        model, spec = load_student(folder)
        assert spec.method is not None
        weights.setdefault(spec.method.options["unlabelled"], []).append(next(model.parameters()))
    assert not any(torch.equal(*pair) for pair in zip(weights["taught"], weights["left_out"], strict=True))
