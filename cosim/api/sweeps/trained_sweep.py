"""A sweep that trains: one family in several forms, scored on recordings and priced at every place."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import pandas as pd

from cosim.api.arguments import listed, refuse_repeats, workers_of
from cosim.api.places import with_budget
from cosim.api.progress import lines_on_stderr
from cosim.api.protocol import split_of
from cosim.api.recordings import LoadedDataset, dataset_of
from cosim.api.run import run_study
from cosim.api.sweeps.grid import (
    ACTIVATIONS,
    BITS,
    CHANNELS,
    CHARGES,
    DUTY,
    LOST,
    RATE,
    UPDATES,
    WEIGHTS,
    GridPoint,
    grid_points,
)
from cosim.datasets.types import Dataset
from cosim.evaluation.feasibility import judge
from cosim.evaluation.stream_rate import check_stream_rate
from cosim.study.check import check_study
from cosim.tables.decoders import DECODERS, DecoderScore
from cosim.tables.flat import flat_results
from cosim.tables.results import Priced, Score, priced_row, read_parquet, to_frame
from cosim.tables.scores import SCORES
from cosim.tables.workloads import read_workloads
from energy_models.errors import StudyError
from energy_models.hardware import Site, load_profile, load_site
from energy_models.pricing import estimate
from energy_models.workload import Workload
from students.spec import Training

FIRST = ("decoder", "form", "weight_bits", "activation_bits", "machine", "site")


COUNTED_ONLY = (LOST, DUTY, CHARGES, UPDATES)
"""What varies of counted networks only."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What is trained, and how.

    Parameters
    ----------
    family : str
    data : LoadedDataset or str
    forms : sequence of str
    split : str, mapping or None
        As for `cosim.train`.
    seeds : sequence of int
    options : mapping
        Of the family; a list of values or a range is searched over, as in a study.
    training, quantised_training : mapping or None
        Settings of the training loop, for float students and for the others.
    inputs : str
    out : str, Path or None
        Run folder; None: one that is removed at the end.
    workers : int
    """

    family: object
    data: object
    forms: object
    split: object = None
    seeds: Sequence[int] = (0,)
    options: Mapping[str, object] = field(default_factory=dict[str, object])
    training: Mapping[str, Any] | Training | None = None
    quantised_training: Mapping[str, Any] | Training | None = None
    inputs: str = "standardised"
    out: str | Path | None = None
    workers: int = 2


def trained_sweep(
    plan: TrainingPlan, *, machines: object, sites: object, over: Mapping[str, object] | None,
    decode_rate_hz: float | str | None, budget: float | str | None = None,
) -> pd.DataFrame:
    """Return scores joined with prices: one row per form, machine, site and grid point.

    Raises
    ------
    CosimError
        Anything in the plan that does not exist or cannot be trained, or places without a name.
    """
    if not isinstance(plan.family, str):
        raise StudyError(
            f"{plan.family!r:.60} cannot be trained", where="cosim.sweep",
            remedy="Give the name of a family with data=..., or a workload without",
        )
    loaded = dataset_of(plan.data, where="cosim.sweep, data")
    if over is not None and {WEIGHTS, ACTIVATIONS, BITS} & set(over):
        raise StudyError("widths of networks that are trained", where="over", remedy="Give forms=['w8a8', 'w4a4', ...]")
    if over is not None and CHANNELS in over:
        raise StudyError(
            "channels of recordings", where="over", remedy="Choose them when loading: cosim.load_dataset(...)"
        )
    if over is not None and (alone := [name for name in COUNTED_ONLY if name in over]):
        raise StudyError(
            f"{alone[0]} of networks that are trained", where="over",
            remedy="Vary it with a counted network, such as a decoder of the run: cosim.load_run(...).decoder(...)",
        )
    if decode_rate_hz is None and RATE not in (over or {}):
        decode_rate_hz = natural_rate_hz(loaded.dataset)
    points = grid_points(over, decode_rate_hz)
    document = _document(plan, loaded, _named(machines, "machines"), _named(sites, "sites"), points[0].decode_rate_hz)
    study = check_study(document, where="cosim.sweep")
    refuse_repeats([load_profile(one) for one in study.hardware.profiles], where="machines")
    named = [load_site(site) for site in study.hardware.sites]
    refuse_repeats(named, where="sites")
    places = [with_budget(site, budget, where="cosim.sweep, budget") for site in named]
    with TemporaryDirectory(prefix="cosim-", ignore_cleanup_errors=True) as spare:
        root = Path(spare) if plan.out is None else Path(plan.out)
        run_study(
            study, root=root, data_dir=loaded.data_dir, workers=workers_of(plan.workers), command="cosim.sweep",
            watch=lines_on_stderr(), dataset=loaded.dataset,
        )
        return _priced(root, study.hardware.profiles, places, points)


def natural_rate_hz(dataset: Dataset) -> float:
    """Return how often a decision is made where nobody says [Hz]: once a window, windows side by side, or a step."""
    if dataset.task == "regression":
        return dataset.step_rate_hz
    return dataset.step_rate_hz / dataset.windows.steps


def _document(
    plan: TrainingPlan, loaded: LoadedDataset, machines: list[str], sites: list[str], decode_rate_hz: float
) -> dict[str, Any]:
    training = {"student": _plain(plan.training), "quantised": _plain(plan.quantised_training)}
    return {
        "study": {
            "name": "sweep", "title": f"{plan.family} on {loaded.name}",
            "seeds": listed(plan.seeds, where="seeds", what="whole numbers"),
        },
        "dataset": {"name": loaded.name, "options": dict(loaded.options)},
        "split": split_of(plan.split, loaded.dataset).model_dump(),
        "students": [
            {
                "label": plan.family, "family": plan.family, "options": _plain(plan.options), "inputs": plan.inputs,
                "forms": listed(plan.forms, where="forms", what="forms such as float32, w8a8"),
            }
        ],
        "training": {name: table for name, table in training.items() if table is not None},
        "hardware": {"profiles": machines, "sites": sites, "decode_rate_hz": decode_rate_hz},
    }


def _plain(given: object) -> object:
    """Return settings as a study file has them; what is no table stays as it is, and the study's check says so."""
    if isinstance(given, Training):
        return given.model_dump()
    return dict(cast("Mapping[str, Any]", given)) if isinstance(given, Mapping) else given


def _named(places: object, where: str) -> list[str]:
    """Return names or paths: what is trained is kept in a run, which names the places it is priced for."""
    found = [] if places is None else listed(places, where=where, what=where)
    if not found or not all(isinstance(one, str | Path) for one in found):
        raise StudyError(
            f"{places!r:.60}", where=f"cosim.sweep, {where}", remedy=f"Give names or paths of {where} where it trains"
        )
    return [str(cast("str | Path", one)) for one in found]


def _priced(
    root: Path, machines: Sequence[str], sites: Sequence[Site | None], points: Sequence[GridPoint]
) -> pd.DataFrame:
    scores: Any = read_parquet(root / SCORES, Score)
    decoders = read_parquet(root / DECODERS, DecoderScore)
    workloads = read_workloads(root, dict.fromkeys(text for text in scores["workload_digest"] if text))
    asked = {form: place for place, form in enumerate(dict.fromkeys(scores["form"].tolist()))}
    parts: list[Any] = []
    for point in points:
        for machine in machines:
            for site in sites:
                profile, place = point.place(load_profile(machine), site)
                rows = _rows(workloads, point, profile, place)
                part: Any = flat_results(scores, decoders, to_frame(rows), workloads)
                places = np.argsort([asked[form] for form in part["form"]], kind="stable")
                part = part.iloc[places]
                parts.append(part.assign(**point.cells(profile, place)))
    whole: Any = pd.concat(parts, ignore_index=True)
    return whole[[*FIRST, *(name for name in whole.columns if name not in FIRST)]]


def _rows(workloads: Mapping[str, Workload], point: GridPoint, profile: Any, place: Any) -> Iterator[Priced]:
    for digest, work in workloads.items():
        if work.mode == "stream":
            check_stream_rate(point.decode_rate_hz, work.step_rate_hz, where=RATE)
        report = estimate(work, profile, place, decode_rate_hz=point.decode_rate_hz)
        yield priced_row(
            report, judge(place, report), workload_digest=digest, site=place.name, site_hash=place.digest
        )
