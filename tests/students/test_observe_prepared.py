"""Networks that were compiled, scripted, traced, frozen or exported count as what they were made from."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from test_observe_products import seen, signal
from torch import nn

from energy_models.errors import StudentError
from energy_models.workload import Workload
from students.counting import observe


def network() -> nn.Module:
    torch.manual_seed(0)
    convolution = nn.Conv1d(6, 4, 3, padding=1)
    with torch.no_grad():
        convolution.weight.mul_(torch.rand(convolution.weight.shape) < 0.5)
    body = nn.Sequential(convolution, nn.BatchNorm1d(4), nn.ReLU(), nn.LayerNorm(8), nn.Flatten())
    return nn.Sequential(body, nn.Linear(32, 32), nn.Linear(32, 32)).eval()


def exported(model: nn.Module) -> torch.export.ExportedProgram:
    any_number = torch.export.Dim("examples", min=1, max=64)
    return torch.export.export(model, (signal(0, 4, 6, 8),), dynamic_shapes=({0: any_number},))


PREPARED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "scripted": torch.jit.script,
    "traced": lambda model: torch.jit.trace(model, signal(0, 4, 6, 8)),
    "frozen": lambda model: torch.jit.freeze(torch.jit.script(model)),
    "compiled": lambda model: torch.compile(model, backend="eager"),  # type: ignore[return-value]
    "exported": lambda model: exported(model).module(),
    "exported, in core operations": lambda model: exported(model).run_decompositions().module(),
    "exported, inside another": lambda model: nn.Sequential(nn.Identity(), exported(model).module()),
    "traced in functional graphs": torch.fx.symbolic_trace,
}


def figures(workload: Workload) -> tuple[object, ...]:
    operations: dict[str, int] = {}
    for layer in workload.layers:
        for name, count in layer.operations.items():
            operations[name] = operations.get(name, 0) + count.total
    return workload.products, operations, workload.weight_bits_total, workload.uncounted


@pytest.mark.parametrize("prepare", PREPARED.values(), ids=PREPARED)
def test_a_prepared_network_counts_as_its_original(prepare: Callable[[nn.Module], nn.Module]) -> None:
    inputs = signal(1, 4, 6, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared = prepare(network())
    assert figures(seen(prepared, inputs)) == figures(seen(network(), inputs))


def test_an_exported_network_keeps_its_training_flag() -> None:
    model = exported(network()).module()
    before = {name: module.training for name, module in model.named_modules()}
    seen(model, signal(2, 2, 6, 8))
    assert {name: module.training for name, module in model.named_modules()} == before


def test_batch_statistics_written_into_an_exported_network_are_listed() -> None:
    found = seen(exported(network().train()).module(), signal(3, 2, 6, 8))
    assert "batch_norm" in {one.operation for one in found.uncounted}


def test_of_an_exported_program_its_module_is_asked_for() -> None:
    program: object = exported(network())
    with pytest.raises(StudentError, match=r"ExportedProgram.*its module\(\)"):
        observe(program, signal(4, 2, 6, 8), name="net", mode="window", step_rate_hz=100.0, input_bits=32)  # type: ignore[arg-type]
