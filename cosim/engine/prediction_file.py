"""What stages keep for tables and pages: predictions beside a score, losses beside weights; neither needs a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as _tensors

from cosim.engine.files import read_json, to_json
from cosim.evaluation.predictions import Predictions
from energy_models.errors import CosimError

tensors: Any = _tensors  # safetensors types its paths loosely
PREDICTIONS, CURVE = "predictions.safetensors", "curve.json"
DIGITS = 5  # of a loss


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


@dataclass(frozen=True, slots=True)
class Curve:
    """Losses by epoch, from 0; the weights kept are those of `best_epoch`."""

    train: tuple[float, ...]
    validation: tuple[float, ...]
    best_epoch: int


def write_curve(folder: Path, train: Sequence[float], validation: Sequence[float], best_epoch: int) -> None:
    """Write the losses of a training into the folder of its stage, rounded to `DIGITS` digits."""
    kept = Curve(tuple(map(_rounded, train)), tuple(map(_rounded, validation)), best_epoch)
    (folder / CURVE).write_text(to_json(asdict(kept)), encoding="utf-8")


def read_curve(folder: Path) -> Curve | None:
    """Return the losses of a training stage; None where it was stored before they were kept.

    Raises
    ------
    CosimError
        If the file is no file of losses.
    """
    path = folder / CURVE
    if not path.is_file():
        return None
    found = cast("dict[str, Any]", read_json(path))
    try:
        return Curve(tuple(found["train"]), tuple(found["validation"]), int(found["best_epoch"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CosimError(f"no file of losses ({error})", where=str(path), remedy="Delete its folder and run the study "
                         "again; finished trainings are kept.") from error  # fmt: skip


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
