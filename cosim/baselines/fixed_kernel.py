"""The Gaussian kernel machine in 16-bit arithmetic, on logarithms of power from a table."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.baselines.kernel_machine import KernelMachine, vote_row
from cosim.baselines.numerics.fixed_point import (
    ACCUMULATOR_BITS,
    FixedLinear,
    Grid,
    fixed_linear,
    grid_of,
    saturated,
)
from cosim.baselines.numerics.log_power import LOG_STEP
from cosim.baselines.numerics.work import linear_row, matrix_row, stage_row
from energy_models.workload import LayerWork

FEATURE_STEP = 2.0**-10  # of standardised features: 32 deviations either way
EXPONENT_STEP = 2.0**-10  # of the exponential's table, down to exp(-32)
KERNEL_STEP = 2.0**-15
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the machine found on the way to its logits, for counting.

    Parameters
    ----------
    standardised : ndarray of int64, shape (examples, features)
    kernels : ndarray of int64, shape (examples, support vectors)
    logits : ndarray of float64, shape (examples, classes)
    """

    standardised: Integers
    kernels: Integers
    logits: Floats


@dataclass(frozen=True, slots=True)
class FixedKernelMachine:
    """A fitted machine rounded to 16 bits.

    Parameters
    ----------
    mean : ndarray of int64, shape (features,)
        In steps of the logarithm's table.
    scale : ndarray, shape (features,)
        From those steps to `FEATURE_STEP`.
    inner : FixedLinear
        Vectors and offsets.
    own_scale : float
        From the sum of squared features to `EXPONENT_STEP`.
    machine : KernelMachine
        Its coefficients are multiples of a 16-bit step, its intercepts of a step of the margins.
    """

    mean: Integers
    scale: Floats
    inner: FixedLinear
    own_scale: float
    machine: KernelMachine

    @property
    def parameters(self) -> int:
        """Stored numbers."""
        return self.machine.parameters

    def decide(self, features: Integers) -> Decision:
        """Return the logits of features in steps of the logarithm's table, shape (examples, features)."""
        unit = Grid(np.asarray(1.0))
        standardised = unit.integers((features - self.mean) * self.scale)
        squares = saturated((standardised.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        own = np.rint(squares * self.own_scale)
        exponents = Grid(np.asarray(EXPONENT_STEP)).integers(
            self.inner.values(standardised) - own * EXPONENT_STEP
        )
        kernels = Grid(np.asarray(KERNEL_STEP)).integers(np.exp(np.minimum(exponents, 0) * EXPONENT_STEP))
        logits = np.asarray(self.machine.logits(kernels * KERNEL_STEP), dtype=np.float64)
        return Decision(standardised, kernels, logits)

    def layers(self, name: str, found: Decision) -> tuple[LayerWork, ...]:
        """Return the rows of scaling, inner products, squared norm, exponential, and vote."""
        decodes, features = found.standardised.shape
        vectors = found.kernels.shape[1]
        squared = found.standardised[:, None, :]
        coefficients = np.rint(self.machine.coefficients / grid_of(self.machine.coefficients).step)
        return (
            stage_row(f"{name}.scale", {"add": features, "requantise": features}, inputs=features, outputs=features,
                      decodes=decodes, arithmetic="integer", weights=2 * features),
            linear_row(f"{name}.inner", squared, self.inner.weights, arithmetic="integer", biases=vectors,
                       operations={"requantise": vectors}),
            matrix_row(f"{name}.norm", squared, squared.transpose(0, 2, 1), np.ones((1, 1), dtype=np.bool_),
                       arithmetic="integer"),
            stage_row(f"{name}.kernel", {"requantise": 1, "add": vectors, "compare": vectors, "lookup": vectors},
                      inputs=1 + vectors, outputs=vectors, decodes=decodes, arithmetic="integer", kind="activation"),
            vote_row(name, found.kernels, coefficients, bias_bits=ACCUMULATOR_BITS, pairs=len(self.machine.intercepts)),
        )  # fmt: skip


def fixed_kernel_machine(machine: KernelMachine) -> FixedKernelMachine:
    """Return the machine rounded for features in steps of the logarithm's table."""
    inner = fixed_linear(machine.vectors.astype(np.float64), machine.offsets.astype(np.float64), FEATURE_STEP)
    coefficients = machine.coefficients.astype(np.float64)
    grid = grid_of(coefficients)
    margins = float(grid.step) * KERNEL_STEP
    rounded = dataclasses.replace(
        machine, coefficients=grid.rounded(coefficients),
        intercepts=np.rint(machine.intercepts.astype(np.float64) / margins) * margins,
    )  # fmt: skip
    return FixedKernelMachine(
        mean=np.rint(machine.mean / LOG_STEP).astype(np.int64),
        scale=machine.scale.astype(np.float64) * (LOG_STEP / FEATURE_STEP), inner=inner,
        own_scale=float(machine.gamma) * FEATURE_STEP**2 / EXPONENT_STEP, machine=rounded,
    )  # fmt: skip
