"""What the work of stages reads: the fold it is done on, and a few of its examples."""

from __future__ import annotations

from typing import cast

import numpy as np

from cosim.datasets.types import Dataset
from cosim.engine.fold_data import FoldData, Inputs, load_fold
from cosim.engine.result_file import FLOAT_BITS
from cosim.engine.stage import Workspace
from students.spec import Form, Quantised


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
