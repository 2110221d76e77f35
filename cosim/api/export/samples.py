"""The filters in front of a decoder, in integers: from the converter's samples to the codes that it takes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.types import Dataset
from cosim.preprocessing import SquareRoot, Widths, integer_chain, operations_of
from energy_models.errors import StudyError
from students.deploy.c_code import export_chain
from students.deploy.input_chain import InputChain

TEST_SAMPLES = 512
"""Of noise, which becomes the test vectors of the filters: recordings are kept behind them only."""


def chain_of(dataset: Dataset, step: float) -> InputChain:
    """Return a dataset's recorded preprocessing as integer stages.

    Parameters
    ----------
    dataset : Dataset
    step : float
        What one step of the converter is worth, in units of the recordings.

    Raises
    ------
    CosimError
        A step that is not above zero, or preprocessing that no device can do sample by sample.
    """
    if not (np.isfinite(step) and step > 0):
        raise StudyError(
            f"samples in steps of {step:g}", where="cosim.export",
            remedy="Say what one step of the converter is worth, in units of the recordings",
        )
    operations = operations_of(dataset.pipeline)
    counts = any(isinstance(one, SquareRoot) for one in operations[:1])
    return integer_chain(
        operations, rate_hz=dataset.source_rate_hz, channels=len(dataset.windows.channels),
        converter="unsigned" if counts else "signed", step=step, widths=Widths(dataset.source_bits),
    )  # fmt: skip


def check_step(dataset: Dataset, chain: InputChain, step: float, values: NDArray[np.float32]) -> None:
    """Raise where codes of a step cannot hold what a decoder was trained on.

    Parameters
    ----------
    dataset, chain, step
        As of `chain_of`, and what it returned.
    values : ndarray
        What the preprocessing gave, before any standardisation.

    Raises
    ------
    StudyError
        Every code would be zero, or half of those that are not zero the largest; with the steps between, where the
        preprocessing scales with its input.
    """
    sizes = np.abs(values.astype(np.float64) - chain.output_offset)
    largest = float(sizes.max(initial=0.0))
    if largest == 0:
        return
    typical = float(np.median(sizes[sizes > 0]))
    unit, codes = chain.output_unit, 2 ** (chain.output_bits - 1) - 1
    if unit <= largest and typical <= unit * codes:
        return
    why = "all of the recordings become the code 0" if unit > largest else "most of the recordings are beyond all codes"
    growth = math.log2(chain_of(dataset, 2 * step).output_unit / unit)  # 1: it scales with the step; 0.5: a square root
    told = ""
    if growth > 0:
        least, most = (step * (size / unit) ** (1 / growth) for size in (typical / codes, largest))
        told = f": between {least:.2g} and {most:.2g}"
    raise StudyError(
        f"samples in steps of {step:g}: {why}", where="cosim.export",
        remedy=f"Say what one step of the converter is worth, in units of the recordings{told}",
    )


def write_chain(chain: InputChain, folder: Path, name: str) -> tuple[str, ...]:
    """Write the chain as C with test vectors of noise, and return the names of the files."""
    highest = 2 ** (chain.bits - chain.signed) - 1
    middle, size = 0 if chain.signed else highest / 4, (chain.channels, TEST_SAMPLES)
    noise = np.random.default_rng(0).normal(middle, highest / 16, size)
    samples = np.clip(np.rint(noise), -highest if chain.signed else 0, highest).astype(np.int64)
    return export_chain(chain, folder, name=name, samples=samples)
