"""The picture of the front page shows what the study's page says."""

from __future__ import annotations

from html import unescape

import pytest
from front_picture import DECODERS, MACHINES, PAGE, PICTURE, description, prices, shown


def test_the_picture_is_that_of_the_page() -> None:
    said = description(shown(PAGE.read_text(encoding="utf-8")))
    assert said in unescape(PICTURE.read_text(encoding="utf-8")), "run: python docs/make/front_picture.py"


def test_rows_without_a_price_are_left_out_and_a_missing_one_is_named() -> None:
    page = "| gap9 | **MLP w8a8** | 0.748 | 1,115 [21, 4,408] | 478 µW |\n| gap9 | MLP float32 | 0.743 | – | – |\n"
    (row,) = prices(page)
    assert (row.decoder, row.power_uw, row.high_uw) == ("MLP w8a8", 1115.0, 4408.0)
    with pytest.raises(SystemExit, match="ridge"):
        shown(page)
    assert len(shown(PAGE.read_text(encoding="utf-8"))) == len(DECODERS) * len(MACHINES)
