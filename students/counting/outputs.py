"""What a model gave back when it was observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass

from torch import Tensor
from torch.utils._pytree import tree_leaves

OTHER_OUTPUT = 0.1
"""Difference between outputs, relative, that is more than rounding, also where a quantiser rounds the other way."""


def outputs_of(values: object) -> list[Tensor]:
    """Return the tensors anywhere inside what a model returned, in dataclasses and mappings too."""
    found: list[Tensor] = []
    for leaf in [values] if isinstance(values, Mapping) else tree_leaves(values):
        if isinstance(leaf, Tensor):
            found.append(leaf)
        elif isinstance(leaf, Mapping):
            found += outputs_of(list(leaf.values()))
        elif is_dataclass(leaf) and not isinstance(leaf, type):
            found += outputs_of([getattr(leaf, one.name) for one in fields(leaf)])
    return found


def mixes_examples(together: Sequence[Tensor], alone: Sequence[Sequence[Tensor]]) -> bool:
    """True where examples give other outputs in a batch than each on its own.

    Parameters
    ----------
    together : sequence of Tensor
        Outputs of the batch. Examples lie along the axes that are as many times longer as there are examples.
    alone : sequence of sequence of Tensor
        For each example its outputs.
    """
    return any(
        _differs(whole, single, place, len(alone))
        for place, outputs in enumerate(alone)
        for whole, single in zip(together, outputs, strict=False)
    )


def _differs(whole: Tensor, single: Tensor, example: int, examples: int) -> bool:
    """True where an example's part of a batch's output is not its own; outputs of other sizes are not comparable."""
    if whole.dim() != single.dim():
        return False
    for axis, (many, one) in enumerate(zip(whole.shape, single.shape, strict=True)):
        if many == one * examples:
            whole = whole.narrow(axis, example * one, one)
        elif many != one:
            return False
    apart = (whole.double() - single.double()).norm()
    return bool(apart > OTHER_OUTPUT * single.double().norm())
