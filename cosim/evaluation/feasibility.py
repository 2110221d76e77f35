"""Does it fit where it is meant to live, which limit binds, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from energy_models.feasibility import (
    LIMIT_VERDICTS,
    LimitCheck,
    LimitVerdict,
    SiteLimits,
    check_site_limits,
    limit_quantities,
    site_limits,
    unchecked_limits,
)
from energy_models.hardware import Site
from energy_models.pricing import EnergyReport
from energy_models.quantities import Band

Answer = LimitVerdict | Literal["does not fit the machine"]
ANSWERS: tuple[Answer, ...] = (*LIMIT_VERDICTS, "does not fit the machine")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one report at one site.

    Parameters
    ----------
    site : str
    verdict : str
        ``fits``: every limit kept at every bound. ``fits nominally``: every limit kept by the nominal values, not by
        every bound. ``fits only at best``: some limit is broken by the nominal values but not at every bound, the
        price is incomplete, or a limit is not checked for want of a figure. ``exceeds``: a limit is broken at every
        bound. ``does not fit the machine``: it cannot run there at all, whatever the site.
    binding : LimitCheck
        The limit with the smallest headroom.
    checks : tuple of LimitCheck
        All limits of the site, tightest first.
    reasons : tuple of str
        Why it is not a plain ``fits``; empty where it is.
    sources, assumed : tuple of str
        Keys of the sources of the site's numbers, and one line for each that is assumed.
    unchecked : tuple of str
        A line for each limit that cannot be compared for want of a figure, as of `unchecked_limits`.
    """

    site: str
    verdict: Answer
    binding: LimitCheck
    checks: tuple[LimitCheck, ...]
    reasons: tuple[str, ...]
    sources: tuple[str, ...]
    assumed: tuple[str, ...]
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standard:
    """A site's limits and where their numbers are from, worked out once for any number of reports."""

    site: str
    limits: SiteLimits
    sources: tuple[str, ...]
    assumed: tuple[str, ...]


def standard_of(site: Site) -> Standard:
    """Return what reports are held against at a site."""
    quantities = limit_quantities(site)
    return Standard(
        site.name,
        site_limits(site),
        tuple(sorted({quantity.source for _, quantity in quantities})),
        tuple(f"{path}: {q.value:g} {q.unit} ({q.note})" for path, q in quantities if q.basis == "assumed"),
    )


def judge(
    site: Site | Standard,
    report: EnergyReport,
    *,
    average_w: Band | None = None,
    cannot: Sequence[str] = (),
    unknown: Sequence[str] = (),
) -> Verdict:
    """Return whether a priced decoder fits a site, with the limit that binds.

    An incomplete price is a lower bound of the true one: it can show that a limit is broken, never that all are kept.

    Parameters
    ----------
    site : Site or Standard
        The latter where many reports are judged.
    report : EnergyReport
    average_w : Band, optional
        Mean power of a device that is not always on, or learns [W]: what its battery follows.
    cannot, unknown : sequence of str
        Why the machine cannot do what is asked of it beside deciding, and what of that has no price. `average_w` is
        then a lower bound.
    """
    standard = site if isinstance(site, Standard) else standard_of(site)
    checks = check_site_limits(standard.limits, report, average_w=average_w)
    if cannot or unknown:
        checks = tuple(_at_best(check) if check.name == "battery" else check for check in checks)
    reasons = [f"{check.name} {check.verdict}" for check in checks if check.verdict != "fits"]
    verdicts: list[Answer] = [check.verdict for check in checks]
    answer = _weaker(*verdicts)
    if report.incomplete or unknown:
        reasons += [f"not priced: {line}" for line in (*report.incomplete, *unknown)]
        answer = _weaker(answer, "fits only at best")
    unchecked = unchecked_limits(standard.limits, report)
    if unchecked:
        reasons += unchecked
        answer = _weaker(answer, "fits only at best")
    if report.infeasibilities or cannot:
        reasons = [*report.infeasibilities, *cannot, *reasons]
        answer = "does not fit the machine"
    return Verdict(
        site=standard.site,
        verdict=answer,
        binding=checks[0],
        checks=checks,
        reasons=tuple(reasons),
        sources=standard.sources,
        assumed=standard.assumed,
        unchecked=unchecked,
    )


def _at_best(check: LimitCheck) -> LimitCheck:
    """Return the check of a value that is known from below only: it can be shown to be broken, not to be kept."""
    return check if check.verdict == "exceeds" else replace(check, verdict="fits only at best")


def _weaker(*answers: Answer) -> Answer:
    """Return the least sure of some answers."""
    return ANSWERS[max(map(ANSWERS.index, answers))]
