"""Canonical correlations of every frequency and harmonic, weighed by a logistic regression.

Plain canonical correlation takes the largest of a few numbers; their sizes differ between frequencies and harmonics
(the response falls with frequency, the alpha rhythm raises what lies near it), which a regression learns from the
training part. One feature is the squared correlation of a window with one sine and cosine pair, so the eigenvalue is
that of a 2 x 2 matrix and one plane rotation finds it exactly.

Deployed arithmetic: float32 throughout, as for plain canonical correlation.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from cosim.baselines.cca import Correlations, frequencies, references
from cosim.baselines.fitting import Amounts, best_on_validation, decided, deployed
from cosim.baselines.logistic import Logistic, fit_logistic
from cosim.baselines.numerics.work import FLOAT_BITS
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Indices, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold

NAME = "cca_logistic"
WHERE = f"baseline {NAME!r}"


class CcaLogisticOptions(Options):
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


@dataclass(frozen=True, slots=True)
class CcaLogistic:
    """Squared correlations and the regression on them."""

    correlations: Correlations
    regression: Logistic

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the logits of these windows."""
        features, layers = self.correlations.of(dataset.windows.inputs(examples))
        return Decoded(
            self.regression.logits(features), (*layers, self.regression.layer(f"{NAME}.regression", features)),
            len(features), self.correlations.table.size + self.regression.parameters,
        )  # fmt: skip


def run(dataset: Dataset, fold: Fold, options: CcaLogisticOptions) -> BaselineResult:
    """Return the regression on the fold's correlations, its penalty chosen on validation.

    Raises
    ------
    DataError
        If the classes name no frequencies, the window is too short, or a class is absent in training.
    """
    rates_hz = frequencies(dataset, harmonics=options.harmonics, frequencies_hz=options.frequencies_hz, where=WHERE)
    each = tuple(harmonic * rate_hz for harmonic in range(1, options.harmonics + 1) for rate_hz in rates_hz)
    steps = dataset.windows.steps
    table = references(each, 1, steps, dataset.step_rate_hz).reshape(-1, steps)
    correlations = Correlations(NAME, table, harmonics=1, loading=options.loading, sweeps=1)
    features = correlations.of(dataset.windows.inputs())[0]

    def regression(examples: Indices, inverse_penalty: float) -> Logistic:
        return fit_logistic(features[examples], dataset.targets[examples], len(dataset.output_names),
                            inverse_penalty=inverse_penalty, where=WHERE)  # fmt: skip

    chosen = best_on_validation(
        dataset, fold, sorted(set(options.inverse_penalty)),
        lambda candidate: regression(fold.train, candidate).logits(features[fold.validation]),
    )  # fmt: skip
    return deployed(
        NAME, "CCA+LR", dataset, fold, lambda examples: CcaLogistic(correlations, regression(examples, chosen)),
        width_bits=FLOAT_BITS, chosen=decided({"inverse_penalty": (options.inverse_penalty, chosen)}),
    )  # fmt: skip


BASELINE = Baseline("CCA+LR", ("classification",), CcaLogisticOptions, run)
