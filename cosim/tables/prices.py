"""Prices of a run's stored workloads: another machine, or a corrected one, never retrains anything."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cosim.engine.run_folder import PLAN, load_plan
from cosim.engine.stage import WORKLOAD
from cosim.evaluation.feasibility import judge
from cosim.evaluation.stream_rate import check_stream_rate
from cosim.study.messages import validation_lines
from cosim.study.schema import HardwarePlan
from cosim.tables.archive import check_archive
from cosim.tables.results import Priced, Score, priced_row, read_parquet, write_parquet
from cosim.tables.scores import SCORES
from cosim.tables.workloads import read_workloads
from energy_models.errors import CosimError, StudyError
from energy_models.hardware import load_profile, load_site
from energy_models.pricing import estimate, model_digest
from energy_models.workload import Workload, read_workload

PRICED = "priced.parquet"
CANNOT_RUN_W = float("inf")  # what the search is told about a machine that cannot run the decoder; never in a table


def write_prices(root: Path, hardware: HardwarePlan) -> Path:
    """Price every workload of a run on every machine at every site, and return the table's path.

    Raises
    ------
    CosimError
        If a profile or site cannot be loaded, or the disk is full.
    """
    rows: list[Priced] = []
    for digest, workload in read_workloads(root, _scored(root)).items():
        for profile, site in itertools.product(hardware.profiles, hardware.sites):
            rows.append(_price(workload, digest, profile, site, hardware.decode_rate_hz))
    write_parquet(rows, root / PRICED)
    return root / PRICED


def _price(workload: Workload, digest: str, profile: str, site: str, decode_rate_hz: float) -> Priced:
    if workload.mode == "stream":
        check_stream_rate(decode_rate_hz, workload.step_rate_hz, where="hardware.decode_rate_hz")
    place = load_site(site)
    report = estimate(workload, load_profile(profile), place, decode_rate_hz=decode_rate_hz)
    return priced_row(report, judge(place, report), workload_digest=digest, site=place.name, site_hash=place.digest)


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
    try:
        table: Any = read_parquet(root / PRICED, Priced)
    except CosimError:  # of another version, or damaged: prices are made again from the workloads, nothing is lost
        return None
    columns = (table[name].tolist() for name in ("model_hash", "profile_hash", "site_hash", "decode_rate_hz"))
    places = {(str(m), str(p), str(s), float(r)) for m, p, s, r in zip(*columns, strict=True)}
    return set(table["workload_digest"].tolist()), places


def _current(root: Path, hardware: HardwarePlan) -> Stamps:
    """Return what should be priced; a kill between two tables may have left older prices than scores."""
    places = {
        (model_digest(), load_profile(profile).digest, load_site(site).digest, hardware.decode_rate_hz)
        for profile, site in itertools.product(hardware.profiles, hardware.sites)
    }
    return set(_scored(root)), places


def _scored(root: Path) -> list[str]:
    """Return the workloads that a run's scores name, each once, in their order."""
    scores: Any = read_parquet(root / SCORES, Score)
    return [digest for digest in dict.fromkeys(scores["workload_digest"].tolist()) if digest]


def searched_power_w(folder: Path, profile: str, site: str, decode_rate_hz: float) -> float:
    """Return the nominal power of the whole device [W] for one result, infinite where it cannot run there."""
    workload = read_workload(folder / WORKLOAD)
    report = estimate(workload, load_profile(profile), load_site(site), decode_rate_hz=decode_rate_hz)
    return CANNOT_RUN_W if report.infeasibilities else report.total_power_w.nominal
