"""A step network run over a signal: one step per bin, its state handed on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from energy_models.errors import StudentError


def reset_states(model: nn.Module) -> None:
    """Reset every module that holds its own state (``reset_mem``, as snnTorch's neurons do) to its initial state."""
    for module in model.modules():
        reset = getattr(module, "reset_mem", None)
        if callable(reset):
            reset()


class StepLoop(nn.Module):
    """A module that maps one bin and a state to one estimate and the next state, run over the last axis.

    A loop is what `students.counting.observe` needs to see such a decoder as a stream: every step is a decode.

    Parameters
    ----------
    step_module : nn.Module
        ``(x_t, state) -> (y_t, state)``; or, with `initial_state` None, ``x_t -> y_t`` for a network whose neurons
        hold their state themselves (snnTorch's ``init_hidden=True``); it is reset at the start of each call.
    initial_state : tensors without their batch axis, alone or nested in tuples, lists or dicts; or None

    Raises
    ------
    StudentError
        A state that is no tensor, or a step module that does not return an estimate and a state.
    """

    def __init__(self, step_module: nn.Module, initial_state: Any = None) -> None:
        super().__init__()
        self.step_module = step_module
        leaves, self.structure = tree_flatten(initial_state) if initial_state is not None else ([], None)
        for place, leaf in enumerate(leaves):
            if not isinstance(leaf, Tensor):
                raise StudentError(
                    f"an initial state holds tensors, found a {type(leaf).__name__}", where="StepLoop",
                    remedy="Give for example torch.zeros(units), without the batch axis",
                )  # fmt: skip
            self.register_buffer(f"state_{place}", leaf, persistent=False)
        self._leaves = len(leaves)
        self.structure: TreeSpec | None

    def start(self, batch: int) -> Any:
        """Return the state before the first step, for so many examples."""
        leaves = [self.get_buffer(f"state_{place}") for place in range(self._leaves)]
        copies = [leaf.expand(batch, *leaf.shape) for leaf in leaves]
        return None if self.structure is None else tree_unflatten(copies, self.structure)

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to the step module's outputs, ``(batch, steps, ...)``."""
        outputs: list[Tensor] = []
        if self.structure is None:
            reset_states(self.step_module)
            outputs = [self.step_module(now) for now in signal.unbind(-1)]
        else:
            state = self.start(signal.shape[0])
            for now in signal.unbind(-1):
                output, state = self._pair(self.step_module(now, state))
                outputs.append(output)
        for output in outputs[:1]:
            self._check(output)
        return torch.stack(outputs, dim=1)

    def _pair(self, result: Any) -> tuple[Tensor, Any]:
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise StudentError(
                f"the step module returned a {type(result).__name__}, not an estimate and a state", where="StepLoop",
                remedy="Return (y_t, state); several state tensors go into one tuple",
            )  # fmt: skip
        return result[0], result[1]

    def _check(self, output: Any) -> None:
        if not isinstance(output, Tensor):
            raise StudentError(
                f"the step module's estimate is a {type(output).__name__}", where="StepLoop",
                remedy="Return one tensor of shape (batch, ...) a step",
            )  # fmt: skip
