"""Prices of a run's stored workloads: another machine, or a corrected one, never retrains anything."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cosim.engine.run_folder import PLAN, load_plan
from cosim.engine.stage import WORKLOAD
from cosim.evaluation.feasibility import Standard, judge, standard_of
from cosim.evaluation.stream_rate import check_stream_rate
from cosim.study.messages import validation_lines
from cosim.study.schema import HardwarePlan
from cosim.tables.archive import check_archive
from cosim.tables.designed import designed_machines
from cosim.tables.results import Priced, Score, layers_text, priced_row, read_parquet, read_table, write_parquet
from cosim.tables.scores import SCORES
from cosim.tables.workloads import read_workloads
from energy_models.errors import CosimError, StudyError
from energy_models.hardware import HardwareProfile, Site, load_profile, load_site
from energy_models.pricing import Surroundings, at_site, estimate, estimate_machine, model_digest, surroundings
from energy_models.workload import Workload, read_workload

PRICED = "priced.parquet"
STAMPS = ("workload_digest", "model_hash", "profile_hash", "site_hash", "decode_rate_hz")  # what a price rests on
CANNOT_RUN_W = float("inf")  # what the search is told about a machine that cannot run the decoder; never in a table


@dataclass(frozen=True, slots=True)
class _Place:
    """A site with what is worked out once for all that is priced there; `around` by channels."""

    site: Site
    standard: Standard
    around: dict[int, Surroundings]


def write_prices(root: Path, hardware: HardwarePlan) -> Path:
    """Price every workload of a run on every machine at every site, and return the table's path.

    Raises
    ------
    CosimError
        If a profile or site cannot be loaded, or the disk is full.
    """
    machines = [load_profile(name) for name in hardware.profiles]
    sites = [load_site(name) for name in hardware.sites]
    places = [_Place(site, standard_of(site), {}) for site in sites]
    workloads = read_workloads(root, _scored(root))
    own = designed_machines(root, hardware, workloads)
    rows = (
        row
        for digest, workload in workloads.items()
        for machine in (*machines, *([own[digest]] if digest in own else []))
        for row in _prices(workload, digest, machine, places, hardware.decode_rate_hz)
    )
    write_parquet(rows, root / PRICED)
    return root / PRICED


def _prices(
    workload: Workload, digest: str, profile: HardwareProfile, places: Sequence[_Place], decode_rate_hz: float
) -> Iterator[Priced]:
    """Yield the prices of a workload on one machine, site by site."""
    if workload.mode == "stream":
        check_stream_rate(decode_rate_hz, workload.step_rate_hz, where="hardware.decode_rate_hz")
    machine = estimate_machine(workload, profile, decode_rate_hz=decode_rate_hz)
    layers = layers_text(machine.layers)
    for place in places:
        site, channels = place.site, workload.channels
        if channels not in place.around:
            place.around[channels] = surroundings(site, channels, decode_rate_hz=decode_rate_hz)
        report = at_site(machine, place.around[channels])
        verdict = judge(place.standard, report)
        yield priced_row(report, verdict, workload_digest=digest, site=site.name, site_hash=site.digest, layers=layers)


def reprice(root: Path) -> Path:
    """Price every workload of a run or an archived run, whatever was priced before, and return the table's path.

    Raises
    ------
    CosimError
        As `refresh_prices`.
    """
    check_archive(root)
    return write_prices(root, planned_hardware(root))


def refresh_prices(root: Path) -> Path:
    """Price a run again where its workloads, the pricing code, the profiles or the sites have changed since.

    Raises
    ------
    CosimError
        If the folder holds no finished run, a damaged archived one, or a profile or site cannot be loaded.
    """
    check_archive(root)
    hardware = planned_hardware(root)
    if _stamps(root) != _current(root, hardware):
        write_prices(root, hardware)
    return root / PRICED


def planned_hardware(root: Path) -> HardwarePlan:
    """Return the machines and sites a run was asked to price for.

    Raises
    ------
    StudyError
        If the folder holds no run, or its plan was changed to something else than a list of machines and sites.
    """
    document, _, _ = load_plan(root)
    try:
        return HardwarePlan.model_validate(document.get("hardware"))
    except ValidationError as error:
        lines = validation_lines(error, HardwarePlan.model_fields, ("study", "hardware"))
        raise StudyError("; ".join(lines), where=str(root / PLAN), remedy="Mend it, or run the study again.") from error


Stamps = tuple[set[str], set[tuple[str, str, str, float]]]


def _stamps(root: Path) -> Stamps | None:
    """Return what is priced: the workloads, and the pricing code and places by their contents; None if unreadable."""
    digests, *places = STAMPS
    texts = [digests, *places[:-1]]
    try:
        table = read_table(root / PRICED, Priced, STAMPS, texts).unify_dictionaries()
    except CosimError:  # of another version, or damaged: prices are made again from the workloads, nothing is lost
        return None
    apart = table.group_by(places, use_threads=False).aggregate([])  # in the file each text stands once: few rows
    found = zip(*(apart[name].to_pylist() for name in places), strict=True)
    return set(table[digests].unique().to_pylist()), {(str(m), str(p), str(s), float(r)) for m, p, s, r in found}


def _current(root: Path, hardware: HardwarePlan) -> Stamps:
    """Return what should be priced; a kill between two tables may have left older prices than scores."""
    digests = _scored(root)
    own = {} if hardware.design is None else designed_machines(root, hardware, read_workloads(root, digests))
    machines = {*(load_profile(profile).digest for profile in hardware.profiles), *(one.digest for one in own.values())}
    places = {
        (model_digest(), machine, load_site(site).digest, hardware.decode_rate_hz)
        for machine, site in itertools.product(machines, hardware.sites)
    }
    return set(digests), places


def _scored(root: Path) -> list[str]:
    """Return the workloads that a run's scores name, each once, in their order."""
    scores: Any = read_parquet(root / SCORES, Score, ["workload_digest"])
    return [digest for digest in dict.fromkeys(scores["workload_digest"].tolist()) if digest]


def searched_power_w(folder: Path, profile: str, site: str, decode_rate_hz: float) -> float:
    """Return the nominal power of the whole device [W] for one result, infinite where it cannot run there."""
    return workload_power_w(read_workload(folder / WORKLOAD), profile, site, decode_rate_hz)


def workload_power_w(workload: Workload, profile: str, site: str, decode_rate_hz: float) -> float:
    """Return the nominal power of the whole device [W] for one workload, infinite where it cannot run there."""
    report = estimate(workload, load_profile(profile), load_site(site), decode_rate_hz=decode_rate_hz)
    return CANNOT_RUN_W if report.infeasibilities else report.total_power_w.nominal
