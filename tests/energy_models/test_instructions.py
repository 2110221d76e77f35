"""Instructions of plain C99, predicted from a workload."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from energy_models.calibration import Instructions, instruction_terms, plain_c99, predicted_instructions
from energy_models.workload import Count, Kind, read_workload

TABLE = plain_c99()


def test_the_shipped_table_says_what_it_is() -> None:
    assert (TABLE.core, TABLE.network) == ("cortex-m4", "every kind")
    assert "gcc" in TABLE.compiler
    numbers = TABLE.numbers
    products = {"conv", "depthwise", "pointwise", "linear", "recurrent", "attention"}
    assert products | {"requantise", "lookup", "add", "compare", "divide", "sums", "windows"} == set(numbers)
    for name, one in numbers.items():
        assert (one.basis, one.source) == ("simulated", "plain_c99_emulated"), name
        assert one.value >= 1, name
        assert one.where == TABLE.network, name
        assert "not fitted" in one.note, name  # bands come from the networks that the fit did not see
    assert TABLE.cycles_per_instruction.band.low >= 1


def test_hand_worked() -> None:
    """Products at the price of their kind, biases in them; operations of other layers at theirs."""
    workload = read_workload(Path(str(files("energy_models.data") / "workloads" / "eegnet_8_2.json")))
    layers = [replace(one, arithmetic="integer") for one in workload.layers]
    found = predicted_instructions(replace(workload, layers=tuple(layers)), TABLE)
    conv = next(one for one in layers if one.products is not None)
    assert conv.products is not None
    taps, products = conv.kernel[-1], conv.products.dense_valid.mean
    assert taps == 64
    loops = products / taps * TABLE.per_loop["sums"].value + conv.outputs * TABLE.per_loop["windows"].value
    assert found.layers[conv.name] == pytest.approx(products * TABLE.per_product[conv.kind].value + loops, rel=1e-9)
    dense = next(one for one in layers if one.kind in {"pointwise", "linear"} and one.products is not None)
    assert dense.products is not None
    assert instruction_terms(dense)["sums"] == dense.products.dense_valid.mean / dense.reduction
    assert "windows" not in instruction_terms(dense)
    pool = next(one for one in layers if one.kind == "pool")
    assert instruction_terms(pool) == {name: count.mean for name, count in pool.operations.items()}
    known = sum(count * TABLE.per_operation[name].value for name, count in instruction_terms(pool).items()
                if name in TABLE.per_operation)  # fmt: skip
    assert found.layers[pool.name] == pytest.approx(known)
    assert found.total == pytest.approx(sum(found.layers.values()))


def test_an_operation_that_was_never_told_apart_is_known_only_in_layers_of_the_kind_that_contains_it() -> None:
    """Multiplications of a recurrent layer's gates are within its products; a leak is in no fitted network."""
    workload = read_workload(Path(str(files("energy_models.data") / "workloads" / "eegnet_8_2.json")))
    pool = next(one for one in workload.layers if one.kind == "pool")
    count = next(iter(pool.operations.values()))

    def found(kind: Kind, **operations: Count) -> Instructions:
        layer = replace(pool, kind=kind, arithmetic="integer", operations=operations)
        return predicted_instructions(replace(workload, layers=(layer,)), TABLE)

    assert found("pool", multiply=count).unknown == (f"{pool.name}: integer multiply",)
    gates = found("recurrent", multiply=count, add=count)
    assert gates.unknown == ()
    assert gates.total == pytest.approx(count.mean * TABLE.per_operation["add"].value)
    neurons = found("neuron", leak=count, reset=count)
    assert neurons.unknown == (f"{pool.name}: integer leak", f"{pool.name}: integer reset")
    assert neurons.total == 0


def test_work_that_the_table_has_not_is_said() -> None:
    workload = read_workload(Path(str(files("energy_models.data") / "workloads" / "eegnet_8_2.json")))
    layers = tuple(replace(one, arithmetic="float") for one in workload.layers)
    found = predicted_instructions(replace(workload, layers=layers), TABLE)
    assert found.total == 0
    assert any(" float " in one for one in found.unknown)
