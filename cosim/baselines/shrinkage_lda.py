"""Linear discriminant with shrinkage on low-passed samples: for slow potentials that precede a movement.

Every channel is averaged over short blocks (a low-pass that costs one addition a sample), all block means form one
vector, and the covariance is shrunk by Ledoit and Wolf's estimate (Blankertz et al. 2011,
doi 10.1016/j.neuroimage.2010.06.048).

Deployed arithmetic: 16-bit inputs, weights and block sums, 40-bit accumulators; the scores come from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cosim.baselines.discriminant import fit_discriminant, two_sided
from cosim.baselines.fitting import deployed
from cosim.baselines.numerics.fixed_point import ACCUMULATOR_BITS, WIDTH_BITS, FixedLinear, Grid, fixed_linear, grid_of
from cosim.baselines.numerics.work import linear_row, stage_row
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Indices, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.errors import DataError

NAME = "shrinkage_lda"


class ShrinkageLdaOptions(Options):
    """Length of a block.

    Parameters
    ----------
    block_steps : int
        Consecutive samples averaged into one feature; the steps left over at the beginning are not used.
    """

    block_steps: int = Field(default=5, ge=1)


def block_sums(samples: NDArray[np.int64], block_steps: int) -> NDArray[np.int64]:
    """Return sums over blocks that end with the window, shape (examples, channels, blocks)."""
    examples, channels, steps = samples.shape
    blocks = steps // block_steps
    kept = samples[:, :, steps - blocks * block_steps :]
    return kept.reshape(examples, channels, blocks, block_steps).sum(axis=3)


@dataclass(frozen=True, slots=True)
class FixedBlocks:
    """Block means and discriminant in 16-bit arithmetic."""

    inputs: Grid
    block_steps: int
    discriminant: FixedLinear

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the logits of these windows."""
        means = block_means(self.inputs.integers(dataset.windows.inputs(examples)), self.block_steps)
        activations = means.reshape(len(means), 1, -1)
        matrix = self.discriminant
        _, channels, blocks = means.shape
        used, words = channels * blocks * self.block_steps, channels * blocks
        layers = (
            stage_row(f"{NAME}.blocks", {"add": used - words, "requantise": words}, inputs=used, outputs=words,
                      decodes=len(means), arithmetic="integer",
                      accumulator_bits=WIDTH_BITS + math.ceil(math.log2(self.block_steps))),
            linear_row(f"{NAME}.discriminant", activations, matrix.weights, arithmetic="integer",
                       biases=len(matrix.biases), output_bits=ACCUMULATOR_BITS),
        )  # fmt: skip
        outputs = two_sided(matrix.values(activations[:, 0]))
        return Decoded(outputs, layers, len(means), matrix.weights.size + matrix.biases.size)


def block_means(samples: NDArray[np.int64], block_steps: int) -> NDArray[np.int64]:
    """Return block sums brought back to 16 bits by one rounding each."""
    return Grid(np.asarray(float(block_steps))).integers(block_sums(samples, block_steps).astype(np.float64))


def fit(dataset: Dataset, examples: Indices, block_steps: int) -> FixedBlocks:
    """Return the decoder fitted on these windows."""
    grid = grid_of(dataset.windows.inputs(examples))
    means = block_means(grid.integers(dataset.windows.inputs(examples)), block_steps)
    features = (means.reshape(len(means), -1) * float(grid.step)).astype(np.float64)
    weights, biases = fit_discriminant(features, dataset.targets[examples], len(dataset.output_names),
                                       shrinkage="ledoit_wolf", where=f"baseline {NAME!r}")  # fmt: skip
    return FixedBlocks(grid, block_steps, fixed_linear(weights, biases, float(grid.step)))


def run(dataset: Dataset, fold: Fold, options: ShrinkageLdaOptions) -> BaselineResult:
    """Return the decoder fitted on the fold, on windows as the dataset's pipeline gives them.

    Raises
    ------
    DataError
        If the window is shorter than a block, or a class is absent in training.
    """
    steps = dataset.windows.steps
    if steps < options.block_steps:
        raise DataError(f"a window of {steps} steps is shorter than a block of {options.block_steps}",
                        where=f"baseline {NAME!r}", remedy="Choose fewer block_steps.")  # fmt: skip
    return deployed(NAME, "shrinkage LDA", dataset, fold,
                    lambda examples: fit(dataset, examples, options.block_steps), width_bits=WIDTH_BITS)  # fmt: skip


BASELINE = Baseline("shrinkage LDA", ("classification",), ShrinkageLdaOptions, run)
