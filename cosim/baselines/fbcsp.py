"""Filter bank common spatial patterns: patterns of every band, the most informative few, and a linear discriminant.

Ang et al. 2008, doi 10.1109/IJCNN.2008.4634130: bands of 4 Hz, four spatial filters a band, features chosen by their
mutual information with the class (Parzen windows), each together with the other end of its pair. How many are chosen
is decided on validation. A spatial and a temporal filter commute, so the deployed decoder combines the channels first
and filters only the components that were chosen.

Deployed arithmetic: 16-bit inputs, weights, coefficients, components and features, 40-bit accumulators, the logarithm
from a table with a step of 2^-10; the scores come from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cosim.baselines.csp_lda import spatial_filters
from cosim.baselines.discriminant import fit_discriminant, require_every_class, two_sided
from cosim.baselines.fitting import Counts, best_on_validation, decided, deployed
from cosim.baselines.numerics.filter_bank import Band, FixedBand, banded, bands_row, filtered, fixed_band, sections
from cosim.baselines.numerics.fixed_point import ACCUMULATOR_BITS, WIDTH_BITS, FixedLinear, Grid, fixed_linear, grid_of
from cosim.baselines.numerics.log_power import LOG_STEP, log_power
from cosim.baselines.numerics.spectrum import read_bands
from cosim.baselines.numerics.work import linear_row, matrix_row, stage_row
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Floats, Indices, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.errors import DataError
from energy_models.workload import LayerWork

NAME = "fbcsp"
WHERE = f"baseline {NAME!r}"
Integers = NDArray[np.int64]
Place = tuple[int, int]
"""A band's number and a component's within it."""


class FbcspOptions(Options):
    """Bands, patterns and features.

    Parameters
    ----------
    bands_hz : str
        Edges, such as ``4-8,8-12``; each must end under half the step rate.
    components : int
        Spatial filters a band, half for each class; even.
    shrinkage : float
        Share of the identity in each class covariance.
    features : int, or text such as ``2,4``
        Most informative features, joined by the other ends of their pairs; several values are chosen from.
    """

    bands_hz: str = "4-8,8-12,12-16,16-20,20-24,24-28,28-32,32-36"
    components: int = Field(default=4, ge=2, multiple_of=2)
    shrinkage: float = Field(default=0.01, gt=0, lt=1)
    features: Counts = (2, 4, 8)


def mutual_information(feature: Floats, labels: NDArray[Any], classes: int) -> float:
    """Return the mutual information of a feature with the class [bit].

    The densities of a class are Parzen windows of the normal width h = s (4 / 3n)^(1/5), each sample counted with the
    others: I = H(class) - H(class | feature).

    Parameters
    ----------
    feature : ndarray, shape (examples,)
    labels : ndarray of int, shape (examples,)
    classes : int
    """
    joint: list[Floats] = []
    entropy = 0.0
    for label in range(classes):
        own = feature[labels == label]
        share = len(own) / len(feature)
        width = max(float(own.std()), np.finfo(np.float64).tiny) * (4 / (3 * len(own))) ** 0.2
        distances = (feature[:, None] - own[None, :]) / width
        joint.append(share * np.exp(-0.5 * distances**2).mean(axis=1) / width)
        entropy -= share * np.log2(share)
    given = np.stack(joint, axis=1)
    given = given / given.sum(axis=1, keepdims=True)
    logarithms = np.log2(given, out=np.zeros_like(given), where=given > 0)
    return entropy + float((given * logarithms).sum(axis=1).mean())


@dataclass(frozen=True, slots=True)
class FixedFbcsp:
    """Spatial filters, bands and discriminant in 16-bit arithmetic.

    Parameters
    ----------
    inputs : Grid
    filters : FixedLinear
        One row a chosen component, those of one band after another.
    components : Grid
    bands : tuple of (FixedBand, number of components)
    discriminant : FixedLinear
    """

    inputs: Grid
    filters: FixedLinear
    components: Grid
    bands: tuple[tuple[FixedBand, int], ...]
    discriminant: FixedLinear

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the logits of these windows."""
        samples = self.inputs.integers(dataset.windows.inputs(examples)).transpose(0, 2, 1)
        components = self.components.integers(self.filters.values(samples))
        signals = banded(self.bands, components)
        features = log_power(signals)
        layers = _layers(self, samples, signals, features)
        parameters = (self.filters.weights.size + sum(band.coefficients for band, _ in self.bands)
                      + self.discriminant.weights.size + self.discriminant.biases.size)  # fmt: skip
        return Decoded(two_sided(self.discriminant.values(features)), layers, len(samples), parameters)


@dataclass(frozen=True, slots=True)
class Patterns:
    """Spatial filters of every band, and their features' information about the class.

    Parameters
    ----------
    cascades : tuple of ndarray
        Sections of each band.
    filters : ndarray, shape (bands, components, channels)
    information : ndarray, shape (bands, components)
        [bit].
    """

    cascades: tuple[Floats, ...]
    filters: Floats
    information: Floats

    def chosen(self, features: int) -> tuple[Place, ...]:
        """Return the places of the most informative features and of their pairs' other ends, in order."""
        components = self.information.shape[1]
        best = np.argsort(-self.information, axis=None, kind="stable")[:features]
        places = {(int(index) // components, int(index) % components) for index in best}
        return tuple(sorted(places | {(band, components - 1 - component) for band, component in places}))


def patterns(inputs: Floats, labels: NDArray[Any], cascades: tuple[Floats, ...], options: FbcspOptions) -> Patterns:
    """Return the patterns of examples of shape (examples, channels, steps)."""
    require_every_class(labels, 2, where=WHERE)
    filters: list[Floats] = []
    information: list[list[float]] = []
    for cascade in cascades:
        signals = filtered(cascade, inputs)
        found = spatial_filters(signals, labels, options.components, options.shrinkage)
        power = np.log(((found @ signals) ** 2).sum(axis=2))
        filters.append(found)
        information.append([mutual_information(feature, labels, 2) for feature in power.T])
    return Patterns(cascades, np.stack(filters), np.array(information))


def fit(inputs: Floats, labels: NDArray[Any], found: Patterns, features: int) -> FixedFbcsp:
    """Return the decoder that uses the most informative features of some patterns."""
    places = found.chosen(features)
    filters = np.stack([found.filters[place] for place in places])
    grid = grid_of(inputs)
    fixed = fixed_linear(filters, np.zeros(len(filters)), float(grid.step))
    values = fixed.values(grid.integers(inputs).transpose(0, 2, 1))
    components = Grid(grid_of(values, axis=(0, 1)).step.reshape(-1))
    integers = components.integers(values)
    bands: list[tuple[FixedBand, int]] = []
    for band, cascade in enumerate(found.cascades):
        own = [index for index, place in enumerate(places) if place[0] == band]
        if own:
            bands.append((fixed_band(cascade, integers[:, :, own].transpose(0, 2, 1)), len(own)))
    powers = (log_power(banded(bands, integers)) * LOG_STEP).astype(np.float64)
    weights, biases = fit_discriminant(powers, labels, 2, shrinkage="ledoit_wolf", where=WHERE)
    return FixedFbcsp(grid, fixed, components, tuple(bands), fixed_linear(weights, biases, LOG_STEP))


def _layers(decoder: FixedFbcsp, samples: Integers, signals: Integers, features: Integers) -> tuple[LayerWork, ...]:
    """Return the rows of spatial filters, bands, power, logarithm and discriminant."""
    decodes, steps, components = signals.shape
    return (
        linear_row(f"{NAME}.filters", samples, decoder.filters.weights, arithmetic="integer",
                   operations={"requantise": components * steps}),
        bands_row(f"{NAME}.bands", decoder.bands, steps, decodes),
        matrix_row(f"{NAME}.power", signals.transpose(0, 2, 1), signals, np.eye(components, dtype=np.bool_),
                   arithmetic="integer"),
        stage_row(f"{NAME}.logarithm", {"lookup": components}, inputs=components, outputs=components, decodes=decodes,
                  arithmetic="integer"),
        linear_row(f"{NAME}.discriminant", features[:, None, :], decoder.discriminant.weights, arithmetic="integer",
                   biases=1, output_bits=ACCUMULATOR_BITS),
    )  # fmt: skip


def run(dataset: Dataset, fold: Fold, options: FbcspOptions) -> BaselineResult:
    """Return the decoder on windows as the dataset's pipeline gives them, its number of features chosen on validation.

    Raises
    ------
    DataError
        If there are not exactly two classes, fewer channels than components, or a band does not fit the step rate.
    """
    if len(dataset.output_names) != 2 or len(dataset.windows.channels) < options.components:
        raise DataError(
            f"it needs two classes and at least {options.components} channels, and {dataset.name!r} has "
            f"{len(dataset.output_names)} and {len(dataset.windows.channels)}", where=WHERE,
            remedy="Choose another baseline, or fewer components.")  # fmt: skip
    bands: tuple[Band, ...] = read_bands(options.bands_hz, where=WHERE)
    cascades = tuple(sections(band, dataset.step_rate_hz, where=WHERE) for band in bands)

    def data(examples: Indices) -> tuple[Floats, NDArray[Any]]:
        return dataset.windows.inputs(examples).astype(np.float64), dataset.targets[examples]

    train = data(fold.train)
    found = patterns(*train, cascades, options)
    features = best_on_validation(
        dataset, fold, sorted(set(options.features)),
        lambda candidate: fit(*train, found, candidate).decode(dataset, fold.validation).outputs,
    )  # fmt: skip

    def fitted(examples: Indices) -> FixedFbcsp:
        inputs, labels = data(examples)
        return fit(inputs, labels, patterns(inputs, labels, cascades, options), features)

    return deployed(NAME, "FBCSP", dataset, fold, fitted, width_bits=WIDTH_BITS,
                    chosen=decided({"features": (options.features, features)}))  # fmt: skip


BASELINE = Baseline("FBCSP", ("classification",), FbcspOptions, run)
