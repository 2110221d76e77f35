"""Verdicts of whole reports: limits, infeasibilities, incomplete prices."""

from __future__ import annotations

import dataclasses

import pytest

from cosim.evaluation.feasibility import judge
from energy_models.hardware import load_site
from energy_models.pricing import EnergyReport, LayerEnergy
from energy_models.quantities import Band

UTAH = load_site("implant_utah96")


def report(low_w: float, nominal_w: float, high_w: float, *, latency_s: float = 1e-3) -> EnergyReport:
    band = Band(low_w, nominal_w, high_w)
    layer = LayerEnergy("one", "linear", {"compute": Band(1e-9, 1e-9, 1e-9)})
    return EnergyReport(
        workload="w", profile="p", profile_hash="h", decode_rate_hz=20.0, layers=(layer,), power_w={"compute": band},
        latency_s=Band(latency_s, latency_s, latency_s), cycles=Band(1, 1, 1), busy=Band(0.5, 0.5, 0.5),
        memories=(), infeasibilities=(), unaccounted=(), not_charged=(),
        sources=(), assumed=(),
    )  # fmt: skip


def test_fits_only_where_the_worst_case_is_under_every_limit() -> None:
    verdict = judge(UTAH, report(1e-3, 5e-3, 14.9e-3))
    assert (verdict.verdict, verdict.binding.name, verdict.reasons) == ("fits", "power_budget", ())
    assert verdict.binding.headroom == pytest.approx(3.0)


def test_fits_nominally_where_only_the_high_is_over() -> None:
    verdict = judge(UTAH, report(1e-3, 5e-3, 16e-3))  # the budget is 15 mW
    assert verdict.verdict == "fits nominally"
    assert verdict.reasons == ("power_budget fits nominally",)


def test_fits_only_at_best_where_only_the_low_is_under() -> None:
    verdict = judge(UTAH, report(1e-3, 16e-3, 17e-3))
    assert verdict.verdict == "fits only at best"
    assert verdict.reasons == ("power_budget fits only at best",)


def test_the_weakest_limit_decides() -> None:
    # budget 15 mW: fits nominally; 1 K at 0.0305 K/mW (0.029 by the slope): 32.8 mW at nominal values, 40 mW is over
    assert judge(UTAH, report(1e-3, 14e-3, 40e-3)).verdict == "fits nominally"
    slow = judge(UTAH, report(1e-3, 16e-3, 40e-3, latency_s=0.06))  # 50 ms are allowed
    assert slow.verdict == "exceeds"
    assert "power_budget fits only at best" in slow.reasons


def test_exceeds_where_even_the_low_is_over() -> None:
    verdict = judge(UTAH, report(16e-3, 20e-3, 30e-3))
    assert verdict.verdict == "exceeds"
    assert verdict.binding.headroom == pytest.approx(0.75)


def test_the_deadline_can_bind() -> None:
    verdict = judge(UTAH, report(1e-6, 1e-6, 1e-6, latency_s=0.2))  # 50 ms are allowed
    assert (verdict.verdict, verdict.binding.name) == ("exceeds", "deadline")
    assert verdict.binding.headroom == pytest.approx(0.25)


def test_an_incomplete_price_never_fits_but_may_exceed() -> None:
    partial = dataclasses.replace(report(1e-3, 5e-3, 10e-3), unaccounted=("uncounted: softmax",))
    verdict = judge(UTAH, partial)
    assert verdict.verdict == "fits only at best"
    assert "not priced: uncounted: softmax" in verdict.reasons
    over = dataclasses.replace(report(16e-3, 20e-3, 30e-3), unaccounted=("uncounted: softmax",))
    assert judge(UTAH, over).verdict == "exceeds"


def test_an_infeasibility_comes_before_every_limit() -> None:
    verdict = judge(UTAH, dataclasses.replace(report(1e-6, 1e-6, 1e-6), infeasibilities=("weights need 1 Mbit",)))
    assert verdict.verdict == "does not fit the machine"
    assert verdict.reasons[0] == "weights need 1 Mbit"
    assert len(verdict.checks) == 6  # limits are still evaluated, all of them


def test_the_site_brings_its_sources_and_assumptions() -> None:
    verdict = judge(UTAH, report(1e-3, 2e-3, 3e-3))
    assert {"kim2007", "mindful2025"} <= set(verdict.sources)
    assert any("implant_utah96.package.length: 6 mm" in line for line in verdict.assumed)
