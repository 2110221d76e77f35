"""Whole devices: sums of parts, worked again by hand, and that nothing in them came from the total."""

from __future__ import annotations

import math

import pytest

from energy_models.validation.systems import kind_of_system, load_systems, predicted_w, system_rows

ROWS = {row.id: row for row in system_rows()}


def test_the_sum_of_biowolf_by_hand() -> None:
    # eight channels of 0.55 mW, 50 uW of Mr. Wolf, a connection of 170 uW, one decision a second of 2 uJ and
    # 64 bit x 31.6 nJ = 2.02 uJ; the regulator's efficiency between 0.88 at 0.33 mW and 0.93 at 33 mW
    load = 8 * 0.55 + 0.05 + 0.170 + 0.002 + 64 * 31.6e-6
    efficiency = 0.88 + 0.05 * math.log10(load / 0.33) / 2
    assert ROWS["system/biowolf/ssvep"].predicted.nominal == pytest.approx(load / efficiency)


def test_the_sum_of_a_chip_is_its_front_end() -> None:
    assert ROWS["system/mibmi/characters"].predicted.nominal == pytest.approx(192 * 5.44)
    assert ROWS["system/neurad/fingers_2d"].predicted.nominal == pytest.approx(93 * 5.44)


def test_where_the_parts_are_known_the_total_is_met_and_where_not_the_sum_is_too_small() -> None:
    known = ("system/biowolf/ssvep", "system/neurad/fingers_2d", "system/mibmi/characters")
    assert all(abs(ROWS[name].error) < 0.25 for name in known)
    assert all(row.error < -0.5 for name, row in ROWS.items() if name not in known)


def test_what_one_headset_leaves_open_another_does_not_close() -> None:
    # BioGAP: the same front end and connection as BioWolf and 1.1 mW of decoder, against 18.2 mW
    load = 8 * 0.55 + 1.1 + 0.170 + 0.002 + 64 * 31.6e-6
    efficiency = 0.88 + 0.05 * math.log10(load / 0.33) / 2
    assert ROWS["system/biogap/eeg"].predicted.nominal == pytest.approx(load / efficiency)
    assert ROWS["system/biogap/eeg"].ratio < 0.5


def test_every_row_says_what_it_leaves_out_and_is_of_one_kind() -> None:
    for system in load_systems():
        row = ROWS[system.id]
        assert system.unknown in row.note
        assert kind_of_system(row) == "system"
        assert row.predicted.low < row.predicted.nominal < row.predicted.high


def test_the_same_bands_every_time() -> None:
    first = load_systems()[0]
    assert predicted_w(first) == predicted_w(first)
