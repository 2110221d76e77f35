"""Execution styles are looked up by name: each has constants, one file, and a price for every act it counts."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest
from energy_workloads import dense_layer, toy_table_machine, workload

from energy_models.hardware import Execution, HardwareProfile, load_profile, profile_names
from energy_models.mapping import STYLES, style_of

ROOT = Path(__file__).parents[2]
MODELS = get_args(get_args(Execution)[0])
MACHINES = [load_profile(name) for name in profile_names()]
TESTS_OF_TYPE = {model.__name__ for model in MODELS}


def test_every_model_of_constants_has_a_style_and_every_style_a_model() -> None:
    assert {get_args(model.model_fields["style"].annotation)[0] for model in MODELS} == set(STYLES)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda one: one.name)
def test_what_a_style_prices_is_a_constant_of_its_machines(machine: HardwareProfile) -> None:
    style = style_of(machine.execution)
    fields = set(type(machine.execution).model_fields)
    paths = [path for prices in style.act_prices.values() for _, constants in prices for path in constants]
    paths += [] if style.registers is None else [style.registers.read, style.registers.write]
    paths += [style.cycle_power] if style.cycle_power else []
    assert {path.split(".")[1] for path in paths} <= fields
    assert all(path.startswith("execution.") for path in paths)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda one: one.name)
def test_work_is_priced_by_cycles_or_by_operations_or_by_acts(machine: HardwareProfile) -> None:
    style = style_of(machine.execution)
    built_up = bool(style.operation_costs(machine.execution))
    assert built_up != machine.execution.contains_memory
    assert not (built_up and style.cycle_power)
    assert built_up or style.cycle_power or style.act_prices


def test_acts_beside_layers_have_a_price() -> None:
    machine = toy_table_machine()
    counted = style_of(machine.execution).per_decode(workload(dense_layer(4, 4, activation_bits=1)))
    acts = {act for one in counted for act, _ in one.control}
    assert acts == {"step"}
    assert acts <= set(style_of(machine.execution).act_prices)


@pytest.mark.parametrize("package", ["cosim", "students", "energy_models"])
def test_no_module_asks_which_style_a_machine_has(package: str) -> None:
    """Behaviour by style lives in `mapping.styles`; a type test elsewhere would be a second place to add a style."""
    guilty = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
                asked = {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
                guilty += [f"{path.relative_to(ROOT)}:{node.lineno}"] if asked & TESTS_OF_TYPE else []
    assert guilty == []
