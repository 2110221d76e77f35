"""The front door prices converted students, breaks even where the analysis does, and lists every published figure."""

from __future__ import annotations

import pytest

import cosim
from energy_models.analysis import Design, break_even
from energy_models.hardware import load_profile, load_site
from energy_models.validation import all_rows

CORE, SITE = "event_core_28nm", "implant_utah96"


@pytest.fixture(scope="module")
def pair() -> tuple[cosim.Student, object]:
    """Return a quantised perceptron and the same as spikes."""
    data = cosim.load_dataset("synthetic_spikes", units=6, steps=1000)
    quick = {"epochs": 2, "batch_size": 8}
    student = cosim.quantize(cosim.train("mlp", data, training=quick), "w4a2", training=quick)
    return student, cosim.convert(student, examples=2)


def test_a_converted_student_is_priced_as_its_workload(pair: tuple[cosim.Student, object]) -> None:
    _, converted = pair
    priced = cosim.estimate(converted, CORE, SITE, decode_rate_hz=20)
    assert priced.workload == converted.workload == cosim.count(converted)
    (row,) = cosim.sweep([converted], machines=CORE, sites=SITE, decode_rate_hz=20).to_frame().to_dict("records")
    assert row["power_w"] == priced.report.total_power_w.nominal


def test_it_breaks_even_where_the_analysis_does(pair: tuple[cosim.Student, object]) -> None:
    student, converted = pair
    site, array = load_site(SITE), load_profile("asic65_near_memory")
    spiking = Design(converted.workload, load_profile(CORE), site, 20.0)
    plain = student.workload()
    for against, machine in ((CORE, load_profile(CORE)), ("asic65_near_memory", array)):
        expected = break_even(spiking, Design(plain, machine, site, 20.0), basis="decoder power", draws=64)
        fires = cosim.estimate(converted, CORE, SITE, decode_rate_hz=20)
        other = cosim.estimate(student, against, SITE, decode_rate_hz=20)
        assert fires.break_even(other, draws=64) == expected
    with pytest.raises(cosim.CosimError, match="no spike was counted"):
        other.break_even(fires)


def test_every_published_figure_is_listed_once_with_what_is_predicted() -> None:
    table, rows = cosim.machines("measured"), [row for found in all_rows().values() for row in found]
    assert table.index.is_unique
    assert table.index.tolist() == [row.id for row in rows]
    assert table["ratio"].tolist() == [row.ratio for row in rows]
    assert set(table["role"]) == {"held out", "fitted"}
    inside = (table["low"] <= table["measured"]) & (table["measured"] <= table["high"])
    assert table["in_band"].tolist() == inside.tolist()
    with pytest.raises(cosim.CosimError, match="'machines' or 'measured'"):
        cosim.machines("all")  # type: ignore[arg-type]
