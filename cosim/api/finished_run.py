"""A finished run: its results as one table, its decoders with their networks and workloads, its page."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from cosim.api.decoder import Decoder
from cosim.api.sweeps.sweep_lines import point_lines
from cosim.engine.files import read_json, record_errors
from cosim.engine.run_folder import FAILURES, PLAN
from cosim.tables.decoders import DECODERS
from cosim.tables.flat import read_flat, write_flat
from cosim.tables.prices import refresh_prices
from cosim.tables.results import Score, read_parquet
from cosim.tables.scores import SCORES, STUDY, unfinished_note
from cosim.tables.summary import Power
from energy_models.errors import StudyError, unknown_name
from energy_models.quantities import html_table

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from cosim.report.headline import Answer
    from cosim.report.inputs import Run as PageRun

WHO_AND_WHERE = ("decoder", "machine", "site")
FRONT = (
    "machine", "site", "decoder", "form", "score", "score_low", "score_high", "decoder_power_w", "decoder_power_low_w",
    "decoder_power_high_w", "power_w", "verdict", "front", "membership",
)  # fmt: skip
FITS = ("machine", "site", "decoder", "form", "score", "power_w", "verdict", "binding_limit", "headroom")


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run in its folder; prices are brought up to date when they are asked for.

    Parameters
    ----------
    folder : Path
    """

    folder: Path

    @cached_property
    def study(self) -> dict[str, Any]:
        """What was asked and of what: title, question, dataset, protocol, metric, machines, sites, rate."""
        return cast("dict[str, Any]", read_json(self.folder / STUDY))

    @cached_property
    def results(self) -> pd.DataFrame:
        """One flat table, a row per decoder, machine and site; ``results.csv`` in the run's folder is the same."""
        table = read_flat(self.folder)
        write_flat(self.folder)
        return table

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of `results`."""
        return self.results.copy()

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row per decoder, seed and fold."""
        return read_parquet(self.folder / SCORES, Score)

    @property
    def decoders(self) -> tuple[str, ...]:
        """Labels of everything that was scored, in the study's order."""
        return tuple(dict.fromkeys(str(label) for label in self.scores["decoder"]))

    @property
    def failures(self) -> tuple[str, ...]:
        """What went wrong with each point that failed, by decoder, fold and seed."""
        path = self.folder / FAILURES
        found = cast("list[dict[str, Any]]", read_json(path).get("failures", [])) if path.is_file() else []
        with record_errors(self.folder):
            return tuple(
                f"{one['decoder']}, {one['fold']}, seed {one['seed']}: {one.get('message', '')}" for one in found
            )

    def decoder(self, label: str) -> Decoder:
        """Return one decoder, by its label in `decoders` or its ``decoder_id``.

        Raises
        ------
        StudyError
            No such decoder (near ones are listed), or several under one label.
        """
        scores: Any = self.scores
        found: Any = scores[(scores["decoder"] == label) | (scores["decoder_id"] == label)]
        ids = list(dict.fromkeys(found["decoder_id"]))
        if len(ids) == 1:
            return Decoder(self.folder, str(ids[0]), found)
        if ids:
            raise StudyError(
                f"{len(ids)} decoders are called {label!r}", where=str(self.folder),
                remedy=f"Name one by its decoder_id: {', '.join(map(str, ids))}",
            )
        raise StudyError(
            f"there is no decoder {label!r:.60}", where=str(self.folder),
            remedy=unknown_name("decoders", str(label), self.decoders),
        )

    def pareto(
        self, machine: str | None = None, site: str | None = None, *, power: Power = "decoder_power"
    ) -> pd.DataFrame:
        """Return score and power of every decoder at each place, cheapest first, and whether it is on the front.

        Parameters
        ----------
        machine, site : str, optional
            One of them only.
        power : {'decoder_power', 'total_power'}
            Which power is weighed against the score: the decoder's, or the whole device's.

        Raises
        ------
        StudyError
            A place the run was not priced for, or another power.
        """
        _check_power(power, where="pareto")
        table = self.results if power == "decoder_power" else read_flat(self.folder, power=power)
        return self._at(table, machine, site)[list(FRONT)]

    def feasibility(self, machine: str | None = None, site: str | None = None) -> pd.DataFrame:
        """Return whether each decoder fits each place, the limit that binds, and its headroom (limit over value).

        Raises
        ------
        StudyError
            A place the run was not priced for.
        """
        return self._at(self.results, machine, site)[list(FITS)]

    def _at(self, table: Any, machine: str | None, site: str | None) -> Any:
        found: Any = table[table["machine"] != ""]
        for name, asked in (("machine", machine), ("site", site)):
            if asked is None:
                continue
            if asked not in set(found[name]):
                raise StudyError(
                    f"this run was not priced for {name} {asked!r}", where=name,
                    remedy=unknown_name(f"{name}s", str(asked), set(map(str, table[name])) - {""}),
                )
            found = found[found[name] == asked]
        return found.reset_index(drop=True)

    def page(self) -> Path:
        """Write the page again, prices brought up to date, and return its path.

        Raises
        ------
        CosimError
            If a file of the run is missing or damaged.
        """
        from cosim.report import write_report

        write_flat(self.folder)
        return write_report(self.folder)

    @cached_property
    def answer(self) -> str:
        """The first sentence of the page: the decoder to take, its score and power, and the limit that binds."""
        from cosim.report.headline import headline

        return headline(*self._page)

    def summary(self) -> str:
        """Return the study's question, its answer, and what is on the front at each place, as text.

        Before them, where points failed or the tables are older than the run's stages, a line that says so.
        """
        table = self._at(self.results, None, None)
        fronts: Any = table[table["front"].astype(bool)]
        shown = fronts.sort_values(["site", "machine", "score"], ascending=[True, True, False])
        said = [one for one in (unfinished_note(self.folder), self._question, self.answer) if one]
        return "\n".join([*said, pd.DataFrame(_lines(shown)).fillna("–").to_string(index=False)])

    @property
    def _question(self) -> str:
        return ": ".join(str(self.study[name]) for name in ("title", "question") if self.study[name])

    def plot(
        self, machine: str | None = None, site: str | None = None, *, power: Power = "decoder_power"
    ) -> Figure:
        """Return score against power as the page draws it: decoders by number with a key, fronts, bounds, the pick.

        Parameters
        ----------
        machine : str, optional
            Coloured by kind of decoder; None: every machine, coloured by machine.
        site : str, optional
            None: the study's first.
        power : {'decoder_power', 'total_power'}

        Raises
        ------
        StudyError
            A place the run was not priced for, another power, or one where no decoder runs.
        """
        from cosim.api.plots import figure_of
        from cosim.report.charts import ALL, front_of

        _check_power(power, where="plot")
        self._at(self.results, machine, site)
        page, found = self._page
        machine = machine or (page.machines[0] if len(page.machines) == 1 else ALL)
        site = site or page.sites[0]
        chart = front_of(page, found, machine, site, power)
        if chart is None:
            raise StudyError(f"no decoder runs on {machine}", where="plot", remedy="Name another machine")
        return figure_of(chart, f"{self.study['title']}: {machine}, {site}")

    def save_figure(
        self, path: str | Path, machine: str | None = None, site: str | None = None, *, power: Power = "decoder_power"
    ) -> Path:
        """Write score against power for print, a panel a machine, and return the path.

        Parameters
        ----------
        path : str or Path
            The file: ``.svg``, ``.pdf`` or ``.png``.
        machine, site, power
            As for `plot`.

        Raises
        ------
        StudyError
            As `plot`, or the file has another ending.
        """
        from cosim.report.charts import levels
        from cosim.report.figures import front_figure

        _check_power(power, where="save_figure")
        self._at(self.results, machine, site)
        page, _ = self._page
        machines = page.machines if machine is None else (machine,)
        return front_figure(
            page.summary, Path(path), profiles=machines, site=site or page.sites[0], levels=levels(page), power=power
        )

    @cached_property
    def _page(self) -> tuple[PageRun, tuple[Answer, ...]]:
        """What a page is made of, prices brought up to date, with its picks."""
        from cosim.report.headline import answers
        from cosim.report.inputs import read_run

        refresh_prices(self.folder)
        page = read_run(self.folder)
        return page, answers(page)

    def __repr__(self) -> str:
        study = self.study
        count, places = len(self.decoders), f"{len(study['profiles'])} machines, {len(study['sites'])} sites"
        return f"<Run: {study['name']} in {self.folder}: {count} decoders on {places}>"

    def _repr_html_(self) -> str:
        return html_table(f"{self._question} · {self.answer}", _lines(self._at(self.results, None, None)))


def _lines(results: Any) -> list[dict[str, object]]:
    """Return rows of results for reading, those of one place by score."""
    return point_lines(results.to_dict("records"), WHO_AND_WHERE)


def _check_power(power: object, *, where: str) -> None:
    if power not in ("decoder_power", "total_power"):
        raise StudyError(f"there is no power {power!r:.60}", where=where, remedy="Give decoder_power or total_power")


def load_run(folder: str | Path) -> Run:
    """Return a finished run, or an archived one.

    Parameters
    ----------
    folder : str or Path
        What `cosim.run` or the command line made.

    Raises
    ------
    StudyError
        If the folder holds no run, or an unfinished one.
    """
    if not isinstance(cast("object", folder), str | Path):
        raise StudyError(f"{folder!r:.60} is no folder", where="cosim.load_run", remedy="Give the path of a run")
    root = Path(folder)
    if not os.path.isfile(root / PLAN):
        raise StudyError(
            "there is no run in this folder", where=str(root),
            remedy=f"Name a folder that cosim.run or cosim run made; it holds {PLAN}",
        )
    lacking = [name for name in (STUDY, SCORES, DECODERS) if not (root / name).is_file()]
    if lacking:
        raise StudyError(
            f"this run is not finished: it lacks {', '.join(lacking)}", where=str(root),
            remedy=f"Go on with it: cosim resume {root}",
        )
    return Run(root)
