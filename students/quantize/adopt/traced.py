"""The graph of operations of a network, and where in the source each of them stands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from energy_models.errors import StudentError, raised_where
from students.quantize.adopt.shaped import ShapedProxy, two_batches
from students.spec import Shape

AXES = "axes"
"""Of a node's notes: the lengths of its signal's axes, None where it differs from call to call."""

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


class LayerTracer(fx.Tracer):
    """Follows a network down to torch's layers and those of `students.layers`, running it on two batches.

    Parameters
    ----------
    batches : two Tensor
        See `students.quantize.adopt.shaped.two_batches`.
    """

    record_stack_traces = True

    def __init__(self, batches: tuple[Tensor, Tensor]) -> None:
        super().__init__()
        self.batches = batches
        self.values: dict[fx.Node, tuple[Any, Any]] = {}
        self.running = False

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is one operation of the graph."""
        return type(m).__module__.startswith(("torch.", "students.layers.")) and not isinstance(m, CONTAINERS)

    def create_args_for_root(self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None) -> Any:
        """Return the function to follow and what it is called with: one signal, all else as its defaults say."""
        return root_fn, [self.root, self.create_proxy("placeholder", "signal", (), {})]

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Return what stands for an operation's result, after computing it on both batches."""
        self.values[node] = (self._value(node, 0), self._value(node, 1))
        first, second = self.values[node]
        if isinstance(first, Tensor) and isinstance(second, Tensor) and first.ndim == second.ndim:
            both = zip(first.shape, second.shape, strict=True)
            node.meta[AXES] = tuple(one if one == other else None for one, other in both)
        return ShapedProxy(node, self, self.values[node])

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Return what stands for an attribute of a module; itself while an operation is computed."""
        return attr_val if self.running else super().getattr(attr, attr_val, parameter_proxy_cache)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Return what stands for a module's output; the output while an operation is computed."""
        return forward(*args, **kwargs) if self.running else super().call_module(m, forward, args, kwargs)

    def _value(self, node: fx.Node, batch: int) -> Any:
        """Return an operation's result on one of the batches."""
        if node.op == "placeholder":
            return self.batches[batch]
        args, kwargs = map_arg((node.args, node.kwargs), lambda one: self.values[one][batch])
        target: Any = node.target
        self.running = True
        try:
            with torch.no_grad():
                if node.op == "get_attr":
                    return _attribute(self.root, target)
                if node.op == "call_method":
                    return getattr(args[0], target)(*args[1:], **kwargs)
                return (self.root.get_submodule(target) if node.op == "call_module" else target)(*args, **kwargs)
        finally:
            self.running = False


def _attribute(module: nn.Module, path: str) -> Any:
    above, _, last = path.rpartition(".")
    return getattr(module.get_submodule(above), last)


def traced(network: nn.Module, shape: Shape) -> fx.GraphModule:
    """Return a network as a graph of operations on its own layers, in evaluation mode.

    It may branch by the number and length of a signal's axes, as far as examples and, in a regression, steps do not
    decide them.

    Parameters
    ----------
    network : nn.Module
    shape : Shape
        What it takes.

    Raises
    ------
    StudentError
        A network whose operations depend on the numbers of its input, or on how many examples or steps there are.
    """
    was_training = network.training
    network.eval()
    device = next((one.device for one in network.parameters()), torch.device("cpu"))
    try:
        graph = LayerTracer(two_batches(shape, device)).trace(network)
    except Exception as error:  # the network is a user's and may raise anything
        raise StudentError(
            f"an integer form needs the network's operations as a graph, and following them stopped: "
            f"{raised_where(error, _folder(network))}", where="form",
            remedy="Let branches, loops and conversions in forward depend on channels, lengths and numbers of axes "
            "only, or train it in float32 only",
        ) from error
    finally:
        network.train(was_training)
    return fx.GraphModule(network, graph, type(network).__name__)


def _folder(network: nn.Module) -> Path | None:
    """Return the folder of the first class of the network that is neither torch's nor of this package."""
    for kind in map(type, network.modules()):
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        if file is not None and not kind.__module__.startswith(("torch.", "students.")):
            return Path(file).parent
    return None


def place_of(node: fx.Node) -> str:
    """Return the name of an operation in messages: its module's path, or what is called, in which module and line."""
    if node.op == "call_module":
        return repr(str(node.target))
    called = str(node.target) if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    stack = list(node.meta.get("nn_module_stack", {}))
    inside = f" in {stack[-1]!r}" if stack and stack[-1] else ""
    return f"{called}(){inside}{_line(node)}"


def _line(node: fx.Node) -> str:
    """Return the file and line of an operation, as far as they are known."""
    lines = [line.strip() for line in (node.stack_trace or "").splitlines() if line.strip().startswith("File ")]
    places = [line.removeprefix('File "').replace('"', "").split(", ")[:2] for line in lines]
    places = [(Path(file), line) for file, line in places if "site-packages" not in Path(file).parts]
    return f", {places[-1][0].name} {places[-1][1]}" if places else ""
