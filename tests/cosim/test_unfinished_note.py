"""What is said of a run of which points failed."""

from __future__ import annotations

import json
from pathlib import Path

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
