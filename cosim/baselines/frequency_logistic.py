"""A logistic regression on one feature of each frequency and harmonic: what `cca_logistic` and `lock_in` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cosim.baselines.cca import frequencies, references
from cosim.baselines.fitting import Amounts, best_on_validation, decided, deployed
from cosim.baselines.logistic import Logistic, fit_logistic
from cosim.baselines.numerics.work import FLOAT_BITS
from cosim.baselines.types import BaselineResult, Decoded, Indices, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.workload import LayerWork

Floats = NDArray[np.float32]


class FrequencyOptions(Options):
    """References, and the penalty.

    Parameters
    ----------
    harmonics : int
        Sine and cosine pairs a frequency, each a feature of its own.
    frequencies_hz : str
        One frequency for each class, in class order and separated by commas; empty: read from the class names.
    loading : float
        Share of the mean channel power added to the covariance's diagonal.
    inverse_penalty : float, or text such as ``0.1,1,10``
        C of the logistic regression; several values are chosen from on validation.
    """

    harmonics: int = Field(default=3, ge=1)
    frequencies_hz: str = ""
    loading: float = Field(default=1e-4, gt=0, lt=1)
    inverse_penalty: Amounts = (0.01, 0.1, 1.0, 10.0, 100.0)


class Features(Protocol):
    """What makes features of windows with a stored table of references, shape (2 features, steps)."""

    @property
    def table(self) -> Floats:
        """Sine and cosine of each frequency and harmonic, orthonormal and without mean."""
        ...

    def of(self, windows: Floats) -> tuple[Floats, tuple[LayerWork, ...]]:
        """Return the features, shape (decodes, features), and the work of finding them."""
        ...


@dataclass(frozen=True, slots=True)
class FrequencyLogistic:
    """Features and the regression on them; `name` is the baseline's, for its layers."""

    name: str
    front: Features
    regression: Logistic

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the logits of these windows."""
        features, layers = self.front.of(dataset.windows.inputs(examples))
        return Decoded(
            self.regression.logits(features), (*layers, self.regression.layer(f"{self.name}.regression", features)),
            len(features), self.front.table.size + self.regression.parameters,
        )  # fmt: skip


def run_frequency_logistic(
    dataset: Dataset, fold: Fold, options: FrequencyOptions, front_of: Callable[[Floats], Features], *, name: str,
    label: str,
) -> BaselineResult:  # fmt: skip
    """Return the regression on the fold's features, its penalty chosen on validation.

    Parameters
    ----------
    dataset : Dataset
    fold : Fold
    options : FrequencyOptions
    front_of : callable
        Takes the table of references, shape (2 features, steps).
    name, label : str
        Of the baseline.

    Raises
    ------
    DataError
        If the classes name no frequencies, the window is too short, or a class is absent in training.
    """
    where, steps = f"baseline {name!r}", dataset.windows.steps
    rates_hz = frequencies(dataset, harmonics=options.harmonics, frequencies_hz=options.frequencies_hz, where=where)
    each = tuple(harmonic * rate_hz for harmonic in range(1, options.harmonics + 1) for rate_hz in rates_hz)
    front = front_of(references(each, 1, steps, dataset.step_rate_hz).reshape(-1, steps))
    features = front.of(dataset.windows.inputs())[0]

    def regression(examples: Indices, inverse_penalty: float) -> Logistic:
        return fit_logistic(features[examples], dataset.targets[examples], len(dataset.output_names),
                            inverse_penalty=inverse_penalty, where=where)  # fmt: skip

    chosen = best_on_validation(
        dataset, fold, sorted(set(options.inverse_penalty)),
        lambda candidate: regression(fold.train, candidate).logits(features[fold.validation]),
    )  # fmt: skip
    return deployed(
        name, label, dataset, fold, lambda examples: FrequencyLogistic(name, front, regression(examples, chosen)),
        width_bits=FLOAT_BITS, chosen=decided({"inverse_penalty": (options.inverse_penalty, chosen)}),
    )  # fmt: skip
