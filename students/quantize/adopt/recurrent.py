"""Torch's GRU and LSTM in a traced network, put as layers over steps that an integer one can take the place of."""

from __future__ import annotations

import operator
from typing import Any

from torch import fx, nn

from energy_models.errors import StudentError
from students.layers import recurrent as ours
from students.quantize.adopt.traced import place_of

GATED = (nn.GRU, nn.LSTM, ours.GRU, ours.LSTM)
"""Exactly these, as what is derived from them may do otherwise."""

FIRST_OR_LAST = (0, -1)
"""Places of the one layer among the last states."""


def put_over_steps(module: fx.GraphModule) -> None:
    """Replace each GRU and LSTM by `students.layers.Recurrent`, with the axes changed around it.

    Read may be the states of all steps, and those of the last one.

    Raises
    ------
    StudentError
        One with several layers or directions, with steps first, without biases or with a projection, or with a state
        given to it; and where the cell of an LSTM is read, or the pair as a whole.
    """
    for node in list(module.graph.nodes):
        layer = module.get_submodule(str(node.target)) if node.op == "call_module" else None
        if type(layer) in GATED:
            _replace(module, node, layer)
    for name, layer in list(module.named_modules()):
        if type(layer) in GATED:
            above, _, last = name.rpartition(".")
            setattr(module.get_submodule(above), last, ours.Recurrent.around(layer))  # type: ignore[arg-type]


def _replace(module: fx.GraphModule, node: fx.Node, layer: Any) -> None:
    given = [*node.args, *node.kwargs.values()]
    for why, holds in {
        "it has several layers": layer.num_layers > 1, "it runs in both directions": layer.bidirectional,
        "its steps come first (batch_first=False)": not layer.batch_first, "it has no biases": not layer.bias,
        "it projects its state": layer.proj_size > 0, "it is given a state": len(given) > 1,
    }.items():  # fmt: skip
        if holds:
            raise _refused(node, why)
    graph = module.graph
    with graph.inserting_before(node):
        turned = graph.call_method("transpose", (given[0], 1, 2))
        states = graph.call_module(str(node.target), (turned,))
        found = graph.call_method("transpose", (states, 1, 2))
        last = graph.call_function(operator.getitem, (found, (slice(None), -1)))
    for part in list(node.users):
        if part.target is not operator.getitem:
            raise _refused(node, "the pair that it returns is used as a whole")
        if part.args[1] == 0:
            part.replace_all_uses_with(found)
        else:
            _last_states(node, part if isinstance(layer, nn.GRU) else None, part, last)
        graph.erase_node(part)
    graph.erase_node(node)
    if not last.users:
        graph.erase_node(last)


def _last_states(node: fx.Node, states: fx.Node | None, part: fx.Node, last: fx.Node) -> None:
    """Let what reads the one layer's last states read the last step; of an LSTM they are the first of two."""
    if states is None:
        for one in list(part.users):
            if one.target is not operator.getitem or (one.args[1] != 0 and one.users):
                raise _refused(node, "the cell that it ends with is read")
            if one.args[1] == 0:
                _last_states(node, one, one, last)
            node.graph.erase_node(one)
        return
    for one in list(states.users):
        place = one.args[1] if len(one.args) > 1 else one.kwargs.get("dim")
        chosen = one.target is operator.getitem and place in FIRST_OR_LAST
        squeezed = getattr(one.target, "__name__", one.target) == "squeeze" and place == 0
        if not (chosen or squeezed):
            raise _refused(node, "its last states are read otherwise than by [-1], [0] or squeeze(0)")
        one.replace_all_uses_with(last)
        node.graph.erase_node(one)


def _refused(node: fx.Node, why: str) -> StudentError:
    return StudentError(
        f"{place_of(node)} would stay in float: {why}", where="form",
        remedy="Use nn.GRU or nn.LSTM of one layer and direction with batch_first=True and read its states, or train "
        "this decoder in float32 only",
    )
