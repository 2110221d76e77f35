"""Memory that training frees and takes again at every step."""

from __future__ import annotations

import ctypes
import os
import sys

import torch

LARGEST_BLOCK = 31 * 2**20
"""Just below what glibc takes a threshold from: 32 MiB, ``DEFAULT_MMAP_THRESHOLD_MAX`` in mallopt(3) [bytes]."""

TRIM_THRESHOLD = -1
"""``M_TRIM_THRESHOLD`` of mallopt(3): free memory at the heap's end above which it is given back."""

KEPT_BYTES = 2**29
"""What a spiking step of 256 x 128 or an EEGNet step frees, several times over; a process keeps no more than this."""


def keep_freed_memory() -> None:
    """Let the process keep what a training step frees, instead of having every page cleared anew for the next step.

    glibc gives blocks back to the system above a threshold that grows with the largest block freed so far: one large
    block, taken and freed untouched, raises it, and what is kept in all is set beside it. At 64 x 22 x 1000 a quarter
    of EEGNet's step was page faults. Other C libraries, and one whose thresholds are set by the environment, go on as
    before.
    """
    torch.empty(LARGEST_BLOCK, dtype=torch.uint8)
    if sys.platform != "linux" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(TRIM_THRESHOLD, KEPT_BYTES)
