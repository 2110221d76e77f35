"""The first forward passes of a network of one's own: everything that training would stumble over, told before it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from energy_models.errors import StudentError, raised_where
from students.spec import Shape

EXAMPLES = 3
"""Made-up examples of the first forward passes: more than outputs could be taken for, alone and together."""

TOLERANCE = 1e-4
"""Greatest relative difference that the order of additions is allowed to make."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """A network of one's own, on its way through the checks."""

    network: nn.Module
    shape: Shape
    name: str
    call: str
    folder: Path | None

    def error(self, what: str, remedy: str) -> StudentError:
        return StudentError(what, where=f"family {self.name!r}, made as {self.call}", remedy=remedy)

    def run(self, signal: Tensor, where: str = "") -> object:
        """Return what the network puts out."""
        try:
            return self.network(signal)
        except Exception as error:  # the network is a user's and may raise anything
            said = raised_where(error, self.folder)
            raise self.error(
                f"on inputs {_of(signal)}{where} it raised {said}",
                "It is called with one float32 tensor (batch, channels, steps)",
            ) from error


def check_forward(network: nn.Module, shape: Shape, *, name: str, call: str, folder: Path | None) -> None:
    """Refuse a network that cannot be trained and scored: run on made-up examples, in evaluation mode.

    Only lazy layers are changed by it, which get their sizes.

    Parameters
    ----------
    network : nn.Module
    shape : Shape
    name, call : str
        What it is called in a study, and how it was made.
    folder : Path or None
        Where its source is, of which a line is told where it raises.

    Raises
    ------
    StudentError
        It raises; its output has another shape or type, depends on earlier calls, on the other examples of the batch
        or (regression) on later steps; or nothing in it can be trained.
    """
    signal = torch.randn(EXAMPLES, shape.channels, shape.steps)
    first = _Checked(network, shape, name, call, folder)
    if any(is_lazy(parameter) for parameter in network.parameters()):
        was_training = network.training
        first.network.eval()
        first.run(signal)
        network.train(was_training)
    _check_parameters(first)
    checked = _Checked(copy.deepcopy(network).eval(), shape, name, call, folder)
    outputs = _outputs(checked, signal)
    with torch.no_grad():
        _check_repeatable(checked, signal, outputs)
        _check_examples(checked, signal, outputs)
        if shape.task == "regression":
            _check_steps(checked, signal, outputs)


def _check_parameters(one: _Checked) -> None:
    named = dict(one.network.named_parameters())
    if not any(parameter.requires_grad for parameter in named.values()):
        raise one.error(
            "it has no parameter to train", "Keep layers as attributes (in nn.ModuleList, not in a list)"
        )
    wrong = [f"{key} is {value.dtype}" for key, value in named.items() if value.dtype != torch.float32]
    if wrong:
        raise one.error(f"{wrong[0]}, expected torch.float32".replace("torch.", ""), "Leave its numbers in float32")


def _outputs(one: _Checked, signal: Tensor) -> Tensor:
    """Return the outputs after checking that they are what training needs."""
    outputs = one.run(signal)
    shape = one.shape
    expected = (shape.outputs,) if shape.task == "classification" else (shape.steps, shape.outputs)
    meant = "logits (batch, outputs)" if shape.task == "classification" else "estimates (batch, steps, outputs)"
    remedy = f"Return {meant}, here {(len(signal), *expected)}"
    if not isinstance(outputs, Tensor):
        raise one.error(f"it returned a {type(outputs).__name__}, not a tensor", remedy)
    if tuple(outputs.shape) != (len(signal), *expected):
        swapped = shape.task == "regression" and tuple(outputs.shape[1:]) == expected[::-1]
        hint = ". Swap the last two axes: transpose(1, 2)" if swapped else ""
        raise one.error(f"from inputs {_of(signal)} it returned {tuple(outputs.shape)}", remedy + hint)
    if outputs.dtype != torch.float32:
        raise one.error(f"its outputs are {str(outputs.dtype).removeprefix('torch.')}", "Return float32")
    if not bool(torch.isfinite(outputs).all()):
        raise one.error("its outputs for standard normal inputs are not finite", "Check divisions, logarithms, weights")
    if not outputs.requires_grad:
        raise one.error(
            "no gradient reaches its parameters", "Leave out detach(), no_grad(), argmax and rounding in forward"
        )
    return outputs.detach()


def _check_repeatable(one: _Checked, signal: Tensor, outputs: Tensor) -> None:
    if not _same(one.run(signal, " again"), outputs):
        raise one.error(
            "the same inputs give other outputs in a second call: it keeps something from call to call, or draws "
            "random numbers in evaluation mode",
            "Start every call from the same state, and let only training be random (self.training)",
        )


def _check_examples(one: _Checked, signal: Tensor, outputs: Tensor) -> None:
    for place in range(len(signal)):
        alone = one.run(signal[place : place + 1], " (a batch of one)")
        wanted = outputs[place : place + 1]
        if isinstance(alone, Tensor) and alone.shape != wanted.shape:
            raise one.error(
                f"from a batch of one it returned {tuple(alone.shape)}, expected {tuple(wanted.shape)}",
                "Name the axis in squeeze(dim), and keep the batch axis first",
            )
        if not _same(alone, wanted):
            raise one.error(
                "an output depends on the other examples of its batch",
                "Use no statistics of the batch in evaluation mode, and mix nothing along axis 0",
            )


def _check_steps(one: _Checked, signal: Tensor, outputs: Tensor) -> None:
    longer = torch.cat([signal, torch.randn_like(signal)], dim=-1)
    ahead = one.run(longer, " (twice the steps: a recording of any length is decoded)")
    steps = signal.shape[-1]
    if not isinstance(ahead, Tensor) or tuple(ahead.shape[:2]) != (len(signal), 2 * steps):
        found = tuple(ahead.shape) if isinstance(ahead, Tensor) else type(ahead).__name__
        raise one.error(
            f"from inputs {_of(longer)} it returned {found}", "Give one estimate for every step, however many there are"
        )
    if not _same(ahead[:, :steps], outputs):
        raise one.error(
            "an estimate depends on later steps",
            "Pad convolutions on the past side only, and use nothing of the whole segment (its mean, both directions)",
        )


def _same(found: object, wanted: Tensor) -> bool:
    return isinstance(found, Tensor) and bool(
        torch.allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE * float(wanted.abs().max()))
    )


def _of(signal: Tensor) -> str:
    return f"(batch {signal.shape[0]}, channels {signal.shape[1]}, steps {signal.shape[2]})"
