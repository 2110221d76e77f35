"""How a deployed graph compares with Brevitas: every intermediate integer, and every decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy import special
from torch import nn

from students.deploy.graph import INPUT, DeployedGraph, Integers
from students.deploy.reference import checked_codes, execute, run_node
from students.kernels.recurrent_grid import CELL_LIMIT, FINE, STATE_STEP
from students.kernels.row_grid import NORM_STEP
from students.neurons.integer import IntegerIntegrator
from students.quantize import INTEGER_PRODUCTS, SIGNAL_GRIDS, output_grid_of, quantisation_of, value_of
from students.quantize.linear_attention import Mixture
from students.quantize.neurons import IntegerNeurons
from students.quantize.recurrent import IntegerRecurrent, Preactivations
from students.quantize.rows import SIGNAL_PRODUCTS, IntegerSoftmax, NormSteps

Kind = Literal["grid", "accumulator"]
COMPARED = (
    *INTEGER_PRODUCTS, *SIGNAL_GRIDS, IntegerRecurrent, Preactivations, IntegerNeurons, *SIGNAL_PRODUCTS,
    IntegerSoftmax, NormSteps, Mixture,
)  # fmt: skip
"""Modules whose output is integers."""


@dataclass(frozen=True, slots=True)
class NodeAgreement:
    """One signal, computed from the very integers that Brevitas had before it.

    Parameters
    ----------
    name : str
    kind : {'grid', 'accumulator'}
        Brevitas holds accumulators as floats, which are rounded here.
    elements, differing : int
    largest : int
        Greatest difference [steps of the signal's grid].
    """

    name: str
    kind: Kind
    elements: int
    differing: int
    largest: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """A graph and the network it was lowered from, on the same codes.

    Parameters
    ----------
    nodes : tuple of NodeAgreement
        In the order in which they run.
    decisions, changed : int
        Classes decided by the graph on its own; none in a regression.
    tied : int
        Of the changed decisions, those between classes of equal integer logits, which rounding of floats decides.
    output_error : float
        Greatest difference of a logit or an estimate of the graph on its own, in its units.
    """

    nodes: tuple[NodeAgreement, ...]
    decisions: int
    changed: int
    tied: int
    output_error: float

    @property
    def elements(self) -> int:
        """Integers that were compared."""
        return sum(one.elements for one in self.nodes)

    @property
    def differing(self) -> int:
        """Integers that differ."""
        return sum(one.differing for one in self.nodes)

    @property
    def largest(self) -> int:
        """Greatest difference of an integer [steps]."""
        return max((one.largest for one in self.nodes), default=0)

    def __repr__(self) -> str:
        return (
            f"<Agreement: {self.differing} of {self.elements:,} integers differ, by {self.largest} at most; "
            f"{self.changed} of {self.decisions:,} decisions changed ({self.tied} of them ties); "
            f"outputs differ by {self.output_error:.2g} at most>"
        )


@dataclass(slots=True)
class _Tally:
    """What is added up over batches."""

    nodes: dict[str, list[NodeAgreement]]
    decisions: int = 0
    changed: int = 0
    tied: int = 0
    error: float = 0.0


def agreement(model: nn.Module, graph: DeployedGraph, codes: Integers, *, batch_size: int = 32) -> Agreement:
    """Run network and graph on the same codes and compare every integer and every decision.

    Parameters
    ----------
    model : nn.Module
        From which the graph was lowered; left in evaluation mode.
    graph : DeployedGraph
    codes : ndarray of integers, shape (examples, channels, steps)
    batch_size : int

    Raises
    ------
    CosimError
        As `students.deploy.execute`.
    """
    model.eval()
    tally = _Tally({})
    for start in range(0, len(codes), batch_size):
        batch = codes[start : start + batch_size]
        values = graph.codes.values_of(batch).astype(np.float32)
        outputs, seen = _seen(model, torch.from_numpy(values))
        _compare_nodes(graph, batch, seen, tally)
        _compare_outputs(graph, execute(graph, batch)[graph.nodes[-1].name], outputs, tally)
    nodes = tuple(
        NodeAgreement(
            name, parts[0].kind, sum(one.elements for one in parts), sum(one.differing for one in parts),
            max(one.largest for one in parts),
        )
        for name, parts in tally.nodes.items()
    )  # fmt: skip
    return Agreement(nodes, tally.decisions, tally.changed, tally.tied, tally.error)


def _compare_nodes(
    graph: DeployedGraph, codes: Integers, seen: Mapping[str, tuple[Kind, Integers]], tally: _Tally
) -> None:
    """Run each node on Brevitas's integers before it."""
    signals = {INPUT: checked_codes(graph, codes)}
    for node in graph.nodes:
        signals[node.name] = run_node(node, signals)
        if node.name in seen:
            kind, wanted = seen[node.name]
            apart = np.abs(signals[node.name] - wanted)
            found = NodeAgreement(node.name, kind, apart.size, int((apart > 0).sum()), int(apart.max(initial=0)))
            tally.nodes.setdefault(node.name, []).append(found)
            signals[node.name] = wanted


def _compare_outputs(graph: DeployedGraph, last: Integers, outputs: Any, tally: _Tally) -> None:
    estimates = last * graph.output_scale + graph.output_offset
    if graph.task == "classification":
        best = np.sort(last, axis=1)
        wrong = outputs.argmax(axis=1) != last.argmax(axis=1)
        tally.decisions += len(last)
        tally.changed += int(wrong.sum())
        tally.tied += int((wrong & (best[:, -1] == best[:, -2])).sum()) if last.shape[1] > 1 else 0
    else:
        estimates = estimates.swapaxes(1, 2)
    if graph.ending:
        estimates = estimates - special.logsumexp(estimates, axis=1, keepdims=True)
        estimates = np.exp(estimates) if graph.ending == "softmax" else estimates
    tally.error = max(tally.error, float(np.abs(estimates - outputs).max(initial=0.0)))


def _seen(model: nn.Module, inputs: torch.Tensor) -> tuple[Any, dict[str, tuple[Kind, Integers]]]:
    """Return the outputs of a network, and the integers of its grids and accumulators by name of node and kind."""
    seen: dict[str, tuple[Kind, Integers]] = {}
    handles = []
    recurrent = [one for one in model.modules() if isinstance(one, IntegerRecurrent)]
    products = {id(one.input) for one in recurrent}

    def keep(name: str, module: nn.Module, output: Any) -> None:
        values, found = value_of(output).double(), _scale_of(module)
        if found is None:
            return
        kind, scale = found
        name = f"{name}.neurons" if isinstance(module, IntegerNeurons) else name
        if isinstance(module, Preactivations):
            name = f"{name.removesuffix('drive')}input.quantise"
            values = values.clamp(-CELL_LIMIT, CELL_LIMIT)
        if id(module) in products or isinstance(module, Preactivations):
            values, scale = values.mT, scale.reshape(-1, 1)  # its rows come last where those of the graph come first
        keep_as(kind, name, values / scale)

    def keep_as(kind: Kind, name: str, integers: torch.Tensor) -> None:
        seen[_free(seen, name)] = kind, integers.round().to(torch.int64).numpy()

    for name, module in model.named_modules():
        if isinstance(module, COMPARED):
            handles.append(
                module.register_forward_hook(lambda one, _inputs, output, name=name: keep(name, one, output))
            )
    try:
        with torch.inference_mode():
            outputs = model(inputs).double().numpy()
    finally:
        for handle in handles:
            handle.remove()
    return outputs, seen


def _scale_of(module: nn.Module) -> tuple[Kind, torch.Tensor] | None:
    """Return the kind and the steps of what a module puts out; None where it is on no grid."""
    if isinstance(module, IntegerRecurrent):
        return "grid", torch.tensor(STATE_STEP, dtype=torch.float64)
    if isinstance(module, Preactivations):
        return "grid", torch.tensor(FINE, dtype=torch.float64)
    if isinstance(module, SIGNAL_PRODUCTS):
        if module.grids is None:
            return None
        return "accumulator", module.grids[0].scale * torch.tensor(module.grids[1].scale, dtype=torch.float64)
    if isinstance(module, IntegerSoftmax):
        return "grid", torch.tensor(module.grid.scale, dtype=torch.float64)
    if isinstance(module, Mixture):
        return "grid", torch.tensor(module.step, dtype=torch.float64)
    if isinstance(module, NormSteps):
        return "grid", torch.tensor(NORM_STEP, dtype=torch.float64)
    if isinstance(module, INTEGER_PRODUCTS):
        layer = quantisation_of(module)
        if layer is None:
            return None
        factor = layer.weight_scale.flatten().double() * layer.input_grid.scale
        along = factor if isinstance(module, nn.Linear) else factor.reshape(-1, *[1] * (layer.weights.ndim - 2))
        return "accumulator", along
    if isinstance(module, IntegerNeurons) and not isinstance(module.neurons, IntegerIntegrator):
        return "grid", torch.tensor(1.0, dtype=torch.float64)
    grid = output_grid_of(module.grid if isinstance(module, IntegerNeurons) else module)
    return None if grid is None else ("grid", torch.tensor(grid.scale, dtype=torch.float64))


def _free(seen: Mapping[str, Any], name: str) -> str:
    """Return the name of a node: a module's path, with a number where it runs again."""
    number, place = 1, name
    while place in seen:
        number += 1
        place = f"{name}#{number}"
    return place
