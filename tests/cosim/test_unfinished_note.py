"""What is said of a run of which points failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_study import cosim

from cosim.api.finished_run import load_run
from cosim.engine.sweep import Sweep
from cosim.tables.scores import unfinished_note


def test_a_run_of_which_points_failed_says_how_many_and_how_to_go_on(tmp_path: Path) -> None:
    assert unfinished_note(tmp_path) == ""  # an archived run keeps no points
    (tmp_path / "points.json").write_text(json.dumps({"points": [{}] * 18}))
    (tmp_path / "failures.json").write_text(json.dumps({"failures": []}))
    assert unfinished_note(tmp_path) == ""
    (tmp_path / "failures.json").write_text(json.dumps({"failures": [{}] * 3}))
    said = unfinished_note(tmp_path)
    assert said.startswith("18 of 21 points (3 failed: failures.json); go on with: cosim resume ")
    assert str(tmp_path) in said


def test_tables_older_than_the_stages_of_a_run_that_was_stopped_say_so(
    own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unfinished_note(own_run) == ""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Sweep, "run", stopped)
        code, _, err = cosim("resume", str(own_run))
    assert code != 0
    assert "What was finished is kept" in err
    begun = "its tables are of 20 points of before: the run was begun again and has not written them since"
    for arguments in (("pareto", str(own_run)), ("feasibility", str(own_run))):
        code, _, err = cosim(*arguments)
        assert (code, begun in err) == (0, True)
    page = load_run(own_run).page().read_text("utf-8")
    assert f"Unfinished: {begun}" in page
    assert load_run(own_run).summary().startswith(begun)

    code, _, err = cosim("resume", str(own_run))
    assert (code, unfinished_note(own_run)) == (0, ""), err
    assert begun not in load_run(own_run).page().read_text("utf-8")
