"""The page of predicted against measured: groups, bars, disagreements, and that the page in docs is current."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from markdown_tables import number
from validation_page import validation_page

from energy_models.quantities import Band, find_unit, load_sources
from energy_models.validation import Group, RowKind, ValidationRow, all_rows, disagreements, groups_of
from energy_models.validation.groups import coverage_bounds
from energy_models.validation.rows import Role

PAGE = Path(__file__).parents[2] / "docs" / "validation.md"


def row(
    identity: str, nominal: float, measured: float, *, role: Role = "held out", spread: float = 1.2, what: str = "ic",
) -> ValidationRow:
    band = Band(nominal / spread, nominal, nominal * spread)
    return ValidationRow(identity, what, "toy", "energy", "uJ", band, measured, role, "mlperf_tiny")


def test_the_page_in_docs_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == validation_page(all_rows()), "run docs/make/validation_page.py"


def test_every_row_has_an_own_id_a_known_unit_and_source() -> None:
    rows = [row for rows in all_rows().values() for row in rows]
    assert len({row.id for row in rows}) == len(rows)
    for one in rows:
        assert one.measured > 0
        assert 0 <= one.predicted.low <= one.predicted.nominal <= one.predicted.high
        assert one.source in load_sources()
        find_unit(one.unit)


def test_a_reason_stands_beside_every_missed_bar() -> None:
    for group in groups_of(all_rows()):
        assert not group.failed or len(group.missed) > 80, f"{group.kind}: reasons.py must say why"


def test_fitted_and_held_out_rows_never_share_a_group() -> None:
    mixed = {"microcontroller": [row("a/b/1", 1, 1), row("a/b/2", 9, 1, role="fitted"), row("a/b/3", 1, 1)]}
    held, fitted = groups_of(mixed)  # type: ignore[arg-type]
    assert ([r.id for r in held.rows], held.role) == (["a/b/1", "a/b/3"], "held out")
    assert ([r.id for r in fitted.rows], fitted.checks) == (["a/b/2"], ())
    assert held.failed == ()  # the 800 % of the fitted row is no part of it


@pytest.mark.parametrize(
    ("kind", "ratios", "failed"),
    [
        ("microcontroller", [1.07] * 3, ()),
        ("microcontroller", [1.09] * 3, ("median",)),
        ("microcontroller", [1.0] * 9 + [1.1, 1.36], ()),  # the 90th percentile of eleven is the tenth: 10 %
        ("microcontroller", [1.0] * 9 + [1.36, 1.36], ("90th percentile",)),  # 9 of 11 in band: not rejected
        ("microcontroller", [1.0] * 11 + [1.36] * 5, ("90th percentile", "coverage")),  # 11 of 16: rejected
        ("other_microcontroller", [1.10] * 3, ()),
        ("cluster", [1.0, 1.19, 0.69], ()),  # median 19 %; 2 of 3 in band: not rejected
        ("cluster", [1.31, 1.19, 0.6], ("median", "coverage")),  # 1 of 3
        ("system", [1.0, 1.26], ("worst",)),
        ("event", [1.0] * 40, ("most coverage",)),  # bands of 90 % hold 40 of 40
        ("event", [1.1, 0.9], ()),
    ],
)
def test_bars_by_hand(kind: RowKind, ratios: list[float], failed: tuple[str, ...]) -> None:
    rows = tuple(row(f"a/b/{i}", 100 * r, 100, what=f"net {i}") for i, r in enumerate(ratios))
    group = Group(kind, "held out", rows)
    assert tuple(check.name for check in group.failed) == failed


def test_disagreements_are_of_the_same_network_on_the_same_board() -> None:
    rows = [
        row("v1/st/board/ic", 1, 10.0), row("v2/st/board/ic", 1, 25.0), row("v3/st/board/ic", 1, 20.0),
        row("v1/st/board/kws", 1, 99.0, what="kws"), row("v1/st/other/ic", 1, 500.0),
    ]
    (found,) = disagreements(rows)
    assert (found.what, found.rows) == ("ic on board", 3)
    assert (found.low.id, found.high.id) == ("v1/st/board/ic", "v2/st/board/ic")
    assert found.ratio == 2.5
    assert disagreements([row("v1/st/board/ic", 1, 100), row("v2/st/board/ic", 1, 104)]) == ()


def test_the_page_says_how_far_a_bar_is_missed_and_why() -> None:
    page = validation_page({"system": [row("s/1", 130, 100)]})
    assert "worst 30 %, the bar is 25 % (5.0 points over)" in page
    assert "(#whole-systems-held-out) | held out | energy | 1 | 1 | 30 % | 30 % | 30 % | 30 % |" in page
    assert "## Whole systems, held out" in page


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.01234, "0.0123"), (1.0, "1"), (99.96, "100"), (1234.5, "1,230"), (12.34, "12.3")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_coverage_bounds_by_hand() -> None:
    # two-sided binomial test at 5 %, p = 0.9: of 10, seven have P(X <= 7) = 0.070, six 0.013; of two, one 0.19
    assert coverage_bounds(10) == (0.7, 1.0)
    assert coverage_bounds(2) == (0.5, 1.0)
    assert coverage_bounds(40) == (0.85, 0.96)


def latency(identity: str, nominal: float, measured: float) -> ValidationRow:
    return replace(row(identity, nominal, measured, what=identity), quantity="latency", unit="ms")


def test_bars_of_errors_are_on_energies_and_latencies_neither_help_nor_hurt() -> None:
    energies = tuple(row(f"e/{i}", 109, 100, what=f"net {i}") for i in range(3))
    exact = tuple(latency(f"l/{i}", 100, 100) for i in range(9))
    assert [check.name for check in Group("microcontroller", "held out", energies + exact).failed] == ["median"]
    off = tuple(latency(f"l/{i}", 119, 100) for i in range(9))
    met = tuple(row(f"e/{i}", 104, 100, what=f"net {i}") for i in range(3))
    assert Group("microcontroller", "held out", met + off).failed == ()


def test_a_group_without_an_energy_is_not_tested_on_energy() -> None:
    rows = [latency(f"l/{i}", 105, 100) for i in range(3)]
    (group,) = groups_of({"other_microcontroller": rows})
    assert group.untested
    assert {check.name for check in group.checks} == {"log width", "coverage", "most coverage"}
    page = validation_page({"other_microcontroller": rows})
    assert "| held out | time | 3 | 3 |" in page
    assert "of energy, not tested: median 11 %, 90th percentile 30 % | yes; **not tested on energy** |" in page
    both = validation_page({"other_microcontroller": [*rows, row("e/1", 105, 100)]})
    assert "not tested" not in both
    assert all(f"| held out | {of} | {n} |" in both for of, n in (("all", 4), ("energy", 1), ("time", 3)))


def test_a_band_wider_than_asked_misses_its_bar() -> None:
    # 1.36 either way is ln 1.85 = 0.615 wide
    (check,) = Group("microcontroller", "held out", (row("a/b/1", 100, 100, spread=1.36),)).failed
    assert (check.name, round(check.value, 3), check.bar) == ("log width", 0.615, 0.6)
