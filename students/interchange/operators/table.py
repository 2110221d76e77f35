"""Every operator that can be read, by domain and name."""

from __future__ import annotations

from students.interchange.graph import DEFAULT_DOMAINS, Builder, Node
from students.interchange.operators import (
    arithmetic,
    channels_last,
    products,
    quantised,
    recurrent,
    reductions,
    shapes,
    windows,
)

_DEFAULT = {
    **arithmetic.builders(), **products.builders(), **windows.builders(), **reductions.builders(),
    **shapes.builders(), **recurrent.builders(), **quantised.dynamic_builders(),
}  # fmt: skip


_QUANTISED = {**quantised.builders(), "SteppedLstm": recurrent.SteppedLstm}
_CHANNELS_LAST = channels_last.builders()


def builder_of(node: Node) -> Builder | None:
    """Return what builds a node; None for an operator that cannot be read."""
    if node.domain in quantised.QONNX_DOMAINS:
        return _QUANTISED.get(node.operator)
    if node.domain == channels_last.DOMAIN:
        return _CHANNELS_LAST.get(node.operator)
    return _DEFAULT.get(node.operator) if node.domain in DEFAULT_DOMAINS else None
