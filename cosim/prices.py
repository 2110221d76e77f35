"""Prices of a run's stored workloads: another machine, or a corrected one, never retrains anything."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from cosim.cache import read_json
from cosim.feasibility import judge
from cosim.results import Priced, priced_row, read_parquet, write_parquet
from cosim.run_folder import load_plan
from cosim.stage import RESULT, WORKLOAD
from cosim.study import HardwarePlan
from cosim.tables import point_results
from energy_models.catalogue import load_profile, load_site
from energy_models.estimate import estimate
from energy_models.workload import Workload
from energy_models.workload_io import read_workload

PRICED = "priced.parquet"
CANNOT_RUN_W = float("inf")  # what the search is told about a machine that cannot run the decoder; never in a table


def write_prices(root: Path, hardware: HardwarePlan) -> Path:
    """Price every workload of a run on every machine at every site, and return the table's path.

    Raises
    ------
    CosimError
        If a profile or site cannot be loaded, or the disk is full.
    """
    workloads: dict[str, Path] = {}
    for folder in point_results(root):
        digest = read_json(folder / RESULT).get("workload_digest")
        if isinstance(digest, str):
            workloads.setdefault(digest, folder / WORKLOAD)
    rows: list[Priced] = []
    for digest, path in workloads.items():
        workload = read_workload(path)
        for profile, site in itertools.product(hardware.profiles, hardware.sites):
            rows.append(_price(workload, digest, profile, site, hardware.decode_rate_hz))
    write_parquet(rows, root / PRICED)
    return root / PRICED


def _price(workload: Workload, digest: str, profile: str, site: str, decode_rate_hz: float) -> Priced:
    place = load_site(site)
    report = estimate(workload, load_profile(profile), place, decode_rate_hz=decode_rate_hz)
    return priced_row(report, judge(place, report), workload_digest=digest, site=place.name, site_hash=place.digest)


def refresh_prices(root: Path) -> Path:
    """Price a run again where a profile, a site or the list of them is no longer what it was priced with.

    Raises
    ------
    CosimError
        If the folder holds no finished run, or a profile or site cannot be loaded.
    """
    hardware = planned_hardware(root)
    if not (root / PRICED).is_file() or _stamps(root) != _current(hardware):
        write_prices(root, hardware)
    return root / PRICED


def planned_hardware(root: Path) -> HardwarePlan:
    """Return the machines and sites a run was asked to price for."""
    document, _, _ = load_plan(root)
    return HardwarePlan.model_validate(document["hardware"])


def _stamps(root: Path) -> set[tuple[str, str, float]]:
    table: Any = read_parquet(root / PRICED, Priced)
    profiles, sites = table["profile_hash"].tolist(), table["site_hash"].tolist()
    rates = table["decode_rate_hz"].tolist()
    return {(str(p), str(s), float(r)) for p, s, r in zip(profiles, sites, rates, strict=True)}


def _current(hardware: HardwarePlan) -> set[tuple[str, str, float]]:
    return {
        (load_profile(profile).digest, load_site(site).digest, hardware.decode_rate_hz)
        for profile, site in itertools.product(hardware.profiles, hardware.sites)
    }


def searched_power_w(folder: Path, profile: str, site: str, decode_rate_hz: float) -> float:
    """Return the nominal power of the whole device [W] for one result, infinite where it cannot run there."""
    workload = read_workload(folder / WORKLOAD)
    report = estimate(workload, load_profile(profile), load_site(site), decode_rate_hz=decode_rate_hz)
    return CANNOT_RUN_W if report.misfits else report.total_power_w.nominal

