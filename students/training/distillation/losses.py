"""Distances between a student's outputs and a teacher's, or the labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def hinton_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return ``T^2 KL(softmax(teacher / T) || softmax(student / T))``, the mean over the batch [nat].

    Hinton, Vinyals and Dean 2015 (arXiv 1503.02531), section 2: T^2 keeps the gradient's size as T changes.

    Parameters
    ----------
    student, teacher : Tensor, shape (batch, classes)
        Logits.
    temperature : float
        T > 0.
    """
    log_student = functional.log_softmax(student / temperature, dim=-1)
    log_teacher = functional.log_softmax(teacher / temperature, dim=-1)
    divergence = functional.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)
    return temperature**2 * divergence


def scaled_mse(outputs: Tensor, targets: Tensor, scale: Tensor) -> Tensor:
    """Return the mean of ``((outputs - targets) / scale)^2``, without unit.

    Parameters
    ----------
    outputs, targets : Tensor, shape (batch, steps, axes)
    scale : Tensor, shape (axes,)
        Standard deviation of each axis, so that axes of different units weigh alike.
    """
    return (((outputs - targets) / scale) ** 2).mean()


def blend(task: Tensor, teacher: Tensor, weight: float) -> Tensor:
    """Return ``(1 - weight) task + weight teacher``."""
    return (1 - weight) * task + weight * teacher
