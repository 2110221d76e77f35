"""Views: what a batch's inputs are replaced by in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Beta


@dataclass(frozen=True, slots=True)
class Viewed:
    """Inputs as a view shows them; each may hold a part of a second example of the batch.

    Parameters
    ----------
    inputs : Tensor, shape (batch, channels, steps)
    partner : Tensor of int64, shape (batch,), or None
        Row of the second example of each, labelled where the first is; None: the view mixes none.
    share : float
        Of the first example, from 0 to 1.
    """

    inputs: Tensor
    partner: Tensor | None = None
    share: float = 1.0

    def mixed(self, rows: Tensor) -> Tensor:
        """Return ``share row + (1 - share) partner's row`` of a tensor with one row per example."""
        if self.partner is None:
            return rows
        return self.share * rows + (1 - self.share) * rows[self.partner]


View = Callable[[Tensor, int], Viewed]
"""From inputs ``(batch, channels, steps)``, the first so many of them labelled, to what the student sees.

Chance is drawn from torch's global generator on the CPU, which a fit seeds and keeps in its checkpoints.
"""


@dataclass(frozen=True, slots=True)
class Noise:
    """White noise: each channel gets ``scale`` times its standard deviation over the batch's examples and steps."""

    scale: float

    def __call__(self, inputs: Tensor, labelled: int) -> Viewed:
        """Return the inputs with noise."""
        deviation = inputs.std(dim=(0, 2), keepdim=True, correction=0)
        drawn = torch.randn(inputs.shape, dtype=inputs.dtype).to(inputs.device)
        return Viewed(inputs + self.scale * deviation * drawn)


@dataclass(frozen=True, slots=True)
class UnitDrop:
    """Each channel of each example is silent, 0 in every step, with a probability: an electrode or a unit is lost."""

    share: float

    def __call__(self, inputs: Tensor, labelled: int) -> Viewed:
        """Return the inputs with silent channels."""
        kept = torch.rand(inputs.shape[:2]) >= self.share
        return Viewed(inputs * kept.to(inputs.device)[:, :, None])


@dataclass(frozen=True, slots=True)
class Mixup:
    """Convex mixtures of two examples, one share a batch, drawn from Beta(alpha, alpha).

    Zhang, Cisse, Dauphin and Lopez-Paz 2018 (arXiv 1710.09412), section 2.
    """

    alpha: float

    def __call__(self, inputs: Tensor, labelled: int) -> Viewed:
        """Return mixtures: labelled examples among themselves, and the others among themselves."""
        share = float(Beta(self.alpha, self.alpha).sample())
        parts = torch.randperm(labelled), labelled + torch.randperm(len(inputs) - labelled)
        partner = torch.cat(parts).to(inputs.device)
        return Viewed(share * inputs + (1 - share) * inputs[partner], partner, share)
