"""Distances of two sequences' spectra: of their magnitudes, and of their phases."""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST = 1e-12
"""Product of two magnitudes below which they have no phase, and a sum of magnitudes that is not divided by."""


def magnitude_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean of ``|log(1 + |F_student|) - log(1 + |F_teacher|)|``, F the Fourier transform of the last axis.

    0 for a circular shift. DLink (arXiv 2604.15016, abstract) aligns magnitude and phase spectra; this equation is our
    derivation.

    Parameters
    ----------
    student, teacher : Tensor, shape (..., positions)
    """
    found, wanted = (torch.fft.rfft(rows).abs().log1p() for rows in (student, teacher))
    return (found - wanted).abs().mean()


def phase_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean over sequences of ``sum_k w_k (1 - cos(angle F_student - angle F_teacher))``.

    ``w_k = |F_teacher|_k / sum |F_teacher|``, the teacher's share at each frequency. 0 for a positive scaling, 2 for a
    change of sign. A frequency at which either sequence has no power counts as a quarter turn, without a gradient.
    DLink (arXiv 2604.15016, abstract) aligns magnitude and phase spectra; this equation is our derivation.

    Parameters
    ----------
    student, teacher : Tensor, shape (..., positions)
    """
    found, wanted = torch.fft.rfft(student), torch.fft.rfft(teacher)
    size = wanted.abs()
    both = found.abs() * size
    aligned = (found * wanted.conj()).real / both.clamp(min=SMALLEST)
    turned = 1 - torch.where(both > SMALLEST, aligned, 0.0)
    share = size / size.sum(dim=-1, keepdim=True).clamp(min=SMALLEST)
    return (share * turned).sum(dim=-1).mean()
