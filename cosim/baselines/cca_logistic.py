"""Canonical correlations of every frequency and harmonic, weighed by a logistic regression.

Plain canonical correlation takes the largest of a few numbers; their sizes differ between frequencies and harmonics
(the response falls with frequency, the alpha rhythm raises what lies near it), which a regression learns from the
training part. One feature is the squared correlation of a window with one sine and cosine pair, so the eigenvalue is
that of a 2 x 2 matrix and one plane rotation finds it exactly.

Deployed arithmetic: float32 throughout, as for plain canonical correlation.
"""

from __future__ import annotations

from cosim.baselines.cca import Correlations
from cosim.baselines.frequency_logistic import FrequencyOptions, run_frequency_logistic
from cosim.baselines.types import Baseline, BaselineResult
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold

NAME, LABEL = "cca_logistic", "CCA+LR"


def run(dataset: Dataset, fold: Fold, options: FrequencyOptions) -> BaselineResult:
    """Return the regression on the fold's squared correlations, its penalty chosen on validation.

    Raises
    ------
    DataError
        As `run_frequency_logistic`.
    """
    return run_frequency_logistic(
        dataset, fold, options,
        lambda table: Correlations(NAME, table, harmonics=1, loading=options.loading, sweeps=1), name=NAME, label=LABEL,
    )  # fmt: skip


BASELINE = Baseline(LABEL, ("classification",), FrequencyOptions, run)
