"""The predictions of one point, kept beside its score: tables pool them over folds, and pages need no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as _tensors

from cosim.evaluation.predictions import Predictions
from energy_models.errors import CosimError

tensors: Any = _tensors  # safetensors types its paths loosely
PREDICTIONS = "predictions.safetensors"


def write_predictions(folder: Path, examples: NDArray[np.int64], targets: NDArray[Any], outputs: NDArray[Any]) -> None:
    """Write what a decoder gave for the test part of one fold.

    Parameters
    ----------
    folder : Path
    examples : ndarray of int64, shape (examples,)
        Indices within the dataset.
    targets : ndarray
        Classes, shape (examples,), or kinematics, shape (examples, steps, outputs), nan where a step has none.
    outputs : ndarray
        Logits, shape (examples, classes), or estimates, shape (examples, steps, outputs).
    """
    arrays = {"examples": examples, "targets": targets, "outputs": outputs}
    tensors.save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / PREDICTIONS)


def read_predictions(folder: Path, fold: str) -> Predictions:
    """Return the predictions of one point, held out in the fold of that name.

    Raises
    ------
    CosimError
        If the file is missing or is not one of predictions.
    """
    path = folder / PREDICTIONS
    try:
        found = tensors.load_file(path)
        return Predictions(found["examples"], found["outputs"], np.full(len(found["examples"]), fold))
    except (OSError, SafetensorError, KeyError) as error:
        raise CosimError(f"no file of predictions ({error})", where=str(path), remedy="Delete its folder and run the "
                         "study again; finished trainings are kept.") from error  # fmt: skip
