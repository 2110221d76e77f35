"""Memory that training frees and takes again at every step."""

from __future__ import annotations

import torch

LARGEST_BLOCK = 31 * 2**20
"""Just below what glibc takes a threshold from: 32 MiB, ``DEFAULT_MMAP_THRESHOLD_MAX`` in mallopt(3) [bytes]."""


def keep_freed_memory() -> None:
    """Let the process keep what a training step frees, instead of having every page cleared anew for the next step.

    glibc gives blocks back to the system above a threshold that grows with the largest block freed so far, so that one
    large block, taken and freed untouched, ends it: at 64 x 22 x 1000 a quarter of EEGNet's step was page faults. Other
    C libraries, and one whose thresholds are set by the environment, go on as before.
    """
    torch.empty(LARGEST_BLOCK, dtype=torch.uint8)
