"""The losses of one training, epoch by epoch, kept beside its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from cosim.engine.files import read_json, to_json
from energy_models.errors import CosimError

CURVE = "curve.json"
DIGITS = 5


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
