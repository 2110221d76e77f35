"""What the arguments of a called operation say."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx, nn

from students.quantize.adopt import operations as known

SQUARED = 2


def settings(node: fx.Node, function: type[nn.Module]) -> dict[str, Any]:
    """Return the settings of a called activation function, by the names its layer has for them."""
    names = {nn.LeakyReLU: ("negative_slope",), nn.ELU: ("alpha",), nn.Hardtanh: ("min_val", "max_val"),
             nn.Softplus: ("beta", "threshold")}.get(function, ())  # fmt: skip
    given = {**dict(zip(names, node.args[1:], strict=False)), **node.kwargs}
    accepted = (*names, "approximate") if function is nn.GELU else names
    return {key: value for key, value in given.items() if key in accepted}


def by_numbers(node: fx.Node) -> bool:
    """Return whether an operation takes one signal and else written numbers."""
    given = [one for one in (*node.args, *node.kwargs.values()) if one is not None]
    numbers = sum(isinstance(one, int | float) for one in given)
    return sum(isinstance(one, fx.Node) for one in given) == 1 and numbers == len(given) - 1


def is_square(node: fx.Node) -> bool:
    """Return whether a signal is multiplied by itself, or raised to the second power."""
    if node.target in known.TIMES and len(node.args) == SQUARED and node.args[0] is node.args[1]:
        return True
    exponent = node.kwargs.get("exponent", node.args[1] if len(node.args) > 1 else None)
    return node.target in known.POWERS and isinstance(exponent, int | float) and exponent == SQUARED


def least(node: fx.Node) -> float:
    """Return the number below which nothing that a limit gives lies."""
    low = node.kwargs.get("min", node.args[1] if len(node.args) > 1 else None)
    bounded = node.target not in (torch.clamp_max, "clamp_max")
    return float(low) if bounded and isinstance(low, int | float) else -math.inf
