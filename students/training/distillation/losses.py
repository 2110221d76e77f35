"""Distances between a student's outputs and a teacher's, or the labels."""

from __future__ import annotations

from torch import Tensor, nn
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


def contrastive(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the symmetric cross-entropy of a batch's examples against its labels [nat].

    ``s_ij`` is the logit that example i gives the class of example j. L1 is half the sum of the cross-entropy of the
    rows of s and of its columns, each against its own partner, as CLIP (Radford et al. 2021, arXiv 2103.00020,
    section 2.3) and DistilCLIP-EEG (arXiv 2510.13497) have it for the similarities of an example and a text. Ours are
    two departures: class prompts do not change, so similarities are the student's logits, with no temperature of their
    own; and all partners of one class are right answers, of equal shares, because classes repeat in a batch.

    Parameters
    ----------
    logits : Tensor, shape (examples, classes)
    labels : Tensor of int64, shape (examples,)
    """
    pairs = logits[:, labels]
    same = (labels[:, None] == labels[None, :]).to(pairs.dtype)
    shares = same / same.sum(dim=1, keepdim=True)  # symmetric: members of one class have as many partners
    rows, columns = (-(shares * pairs.log_softmax(dim=axis)).sum(dim=axis).mean() for axis in (1, 0))
    return (rows + columns) / 2


def blend(task: Tensor, teacher: Tensor, weight: float) -> Tensor:
    """Return ``(1 - weight) task + weight teacher``."""
    return (1 - weight) * task + weight * teacher


class LogitsDistance(nn.Module):
    """`hinton_kl` of two tensors of logits."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """Return the distance, shape ()."""
        return hinton_kl(outputs, teacher, self.temperature)


class TrajectoryDistance(nn.Module):
    """`scaled_mse` of two trajectories behind their warm-up."""

    scale: Tensor

    def __init__(self, scale: Tensor, warmup_steps: int) -> None:
        super().__init__()
        self.warmup_steps = warmup_steps
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """Return the distance, shape ()."""
        counted, given = (tensor[:, self.warmup_steps :] for tensor in (outputs, teacher))
        return scaled_mse(counted, given, self.scale)


def outputs_distance(scale: Tensor | None, warmup_steps: int, temperature: float) -> nn.Module:
    """Return the module ``(outputs, teacher) -> distance`` of a task.

    Parameters
    ----------
    scale : Tensor or None, shape (axes,)
        Of a regression's axes; None for classification.
    warmup_steps : int
        Left out at the start (regression).
    temperature : float
        Of classes.
    """
    return LogitsDistance(temperature) if scale is None else TrajectoryDistance(scale, warmup_steps)
