"""Many points at once: machines, sites, rates, constants and bit widths."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cosim.api.arguments import listed, refuse_repeats
from cosim.api.places import with_budget
from cosim.api.sweeps.grid import BITS, CHANNELS, RATE, UPDATES, GridPoint, grid_points
from cosim.api.sweeps.sweep_lines import answer_line, counted, notes, point_lines
from cosim.api.sweeps.sweep_point import DESIGNED, PricedPoint, SweepPoint
from cosim.api.works import WORKLOAD_SUFFIX, Work, workload_of
from cosim.tables.readable import readable_prices
from energy_models.errors import StudyError, WorkloadError, unknown_name
from energy_models.hardware import HardwareProfile, Site, load_profile, load_site
from energy_models.quantities import html_table
from energy_models.workload import Recalibration, Workload

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from cosim.api.recordings import LoadedDataset
    from cosim.api.sweeps.review import StudyTables
    from cosim.api.sweeps.trained_sweep import TrainingPlan



@dataclass(frozen=True, repr=False)
class SweepTable:
    """The points of a sweep, a row each.

    Parameters
    ----------
    title : str
    frame : DataFrame
        What was varied, then the verdict and the prices; units stand in the names of the columns.
    varied : tuple of str
        Columns in which rows differ.
    points : tuple of SweepPoint
        What each row was priced from; empty where networks were trained.
    """

    title: str
    frame: pd.DataFrame
    varied: tuple[str, ...]
    points: tuple[SweepPoint, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table."""
        return self.frame.copy()

    def summary(self) -> str:
        """Return the title, how many points fit and which draws least, why some cannot run, and a line a point."""
        table = pd.DataFrame(self.lines()).fillna("–").to_string(index=False)
        return "\n".join([self.title, *self.answer, table])

    @property
    def answer(self) -> tuple[str, ...]:
        """How many points fit and which of them draws least; then what must be read beside the points."""
        rows = self._rows()
        return (answer_line(rows, self.varied), *notes(rows, self.varied))

    def lines(self) -> list[dict[str, object]]:
        """Return a row a point for reading: what was varied, score, powers, latency, verdict and binding limit."""
        return point_lines(self._rows(), self.varied)

    def _rows(self) -> list[Mapping[str, Any]]:
        rows: Any = self.frame.to_dict("records")
        return rows

    def study(self, *, draws: int = 1024, seed: int = 0) -> StudyTables:
        """Return the tables of a feasibility study: how far it fits, raw streaming, crossovers, levers.

        Parameters
        ----------
        draws, seed : int
            Of the uncertain constants; draws a power of two.

        Raises
        ------
        StudyError
            Where networks were trained: their decoders' workloads are swept for that.
        """
        from cosim.api.sweeps.review import study_tables

        if not self.points:
            raise StudyError(
                "a feasibility study is of counted networks", where="study",
                remedy="Sweep a decoder of the run: cosim.load_run(...).decoder(...)",
            )
        priced = [point.priced() for point in self.points]
        return study_tables(priced, self._rows(), self.varied, draws=draws, seed=seed)

    def write(self, folder: str | Path, *, draws: int = 1024, seed: int = 0) -> list[Path]:
        """Write the study for a design review and return the files: tables, figures, and a LaTeX document of both.

        Parameters
        ----------
        folder : str or Path
            A new one, or empty.
        draws, seed : int
            As for `study`.

        Raises
        ------
        StudyError
            Where networks were trained, or the folder cannot be written.
        """
        from cosim.api.sweeps.review import write_review

        return write_review(Path(folder), self.title, self.study(draws=draws, seed=seed), self.varied)

    def plot(self) -> Figure:
        """Return score against decoder power where networks were trained, else decoder power over what was varied.

        Raises
        ------
        StudyError
            Where nothing can run on any of the machines.
        """
        from cosim.api.plots import figure_of
        from cosim.report.sweep_charts import priced_chart, scored_chart

        draw = scored_chart if "score" in self.frame else priced_chart
        return figure_of(draw(self.frame.to_dict("records"), self.varied), self.title)

    def __repr__(self) -> str:
        return f"<SweepTable: {self.title}; varied: {', '.join(self.varied) or 'nothing'}>"

    def _repr_html_(self) -> str:
        return html_table(" ".join([f"{self.title}.", *self.answer]), self.lines())


def sweep(
    what: Work | Sequence[Work],
    *,
    machines: str | Path | HardwareProfile | Sequence[str | Path | HardwareProfile],
    sites: str | Path | Site | Sequence[str | Path | Site] | None = None,
    over: Mapping[str, Sequence[object]] | None = None,
    decode_rate_hz: float | str | None = None,
    budget: float | str | None = None,
    recalibration: Recalibration | None = None,
    data: LoadedDataset | str | None = None,
    forms: Sequence[str] | None = None,
    **training: Any,
) -> SweepTable:
    """Return the price of a network at every combination of machines, sites, rates, constants and bit widths.

    Without `data` a counted network is priced. With `data`, `what` is a family: it is trained in every form, on every
    fold, by the same stages as a study, and each row has its score on what was held out.

    Parameters
    ----------
    what : Workload, trained student, str, Path, or several
        As for `cosim.estimate`; with `data` the name of a family.
    machines, sites
        Names, paths or objects, one or several; no site: the machines alone. Where it trains: names or paths, and
        at least one site.
    over : mapping of str to list, optional
        What else is varied: ``decode_rate_hz``; a constant's path after ``profile.`` or ``site.``, such as
        ``site.front_end.power``, in SI or as a text with a unit; without `data` also ``weight_bits``,
        ``activation_bits``: assumed widths of a float network, neither quantised nor trained, which the column
        ``widths`` says. One width alone stands for both. ``channels`` and ``bits`` build a network again and count it,
        not trained: an architecture, the folder of a saved student, or a `StudentSpec`.
    decode_rate_hz : float or str, optional
        Decisions per second [Hz], where `over` does not vary them. Where it trains and nothing is said: once a window,
        windows side by side, or once a step.
    budget : float or str, optional
        What the whole device may draw at every site [W], or a text such as ``"1 mW"``.
    recalibration : Recalibration, optional
        How the network learns on the device, every ``recalibration_interval_s`` of `over`: what one recalibration
        costs, and the mean power it adds. Without `data`.
    data : LoadedDataset or str, optional
        What `cosim.load_dataset` returned.
    forms : sequence of str, optional
        With `data`: such as ``["float32", "w8a8", "w4a4"]``.
    **training
        With `data`: ``split``, ``seeds``, ``options``, ``training``, ``quantised_training``, ``inputs``, ``out``,
        ``workers``, as `cosim.api.sweeps.trained_sweep.TrainingPlan` has them.

    Raises
    ------
    CosimError
        Unknown names (near ones are listed), a machine or site given twice, units of another dimension, or arguments
        of a wrong kind.
    """
    if data is not None:
        how = _training_plan(what, data, forms, training)
        return _trained(how, machines=machines, sites=sites, over=over, decode_rate_hz=decode_rate_hz, budget=budget)
    if forms is not None or training:
        names = ", ".join(["forms"] * (forms is not None) + list(training))
        raise StudyError(f"{names} without recordings", where="cosim.sweep", remedy="Give data=cosim.load_dataset(...)")
    points = grid_points(over, decode_rate_hz)
    _check_learning(recalibration, points)
    works = [found for one in _several(what) for found in _counted(one, points)]
    return priced_sweep(works, machines=machines, sites=sites, budget=budget, recalibration=recalibration)


def _check_learning(recalibration: object, points: Sequence[GridPoint]) -> None:
    """Refuse learning of which nobody says how, or how often."""
    if recalibration is not None and not isinstance(recalibration, Recalibration):
        raise StudyError(
            f"{recalibration!r:.60} is no way to learn", where="cosim.sweep, recalibration",
            remedy="Give cosim.Recalibration(examples=..., epochs=..., batch=..., optimiser=..., layers=..., bits=...)",
        )
    asked = points[0].recalibration_interval_s is not None
    if asked != (recalibration is not None):
        raise StudyError(
            "how does it learn?" if asked else "how often does it learn?", where=f"over, {UPDATES}",
            remedy=f"Give both recalibration=... and {UPDATES} in over (on the command line --recalibrate and --sweep "
            "recalibration_interval=1day)",
        )


def _training_plan(family: object, data: object, forms: object, training: Mapping[str, Any]) -> TrainingPlan:
    from cosim.api.sweeps.trained_sweep import TrainingPlan  # it imports torch

    known = [one.name for one in dataclasses.fields(TrainingPlan)][3:]
    if unknown := [name for name in training if name not in known]:
        raise StudyError(
            f"there is no argument {unknown[0]!r}", where="cosim.sweep",
            remedy=unknown_name("arguments", unknown[0], known),
        )
    return TrainingPlan(family, data, ["float32"] if forms is None else forms, **training)


def _trained(plan: TrainingPlan, *, machines: object, sites: object, **how: Any) -> SweepTable:
    from cosim.api.sweeps.trained_sweep import trained_sweep

    frame = trained_sweep(plan, machines=machines, sites=sites, **how)
    axes = ["form", "decoder", "machine", "site", RATE, *(name for name in frame.columns if " [" in name)]
    return SweepTable(f"{plan.family} trained, {counted(len(frame))}", frame, _varied(frame, axes))


def _varied(frame: Any, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(name) for name in names if frame[name].nunique(dropna=False) > 1))


def _counted(what: Work, points: Sequence[GridPoint]) -> Iterator[tuple[Workload, GridPoint]]:
    """Yield a network's work at each point; it is built again where a point asks for other channels or widths."""
    found: dict[tuple[int | None, int | None], Workload] = {}
    for point in points:
        how = (point.channels, point.bits)
        if how not in found:
            found[how] = workload_of(what, where="cosim.sweep") if how == (None, None) else _again(what, *how)
        yield found[how], point


def _again(what: Work, channels: int | None, bits: int | None) -> Workload:
    if isinstance(what, Workload) or str(what).endswith(WORKLOAD_SUFFIX):
        raise WorkloadError(
            f"{getattr(what, 'name', what)} is counted as it is, with its channels and widths",
            where=f"cosim.sweep, {BITS if channels is None else CHANNELS}",
            remedy="Give what can be built again: the name of an architecture, a family, or the folder of a saved "
            "student. Of any other network weight_bits and activation_bits (assumed widths), rates, node, supply and "
            "constants can be varied; count it once for each number of channels",
        )
    from cosim.workloads.rebuilt import rebuilt_workload  # it imports torch, which a workload does not need

    return rebuilt_workload(what, channels=channels, bits=bits, where="cosim.sweep")


def priced_sweep(
    works: Sequence[tuple[Workload, GridPoint]], *, machines: object, sites: object, budget: float | str | None = None,
    recalibration: Recalibration | None = None,
) -> SweepTable:
    """Return the table of some workloads, each at its grid point, at some places."""
    bases = [_base(one) for one in listed(machines, where="machines", what="machines")]
    named = [None] if sites is None else [load_site(one) for one in listed(sites, where="sites", what="sites")]  # pyright: ignore[reportArgumentType]  (checked there)
    refuse_repeats([DESIGNED if base is None else base for base in bases], where="machines")
    refuse_repeats(named, where="sites")
    places = [with_budget(one, budget, where="cosim.sweep, budget") for one in named]
    points = tuple(
        SweepPoint(work, point, base, place, recalibration)
        for work, point in works for base in bases for place in places
    )
    cells = [_cells(point.priced()) for point in points]
    given, prices, study = (pd.DataFrame([row[part] for row in cells]) for part in range(3))
    names = ", ".join(dict.fromkeys(work.name for work, _ in works))
    whole = pd.concat([given, readable_prices(prices), study], axis=1)
    return SweepTable(f"{names}, {counted(len(whole))}", whole, _varied(given, list(given.columns)), points)


def _cells(priced: PricedPoint) -> tuple[dict[str, object], ...]:
    return priced.given_cells(), priced.price_cells(), priced.study_cells()


def _base(machine: object) -> HardwareProfile | None:
    """Return a machine; None for one that is designed for each network."""
    return None if machine == DESIGNED else load_profile(machine)  # pyright: ignore[reportArgumentType]  (checked there)


def _several(what: Work | Sequence[Work]) -> list[Work]:
    return list(what) if isinstance(what, list | tuple) else [what]  # pyright: ignore[reportReturnType]
