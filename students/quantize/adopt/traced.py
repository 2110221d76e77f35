"""The graph of operations of a network, and where in the source each of them stands."""

from __future__ import annotations

from pathlib import Path

from torch import fx, nn

from energy_models.errors import StudentError, raised_where

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


class LayerTracer(fx.Tracer):
    """Follows a network down to torch's layers and those of `students.layers`."""

    record_stack_traces = True

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is one operation of the graph."""
        return type(m).__module__.startswith(("torch.", "students.layers.")) and not isinstance(m, CONTAINERS)


def traced(network: nn.Module) -> fx.GraphModule:
    """Return a network as a graph of operations on its own layers, in evaluation mode.

    Raises
    ------
    StudentError
        A network whose operations depend on the numbers or the size of its input.
    """
    was_training = network.training
    network.eval()
    try:
        graph = LayerTracer().trace(network)
    except Exception as error:  # the network is a user's and may raise anything
        raise StudentError(
            f"an integer form needs the network's operations as a graph, and following them stopped: "
            f"{raised_where(error, None)}", where="form",
            remedy="Write forward without branches, loops or conversions that depend on the input, or train it in "
            "float32 only",
        ) from error
    finally:
        network.train(was_training)
    return fx.GraphModule(network, graph, type(network).__name__)


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
