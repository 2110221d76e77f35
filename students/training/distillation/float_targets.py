"""Targets of a float student, where it teaches its own quantised form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from students.spec import MethodSpec
from students.training.distillation.registry import parse_method
from students.training.examples import OUTPUTS
from students.training.predict import predict_tensors


def float_targets(
    method: MethodSpec, model: nn.Module, inputs: Tensor, *, device: torch.device | str = "cpu"
) -> dict[str, Tensor]:
    """Return, by the names the method asks a teacher for, what stands for them in this float student.

    Parameters
    ----------
    method : MethodSpec
    model : nn.Module
        The float student; left in evaluation mode, on `device`.
    inputs : Tensor, shape (examples, channels, steps)
    device : torch.device or str

    Raises
    ------
    StudentError
        An unknown method or options, or a module that the float student lacks.
    """
    found, options = parse_method(method)
    counterparts = found.needs(options).teacher
    modules = tuple(dict.fromkeys(name for name in counterparts.values() if name != OUTPUTS))
    tensors = predict_tensors(model, inputs, modules, device=device)
    return {target: tensors[name] for target, name in counterparts.items()}
