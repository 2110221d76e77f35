"""``docs/leaderboard.md`` is its CSV in words, and the CSV is what the code gives today."""

from __future__ import annotations

import dataclasses
from dataclasses import astuple
from pathlib import Path

import pytest
from leaderboard_page import CSV, DOCS, PAGE, PICTURE, write_page
from leaderboard_parts.entries import FILE, Decoder, leaderboard
from leaderboard_parts.figure import apart
from leaderboard_parts.networks import workload_of
from leaderboard_parts.page import COMPARED, by_score, power_text
from leaderboard_parts.rows import (
    DESIGNED,
    NO_MACHINE,
    Row,
    decoder_rows,
    of_decoder,
    read_rows,
    reason_of,
    write_rows,
)

from energy_models.errors import ProfileError
from energy_models.hardware import load_profile
from energy_models.pricing import estimate

STALE = "{} is not what the code gives today: python docs/make/leaderboard_page.py writes it again"
BOARD, ROWS = leaderboard(), read_rows(DOCS / CSV)
QUICK = ("SNN2, indy", "HiSTN")
COUNTED = [decoder for decoder in BOARD.decoders if not decoder.not_counted]


def named(name: str) -> Decoder:
    return next(decoder for decoder in BOARD.decoders if decoder.name == name)


def test_the_page_and_its_picture_are_those_of_the_rows(tmp_path: Path) -> None:
    write_page(tmp_path)
    for name in (PAGE, PICTURE):
        assert (tmp_path / name).read_bytes() == (DOCS / name).read_bytes(), STALE.format(name)


def test_every_decoder_that_is_counted_has_a_row_a_machine() -> None:
    wanted = {(one.task, one.name, machine) for one in COUNTED for machine in (*BOARD.machines, DESIGNED)}
    assert {(row.task, row.decoder, row.machine) for row in ROWS} == wanted
    assert len(ROWS) == len(wanted)


def held(decoder: Decoder) -> None:
    stored = of_decoder(ROWS, decoder)
    for row in decoder_rows(BOARD, decoder):
        for now, then in zip(astuple(row), astuple(stored[row.machine]), strict=True):
            same = now == pytest.approx(then, rel=2e-3) if isinstance(now, float) else now == then
            assert same, f"{row.decoder} on {row.machine}: {then} is {now} now; {STALE.format(CSV)}"


@pytest.mark.parametrize("name", QUICK)
def test_rows_are_what_counting_and_pricing_give(name: str) -> None:
    held(named(name))


@pytest.mark.slow
@pytest.mark.parametrize("decoder", [one for one in COUNTED if one.name not in QUICK], ids=lambda one: one.name)
def test_all_rows_are_what_counting_and_pricing_give(decoder: Decoder) -> None:
    held(decoder)


def test_accumulates_of_a_spiking_decoder_by_hand() -> None:
    """SNN2: 5.514 spikes of 50 synapses and 0.15 of 2 are 276 a step, as published, of 4,900 synapses."""
    workload = workload_of(named("SNN2, indy"))
    assert workload is not None
    products = [layer.products for layer in workload.layers if layer.products is not None]
    assert sum(one.effective.accumulate.mean for one in products) == pytest.approx(5.514 * 50 + 0.15 * 2)
    assert sum(one.dense_full.mean for one in products) == 4900


def test_pruned_synapses_take_no_accumulates() -> None:
    """tinyRSNN: (5.52 + 1.02) spikes of 64 synapses and 1.02 of 2, 54.5 % of which are left."""
    decoder = named("tinyRSNN")
    workload = workload_of(decoder)
    assert workload is not None
    live = [layer.products.effective for layer in workload.layers if layer.products is not None]
    wanted = 0.545 * ((5.52 + 1.02) * 64 + 1.02 * 2)
    assert sum(one.accumulate.mean for one in live) == pytest.approx(wanted, rel=2e-3)
    assert sum(one.multiply_accumulate.mean for one in live) == 0


def test_dense_work_of_the_leaderboards_perceptron_is_the_published_one() -> None:
    row = of_decoder(ROWS, named("ANN2D, indy"))[DESIGNED]
    assert (row.macs, row.acs) == (4704, 0)


def test_what_is_unknown_is_empty_and_every_objection_has_its_short_form() -> None:
    """Zeros of a physical quantity are none: they would be read as free."""
    sizes = ("energy_j", "energy_low_j", "energy_high_j", "power_w", "power_low_w", "power_high_w", "latency_s")
    for row in ROWS:
        assert bool(row.reason) == bool(row.said)
        assert row.reason in {"", "does not fit", "not priced", "too slow", "cannot run", "incomplete", NO_MACHINE}
        values = [getattr(row, name) for name in (*sizes, "area_m2")]
        assert not any(value is not None and value <= 0 for value in values)
        assert (row.area_m2 is None) == (row.machine != DESIGNED or row.reason == NO_MACHINE)
        runs = row.reason in {"", "incomplete"}  # of what cannot run the priced part would mislead
        assert all((getattr(row, name) is not None) == runs for name in sizes)


def test_a_row_without_figures_is_written_and_read_as_one(tmp_path: Path) -> None:
    bare = Row("task", "a", "n", 1, 1, 0, 0.0, 2.0, 3.0, 250.0, DESIGNED, reason=NO_MACHINE, said="none holds it")
    write_rows([bare], tmp_path / "rows.csv")
    assert read_rows(tmp_path / "rows.csv") == [bare]
    assert power_text(bare) == "no machine found"


def test_reasons_are_told_from_figures_and_not_from_words() -> None:
    """Of a network that is too large, too slow, and neither; what it waits for by itself is no work."""
    small = estimate(workload_of(named("SNN2, indy")), load_profile("cortex_m4f"), None, decode_rate_hz=250.0)
    assert reason_of(small, 0.0) == ""
    slow = dataclasses.replace(small, decode_rate_hz=1.5 / small.latency_s.nominal, infeasibilities=("x",))
    assert reason_of(slow, 0.0) == "too slow"
    assert reason_of(slow, small.latency_s.nominal / 2) == "cannot run"
    (use, *rest) = small.memories
    full = dataclasses.replace(use, used_bits=2 * use.capacity_bits)
    assert reason_of(dataclasses.replace(slow, memories=(full, *rest)), 0.0) == "does not fit"


def test_the_findings_compare_no_dense_network_with_a_spiking_one() -> None:
    assert len(COMPARED) % 2 == 0
    for first, second in zip(COMPARED[::2], COMPARED[1::2], strict=True):
        assert bool(named(first).spikes) == bool(named(second).spikes)


def test_decoders_stand_by_their_first_score() -> None:
    for task in BOARD.tasks:
        scores = [one.scores[0].value if one.scores else 0.0 for one in by_score(BOARD, task)]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(("old", "new", "said"), [
    ('protocol = "tuab"', 'protocol = "tuob"', "no protocol 'tuob'"),
    ('task = "speech"', 'task = "speach"', "no task 'speach'"),
    ('source = "zhou2023"', 'source = "zhou2032"', "unknown source 'zhou2032'"),
    ('value = 0.71, protocol', 'value = 0.71, basis = "guessed", protocol', "basis"),
    ('architecture = "lenet"', 'architecture = "lenet"\nnot_counted = "both"', "give an architecture, a student"),
    ('shown = ["cortex_m4f"', 'shown = ["cortex_m9"', "shown, but not priced: cortex_m9"),
])  # fmt: skip
def test_a_file_with_a_mistake_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "entries.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ProfileError, match=said):
        leaderboard(path)


def test_a_score_of_a_source_that_was_not_read_is_assumed(tmp_path: Path) -> None:
    path = tmp_path / "entries.toml"
    text = FILE.read_text(encoding="utf-8")
    marker = "[sources.zhou2023]"
    head, tail = text.split(marker)
    path.write_text(head + marker + tail.replace('read = "transcription"', 'read = "none"', 1), encoding="utf-8")
    with pytest.raises(ProfileError, match="zhou2023 was not read: its figures are assumed"):
        leaderboard(path)


def test_names_in_the_picture_stand_apart() -> None:
    assert apart([0.1, 0.12, 0.9, 0.99, 1.0], 0.1) == pytest.approx([0.1, 0.2, 0.8, 0.9, 1.0])
