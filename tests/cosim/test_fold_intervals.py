"""Student's t over folds or seeds."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.evaluation.fold_intervals import interval
from energy_models.errors import DataError


def test_interval_over_folds_by_hand() -> None:
    # Seeds averaged in each fold: .5, .6, .7. Mean .6, s .1; t(2, .975) = 4.3027; half 4.3027 * .1 / sqrt 3 = .24842.
    table = {"fold": list("aabbcc"), "seed": [0, 1] * 3, "score": [0.4, 0.6, 0.55, 0.65, 0.7, 0.7]}
    found = interval(table)
    assert (found.over, found.count, found.folds, found.seeds) == ("folds", 3, 3, 2)
    assert found.mean == pytest.approx(0.6)
    assert found.high - found.mean == pytest.approx(0.24842, abs=1e-4)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_interval_over_seeds_where_folds_are_few() -> None:
    # One fold, scores .7 and .8: s .0707; t(1, .975) = 12.706; half 12.706 * .0707 / sqrt 2 = .6353. Not clipped at 1.
    found = interval(pd.DataFrame({"fold": ["a", "a"], "seed": [0, 1], "score": [0.7, 0.8]}))
    assert (found.over, found.count) == ("seeds", 2)
    assert found.high == pytest.approx(0.75 + 0.6353, abs=1e-3)


def test_one_value_has_no_interval() -> None:
    found = interval({"fold": ["a"], "seed": [0], "score": [0.9]})
    assert found.over == "none"
    assert found.mean == 0.9
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("scores", [[], [math.nan]])
def test_interval_refuses_what_is_no_score(scores: list[float]) -> None:
    with pytest.raises(DataError):
        interval({"fold": ["a"] * len(scores), "seed": [0] * len(scores), "score": scores})


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=8), st.floats(-5, 5))
def test_interval_moves_with_its_scores(scores: list[float], shift: float) -> None:
    folds, seeds = [str(n) for n in range(len(scores))], [0] * len(scores)
    here = interval({"fold": folds, "seed": seeds, "score": scores})
    there = interval({"fold": folds, "seed": seeds, "score": [value + shift for value in scores]})
    assert here.low <= here.mean <= here.high
    assert there.mean == pytest.approx(here.mean + shift, abs=1e-9)
    assert there.high - there.low == pytest.approx(here.high - here.low, abs=1e-9)
