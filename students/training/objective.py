"""The task's own loss, against the labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.layers import OutputScale
from students.spec import StudentSpec
from students.training.distillation.losses import scaled_mse
from students.training.examples import Examples


@dataclass(frozen=True, slots=True)
class Objective:
    """The labels' loss of one fit.

    Parameters
    ----------
    spec : StudentSpec
    weights : Tensor
        Classification: weight of each class, ``n / (classes n_c)``, so that the loss follows balanced accuracy.
        Regression: standard deviation of each axis of the training targets.
    warmup_steps : int
        First steps of each segment that are left out (regression).
    """

    spec: StudentSpec
    weights: Tensor
    warmup_steps: int

    def task(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return cross-entropy [nat], or the mean square error over the training variance, against the labels.

        A kinematic target that is nan is unknown and counts nowhere; where all of a batch are, its loss is 0.
        """
        weights = self.weights.to(outputs.device)
        if self.spec.shape.task == "classification":
            return functional.cross_entropy(outputs, targets, weight=weights)
        outputs, targets = outputs[:, self.warmup_steps :], targets[:, self.warmup_steps :]
        known = ~targets.isnan()
        if bool(known.all()):
            return scaled_mse(outputs, targets, weights)
        wanted = torch.where(known, targets, outputs.detach())
        return scaled_mse(outputs, wanted, weights) * (known.numel() / known.sum().clamp(min=1))


def prepare(model: nn.Module, train: Examples, spec: StudentSpec) -> Objective:
    """Return the loss that fits these training examples, and set the model's output scale from them.

    Raises
    ------
    StudentError
        A class without a training example, or a kinematic axis that never moves in training or is never known.
    """
    if spec.shape.task == "classification":
        counts = torch.bincount(train.targets, minlength=spec.shape.outputs)
        if absent := torch.nonzero(counts == 0).flatten().tolist():
            raise StudentError(
                f"no example of class {', '.join(map(str, absent))}", where="training targets",
                remedy="Choose a split with every class on its training side, or give the spec fewer outputs",
            )
        return Objective(spec, len(train) / (spec.shape.outputs * counts), 0)
    targets = train.targets.double()
    if train.known is None:
        deviation, mean = torch.std_mean(targets, dim=(0, 1), correction=0)
    else:
        deviation, mean = torch.std_mean(targets[train.known], dim=0, correction=0)
    if not bool((deviation > 0).all()):
        still = ", ".join(str(axis) for axis in torch.nonzero(deviation <= 0).flatten().tolist())
        raise StudentError(
            f"axis {still} of the targets is constant", where="training targets",
            remedy="Leave it out, or train on recordings in which it moves",
        )
    for module in model.modules():
        if isinstance(module, OutputScale):
            module.scale.copy_(deviation)
            module.offset.copy_(mean)
    return Objective(spec, deviation.float(), int(getattr(model, "warmup_steps", 0)))
