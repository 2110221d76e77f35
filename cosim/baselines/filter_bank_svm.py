"""Energies of a filter bank and a support vector machine with a Gaussian kernel, all in integers.

The decoder of low-power seizure detectors: band-pass filters, accumulated squares, logarithm, kernel machine (Shoeb and
Guttag 2010, ICML; Yoo et al. 2013, doi 10.1109/JSSC.2012.2221220). Softness and kernel width are chosen on validation.

Deployed arithmetic: 16-bit inputs, coefficients, signals, features, vectors and kernel values, 40-bit accumulators;
logarithm and exponential from tables; the scores come from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.baselines.fitting import Amounts, best_on_validation, decided, deployed
from cosim.baselines.fixed_kernel import FixedKernelMachine, fixed_kernel_machine
from cosim.baselines.kernel_machine import fit
from cosim.baselines.numerics.filter_bank import FixedBand, bands_row, fixed_band, sections
from cosim.baselines.numerics.fixed_point import WIDTH_BITS, Grid, grid_of
from cosim.baselines.numerics.log_power import LOG_STEP, log_power
from cosim.baselines.numerics.spectrum import read_bands
from cosim.baselines.numerics.work import matrix_row, stage_row
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Indices, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold

NAME = "filter_bank_svm"
WHERE = f"baseline {NAME!r}"
Integers = NDArray[np.int64]


class FilterBankSvmOptions(Options):
    """Bands, softness and width.

    Parameters
    ----------
    bands_hz : str
        Edges, such as ``4-8,8-13``; each must end under half the step rate.
    softness : float, or text such as ``1,10``
        C of the support vector machine: what a margin violation costs. Several values are chosen from on validation.
    width : float, or text such as ``0.3,1``
        Gamma of the kernel times the number of (unit-variance) features. Several values are chosen from.
    """

    bands_hz: str = "0.5-4,4-8,8-13,13-30,30-40"
    softness: Amounts = (0.1, 1.0, 10.0, 100.0)
    width: Amounts = (0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True, slots=True)
class FixedBank:
    """Every channel behind every band.

    Parameters
    ----------
    inputs : Grid
    bands : tuple of FixedBand
    """

    inputs: Grid
    bands: tuple[FixedBand, ...]

    def signals(self, windows: NDArray[np.float32]) -> Integers:
        """Return filtered signals, shape (examples, steps, bands * channels)."""
        samples = self.inputs.integers(windows)
        return np.concatenate([band.run(samples) for band in self.bands], axis=1).transpose(0, 2, 1)


def fixed_bank(windows: NDArray[np.float32], cascades: tuple[NDArray[np.float64], ...]) -> FixedBank:
    """Return the bank whose steps suit these windows."""
    grid = grid_of(windows)
    samples = grid.integers(windows)
    return FixedBank(grid, tuple(fixed_band(cascade, samples) for cascade in cascades))


@dataclass(frozen=True, slots=True)
class FilterBankSvm:
    """Filter bank and machine in 16-bit arithmetic."""

    bank: FixedBank
    machine: FixedKernelMachine

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the logits of these windows."""
        windows = dataset.windows.inputs(examples)
        signals = self.bank.signals(windows)
        features = log_power(signals)
        found = self.machine.decide(features)
        decodes, channels, steps = windows.shape
        number = signals.shape[2]
        bands = [(band, channels) for band in self.bank.bands]
        layers = (
            bands_row(f"{NAME}.bands", bands, steps, decodes),
            matrix_row(f"{NAME}.power", signals.transpose(0, 2, 1), signals, np.eye(number, dtype=np.bool_),
                       arithmetic="integer"),
            stage_row(f"{NAME}.logarithm", {"lookup": number}, inputs=number, outputs=number, decodes=decodes,
                      arithmetic="integer"),
            *self.machine.layers(NAME, found),
        )  # fmt: skip
        parameters = sum(band.coefficients for band in self.bank.bands) + self.machine.parameters
        return Decoded(found.logits, layers, decodes, parameters)


def run(dataset: Dataset, fold: Fold, options: FilterBankSvmOptions) -> BaselineResult:
    """Return the machine on windows as the dataset's pipeline gives them, softness and width chosen on validation.

    Raises
    ------
    DataError
        If a band does not fit the step rate, a class is absent in training, or a feature does not vary.
    """
    bands = read_bands(options.bands_hz, where=WHERE)
    cascades = tuple(sections(band, dataset.step_rate_hz, where=WHERE) for band in bands)
    classes = len(dataset.output_names)

    def machine(features: Integers, labels: NDArray[Any], softness: float, width: float) -> FixedKernelMachine:
        values = (features * LOG_STEP).astype(np.float32)
        return fixed_kernel_machine(fit(values, labels, classes, softness=softness, width=width, where=WHERE))

    bank = fixed_bank(dataset.windows.inputs(fold.train), cascades)
    train, held = (log_power(bank.signals(dataset.windows.inputs(part))) for part in (fold.train, fold.validation))
    labels = dataset.targets[fold.train]
    softness, width = best_on_validation(
        dataset, fold, [(c, w) for c in sorted(set(options.softness)) for w in sorted(set(options.width))],
        lambda candidate: machine(train, labels, *candidate).decide(held).logits,
    )  # fmt: skip

    def fitted(examples: Indices) -> FilterBankSvm:
        own = fixed_bank(dataset.windows.inputs(examples), cascades)
        features = log_power(own.signals(dataset.windows.inputs(examples)))
        return FilterBankSvm(own, machine(features, dataset.targets[examples], softness, width))

    return deployed(NAME, "filter bank SVM", dataset, fold, fitted, width_bits=WIDTH_BITS,
                    chosen=decided({"softness": (options.softness, softness), "width": (options.width, width)}),
                    )  # fmt: skip


BASELINE = Baseline("filter bank SVM", ("classification",), FilterBankSvmOptions, run)
