"""DLink, BrainDistill, DistilCLIP-EEG and the SSVEP DNN, each from a made-up recording to its tables."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from tiny_study import TINY, cosim, scores

from cosim.engine.plan import configurations, student_points
from cosim.engine.points import FoldStage
from cosim.engine.stage import make_stage
from cosim.engine.stages.fold import FOLD
from cosim.study.check import check_study
from students.models.store import load_extra, load_student
from students.spec import Shape

SYSTEMS = """
[teacher]
name = "network"
options = { family = "clip_conformer", options = { blocks = 2 }, layers = ["7", "8"] }

[gate]
margin = -1.0

[[students]]
label = "DistilCLIP"
family = "clip_conformer"
options = { blocks = 1 }
method = { name = "kl", options = { labels = "pairs" } }

[[students]]
label = "DLink"
family = "mic"
method = { name = "dlink", options = { student = "mimic", layers = ["7"] } }

[[students]]
label = "BrainDistill"
family = "ind"
options = { width = 8, blocks = 1 }
method = { name = "tskd", options = { student = "8", teacher = "8", size = 4 } }

[[students]]
label = "SSVEP DNN"
family = "ssvep_dnn"
options = { filters = 6 }
forms = ["float32", "w8a8"]
method = { name = "kl" }

"""


@pytest.mark.slow
def test_each_runs_from_recordings_to_tables(tmp_path: Path) -> None:
    file, run = tmp_path / "study.toml", tmp_path / "run"
    text = TINY[: TINY.index("[teacher]")] + SYSTEMS + TINY[TINY.index("[training]") :]
    file.write_text(text.replace("seeds = [0, 1]", "seeds = [0]"))
    code, _, err = cosim("run", str(file), "--out", str(run))
    assert code == 0, err
    table = scores(run)
    students = table[table["role"] == "student"]
    assert set(students["student"]) == {"DistilCLIP", "DLink", "BrainDistill", "SSVEP DNN"}
    assert students["complete"].all()
    taught = students[(students["method"] != "") & (students["form"] == "float32")]
    assert set(taught["distilled_from"]) == {"teacher"}
    kept = {}
    for path in run.glob("stages/distilled/*/spec.json"):
        _, spec = load_student(path.parent)
        assert spec.method is not None
        kept.setdefault(spec.method.name, load_extra(path.parent))
    assert set(kept) == {"kl", "dlink", "tskd"}
    assert 0.9 < float(kept["tskd"]["method_tsr"]) <= 1.0 + 1e-6


def test_a_table_of_classes_is_part_of_what_a_stage_is_named_by(tmp_path: Path) -> None:
    """Another content of the same file makes another student; the same content the same."""
    table = tmp_path / "classes.txt"
    student = {"label": "CLIP", "family": "clip_conformer", "options": {"blocks": 1, "vectors": str(table)}}
    document = tomllib.loads(TINY) | {"students": [student]}
    study = check_study({name: value for name, value in document.items() if name != "teacher"}, where="test")
    fold = FoldStage("f", make_stage(FOLD, {}))
    shape = Shape(task="classification", channels=4, steps=64, outputs=2, step_rate_hz=64)
    keys: list[str] = []
    for lines in ("1 0\n0 1\n", "1 0\n0 1\n", "1 1\n0 1\n"):
        table.write_text(lines)
        keys.append(student_points(study, configurations(study)[0], [fold], shape)[0].result.key)
    assert keys[0] == keys[1] != keys[2]
