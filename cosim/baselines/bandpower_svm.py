"""Support vector machine with a Gaussian kernel on log band power of a short-time transform.

Softness and kernel width are chosen on the validation part (see `cosim.baselines.fitting`).

Deployed arithmetic: float32 throughout; the exponential and the logarithm are table look-ups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from cosim.baselines.fitting import Amounts, best_on_validation, decided, deployed
from cosim.baselines.kernel_machine import KernelMachine, fit
from cosim.baselines.numerics.spectrum import band_bins, band_power_operations, log_band_power, read_bands
from cosim.baselines.numerics.work import FLOAT_BITS, stage_row
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Indices, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold

NAME = "bandpower_svm"
WHERE = f"baseline {NAME!r}"
Floats = NDArray[np.float32]


class BandpowerSvmOptions(Options):
    """Bands, transform length, softness and width.

    Parameters
    ----------
    bands_hz : str
        Edges, such as ``0.5-4,4-8``.
    segment_steps : int
        Length of a transform; a power of two.
    softness : float, or text such as ``1,10``
        C of the support vector machine: what a margin violation costs. Several values are chosen from on validation.
    width : float, or text such as ``0.3,1``
        Gamma of the kernel times the number of (unit-variance) features. Several values are chosen from.
    """

    bands_hz: str = "0.5-4,4-8,8-13,13-30,30-45"
    segment_steps: int = Field(default=256, ge=8)
    softness: Amounts = (0.1, 1.0, 10.0, 100.0)
    width: Amounts = (0.1, 0.3, 1.0, 3.0)

    @field_validator("segment_steps")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError("must be a power of two")
        return value


@dataclass(frozen=True, slots=True)
class Bandpower:
    """Log band power of a window.

    Parameters
    ----------
    bins : tuple of ndarray
        The transform's bins of each band.
    segment_steps : int
    """

    bins: tuple[NDArray[np.int64], ...]
    segment_steps: int

    def of(self, windows: Floats) -> Floats:
        """Return the features, shape (examples, channels * bands)."""
        return log_band_power(windows, self.bins, self.segment_steps)


@dataclass(frozen=True, slots=True)
class BandpowerSvm:
    """Band power and the machine on it."""

    power: Bandpower
    machine: KernelMachine

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the logits of these windows."""
        windows = dataset.windows.inputs(examples)
        standardised = self.machine.standardised(self.power.of(windows))
        kernels = self.machine.kernels(standardised)
        _, channels, steps = windows.shape
        segment = self.power.segment_steps
        spectrum = stage_row(f"{NAME}.spectrum", band_power_operations(channels, steps, self.power.bins, segment),
                             inputs=channels * steps, outputs=standardised.shape[1], decodes=len(windows),
                             arithmetic="float", weights=2 * segment)  # fmt: skip
        return Decoded(
            self.machine.logits(kernels).astype(np.float64),
            (spectrum, *self.machine.layers(NAME, standardised, kernels)), len(windows),
            self.machine.parameters + 2 * segment,
        )  # fmt: skip


def run(dataset: Dataset, fold: Fold, options: BandpowerSvmOptions) -> BaselineResult:
    """Return the machine on windows as the dataset's pipeline gives them, softness and width chosen on validation.

    Raises
    ------
    DataError
        If a band holds no bin, or a window is flat or too short.
    """
    bins = band_bins(read_bands(options.bands_hz, where=WHERE), options.segment_steps, dataset.step_rate_hz)
    power = Bandpower(bins, options.segment_steps)

    classes = len(dataset.output_names)
    train, held = (power.of(dataset.windows.inputs(examples)) for examples in (fold.train, fold.validation))

    def outputs(candidate: tuple[float, float]) -> NDArray[np.float64]:
        machine = fit(train, dataset.targets[fold.train], classes, softness=candidate[0], width=candidate[1],
                      where=WHERE)  # fmt: skip
        return machine.logits(machine.kernels(machine.standardised(held))).astype(np.float64)

    candidates = [(c, w) for c in sorted(set(options.softness)) for w in sorted(set(options.width))]
    softness, width = best_on_validation(dataset, fold, candidates, outputs)

    def fitted(examples: Indices) -> BandpowerSvm:
        features = power.of(dataset.windows.inputs(examples))
        return BandpowerSvm(power, fit(features, dataset.targets[examples], classes, softness=softness, width=width,
                                       where=WHERE))  # fmt: skip

    return deployed(NAME, "band power SVM", dataset, fold, fitted, width_bits=FLOAT_BITS,
                    chosen=decided({"softness": (options.softness, softness), "width": (options.width, width)}),
                    )  # fmt: skip


BASELINE = Baseline("band power SVM", ("classification",), BandpowerSvmOptions, run)
