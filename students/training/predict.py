"""What a network computes for given inputs: its outputs, and the tensors of its modules by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError, unknown_name
from students.training.examples import OUTPUTS


def predict(model: nn.Module, inputs: Tensor, batch_size: int = 64, *, device: torch.device | str = "cpu") -> Tensor:
    """Return logits ``(examples, outputs)``, or estimates ``(examples, steps, outputs)``, of the deployed form.

    The model is left in evaluation mode, on `device`; what it returns is on the CPU.

    Parameters
    ----------
    model : nn.Module
    inputs : Tensor, shape (examples, channels, steps)
        A regression takes any number of steps, so one long segment is one example.
    batch_size : int
        Examples on the device at once.
    device : torch.device or str

    Raises
    ------
    StudentError
        Inputs that are not finite, whose predictions would be no predictions.
    """
    return predict_tensors(model, inputs, (), batch_size, device=device)[OUTPUTS]


def predict_tensors(
    model: nn.Module,
    inputs: Tensor,
    names: Sequence[str],
    batch_size: int = 64,
    *,
    device: torch.device | str = "cpu",
) -> dict[str, Tensor]:
    """Return the outputs under ``outputs``, and under its name what each named module puts out, one row per example.

    Parameters
    ----------
    model, inputs, batch_size, device
        As `predict`.
    names : sequence of str
        Of modules, as `torch.nn.Module.named_modules` gives them.

    Raises
    ------
    StudentError
        As `predict` and `forward_with`.
    """
    if unusable := inputs.numel() - int(torch.isfinite(inputs).sum()):
        raise StudentError(
            f"{unusable} of the inputs are not finite", where="predict",
            remedy="Drop or repair the recordings that hold NaN or infinity",
        )
    model.to(device).eval()
    found: dict[str, list[Tensor]] = {name: [] for name in (OUTPUTS, *names)}
    with torch.inference_mode():
        for batch in inputs.split(batch_size):
            outputs, tensors = forward_with(model, batch.to(device), names)
            for name, tensor in {**tensors, OUTPUTS: outputs}.items():
                found[name].append(tensor.cpu())
        joined = {name: torch.cat(parts) for name, parts in found.items()}
    return {name: tensor.clone() for name, tensor in joined.items()}


def forward_with(model: nn.Module, inputs: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the outputs of a forward pass, and what each named module put out in it.

    Of a module that puts out several values the first is taken: a recurrent layer's outputs come before its state. A
    module that runs several times in the pass gives ``(batch, runs, ...)``.

    Parameters
    ----------
    model : nn.Module
    inputs : Tensor, shape (batch, channels, steps)
    names : sequence of str

    Raises
    ------
    StudentError
        A name that no module has (the names are listed), a module that does not run, or one that puts out no tensor.
    """
    if not names:
        return model(inputs), {}
    modules = {name: module for name, module in model.named_modules() if name}
    if unknown := [name for name in names if name not in modules]:
        remedy = unknown_name("modules", unknown[0], modules)
        raise StudentError(f"the network has no module {unknown[0]!r}", where="module outputs", remedy=remedy)
    calls: dict[str, list[Tensor]] = {name: [] for name in names}
    handles = [modules[name].register_forward_hook(_keeper(name, kept)) for name, kept in calls.items()]
    try:
        outputs = model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return outputs, {name: _joined(name, kept) for name, kept in calls.items()}


def _keeper(name: str, kept: list[Tensor]) -> Callable[[nn.Module, object, object], None]:
    def keep(module: nn.Module, inputs: object, output: object) -> None:
        first = cast(tuple[object, ...], output)[0] if isinstance(output, tuple) and output else output
        if not isinstance(first, Tensor):
            raise StudentError(
                f"module {name!r} ({type(module).__name__}) puts out no tensor", where="module outputs",
                remedy="Name a module inside it, or behind it",
            )
        kept.append(first)

    return keep


def _joined(name: str, kept: Sequence[Tensor]) -> Tensor:
    if not kept:
        raise StudentError(
            f"module {name!r} does not run in a forward pass", where="module outputs", remedy="Name another module"
        )
    return kept[0] if len(kept) == 1 else torch.stack(tuple(kept), dim=1)
