"""Pruning by magnitude while a student is trained (`students.spec.Pruning`).

The share of weights that are zero rises epoch by epoch (Zhu and Gupta 2017, arXiv 1710.01878),

    s(t) = share (1 - (1 - t)^3),   t = (epoch + 1 - first) / (last + 1 - first) within 0..1,

each time those of smallest magnitude of each matrix or set of filters, which stay zero from then on: what is zero is
smallest. So nothing but the weights and the epoch decides, and an interrupted training goes on as it would have.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from students.layers.grid import LEARNED_THRESHOLD
from students.spec import Pruning


def pruned_share(plan: Pruning, epoch: int, epochs: int) -> float:
    """Return the share of weights that are zero in an epoch.

    Parameters
    ----------
    plan : Pruning
    epoch, epochs : int
        The epoch from 0, and how many there are.
    """
    first, last = epochs_before(plan.start, epochs), full_epoch(plan, epochs)
    done = min(max((epoch + 1 - first) / (last + 1 - first), 0.0), 1.0)
    return plan.share * (1.0 - (1.0 - done) ** 3)


def full_epoch(plan: Pruning, epochs: int) -> int:
    """Return the first epoch in which all is pruned that is to be."""
    return max(epochs_before(plan.end, epochs) - 1, 0)


def epochs_before(part: float, epochs: int) -> int:
    """Return how many whole epochs lie before a part of the training."""
    return int(part * epochs)


def prune(model: nn.Module, share: float) -> dict[nn.Parameter, Tensor]:
    """Set the smallest weights of each product to zero; return what keeps them so, by parameter.

    Parameters
    ----------
    model : nn.Module
    share : float
        Of the weights of each product.

    Returns
    -------
    dict
        Factors of 0 and 1, shape of the parameter.
    """
    masks: dict[nn.Parameter, Tensor] = {}
    for name, parameter in model.named_parameters():
        count = int(share * parameter.numel())
        if parameter.ndim < 2 or name.endswith(LEARNED_THRESHOLD) or not count:
            continue
        mask = torch.ones_like(parameter, requires_grad=False)
        smallest = parameter.detach().abs().flatten().argsort(stable=True)[:count]
        mask.view(-1)[smallest] = 0.0
        masks[parameter] = mask
    keep(masks)
    return masks


def keep(masks: dict[nn.Parameter, Tensor]) -> None:
    """Set to zero what an update has moved away from it."""
    with torch.no_grad():
        for parameter, mask in masks.items():
            parameter.mul_(mask)
