"""Linear discriminant with shrinkage on low-passed samples: for slow potentials that precede a movement.

Every channel is averaged over short blocks (a low-pass that costs one addition a sample), all block means form one
vector, and the covariance is shrunk by Ledoit and Wolf's estimate (Blankertz et al. 2011,
doi 10.1016/j.neuroimage.2010.06.048).

Deployed arithmetic: 16-bit inputs, weights and block sums, 40-bit accumulators; the scores come from it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cosim.baselines.discriminant import fit_discriminant, two_sided
from cosim.baselines.fixed_point import ACCUMULATOR_BITS, WIDTH_BITS, Grid, fixed_linear, grid_of
from cosim.baselines.types import Baseline, BaselineResult, Options, fitting_examples
from cosim.baselines.work import linear_row, stage_row
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


def run(dataset: Dataset, fold: Fold, options: ShrinkageLdaOptions) -> BaselineResult:
    """Return the decoder fitted on the fold, on windows as the dataset's pipeline gives them.

    Raises
    ------
    DataError
        If the window is shorter than a block, or a class is absent in training.
    """
    steps = dataset.inputs.shape[2]
    if steps < options.block_steps:
        raise DataError(f"a window of {steps} steps is shorter than a block of {options.block_steps}",
                        where=f"baseline {NAME!r}", remedy="Choose fewer block_steps.")  # fmt: skip
    chosen = fitting_examples(fold)
    grid = grid_of(dataset.inputs[chosen])

    def sums(examples: NDArray[np.int64]) -> NDArray[np.int64]:
        return block_sums(grid.integers(dataset.inputs[examples]), options.block_steps)

    # A sum of n 16-bit samples is brought back to 16 bits by one rounding.
    narrow = Grid(np.asarray(float(options.block_steps)))
    train, test = (narrow.integers(sums(examples).astype(np.float64)) for examples in (chosen, fold.test))
    features = (train.reshape(len(train), -1) * float(grid.step)).astype(np.float64)
    weights, biases = fit_discriminant(features, dataset.targets[chosen], len(dataset.output_names),
                                       shrinkage="ledoit_wolf", where=f"baseline {NAME!r}")  # fmt: skip
    matrix = fixed_linear(weights, biases, float(grid.step))
    activations = test.reshape(len(test), 1, -1)
    _, channels, blocks = test.shape
    used, words = channels * blocks * options.block_steps, channels * blocks
    layers = (
        stage_row(f"{NAME}.blocks", {"add": used - words, "requantise": words}, inputs=used, outputs=words,
                  decodes=len(test), arithmetic="integer",
                  accumulator_bits=WIDTH_BITS + math.ceil(math.log2(options.block_steps))),
        linear_row(f"{NAME}.discriminant", activations, matrix.weights, arithmetic="integer", biases=len(biases),
                   output_bits=ACCUMULATOR_BITS),
    )  # fmt: skip
    return BaselineResult(
        name=NAME, label="shrinkage LDA", outputs_test=two_sided(matrix.values(activations[:, 0])), layers=layers,
        decodes=len(test), mode="window", parameters=weights.size + biases.size,
        weight_bits=WIDTH_BITS, activation_bits=WIDTH_BITS,
    )  # fmt: skip


BASELINE = Baseline("shrinkage LDA", ("classification",), ShrinkageLdaOptions, run)
