"""Operators on signals with channels on the last axis, of QONNX and of TensorFlow Lite's files.

The stored weights of a Conv have them there too.
"""

from __future__ import annotations

from torch import Tensor

from students.interchange.graph import Builder, Node, Run
from students.interchange.operators import products, windows

DOMAIN = "qonnx.custom_op.channels_last"


def _moved(build: Builder, turned: int) -> Builder:
    """Return the builder of an operator whose first so many inputs, and whose output, have channels last."""

    def wrapped(node: Node) -> Run:
        run = build(node)

        def channels_last(*inputs: Tensor | None) -> Tensor:
            first = [one if one is None else one.movedim(-1, 1) for one in inputs[:turned]]
            return run(*first, *inputs[turned:]).movedim(1, -1)

        return channels_last

    return wrapped


def builders() -> dict[str, Builder]:
    """Return the builders by operator."""
    return {
        "Conv": _moved(windows.builders()["Conv"], 2),
        "AveragePool": _moved(windows.builders()["AveragePool"], 1),
        "MaxPool": _moved(windows.builders()["MaxPool"], 1),
        "BatchNormalization": _moved(products.builders()["BatchNormalization"], 1),
    }
