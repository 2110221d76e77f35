"""What every machine and every site must do: price reference networks with ordered bounds and named sources."""

from __future__ import annotations

from cosim.evaluation.feasibility import judge
from cosim.testing.contract import require
from energy_models.analysis.published_models import eegnet_int8, snn_22_32_4
from energy_models.analysis.published_models.networks import stored_path
from energy_models.hardware import HardwareProfile, Site, load_profile, load_site
from energy_models.pricing import EnergyReport, estimate
from energy_models.workload import Workload, read_workload

WINDOW_RATE_HZ = 2.0
REFERENCE_PROFILE, REFERENCE_SITE = "cortex_m4f", "headset_commodity"


def check_profile(name: str) -> None:
    """Check a machine on three networks: float and 8-bit EEGNet-8,2 and a spiking perceptron.

    Parameters
    ----------
    name : str
        A registered name, or a path to a TOML file.

    Raises
    ------
    ContractError
        Which promise is broken: it has no constants, prices none of the networks whole, gives bounds out of order or
        no source, or gives two answers to one question.
    CosimError
        If the file cannot be read.
    """
    profile, site = load_profile(name), load_site(REFERENCE_SITE)
    where = f"profile {name!r}"
    require(bool(profile.quantity_at), "it has no constants", where=where, remedy="Give its costs with their sources")
    reports = [_checked_report(workload, profile, site, where) for workload in _networks()]
    gaps = sorted({gap for report in reports for gap in report.unaccounted})
    require(any(not report.unaccounted for report in reports), f"it prices no reference network whole: {gaps[0]}"
            if gaps else "it prices no reference network whole", where=where,
            remedy="Give a cost for every operation of a float, an 8-bit or a spiking network")  # fmt: skip


def check_site(name: str) -> None:
    """Check a site with a microcontroller: bounds, sources, and every limit judged.

    Parameters
    ----------
    name : str
        A registered name, or a path to a TOML file.

    Raises
    ------
    ContractError
        Which promise is broken.
    CosimError
        If the file cannot be read.
    """
    profile, site = load_profile(REFERENCE_PROFILE), load_site(name)
    where = f"site {name!r}"
    for workload in _networks():
        report = _checked_report(workload, profile, site, where)
        limits = judge(site, report).checks
        ordered = all(check.value.low <= check.value.nominal <= check.value.high for check in limits)
        require(ordered, "bounds of what a limit allows or of what is used are not ordered", where=where,
                remedy="Give low <= value <= high")  # fmt: skip


def _networks() -> tuple[Workload, ...]:
    return eegnet_int8(), read_workload(stored_path("eegnet_8_2")), snn_22_32_4()


def _checked_report(workload: Workload, profile: HardwareProfile, site: Site, where: str) -> EnergyReport:
    report = estimate(workload, profile, site, decode_rate_hz=WINDOW_RATE_HZ)
    at = f"{where}, workload {workload.name!r}"
    bands = [*report.power_w.values(), report.decode_energy_j, report.latency_s, report.cycles]
    ordered = all(0 <= band.low <= band.nominal <= band.high for band in bands)
    require(ordered, "bounds are not ordered, or a power is negative", where=at,
            remedy="Give low <= value <= high, and no negative cost")  # fmt: skip
    require(bool(report.sources), "no constant of the estimate names a source", where=at,
            remedy="Give every constant its source")  # fmt: skip
    again = estimate(workload, profile, site, decode_rate_hz=WINDOW_RATE_HZ)
    require(report == again, "two estimates of one workload differ", where=at, remedy="Use no state and no chance")
    return report
