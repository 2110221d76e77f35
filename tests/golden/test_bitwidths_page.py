"""``docs/bitwidths.md`` is what its archived runs give at today's prices, and its command's studies are studies."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from bitwidths_page import ARCHIVES, DOCS, TITLES, is_mixed, verdict_of, write_page
from bitwidths_rows import SETS, PartTable
from markdown_tables import Banded

from cosim.study.check import check_study
from cosim.study.schema import StudentPlan
from students.models.build import products_of
from students.quantize import layer_bits
from students.quantize.width_plan import check_names
from students.spec import Quantised, Shape, StudentSpec, parse_form

COMMAND = Path(__file__).parents[2] / "benchmarks" / "bitwidths.py"
STALE = "{} is not what its archived runs give today: python benchmarks/bitwidths.py --reprice writes it again"


def test_the_page_is_what_repricing_gives(tmp_path: Path) -> None:
    write_page(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"bitwidths.md", *(f"bitwidths_{path.name}.svg" for path in ARCHIVES.iterdir() if path.is_dir())}
    for name in names:
        assert (tmp_path / name).read_bytes() == (DOCS / name).read_bytes(), STALE.format(name)


PART = PartTable("p", "accuracy", "over 3 runs", {"uniform": 2}, "1 fold", "site", 1.0, ())


@pytest.mark.parametrize(("loss", "said"), [
    (Banded(0.0, 0.0, 0.0), "undecided: no spread over 3 runs"), (Banded(0.0, -0.001, 0.001), "met"),
    (Banded(0.1, 0.1, 0.1), "undecided: no spread over 3 runs"), (Banded(0.0, None, None), "undecided: no interval"),
    (Banded(0.03, 0.02, 0.04), "missed"), (Banded(0.0, -0.1, 0.1), "undecided"),
])  # fmt: skip
def test_a_bar_is_met_by_an_interval_that_has_a_width(loss: Banded, said: str) -> None:
    assert verdict_of(loss, 0.02, PART) == said


def test_a_mixed_form_has_weights_of_several_widths_of_2_to_4_bits() -> None:
    forms = ("w3a3", "ternary-a4", "w2a4 edge=8", "w2a4 edge=4", "w4a4 conv=w2a4", "float32")
    assert [form for form in forms if is_mixed(form)] == ["w2a4 edge=4", "w4a4 conv=w2a4"]


def test_every_part_is_a_study_of_every_form_with_a_float_twin() -> None:
    found = spec_from_file_location("bitwidths", COMMAND)
    assert found is not None
    assert found.loader is not None
    sys.modules[found.name] = bitwidths = module_from_spec(found)
    found.loader.exec_module(bitwidths)
    assert set(bitwidths.PARTS) == set(TITLES)
    assert bitwidths.SETS == SETS
    for name in bitwidths.PARTS:
        for forms in ("uniform", "mixed"):
            study = check_study(bitwidths.study_of(name, forms, [0, 1]), where=name)
            assert study.study.seeds == (0, 1)
            alone, taught = ([str(form) for form in student.forms] for student in study.students)
            assert alone[0] == taught[0] == "float32"
            assert set(taught) < set(alone)
            rounded = {form for form in alone if form.startswith("ptq")}
            wanted = {"uniform": bitwidths.UNIFORM, "mixed": bitwidths.PARTS[name].mixed}[forms]
            assert rounded == {f"ptq {form}" for form in wanted}
        study = check_study(bitwidths.study_of(name, "teacher", [0, 1]), where=name)
        assert study.teacher is not None
        forms = ["float32", *bitwidths.TAUGHT, *bitwidths.PARTS[name].mixed]
        assert [str(form) for form in study.students[0].forms] == forms
        _check_layers(study.students[0], forms)
    some = bitwidths.study_of("ssvep", "uniform", [0], ["w4a4", "ptq w2a4"])
    assert [entry["forms"] for entry in some["students"]] == [["float32", "w4a4", "ptq w2a4"], ["float32", "w4a4"]]
    assert len(bitwidths.study_of("ssvep", "uniform", [0], ["ptq w2a4"])["students"]) == 1
    del sys.modules[found.name]


def _check_layers(student: StudentPlan, forms: list[str]) -> None:
    """The decoder has the layers that its forms name, and mixed ones are of several widths there."""
    task = "regression" if student.family == "mlp" else "classification"
    shape = Shape(task=task, channels=8, steps=640, outputs=2, step_rate_hz=128.0)
    spec = StudentSpec(family=student.family, options=dict(student.options), shape=shape, seed=0)
    for form in map(parse_form, forms[1:]):
        assert isinstance(form, Quantised)
        products = products_of(spec.model_copy(update={"form": form}))
        check_names(form, {one.name: one.kind for one in products})
        widths = {layer_bits(form, one.name, one.kind, one.edge).weight for one in products}
        assert (len(widths) > 1) == (len(form.all_widths[0]) > 1), form
