"""A search that begins with what an earlier run found: its front first, as far as the study has it."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from test_results import SCORE
from tiny_study import TINY

from cosim.api.run import run_study
from cosim.engine.run_folder import save_plan
from cosim.engine.search import Search, search_size
from cosim.study.schema import Study
from cosim.tables.results import Score, write_parquet
from cosim.tables.scores import SCORES
from cosim.tables.warm_start import suggested
from cosim.tables.workloads import WORKLOADS, StoredWorkload
from energy_models.errors import CosimError, StudyError
from energy_models.workload import at_widths, read_workload, workload_digest, workload_text

RANGE = {"low": 1, "high": 8, "type": "int"}
FORMS = ["float32", "w8a8 conv={w4a4,w2a4} linear={w8a8,w3a3}", "w4a4"]


def study(objectives: tuple[str, ...] = ("score",), **search: Any) -> Study:
    students = [{"label": "E", "family": "eegnet", "options": {"temporal_filters": RANGE}, "forms": FORMS}]
    wanted = {"sampler": "tpe", "trials": 6, "objectives": objectives, "population": 3, **search}
    if "total_power" in objectives:
        wanted |= {"profile": "gap9", "site": "headset_commodity"}
    return Study.model_validate({**tomllib.loads(TINY), "students": students, "search": wanted})


def row(filters: object, form: str, score: float, **changes: Any) -> Score:
    options = json.dumps({"temporal_filters": filters})
    return dataclasses.replace(
        SCORE, decoder_id=f"{filters} {form}", decoder=f"{filters} {form}", family="eegnet", options=options, form=form,
        validation_score=score, role="student", method="", **changes,
    )  # fmt: skip


def test_the_best_come_first_and_only_what_the_study_has(tmp_path: Path) -> None:
    rows = [
        row(4, "w4a4", 0.7), row(2, "float32", 0.9), row(8, "w8a8 conv=w4a4 linear=w3a3", 0.8), row(1, "w4a4", 0.5),
        row(9, "w4a4", 0.95), row(4, "w3a3", 0.95), row(True, "w4a4", 0.95), row(4.5, "w4a4", 0.95),
        dataclasses.replace(row(4, "float32", 0.99), role="teacher"), row(3, "w4a4", float("nan")),
        dataclasses.replace(row(4, "float32", 0.99), family="mlp", decoder_id="other"),
    ]  # fmt: skip
    write_parquet(rows, tmp_path / SCORES)
    found = suggested(study(), tmp_path)
    assert [(one.options["temporal_filters"], str(one.form)) for one in found] == [
        (2, "float32"), (8, "w8a8 conv=w4a4 linear=w3a3"), (4, "w4a4"),
    ]  # fmt: skip


def test_where_power_counts_a_cheaper_decoder_stands_beside_a_better_one(tmp_path: Path) -> None:
    shipped = read_workload(Path(str(files("energy_models.data"))) / "workloads" / "eegnet_8_2.json")
    works = {bits: at_widths(shipped, weight_bits=bits, activation_bits=bits) for bits in (8, 4)}
    digests = {bits: workload_digest(work) for bits, work in works.items()}
    write_parquet([StoredWorkload(digests[bits], workload_text(work)) for bits, work in works.items()],
                  tmp_path / WORKLOADS)  # fmt: skip
    rows = [
        row(1, "w4a4", 0.4, workload_digest=digests[8]), row(2, "w4a4", 0.5, workload_digest=digests[4]),
        row(3, "float32", 0.6, workload_digest=digests[8]),
    ]  # fmt: skip
    write_parquet(rows, tmp_path / SCORES)
    found = suggested(study(("score", "total_power")), tmp_path)
    assert {one.options["temporal_filters"] for one in found[:2]} == {2, 3}  # the front; 1 is dearer and worse than 2
    assert found[2].options["temporal_filters"] == 1


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_a_search_tries_them_first_and_then_goes_on(tmp_path: Path, sampler: str) -> None:
    write_parquet([row(2, "float32", 0.9), row(8, "w8a8 conv=w4a4 linear=w3a3", 0.8)], tmp_path / SCORES)
    plan = study(sampler=sampler)
    search = Search(plan, "data", tmp_path)
    assert search.untouched
    search.suggest(suggested(plan, tmp_path))
    assert not search.untouched
    assert search.remaining() == search_size(plan)
    told: list[tuple[object, str]] = []
    while (asked := search.ask()) is not None:
        told.append((asked[1].options["temporal_filters"], str(asked[1].form)))
        search.tell(asked[0], {"score": 0.5})
    assert told[:2] == [(2, "float32"), (8, "w8a8 conv=w4a4 linear=w3a3")]
    assert len(told) == search_size(plan)


def test_a_run_without_anything_in_common_or_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="holds no scores of a finished run"):
        suggested(study(), tmp_path)
    write_parquet([row(9, "w4a4", 0.9)], tmp_path / SCORES)
    with pytest.raises(StudyError, match="none of its 1 students"):
        suggested(study(), tmp_path)


def test_where_a_search_began_is_no_part_of_what_it_is(tmp_path: Path) -> None:
    from cosim.engine.search.search import _identity

    assert _identity(study(), "data") == _identity(study(warm_start="/some/run"), "data")
    assert _identity(study(), "data") != _identity(study(pruning="front"), "data")


def test_a_run_to_begin_with_that_is_not_there_leaves_the_plan_as_it_was(tmp_path: Path) -> None:
    kept = study()
    save_plan(tmp_path, kept, None, "cosim run")
    before = (tmp_path / "plan.json").read_bytes()
    for there, said in ((False, r"nope: the folder does not exist"), (True, r"nope: it holds no scores")):
        if there:
            (tmp_path / "nope").mkdir()
        asked = study(warm_start=str(tmp_path / "nope"))
        with pytest.raises(StudyError, match=said):
            run_study(asked, root=tmp_path, data_dir=None, workers=1, command="cosim run", watch=lambda _: None)
        assert (tmp_path / "plan.json").read_bytes() == before


def test_a_storage_that_is_not_reached_leaves_the_plan_as_it_was(tmp_path: Path) -> None:
    save_plan(tmp_path, study(), None, "cosim run")
    before = (tmp_path / "plan.json").read_bytes()
    asked = study(storage=f"sqlite:///{tmp_path}/no/such/folder/search.db")
    with pytest.raises(CosimError, match=r"search.db|storage"):
        run_study(asked, root=tmp_path, data_dir=None, workers=1, command="cosim run", watch=lambda _: None)
    assert (tmp_path / "plan.json").read_bytes() == before
