"""Published chips against the laws of designed machines: the page, what lands, and that no row sets its own law."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from designed_chips_page import chip_name, landing_chips, page, table
from pydantic import ValidationError

from energy_models.design import KIB, Choices, Machine
from energy_models.design.memories import NODES_NM, built, swept_at
from energy_models.errors import PriceError
from energy_models.quantities import load_sources
from energy_models.validation.areas import area_rows
from energy_models.validation.designed_chips import Chip, chip_row, chip_rows, load_chips

DOCS = Path(__file__).parents[2] / "docs"
ROWS = {row.chip.id: row for row in chip_rows()}
FRENKEL = ("ODIN", "ReckOn", "MorphIC")
FITTED_AREAS = {row.id for row in area_rows() if row.scope == "core" and row.role == "fitted"}


def test_page_and_table_are_what_the_laws_give_today() -> None:
    rows = chip_rows()
    assert (DOCS / "designed_chips.md").read_text("utf-8") == page(rows), "run docs/make/designed_chips_page.py"
    assert (DOCS / "results" / "designed_chips.csv").read_text("utf-8") == table(rows)


def test_a_chip_lands_where_all_its_rows_do_and_nothing_of_it_is_recalled() -> None:
    assert landing_chips(ROWS.values()) == {"ODIN", "ReckOn"}
    missed = {row.chip.id for row in ROWS.values() if not row.lands}
    assert missed == {"TrueNorth, 95.93 Hz", "spiking keyword spotter", "SENECA, one core", "EEGNet accelerator"}
    assert {chip_name(row) for row in ROWS.values() if row.chip.evidence == "recalled"} == {"MorphIC", "DeltaKWS"}


@pytest.mark.parametrize("chip", load_chips(), ids=lambda chip: chip.id)
def test_no_row_is_predicted_by_what_was_set_after_it(chip: Chip) -> None:
    # the control of events was set by ODIN and ReckOn; MorphIC is of their author
    assert bool(chip.power_set_by) == (chip_name(ROWS[chip.id]) in FRENKEL)
    name = chip_name(ROWS[chip.id])
    if name in FITTED_AREAS or name in FRENKEL:
        by_author = set(FRENKEL) if name in FRENKEL else {name}
        assert set(chip.area_from) == FITTED_AREAS - by_author
    else:
        assert chip.area_from == ()
    assert {chip.power.source, chip.area.source} <= load_sources().keys()


def test_a_held_out_control_follows_from_the_memories_alone() -> None:
    # with the law of datapaths an event's control is once [0.3, 3 times] what it takes in memories
    odin = next(chip for chip in load_chips() if chip.id == "ODIN, as fast as it goes")
    fitted = odin.model_copy(update={"power_set_by": ""})
    without, with_it = chip_row(odin).power_w, chip_row(fitted).power_w
    assert without.nominal != pytest.approx(with_it.nominal, rel=0.02)
    assert without.low < without.nominal < without.high


def test_the_largest_network_of_the_memory_and_none_at_all_land_as_the_recalled_one_does() -> None:
    row = ROWS["DeltaKWS"]
    for outputs, events in ((192, 0), (332, 10)):
        network = row.chip.network.model_copy(update={"outputs": outputs, "events": events})
        assert chip_row(row.chip.model_copy(update={"network": network})).power_inside


def test_a_chip_held_out_says_from_what() -> None:
    odin = load_chips()[0].model_dump()
    with pytest.raises(ValidationError, match="say which areas set the core factor"):
        Chip.model_validate({**odin, "area_from": ()}, context={"sources": load_sources()})


def test_memories_between_swept_nodes_lie_on_a_line_of_logarithms() -> None:
    at_28 = float(swept_at(28.0, "read", 8192, 32))
    share = math.log(28 / 22) / math.log(32 / 22)
    ends = [math.log(float(swept_at(node, "read", 8192, 32))) for node in (22.0, 32.0)]
    assert math.log(at_28) == pytest.approx(ends[0] + share * (ends[1] - ends[0]), rel=1e-12)
    # the shipped event core of 28 nm has 2.4861 pJ, from runs of the sweep rather than laws through it
    assert at_28 == pytest.approx(2.4861, rel=0.12)
    for node in NODES_NM:
        nodes = [node + step for step in (-1e-9, 0.0, 1e-9) if 22 <= node + step <= 90]
        around = [float(swept_at(one, "read", 8192, 32)) for one in nodes]
        assert np.ptp(around) < 1e-6


def test_machines_are_designed_between_the_swept_nodes_and_not_beyond() -> None:
    assert Choices(nodes_nm=(28, 40)).nodes_nm == (28, 40)
    for node in (21.9, 91):
        with pytest.raises(PriceError, match="from 22 to 90 nm"):
            Choices(nodes_nm=(node,))
    machine = Machine("event_driven", 28, 0.6, 1.0, 1.0, "sram", "sram", KIB, KIB, 32.0, 32.0, False)
    first, _ = built(machine, (1.0, 1.0))
    assert 0 < float(first.access_j("read")) < 1e-11
