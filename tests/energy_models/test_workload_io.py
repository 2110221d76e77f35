"""Workload files: exact round trip, every problem named, nothing half written."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.errors import WorkloadError
from energy_models.workload import (
    SCHEMA,
    Conventions,
    Count,
    LayerWork,
    Products,
    Uncounted,
    Workload,
    json_file,
    migrations,
    read_workload,
    text_digest,
    workload_digest,
    write_workload,
)
from energy_models.workload.migrations import MIGRATIONS, Migration, migrated


def products(total: int) -> Conventions:
    pairs = [Products(Count.constant(n, 2), Count.constant(1, 2)) for n in (total + 2, total + 1, total, total)]
    return Conventions(*pairs)


def workload(total: int = 5, **changes: Any) -> Workload:
    conv = LayerWork(
        "first", "conv", "integer", 1, (3, 10), (4, 10), 30, 40, reduction=9, products=products(total),
        operations={"add": Count.constant(40, 2)},
        weights=108, weights_nonzero=100, biases=4, weights_key="first.weight",
        weight_bits=4, activation_bits=8, output_bits=4, accumulator_bits=16, bias_bits=32,
        input_events=Count.of([3, 4]),
    )  # fmt: skip
    neuron = LayerWork(
        "neurons", "neuron", "float", 10, (4,), (4,), 40, 40, state_bits=32, state_elements=4, state_reads=40,
        state_writes=40, updates_active=Count.of([10, 11]), updates_idle=Count.of([30, 29]), cadence="sample",
    )  # fmt: skip
    base = Workload(
        "net", "window", 2, 10, 3, 128.0, 8, (conv, neuron), (Uncounted("x", "fft", "no rule"),), {"a": "b"}
    )
    return base.replace(**changes)


def test_round_trip_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    write_workload(workload(), path)
    assert read_workload(path) == workload()
    assert [p.name for p in tmp_path.iterdir()] == ["w.json"]


@settings(max_examples=20)
@given(total=st.integers(0, 2**70))
def test_integers_of_any_size_survive(tmp_path_factory: pytest.TempPathFactory, total: int) -> None:
    path = tmp_path_factory.mktemp("w") / "w.json"
    write_workload(workload(total), path)
    assert read_workload(path) == workload(total)


def test_digest_depends_on_work_alone() -> None:
    assert workload_digest(workload()) == workload_digest(workload(provenance={"torch": "9"}))
    assert workload_digest(workload()) != workload_digest(workload(6))
    assert workload_digest(workload()) != workload_digest(workload(uncounted=()))
    assert len(workload_digest(workload())) == 32


def edited(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "w.json"
    write_workload(workload(), path)
    document = json.loads(path.read_text())
    for dotted, value in changes.items():
        place: Any = document
        *parents, last = [int(part) if part.isdigit() else part for part in dotted.split("__")]
        for part in parents:
            place = place[part]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "cosim.workload/0"}, "schema 'cosim.workload/0'.*Observe again"),
        ({"schema": ...}, "no 'schema'"),
        ({"decodes": "2"}, "decodes: .*integer"),
        ({"decodes": 0}, "decodes: must be at least 1"),
        ({"step_rate_hz": 0.0}, "step_rate_hz: must be positive"),
        ({"step_rate_hz": 1e308}, r"step_rate_hz: must be positive, from 1e-12 to 1e\+15"),
        ({"channels": ...}, "channels: .*required"),
        ({"extra": 1}, "extra: unknown field"),
        ({"layers__0__typo": 1}, "layers.0.typo: unknown field"),
        ({"layers__0__biases": ...}, "layers.0.biases: missing"),
        ({"layers__0__kind": "convolution"}, "layers.0.kind: "),
        ({"layers__0__weights": 1.5}, "layers.0.weights: "),
        ({"layers__0__weights": -1}, r"layers.0 \(first\).weights: negative"),
        ({"layers__0__weights_nonzero": 200}, "weights_nonzero: more than weights"),
        ({"layers__0__operations": {"shift": {"total": 1, "squares": 1, "decodes": 1}}}, "unknown operation"),
        ({"layers__0__products__effective__accumulate__total": 10**6}, "effective: more than|too small"),
        ({"layers__0__input_events__squares": 1}, "input_events: sum of squares too small"),
        ({"layers__1__name": "first"}, "this name is used twice"),
    ],
)
def test_every_malformed_field_is_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(WorkloadError, match=words):
        read_workload(edited(tmp_path, **changes))


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError) as caught:
        read_workload(edited(tmp_path, decodes=0, channels=-1, layers__0__weights=-1))
    assert all(word in str(caught.value) for word in ("decodes", "channels", "layers.0"))


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema": NaN}', "\x00"])
def test_files_that_are_no_workload(tmp_path: Path, text: str) -> None:
    path = tmp_path / "w.json"
    path.write_text(text)
    with pytest.raises(WorkloadError):
        read_workload(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="cannot be read"):
        read_workload(tmp_path / "none.json")
    with pytest.raises(WorkloadError, match="cannot be written"):
        write_workload(workload(), tmp_path / "none" / "w.json")


def test_a_contradictory_workload_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="step_rate_hz"):
        write_workload(workload(step_rate_hz=math.nan), tmp_path / "w.json")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.json"
    write_workload(workload(), path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("energy_models.quantities.files.os.fsync", full)
    with pytest.raises(WorkloadError, match="No space left on device"):
        write_workload(workload(9), path)
    assert read_workload(path) == workload()
    assert [p.name for p in tmp_path.iterdir()] == ["w.json"]


def test_reading_needs_no_torch() -> None:
    code = "import sys; import energy_models.workload.json_file; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_the_schema_is_named_in_the_file(tmp_path: Path) -> None:
    write_workload(workload(), tmp_path / "w.json")
    assert json.loads((tmp_path / "w.json").read_text())["schema"] == SCHEMA


def test_constants_are_stored_once_and_packed_to_bytes() -> None:
    # A: 10 weights of 3 bits = 30 bits -> 4 bytes; B: 5 constants of 7 bits = 35 bits -> 5 bytes; C shares A's storage.
    layer = dict(arithmetic="integer", calls=1, input_shape=(1,), output_shape=(1,), inputs=1, outputs=1)
    a = LayerWork(name="a", kind="linear", weights=10, weight_bits=3, weights_key="w", **layer)  # type: ignore[arg-type]
    b = LayerWork(name="b", kind="quantise", constants=5, constant_bits=7, **layer)  # type: ignore[arg-type]
    c = dataclasses.replace(a, name="c")
    work = Workload("n", "window", 1, 1, 1, 1.0, 8, (a, b, c))
    assert work.weight_bits_total == 65
    assert work.packed_bytes == 9


def test_a_constant_added_to_each_decode_leaves_the_spread() -> None:
    varied = Count.of([3, 5, 10])
    assert varied.plus(4) == Count.of([7, 9, 14])
    assert varied.plus(4).standard_error == pytest.approx(varied.standard_error)


def test_totals_that_contradict_the_layers_are_refused(tmp_path: Path) -> None:
    part = Products(Count.constant(2, 1), Count.constant(1, 1))
    wrong = Products(Count.constant(2, 1), Count.constant(2, 1))
    layer = LayerWork(
        name="a", kind="linear", arithmetic="float", calls=1, input_shape=(1,), output_shape=(1,), inputs=1, outputs=1,
        products=Conventions(part, part, part, part),
    )
    work = Workload("n", "window", 1, 1, 1, 1.0, 8, (layer,), products=Conventions(part, part, part, wrong))
    with pytest.raises(WorkloadError, match=r"products.effective.accumulate: 2, but the layers sum to 1"):
        write_workload(work, tmp_path / "w.json")


FIELDS = {
    "cosim.workload/4": (
        "name kind arithmetic calls input_shape output_shape inputs outputs reduction products operations weights "
        "weights_nonzero biases weights_key weight_bits activation_bits output_bits accumulator_bits bias_bits "
        "state_bits input_events output_events input_units output_units state_elements state_reads state_writes "
        "updates_active updates_idle cadence weight_form constants constant_bits decodes_per_call kernel",
        "name mode decodes steps_per_decode channels step_rate_hz input_bits layers uncounted provenance products "
        "warm_up_steps warm_up delay_s lag_s",  # the last two are written only where there is one
    ),
}


def test_a_field_that_is_added_is_a_new_schema_with_a_row_of_migrations() -> None:
    names = tuple(" ".join(field.name for field in dataclasses.fields(kind)) for kind in (LayerWork, Workload))
    assert FIELDS[SCHEMA] == names, "raise SCHEMA, add a row to MIGRATIONS and to this table"
    for schema in MIGRATIONS:
        assert migrated({"schema": schema, "layers": [], "uncounted": []})["schema"] == SCHEMA


def test_a_file_of_an_older_schema_is_read_and_says_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    write_workload(workload(), path)
    old = json.loads(path.read_text())
    step = MIGRATIONS["cosim.workload/1"]
    old = {name: value for name, value in old.items() if name not in step.workload} | {"schema": "cosim.workload/1"}
    old["layers"] = [{name: value for name, value in one.items() if name not in step.layer} for one in old["layers"]]
    path.write_text(json.dumps(old))
    found = read_workload(path)
    assert found.layers == workload().layers
    assert not found.complete
    assert [one.operation for one in found.uncounted] == ["fft", "stored constants"]
    assert text_digest(path.read_text(), where="old") != workload_digest(found)
    for changes, words in (({"extra": 1}, "extra: unknown field"), ({"channels": ...}, "channels: .*required")):
        broken = {name: value for name, value in (old | changes).items() if value is not ...}
        path.write_text(json.dumps(broken))
        with pytest.raises(WorkloadError, match=words):
            read_workload(path)


def test_the_next_schema_reads_files_of_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if `decodes_per_call` were added by the next version: files of this one lack it."""
    path = tmp_path / "w.json"
    write_workload(workload(), path)
    document = json.loads(path.read_text())
    for layer in document["layers"]:
        del layer["decodes_per_call"]
    path.write_text(json.dumps(document))
    with pytest.raises(WorkloadError, match="decodes_per_call: missing"):
        read_workload(path)
    row = {SCHEMA: Migration(to="cosim.workload/next", layer={"decodes_per_call": 1})}
    monkeypatch.setattr(migrations, "MIGRATIONS", {**MIGRATIONS, **row})
    monkeypatch.setattr(json_file, "SCHEMA", "cosim.workload/next")
    assert read_workload(path) == workload()
    assert text_digest(path.read_text(), where="w") == json_file._digest(document)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reduction": 0}, r"first\)\.reduction: 0, but the layer has products: it must be at least 1"),
        ({"calls": 0}, r"calls: 0, but the layer has products"),
        ({"outputs": 0}, r"outputs: 0, but the layer has products"),
        ({"inputs": 0}, r"inputs: 0, but the layer has products"),
        ({"output_shape": []}, r"output_shape: no axis, or one of no elements.*\[1\] is one number"),
        ({"input_shape": []}, r"input_shape: no axis"),
        ({"output_shape": [4, 0]}, r"output_shape: no axis, or one of no elements"),
        ({"input_shape": [-3, 10]}, r"input_shape: an axis below 0"),
        ({"output_shape": [8, 22, 1000] * 80}, r"output_shape: 240 axes of more than 2\^53 elements"),
    ],
)
def test_a_layer_with_products_has_the_sizes_that_prices_divide_by(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = edited(tmp_path, **{f"layers__0__{name}": value for name, value in changes.items()})
    with pytest.raises(WorkloadError, match=rf"w\.json.*{words}"):
        read_workload(path)


@pytest.mark.parametrize("place", ["products__effective__accumulate", "operations__add", "input_events"])
def test_every_count_is_over_the_decodes_of_the_workload(place: str, tmp_path: Path) -> None:
    """Five in one decode of two that were observed would be read as a mean of 5, not of 2.5."""
    path = edited(tmp_path, **{f"layers__0__{place}": {"total": 5, "squares": 25, "decodes": 1}})
    with pytest.raises(WorkloadError, match=rf"{place.replace('__', '.')}: over 1 decodes, but the workload is over 2"):
        read_workload(path)


def test_a_layer_without_products_may_make_nothing(tmp_path: Path) -> None:
    """A ring buffer hands on no element of its own; layers of a warm-up are held to the same rule as the others."""
    path = edited(tmp_path, layers__1__output_shape=[0], layers__1__outputs=0)
    assert read_workload(path).layers[1].outputs == 0
    first = dataclasses.replace(workload().layers[0], output_shape=())
    with pytest.raises(WorkloadError, match=r"warm_up\.0 \(first\)\.output_shape: no axis"):
        write_workload(workload(warm_up=(first,), warm_up_steps=3), tmp_path / "w.json")
