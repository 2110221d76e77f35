"""The page of predicted against measured: groups, bars, disagreements, and that the page in docs is current."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_tables import number
from validation_page import validation_page

from energy_models.quantities import Band, find_unit, load_sources
from energy_models.validation import Group, RowKind, ValidationRow, all_rows, disagreements, groups_of
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
        ("microcontroller", [1.15] * 3, ()),  # 15 % is met, and 1.15 / 1.2 < 1
        ("microcontroller", [1.16] * 3, ("median",)),
        ("microcontroller", [1.0] * 9 + [1.1, 1.36], ()),  # the 90th percentile of eleven is the tenth: 10 %
        ("microcontroller", [1.0] * 9 + [1.36, 1.36], ("90th percentile", "coverage")),  # 9 of 11 in band: 82 %
        ("cluster", [1.0, 1.19, 0.69], ("coverage",)),  # median 19 %; 0.69 x 1.2 = 0.83 is below 1
        ("cluster", [1.31, 1.19, 0.6], ("median", "coverage")),
        ("system", [1.0, 1.26], ("worst", "coverage")),
        ("event", [1.1, 0.9], ()),
    ],
)
def test_bars_by_hand(kind: RowKind, ratios: list[float], failed: tuple[str, ...]) -> None:
    group = Group(kind, "held out", tuple(row(f"a/b/{i}", 100 * r, 100) for i, r in enumerate(ratios)))
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
    assert "| [Whole systems](#whole-systems-held-out) | held out | 1 | 1 | 30 % | 30 % |" in page
    assert "## Whole systems, held out" in page


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.01234, "0.0123"), (1.0, "1"), (99.96, "100"), (1234.5, "1,230"), (12.34, "12.3")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text
