"""One decoder of a finished run: its scores, the networks behind them, and the work that was priced."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cosim.tables.workloads import read_workloads
from energy_models.errors import StudyError, unknown_name
from energy_models.quantities import html_table
from energy_models.workload import Workload

if TYPE_CHECKING:
    from torch import nn

    from cosim.api.student import Student

SHOWN = ("fold", "seed", "metric", "score", "validation_score", "parameters", "weight_bits", "activation_bits")


@dataclass(frozen=True, repr=False)
class Decoder:
    """What was scored and priced under one label, over all its folds and seeds.

    Parameters
    ----------
    folder : Path
        Of the run.
    decoder_id : str
    scores : DataFrame
        One row per fold and seed.
    """

    folder: Path
    decoder_id: str
    scores: pd.DataFrame

    @property
    def label(self) -> str:
        """What tables call it."""
        return str(self.scores["decoder"].iloc[0])

    @property
    def folds(self) -> tuple[str, ...]:
        """What was held out, each time by name."""
        return tuple(dict.fromkeys(map(str, self.scores["fold"])))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of weights and order of examples."""
        return tuple(dict.fromkeys(map(int, self.scores["seed"])))

    def workload(self, *, fold: str | None = None, seed: int | None = None) -> Workload:
        """Return what it does in one decode, counted on held-out recordings, preprocessing included.

        Parameters
        ----------
        fold, seed : optional
            Which of `folds` and `seeds`; the first where not given. They differ slightly: each has its own weights.

        Raises
        ------
        CosimError
            No such fold or seed, or a decoder that is not deployed and so was not counted.
        """
        digest = str(self._row(fold, seed)["workload_digest"])
        if not digest:
            raise StudyError(
                "it was not counted: teachers are not deployed", where=self.label, remedy="Ask for a student's workload"
            )
        return read_workloads(self.folder, [digest])[digest].replace(name=self.label)

    def student(self, *, fold: str | None = None, seed: int | None = None) -> Student:
        """Return the trained network of one fold and seed with its description, scores and workload.

        Raises
        ------
        CosimError
            As `workload`; a decoder that is no network, or an archived run.
        """
        from cosim.api.student import student_of_point

        row = self._row(fold, seed)
        return student_of_point(self.folder, self.decoder_id, int(row["seed"]), str(row["fold"]), label=self.label)

    def model(self, *, fold: str | None = None, seed: int | None = None) -> nn.Module:
        """Return the trained network of one fold and seed, in evaluation mode.

        Raises
        ------
        CosimError
            As `student`.
        """
        return self.student(fold=fold, seed=seed).model

    def to_frame(self) -> pd.DataFrame:
        """Return score and size per fold and seed."""
        shown: Any = self.scores[list(SHOWN)]
        return shown.reset_index(drop=True)

    def _row(self, fold: str | None, seed: int | None) -> Any:
        for name, asked, known in (("fold", fold, self.folds), ("seed", seed, self.seeds)):
            if asked is not None and asked not in known:
                raise StudyError(
                    f"there is no {name} {asked!r}", where=self.label,
                    remedy=unknown_name(f"{name}s", str(asked), map(str, known)),
                )
        found: Any = self.scores
        seed = self.seeds[0] if seed is None else seed
        found = found[(found["fold"] == (fold or self.folds[0])) & (found["seed"] == seed)]
        if found.empty:
            raise StudyError("this point failed", where=f"{self.label}, {fold}, seed {seed}", remedy="See run.failures")
        return found.iloc[0]

    def __repr__(self) -> str:
        scores: Any = self.scores
        metric, mean = scores["metric"].iloc[0], float(scores["score"].mean())
        counts = ((len(self.folds), "fold"), (len(self.seeds), "seed"))
        over = ", ".join(f"{count} {name}{'s' if count != 1 else ''}" for count, name in counts)
        return f"<Decoder: {self.label}: {metric} {mean:.3f} over {over}>"

    def _repr_html_(self) -> str:
        return html_table(self.label, self.to_frame().to_dict("records"))
