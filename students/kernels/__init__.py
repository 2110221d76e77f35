"""Inner loops of training as compiled functions, each beside a plain torch form of the same results."""

from students.kernels.choice import KernelPath, KernelsTaken, choose, kernels_taken, using_kernels

__all__ = ["KernelPath", "KernelsTaken", "choose", "kernels_taken", "using_kernels"]
