"""``docs/spiking.md`` is what its archived runs give at today's prices, and its command's studies are studies."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from spiking_page import DOCS, TITLES, write_page

from cosim.study.check import check_study

COMMAND = Path(__file__).parents[2] / "benchmarks" / "spiking.py"
STALE = "spiking.md is not what its archived runs give today: python benchmarks/spiking.py --reprice writes it again"


def test_the_page_is_what_repricing_gives(tmp_path: Path) -> None:
    write_page(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["spiking.md"]
    assert (tmp_path / "spiking.md").read_bytes() == (DOCS / "spiking.md").read_bytes(), STALE


def test_every_part_is_a_study_whose_first_network_has_no_spikes_and_a_form_of_4_bits() -> None:
    found = spec_from_file_location("spiking", COMMAND)
    assert found is not None
    assert found.loader is not None
    sys.modules[found.name] = spiking = module_from_spec(found)
    found.loader.exec_module(spiking)
    assert set(spiking.PARTS) == set(TITLES)
    for name, part in spiking.PARTS.items():
        study = check_study(spiking.study_of(name, [0, 1]), where=name)
        assert study.study.seeds == (0, 1)
        assert [str(form) for form in study.students[0].forms][:2] == ["float32", "w4a4"]
        forms = {f"{one.label} {form}" for one in study.students for form in one.forms}
        assert set(part.converted) <= forms
        fewer = check_study(spiking.study_of(name, [0], [study.students[0].label]), where=name)
        assert len(fewer.students) == 1
    del sys.modules[found.name]
