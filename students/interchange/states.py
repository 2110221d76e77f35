"""Networks that take their state and return the next: which inputs are states, and the loop that hands them on."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.interchange.graph import Graph, Port
from students.interchange.onnx_graph import OnnxGraph
from students.interchange.operators import at_rest


def paired_states(graph: Graph) -> tuple[tuple[str, str], ...]:
    """Return each input that is a state with the output that is its next value.

    The first input is the signal. The others are states where each is matched, in order, by an output of its shape and
    type; of several such outputs the last ones are taken, because exporters write the estimate first.

    Returns
    -------
    tuple of (input, output)
        Empty where an input is matched by none: they are then several signals.

    """
    found: list[tuple[str, str]] = []
    last = len(graph.results)
    for port in graph.inputs[:0:-1]:
        place = next((place for place in reversed(range(last)) if _alike(port, graph.results[place])), None)
        if place is None:
            return ()
        found.append((port.name, graph.results[place].name))
        last = place
    return tuple(reversed(found))


def _alike(state: Port, result: Port) -> bool:
    """True where a result may be the next value of a state; axes that the file leaves open fit any."""
    return state.dtype == result.dtype and len(state.axes) == len(result.axes) and all(
        a == b or a is None or b is None for a, b in zip(state.axes, result.axes, strict=True)
    )


class StateLoop(nn.Module):
    """A graph called once a step, with the state that it returned the step before, from a state of zero.

    Parameters
    ----------
    network : OnnxGraph
    states : tuple of (input, output) names

    Raises
    ------
    StudentError
        States whose shapes the file leaves open.
    """

    def __init__(self, network: OnnxGraph, states: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self.network, self.states, self.group = network, states, network.group
        self.input_axes: tuple[int | None, ...] = (*network.input_axes, None)
        shapes = {name: network.shape_of(name) for name, _ in states}
        unknown = [name for name, shape in shapes.items() if None in shape]
        if unknown:
            raise StudentError(
                f"the file leaves the shapes of its states open: {', '.join(unknown)}", where=network.graph.source,
                remedy="Export them with fixed sizes; only the number of examples may be open",
            )
        self.shapes = {name: tuple(size for size in shape if size is not None) for name, shape in shapes.items()}

    def forward(self, signal: Tensor) -> Tensor:
        """Return the estimates of all steps, shape (segments, steps, ...).

        Parameters
        ----------
        signal : Tensor, shape (segments, ..., steps)
        """
        first = signal[..., 0]
        given = {
            name: at_rest(first, math.prod(shape)).reshape(len(signal), *shape) for name, shape in self.shapes.items()
        }
        estimates: list[Tensor] = []
        for now in signal.unbind(-1):
            found = self.network(**{self.network.signals[0]: now, **given})
            results = found if isinstance(found, tuple) else (found,)
            named = dict(zip(self.network.graph.outputs, results, strict=True))
            given = {entering: named[leaving] for entering, leaving in self.states}
            estimates.append(results[0])
        return torch.stack(estimates, dim=1)


def as_stream(network: nn.Module) -> StateLoop | None:
    """Return a file's network as a loop over steps, each with the state of the one before; None where it has no states.

    Parameters
    ----------
    network : nn.Module
        From `read_network`.

    Returns
    -------
    StateLoop or None
        Takes ``(segments, *example, steps)`` from states of zero, for `students.counting.observe` in mode ``stream``.
    """
    if not isinstance(network, OnnxGraph) or not (states := paired_states(network.graph)):
        return None
    return StateLoop(network, states).eval()
