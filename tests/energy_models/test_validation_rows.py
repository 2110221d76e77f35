"""What a row and a set of rows say."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from energy_models.quantities import Band
from energy_models.validation import ValidationRow, summarise


def row(nominal: float, measured: float, spread: float = 1.2) -> ValidationRow:
    band = Band(nominal / spread, nominal, nominal * spread)
    return ValidationRow("x", "net", "toy", "energy", "uJ", band, measured, "held out", "mlperf_tiny")


def test_ratio_error_and_bounds_of_one_row() -> None:
    over = row(3.0, 2.0)
    assert (over.ratio, over.error, over.inside) == (1.5, 0.5, False)
    assert row(3.0, 2.5).inside  # the low is 3 / 1.2 = 2.5, itself inside
    assert not row(3.0, 3.7).inside


def test_summary_is_numpys() -> None:
    rows = [row(nominal, 2.0) for nominal in (1.0, 1.9, 2.1, 2.5, 3.0, 6.0)]
    found = summarise(rows)
    errors = [abs(r.ratio - 1) for r in rows]
    assert found.median == pytest.approx(np.quantile(errors, 0.5))
    assert found.percentile_90 == pytest.approx(np.quantile(errors, 0.9))
    assert found.inside == 2 / 6  # 1.9 and 2.1; 2.5 / 1.2 = 2.083 is above 2
    assert (found.rows, math.isnan(summarise([]).median)) == (6, True)


def test_one_network_counts_once_however_many_rows_it_has() -> None:
    # net is 10, 20 and 90 % off in three rows: 20 %; the other network 40 %; net on another machine 0 %
    same = [row(1.1, 1.0), dataclasses.replace(row(1.2, 1.0), what="net (2 classes)"), row(1.9, 1.0)]
    other = dataclasses.replace(row(1.4, 1.0), what="other")
    third = dataclasses.replace(row(1.0, 1.0), machine="another toy")
    found = summarise([*same, other, third])
    assert (found.rows, found.networks) == (5, 3)
    assert (found.median, found.median_each) == pytest.approx((0.2, 0.2))
    assert summarise([*same, other]).median_each == pytest.approx(0.3)
    assert summarise([*same[2:], other, third]).median_each == pytest.approx(0.4)
