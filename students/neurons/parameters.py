"""Decays and thresholds of neurons: of the layer or of each neuron, learned or not, kept within their bounds."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError

LEAST_THRESHOLD = torch.finfo(torch.float32).eps
"""A learned threshold stays above zero: below it a neuron whose membrane is zero fires in every step."""

Learnable = Literal["nothing", "beta", "threshold", "both"]
Parameters = Literal["of the layer", "of each neuron"]
Learned = Literal["learned", "fixed"]


def learned(learnable: Learnable, what: Literal["beta", "threshold"]) -> Learned:
    """Return whether decays or thresholds are learned."""
    return "learned" if learnable in {what, "both"} else "fixed"


def checked_decay(beta: float) -> float:
    """Return beta, or raise where it is no decay."""
    if not 0.0 <= beta <= 1.0:
        raise StudentError(f"the decay per step must lie in 0..1, found {beta}", remedy="Use for example 0.9")
    return beta


def checked_threshold(threshold: float) -> float:
    """Return a threshold, or raise where it is not positive."""
    if threshold <= 0.0:
        raise StudentError(f"a spike threshold must be positive, found {threshold}", remedy="Use for example 1.0")
    return threshold


def _parameter(value: float, channels: int, parameters: Parameters, how: Learned) -> nn.Parameter:
    """Return a parameter of shape () or (channels,)."""
    size = () if parameters == "of the layer" else (channels,)
    return nn.Parameter(torch.full(size, value, dtype=torch.float32), requires_grad=how == "learned")


def decay_parameter(value: float, channels: int, parameters: Parameters, how: Learned) -> nn.Parameter:
    """Return a decay per step as a parameter.

    Raises
    ------
    StudentError
        A decay outside 0..1.
    """
    return _parameter(checked_decay(value), channels, parameters, how)


def threshold_parameter(value: float, channels: int, parameters: Parameters, how: Learned) -> nn.Parameter:
    """Return a spike threshold as a parameter.

    Raises
    ------
    StudentError
        A threshold that is not positive.
    """
    return _parameter(checked_threshold(value), channels, parameters, how)


def two_decays_and_threshold(
    decays: tuple[float, float], threshold: float, channels: int, parameters: Parameters, learnable: Learnable
) -> tuple[nn.Parameter, nn.Parameter, nn.Parameter]:
    """Return the parameters of neurons with two decaying states; ``beta`` of `learnable` means both decays.

    Raises
    ------
    StudentError
        A decay outside 0..1, or a threshold that is not positive.
    """
    first, second = (decay_parameter(one, channels, parameters, learned(learnable, "beta")) for one in decays)
    return first, second, threshold_parameter(threshold, channels, parameters, learned(learnable, "threshold"))


def checked_most(most: int) -> int:
    """Return the most events of a neuron in a step, or raise where it is no number of events."""
    if most < 1:
        raise StudentError(
            f"a neuron fires at least once in a step or not at all, found at most {most}", where="most",
            remedy="Use for example 7",
        )
    return most


def in_use(decaying: Tensor) -> Tensor:
    """Return a decay within 0..1."""
    return decaying.clamp(0.0, 1.0)


def limit_in_use(limit: Tensor) -> Tensor:
    """Return a threshold above zero."""
    return limit.clamp(min=LEAST_THRESHOLD)
