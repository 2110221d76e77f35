"""One decoder of a finished run: its scores, the networks behind them, and the work that was priced."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cosim.tables.workloads import read_workloads
from energy_models.errors import StudyError, unknown_name
from energy_models.quantities import html_table
from energy_models.workload import Workload

if TYPE_CHECKING:
    from torch import nn

    from cosim.api.electrode_loss import Reads
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

    def with_electrodes_lost(
        self, lost: Sequence[int], *, draws: int = 20, seed: int = 0, reads: Reads = "mean"
    ) -> pd.DataFrame:
        """Return the score with so many electrodes dead at test, nothing trained again; a row a number of electrodes.

        Which ones are dead is drawn, equally often for all: the same of all folds, seeds and decoders in a draw.
        ``score`` is the mean over folds, seeds and draws, ``draws_low`` and ``draws_high`` are the 5 and 95 % points
        of the draws' means over folds and seeds: how much it matters which electrodes die, not how well the score is
        known. Work and power stay as they are.

        Parameters
        ----------
        lost : sequence of int
            Dead electrodes, each from 0 to one less than the channels.
        draws : int
            Sets of electrodes of each number.
        seed : int
            Of the draws.
        reads : {'mean', 'zero'}
            What the network gets of a dead channel: its mean over the training part, where it is known to be dead, or
            zero as of an amplifier without a signal.

        Raises
        ------
        CosimError
            A number of electrodes that cannot be lost, or as `student`.
        """
        from cosim.api.electrode_loss import drawn_losses, scores_with_loss
        from cosim.engine.local_store import LocalStore
        from cosim.engine.stored_stages import point_stages, stored_stage

        channels = self.student(fold=self.folds[0], seed=self.seeds[0]).spec.shape.channels
        _check_loss(lost, draws, reads, channels, where=self.label)
        store = LocalStore(self.folder)
        results = [stored_stage(store, key) for one, _, _, key in point_stages(self.folder) if one == self.decoder_id]
        rows: list[dict[str, object]] = []
        for count in lost:
            losses = drawn_losses(channels, count, draws=draws, seed=seed)
            table = np.array([scores_with_loss(store, one, losses, reads=reads) for one in results])
            means = np.nanmean(table, axis=0)
            low, high = np.quantile(means, (0.05, 0.95))
            rows.append({
                "electrodes_lost": count, "channels": channels, "reads": reads, "metric": self.scores["metric"].iloc[0],
                "score": float(np.mean(means)), "draws_low": float(low), "draws_high": float(high),
                "worst": float(np.min(means)), "draws": len(losses),
            })  # fmt: skip
        return pd.DataFrame(rows)

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


def _check_loss(lost: Sequence[int], draws: int, reads: str, channels: int, *, where: str) -> None:
    wrong = [one for one in lost if not 0 <= one < channels]
    if wrong or not lost:
        raise StudyError(
            f"{', '.join(map(str, wrong)) or 'no number of'} electrodes of {channels}", where=where,
            remedy=f"Give numbers from 0 to {channels - 1}",
        )
    if draws < 1:
        raise StudyError(f"{draws} draws", where=where, remedy="Give one draw or more")
    if reads not in ("mean", "zero"):
        raise StudyError(f"a dead channel that reads {reads!r:.40}", where=where, remedy="Give 'mean' or 'zero'")
