"""The device a model is observed on; model and inputs are moved there."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

from energy_models.errors import StudentError
from students.counting.inputs import Signals

CPU = torch.device("cpu")


def device_of(model: nn.Module, device: str | torch.device | None, name: str) -> torch.device:
    """Return the device to observe on: the one asked for, else that of the model's parameters, else the CPU.

    Raises
    ------
    StudentError
        An unknown device, one that this machine or this build of torch lacks, or one whose tensors hold no numbers.
    """
    if device is None:
        tensors = [*model.parameters(), *model.buffers()] if isinstance(model, nn.Module) else []
        return next((one.device for one in tensors if not one.is_meta), CPU)
    where = f"observing {name}"
    try:
        found = torch.empty(0, device=device).device  # with its index
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise StudentError(
            f"the device {device} cannot be used: {str(error).splitlines()[0]}",
            where=where,
            remedy="Give one that this machine and this build of torch have, such as 'cpu'",
        ) from error
    if found.type == "meta":
        raise StudentError(
            "the device meta holds shapes and no numbers, and the counts depend on numbers",
            where=where,
            remedy="Give 'cpu', or leave the device out: it is then where the model's parameters are",
        )
    return found


def moved(model: nn.Module, signals: Signals, device: torch.device, name: str) -> tuple[nn.Module, Signals]:
    """Return model and signals on a device; of a model that is elsewhere a copy is moved, the one given stays.

    Raises
    ------
    StudentError
        The model cannot be copied, or the device is too small for it.
    """
    held = (*model.parameters(), *model.buffers())
    elsewhere = any(one.device != device and one.dim() and not one.is_meta for one in held)
    try:
        placed = deepcopy(model).to(device) if elsewhere else model
        return placed, Signals(signals.names, tuple(one.to(device) for one in signals.tensors))
    except (RuntimeError, TypeError) as error:
        raise StudentError(
            f"model and inputs cannot be moved to the device {device}: {error}",
            where=f"observing {name}",
            remedy="Move the model yourself, model.to(...), and leave the device out",
        ) from error
