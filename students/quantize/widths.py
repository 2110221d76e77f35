"""The grids of an integer student, as its layers really have them: widths of first and last products are their own."""

from __future__ import annotations

from torch import nn

WIDTH = "bit_width_impl"
"""How the module that holds a Brevitas quantiser's width is called, at its end."""


def grid_layout(model: nn.Module) -> tuple[tuple[str, str, int], ...]:
    """Return every module of an integer student by name and kind, with the width of its grid [bits] or 0.

    Two forms of one student that have the same layout are the same network.

    Parameters
    ----------
    model : nn.Module
        It need not be calibrated.
    """
    return tuple(
        (name, type(module).__name__, round(float(module())) if name.endswith(WIDTH) else 0)
        for name, module in model.named_modules()
    )
