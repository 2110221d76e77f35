"""The form in which a model is observed: evaluation mode, all weights present, finite and on one device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from energy_models.errors import StudentError


def check_model(model: nn.Module, device: torch.device | None, name: str) -> None:
    """Check that a model's weights are present, finite and on one device.

    A buffer may hold minus infinity, as masks that are added to scores do.

    Parameters
    ----------
    model : nn.Module
    device : torch.device or None
        Where all of them must be; None: the model will be moved.
    name : str
        What is observed.

    Raises
    ------
    StudentError
        It names the first such parameter or buffer.
    """
    where = f"observing {name}"
    if not isinstance(model, nn.Module):
        raise StudentError(
            f"the model is a {type(model).__name__}",
            where=where,
            remedy="Give an nn.Module, not its class or a function; of an exported program, its module()",
        )
    for path, tensor in (*model.named_parameters(), *model.named_buffers()):
        if isinstance(tensor, UninitializedBuffer | UninitializedParameter):
            raise StudentError(
                f"a lazy layer has no weights yet: {path}", where=where, remedy="Run the model once before"
            )
        if tensor.is_meta or (device is not None and tensor.device != device and tensor.dim()):
            raise StudentError(
                f"{path} is on the device {tensor.device}, the model is to run on {device or 'another'}",
                where=where,
                remedy="Load the weights, and have all of them on one device: model.to(...)",
            )
        wrong = _not_finite(tensor, mask=not isinstance(tensor, nn.Parameter))
        if wrong:
            raise StudentError(
                f"{wrong} of the {tensor.numel()} values of {path} are not finite",
                where=where,
                remedy="Train it again, or load weights that are finite",
            )


def _not_finite(tensor: Tensor, *, mask: bool) -> int:
    """Return how many values are NaN or infinite; in a mask, minus infinity is none of them."""
    if not (tensor.is_floating_point() or tensor.is_complex()) or bool(tensor.detach().sum().isfinite()):
        return 0
    wrong = ~torch.isfinite(tensor)
    return int((wrong & (tensor != -torch.inf) if mask else wrong).sum())


@contextmanager
def deployed(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and attention without its fused path, which shows no operations; both restored after."""
    training = {module: module.training for module in model.modules() if hasattr(module, "training")}
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        model.eval()
    except NotImplementedError:  # of an exported module: its mode is written into its operations
        for module in training:
            module.training = False
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, was in training.items():
            module.training = was
