"""Published figures stay what they were: the demo's scores and prices, prices of shipped workloads, generated pages."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
TOLERANCE = 1e-12


def _figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_figures", HERE / "figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


figures = _figures()


def differences(found: Sequence[dict[str, str]], golden: Sequence[dict[str, str]], names: int) -> list[str]:
    """Return one line for every row or number that differs by more than the tolerance, relative."""
    keyed = [{tuple(row.values())[:names]: row for row in rows} for rows in (found, golden)]
    lines = [f"{key}: only one side has it" for key in keyed[0].keys() ^ keyed[1].keys()]
    for key in keyed[0].keys() & keyed[1].keys():
        for column, text in list(keyed[1][key].items())[names:]:
            now, then = float(keyed[0][key][column]), float(text)
            if not (math.isclose(now, then, rel_tol=TOLERANCE) or (math.isnan(now) and math.isnan(then))):
                lines.append(f"{key} {column}: {then} became {now}")
    return sorted(lines)


def test_a_difference_is_found() -> None:
    row = {"decoder": "a", "score": "0.5"}
    assert differences([row], [row], 1) == []
    assert differences([{**row, "score": "0.500000001"}], [row], 1) == ["('a',) score: 0.5 became 0.500000001"]
    assert differences([], [row], 1) == ["('a',): only one side has it"]
    assert len(differences([{**row, "score": "nan"}], [row], 1)) == 1


def test_prices_of_shipped_workloads() -> None:
    assert differences(figures.price_rows(), figures.read_rows(figures.PRICES), 3) == []


def test_numbers_on_generated_pages() -> None:
    golden = json.loads((HERE / figures.PAGES).read_text(encoding="utf-8"))
    assert figures.page_numbers() == golden


def test_scores_and_prices_of_the_demo(tmp_path: Path) -> None:
    golden = json.loads((HERE / figures.MACHINE).read_text(encoding="utf-8"))
    if figures.machine() != golden:
        pytest.skip(f"trained on {golden}; the last digits of a training differ on {figures.machine()}")
    rows = figures.demo_rows(figures.run_demo(tmp_path / "demo"))
    assert differences(rows, figures.read_rows(figures.DEMO), 5) == []
