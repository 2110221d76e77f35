"""What every classical baseline takes and returns, whatever it computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.workload import LayerWork, Workload, tile_over_decodes
from students.spec import of_size

Mode = Literal["window", "stream"]
Task = Literal["classification", "regression"]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class Options(BaseModel):
    """Base of every baseline's options: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="after")
    def _sized(self) -> Self:
        return of_size(self)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a fitted decoder says about some examples, and what it did for it.

    Parameters
    ----------
    outputs : ndarray of float64
        Logits, shape (examples, classes), or estimates, shape (examples, steps, outputs), in the order asked for.
    layers : tuple of LayerWork
        Exact work summed over `decodes`.
    decodes : int
        Windows, or steps in stream mode; 1 where there is no work.
    parameters : int
        Stored numbers.
    """

    outputs: Floats
    layers: tuple[LayerWork, ...]
    decodes: int
    parameters: int


class Decoder(Protocol):
    """A fitted decoder in its deployed arithmetic."""

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return its outputs for these examples, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """One classical decoder, fitted on a fold, scored on its test part, and counted there.

    Parameters
    ----------
    name : str
        Registry name.
    label : str
        What people call it, for legends.
    outputs_validation : ndarray of float64
        Outputs for ``fold.validation`` of the decoder fitted on the training part alone: what decoders are compared
        by before anybody looks at the test part.
    outputs_test : ndarray of float64
        Logits, shape (test examples, classes), or estimates, shape (test examples, steps, outputs), in the
        order of ``fold.test``. They come from the arithmetic the layers state, not from a float64 original.
    layers : tuple of LayerWork
        Its own exact work, summed over `decodes`; the dataset's pipeline is not in it.
    decodes : int
        Test decodes the layers were counted over (windows, or steps in stream mode); 1 where there is no work.
    mode : {'window', 'stream'}
    parameters : int
        Stored numbers.
    weight_bits, activation_bits : int
        Deployed widths [bits].
    chosen : mapping of str to int or float
        Hyper-parameters that were chosen on the validation part, by name; empty where nothing was chosen.
    trained : Decoder or None
        The decoder fitted on the training part alone, for whoever asks about other examples, as a teacher is asked.
    """

    name: str
    label: str
    outputs_validation: Floats
    outputs_test: Floats
    layers: tuple[LayerWork, ...]
    decodes: int
    mode: Mode
    parameters: int
    weight_bits: int
    activation_bits: int
    chosen: Mapping[str, int | float]
    trained: Decoder | None = None

    def workload(self, dataset: Dataset) -> Workload:
        """Return the deployed decoder, the dataset's pipeline included, ready to be priced."""
        before = tuple(tile_over_decodes(row, self.decodes) for row in dataset.pipeline_work)
        return Workload(
            name=self.label,
            mode=self.mode,
            decodes=self.decodes,
            steps_per_decode=1 if self.mode == "stream" else dataset.windows.steps,
            channels=len(dataset.windows.channels),
            step_rate_hz=dataset.step_rate_hz,
            input_bits=dataset.source_bits,
            layers=before + self.layers,
            provenance={"baseline": self.name, "dataset": dataset.name, "dataset_digest": dataset.digest},
        )


OptionsType = TypeVar("OptionsType", bound=Options)


@dataclass(frozen=True, slots=True)
class Baseline(Generic[OptionsType]):
    """A classical decoder as a plug-in: the object an entry point of the group ``cosim.baselines`` names.

    Parameters
    ----------
    title : str
        What people call it, for legends.
    tasks : tuple of {'classification', 'regression'}
        What it decodes; `run` is given no other.
    Options : type of Options
        Its options with their defaults.
    run : callable
        ``run(dataset, fold, options)`` fits it on the fold and returns its `BaselineResult`.
    """

    title: str
    tasks: tuple[Task, ...]
    Options: type[OptionsType]
    run: Callable[[Dataset, Fold, OptionsType], BaselineResult]
