"""A spiking student in float as a NIR graph, spike for spike.

NIR's neurons live in continuous time; `students.interchange.nir_graph` runs them by forward Euler. With steps of dt, a
decay of ``1 - dt/tau`` and a gain of 1 they are ours:

    reset to zero            LIF or IF with v_reset = 0
    no reset                 LI, and a Threshold behind it
    subtraction              the same, and each spike fed back as minus a threshold (``residue``: times the decay)
    several events a step    as many Thresholds, at 1, 2 .. thresholds, whose spikes are added
    weights on own spikes    fed back likewise
    synaptic current         an LI in front of the LI
    taps over steps          a Delay and a product for each
    delays of each channel   a Delay

A batch norm behind a product is part of its weights. What NIR cannot say is refused by its module's name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.families.readout import MeanOverSteps, StepDecoder
from students.interchange.extras import optional_package
from students.interchange.nir_dynamics import Firing, Floats, firing_of
from students.layers import Delays, OutputScale
from students.neurons import LeakyIntegrator, ZeroInitialState
from students.neurons.encoders import AnySpike
from students.neurons.parameters import in_use
from students.spec import Shape

NOTHING = (nn.Identity, nn.Dropout)
ROWS = (nn.Sequential, StepDecoder)


@dataclass(slots=True)
class _Product:
    """Weights that no node stands for yet: a batch norm may follow.

    Parameters
    ----------
    path : str
    weight : ndarray, shape (outputs, inputs, taps)
    bias : ndarray, shape (outputs,), or None
    """

    path: str
    weight: Floats
    bias: Floats | None


@dataclass(slots=True)
class _Graph:
    """Nodes and edges so far, and the names of the nodes whose sum is the signal."""

    nir: Any
    step_s: float
    width: int
    nodes: dict[str, Any] = field(default_factory=dict[str, Any])
    edges: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    ends: tuple[str, ...] = ("input",)
    product: _Product | None = None
    finished: str = ""

    def put(self, name: str, node: Any, sources: tuple[str, ...]) -> str:
        """Add a node and the edges into it, and return its name."""
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name


def nir_of(model: nn.Module, shape: Shape) -> bytes:
    """Return the file of a spiking network: its input and output are the values of one step.

    What a classification's outputs are, the mean over the steps of a window, is left to whoever runs it.

    Parameters
    ----------
    model : nn.Module
        Of a family, in float.
    shape : Shape
        Its rate is the file's ``dt``.

    Raises
    ------
    StudentError
        A module that NIR cannot say, by name, or the package nir is missing.
    """
    nir = optional_package("nir", "writing a NIR file")
    graph = _Graph(nir, 1.0 / shape.step_rate_hz, shape.channels)
    graph.nodes["input"] = nir.Input(np.array([shape.channels]))
    _add(graph, "", model)
    _write_product(graph)
    if not any(type(node).__name__ in {"LIF", "IF", "Threshold"} for node in graph.nodes.values()):
        raise StudentError(
            "it has no neurons that fire", where="NIR", remedy="Export a spiking student; ONNX and C take the others"
        )
    graph.put("output", nir.Output(np.array([graph.width])), graph.ends)
    found = nir.NIRGraph(graph.nodes, graph.edges, metadata={"dt": graph.step_s}, type_check=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.nir"
        nir.write(path, found)
        return path.read_bytes()


def _add(graph: _Graph, path: str, module: nn.Module) -> None:
    """Add what a module does to the graph."""
    if isinstance(module, ROWS):
        for name, child in module.named_children():
            _add(graph, f"{path}.{name}".lstrip("."), child)
        return
    if isinstance(module, NOTHING):
        return
    if graph.finished:
        raise _refused(path, module, f"it stands behind {graph.finished}, of which NIR has none")
    for kind, add in _ADDED.items():
        if isinstance(module, kind):
            add(graph, path, module)
            return
    raise _refused(path, module, "NIR has no such node")


def _refused(path: str, module: nn.Module, why: str) -> StudentError:
    return StudentError(
        f"{why} ({type(module).__name__})", where=f"NIR, module {path or 'the network itself'!r}",
        remedy="Export a student of float spiking layers, such as spiking_mlp, spiking_delay or spiking_recurrent",
    )


def _add_product(graph: _Graph, path: str, module: Any) -> None:
    _write_product(graph)
    weight = _array(module.weight)
    if isinstance(module, nn.Conv1d):
        taps, pads = weight.shape[2], getattr(module, "pads", (0, 0))
        if module.padding != (0,) or module.stride != (1,) or module.dilation != (1,) or pads != (taps - 1, 0):
            raise _refused(path, module, "a convolution that sees later steps, or leaves steps out")
        weight = _dense(weight, module.groups)
    else:
        raise _refused(path, module, "a product over the steps of a window")
    graph.product = _Product(path, weight, None if module.bias is None else _array(module.bias))
    graph.width = weight.shape[0]


def _dense(weight: Floats, groups: int) -> Floats:
    """Return the weights of a grouped convolution with the zeros between its groups."""
    rows, columns = weight.shape[0] // groups, weight.shape[1]
    whole = np.zeros((weight.shape[0], columns * groups, weight.shape[2]))
    for group in range(groups):
        mine = slice(group * rows, (group + 1) * rows)
        whole[mine, group * columns : (group + 1) * columns] = weight[mine]
    return whole


def _add_norm(graph: _Graph, path: str, module: Any) -> None:
    if graph.product is None:
        raise _refused(path, module, "a norm with no product in front of it")
    factor = _array(module.weight) / np.sqrt(_array(module.running_var) + module.eps)
    bias = 0.0 if graph.product.bias is None else graph.product.bias
    graph.product.bias = (bias - _array(module.running_mean)) * factor + _array(module.bias)
    graph.product.weight = graph.product.weight * factor[:, None, None]


def _write_product(graph: _Graph) -> None:
    """Write the weights that wait: a product for each tap, behind the delay of its steps."""
    product, sources = graph.product, graph.ends
    if product is None:
        return
    taps, ends, name = product.weight.shape[2], list[str](), _name("product", product.path)
    for tap in range(taps):
        steps, weight = taps - 1 - tap, product.weight[:, :, tap]
        before, suffix = sources, f"_{steps}" if steps else ""
        if steps:
            delay = np.full(weight.shape[1], steps * graph.step_s)
            before = (graph.put(f"{name}{suffix}_delay", graph.nir.Delay(delay), sources),)
        has_bias = product.bias is not None and not steps
        node = graph.nir.Affine(weight, product.bias) if has_bias else graph.nir.Linear(weight)
        ends.append(graph.put(f"{name}{suffix}", node, before))
    graph.ends, graph.product = tuple(ends), None


def _add_neurons(graph: _Graph, path: str, module: Any) -> None:
    neurons = module.neurons
    if isinstance(neurons, LeakyIntegrator):
        _write_product(graph)
        decay = _each(_array(in_use(neurons.beta)), graph.width)
        graph.ends = (graph.put(_name("readout", path), _integrator(graph, decay, path, module), graph.ends),)
        return
    firing = firing_of(neurons, graph.width)
    if isinstance(firing, str):
        raise _refused(path, neurons, firing)
    if firing.bias is not None:
        if graph.product is None:
            raise _refused(path, neurons, "a bias of recurrent weights with no product in front of the neurons")
        graph.product.bias = firing.bias + (0.0 if graph.product.bias is None else graph.product.bias)
    _write_product(graph)
    graph.ends = _fire(graph, path, neurons, firing)


def _fire(graph: _Graph, path: str, module: nn.Module, firing: Firing) -> tuple[str, ...]:
    """Write neurons that fire and return the nodes whose sum is their events."""
    nir, name = graph.nir, _name("neurons", path)
    if firing.reset == "zero":
        zeros = np.zeros(graph.width)
        if (firing.decay == 1).all():
            node = nir.IF(firing.gain / graph.step_s, firing.threshold, zeros)
        else:
            tau = _tau(graph, firing.decay, path, module)
            node = nir.LIF(tau, firing.gain * tau / graph.step_s, zeros, firing.threshold, zeros)
        return (graph.put(name, node, graph.ends),)
    sources = graph.ends
    if firing.synaptic is not None:
        current = _integrator(graph, firing.synaptic, path, module)
        sources = (graph.put(f"{name}_current", current, sources),)
    membrane = graph.put(name, _integrator(graph, firing.decay, path, module), sources)
    ends: list[str] = []
    for event in range(1, firing.most + 1):
        suffix = f"_{event}" if firing.most > 1 else ""
        ends.append(graph.put(f"{name}_event{suffix}", nir.Threshold(event * firing.threshold), (membrane,)))
        if firing.back is not None:
            back = graph.put(f"{name}_back{suffix}", nir.Linear(firing.back), (ends[-1],))
            graph.edges.append((back, membrane))
    return tuple(ends)


def _integrator(graph: _Graph, decay: Floats, path: str, module: nn.Module) -> Any:
    """Return neurons that integrate with a gain of 1 and leak."""
    if (decay == 1).all():
        return graph.nir.I(np.full(graph.width, 1 / graph.step_s))
    tau = _tau(graph, decay, path, module)
    return graph.nir.LI(tau, tau / graph.step_s, np.zeros(graph.width))


def _tau(graph: _Graph, decay: Floats, path: str, module: nn.Module) -> Floats:
    """Return the time constants of decays a step [s]."""
    if (decay == 1).any():
        raise _refused(path, module, "neurons of which some leak and some do not")
    return graph.step_s / (1.0 - decay)


def _add_delays(graph: _Graph, path: str, module: Any) -> None:
    _write_product(graph)
    waits = _array(module.steps) * graph.step_s
    graph.ends = (graph.put(_name("delay", path), graph.nir.Delay(waits), graph.ends),)


def _add_scale(graph: _Graph, path: str, module: Any) -> None:
    _write_product(graph)
    node = graph.nir.Affine(np.diag(_array(module.scale)), _array(module.offset))
    graph.ends = (graph.put(_name("units", path), node, graph.ends),)


def _add_spikes(graph: _Graph, path: str, module: Any) -> None:
    _write_product(graph)
    node = graph.nir.Threshold(np.zeros(graph.width))
    graph.ends = (graph.put(_name("any_spike", path), node, graph.ends),)


def _end(graph: _Graph, path: str, module: Any) -> None:
    graph.finished = "a mean over the steps of a window"


_ADDED: dict[type[nn.Module], Callable[[_Graph, str, Any], None]] = {
    AnySpike: _add_spikes, nn.Conv1d: _add_product, nn.Linear: _add_product, nn.BatchNorm1d: _add_norm,
    ZeroInitialState: _add_neurons, Delays: _add_delays, OutputScale: _add_scale, MeanOverSteps: _end,
}  # fmt: skip


def _name(kind: str, path: str) -> str:
    """Return a node's name: what it is, and where in the student."""
    return f"{kind}_{path.replace('.', '_')}"


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().cpu().double().numpy()


def _each(values: Floats, width: int) -> Floats:
    return np.broadcast_to(values, (width,)).copy()
