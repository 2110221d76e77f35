"""The network a chip runs: lowered to integers, executed by an integer reference, compared with Brevitas, counted."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from students.deploy.compare import Agreement, NodeAgreement, agreement
    from students.deploy.counts import LayerCount, StateCount, state_counts, static_counts
    from students.deploy.graph import DeployedGraph, InputCodes
    from students.deploy.lowering import lower
    from students.deploy.reference import decide, execute
    from students.deploy.streaming import advance, first_past

_FILES = {
    "compare": ("Agreement", "NodeAgreement", "agreement"),
    "reference": ("decide", "execute"),
    "graph": ("DeployedGraph", "InputCodes"),
    "lowering": ("lower",),
    "counts": ("LayerCount", "StateCount", "state_counts", "static_counts"),
    "streaming": ("advance", "first_past"),
}
_HOMES = {name: file for file, names in _FILES.items() for name in names}

__all__ = [
    "Agreement",
    "DeployedGraph",
    "InputCodes",
    "LayerCount",
    "NodeAgreement",
    "StateCount",
    "advance",
    "agreement",
    "decide",
    "execute",
    "first_past",
    "lower",
    "state_counts",
    "static_counts",
]


def __getattr__(name: str) -> object:
    """Return what the door exports; lowering loads Brevitas, which takes seconds, so only then."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
