"""One fold as a decoder sees it: scaled by its training part only, in the three parts of the split."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cosim.datasets.array_store import default_store
from cosim.datasets.contiguous_segments import contiguous_segments, in_test_order, joined_inputs
from cosim.datasets.types import Dataset
from cosim.engine.stage import Workspace
from cosim.engine.stored_data import read_dataset, read_fold
from cosim.evaluation.scores import primary_score
from cosim.preprocessing.operations import Widths
from cosim.preprocessing.post_filter import BesselFilter
from cosim.preprocessing.scaling import fit_scaler
from cosim.splits.fold import Fold
from cosim.splits.unlabelled_pool import with_pool
from cosim.teachers.examples import examples
from energy_models.workload import Count, LayerWork
from students.spec import Form, Quantised
from students.training import Examples, Unlabelled, predict

Inputs = Literal["standardised", "raw"]
Part = Literal["train", "validation", "test"]
FLOAT_BITS = 32


@dataclass(frozen=True, slots=True)
class FoldData:
    """A dataset, its inputs scaled, and one division of it."""

    dataset: Dataset
    fold: Fold

    def part(
        self, name: Part, teacher: Mapping[str, Tensor] | None = None
    ) -> Examples:
        """Return the examples of one part, with a teacher's targets for them where there are any."""
        return examples(self.dataset, getattr(self.fold, name), teacher)

    def unlabelled(self, teacher: Mapping[str, Tensor]) -> Unlabelled | None:
        """Return the training examples without labels, with a teacher's targets for them; None where there are none."""
        rows = self.fold.unlabelled
        return Unlabelled(torch.as_tensor(self.dataset.windows.inputs(rows)), teacher) if len(rows) else None

    def repeated_train(self, teacher: Mapping[str, Tensor]) -> Examples:
        """Return the labelled training examples, as often as `Fold.repeated_train` has them.

        Parameters
        ----------
        teacher : mapping of str to Tensor
            A teacher's targets for each labelled example; empty without one.
        """
        rows = self.fold.repeated_train
        places = torch.arange(len(rows)) % max(len(self.fold.train), 1)
        return examples(self.dataset, rows, {name: tensor[places] for name, tensor in teacher.items()})


@lru_cache(maxsize=4)
def load_fold(data_folder: Path, fold_folder: Path, inputs: Inputs) -> FoldData:
    """Return one fold; the last few are kept, because a process works on the same fold many times."""
    dataset, fold = with_pool(read_dataset(data_folder, default_store()), read_fold(fold_folder))
    if inputs == "raw":
        return FoldData(dataset, fold)
    scaled = dataset.windows.scaled(fit_scaler(dataset.windows.inputs(fold.all_training), axis=1))
    work = (*dataset.pipeline_work, standardising_work(dataset))
    return FoldData(dataclasses.replace(dataset, windows=scaled, pipeline_work=work), fold)


def standardising_work(dataset: Dataset) -> LayerWork:
    """Return the work of ``(x - mean) / deviation``: one addition and one multiplication a sample and channel.

    It is charged although it could be folded into some networks' first layer: with zero padding the fold is not exact.
    """
    channels, steps = len(dataset.windows.channels), dataset.windows.steps
    samples = channels * (steps if dataset.task == "classification" else 1)
    widths = Widths(dataset.source_bits)
    operations = {"add": Count.constant(samples, 1), "multiply": Count.constant(samples, 1)}
    return LayerWork(
        name="pipeline.standardise",
        kind="feature",
        arithmetic="integer",
        calls=samples // channels,
        input_shape=(channels,),
        output_shape=(channels,),
        inputs=samples,
        outputs=samples,
        operations=operations,
        weights=2 * channels,
        weights_nonzero=2 * channels,
        weights_key="pipeline.standardise",
        weight_bits=widths.coefficient_bits,
        activation_bits=widths.sample_bits,
        output_bits=widths.sample_bits,
        accumulator_bits=widths.state_bits,
        cadence="sample",
    )


def outputs_of(
    model: nn.Module, data: FoldData, part: Part, device: str, after: BesselFilter | None = None
) -> NDArray[Any]:
    """Return logits, or the estimates of each example decoded as one stream per contiguous segment.

    A stream decoder, and the filter after it, keeps its state between examples that follow each other, as in use.
    """
    return outputs_of_rows(model, data, getattr(data.fold, part), device, after)


def outputs_of_rows(
    model: nn.Module, data: FoldData, rows: NDArray[np.int64], device: str, after: BesselFilter | None = None
) -> NDArray[Any]:
    """Return what `outputs_of` does, of any examples, which are in time order in a regression."""
    if data.dataset.task == "classification":
        return predict(model, torch.as_tensor(data.dataset.windows.inputs(rows)), device=device).numpy()
    runs = contiguous_segments(data.dataset, rows)
    decoded: list[NDArray[Any]] = [
        predict(model, stream_of(data.dataset, run), device=device)[0].numpy() for run in runs
    ]
    if after is not None:
        rate_hz = data.dataset.step_rate_hz
        decoded = [after.apply(one.astype(np.float64), rate_hz).astype(np.float32) for one in decoded]
    return in_test_order(data.dataset, rows, runs, decoded)


def stream_of(dataset: Dataset, run: NDArray[np.int64]) -> Tensor:
    """Return the inputs of one contiguous segment as one example, shape (1, channels, steps)."""
    return torch.as_tensor(np.ascontiguousarray(joined_inputs(dataset, run).T[None], dtype=np.float32))


def part_score(data: FoldData, part: Part, outputs: NDArray[Any]) -> float:
    """Return the task's primary metric of these outputs on one part."""
    return primary_score(data.dataset.task, data.dataset.masked_targets[getattr(data.fold, part)], outputs)


def fold_of(workspace: Workspace, inputs: Inputs | None = None) -> FoldData:
    """Return the fold a stage works on, its inputs as asked for, or as its configuration says, or standardised."""
    fold, store = workspace.stage.parents["fold"], workspace.store
    if inputs is None:
        inputs = cast(Inputs, workspace.stage.config.get("inputs", "standardised"))
    return load_fold(store.folder(fold.parents["data"].key), store.folder(fold.key), inputs)


def input_bits(form: Form, dataset: Dataset, inputs: Inputs) -> int:
    """Return the width of an input element as it reaches a student [bits]."""
    if isinstance(form, Quantised):
        return form.input_bits
    return dataset.source_bits if inputs == "raw" else FLOAT_BITS


def spread(available: int, wanted: int) -> list[int]:
    """Return up to `wanted` positions spread evenly over the available ones."""
    return np.unique(np.linspace(0, available - 1, min(wanted, available)).round().astype(np.int64)).tolist()
