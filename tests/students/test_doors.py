"""Doors of the rooms: everything they export is there, and none of them loads Brevitas or snnTorch."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import students

ROOMS = sorted(f"students.{room.name}" for room in pkgutil.iter_modules(students.__path__) if room.ispkg)
WITH_DOORS = ("deploy", "families", "layers", "models", "neurons", "quantize", "spec", "training")


@pytest.mark.parametrize("room", WITH_DOORS)
def test_a_door_exports_what_it_says(room: str) -> None:
    door = importlib.import_module(f"students.{room}")
    assert door.__doc__
    assert len(set(door.__all__)) == len(door.__all__) > 0
    for name in door.__all__:
        assert getattr(door, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = door.nothing


def test_no_door_loads_a_slow_library() -> None:
    code = f"import sys\nfor room in {ROOMS!r}: __import__(room)\nprint({{'brevitas', 'snntorch'}} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "set()"
