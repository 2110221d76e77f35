"""Zero where something is divided by it: refused with its dotted path, or the limit; never a ZeroDivisionError."""

from __future__ import annotations

import copy
import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from energy_workloads import dense_layer, workload

from energy_models.analysis import sample_designs
from energy_models.analysis.uncertainty import Design
from energy_models.errors import CosimError, ProfileError
from energy_models.feasibility import check_limits
from energy_models.hardware import (
    HardwareProfile,
    Site,
    load_profile,
    load_site,
    pennes_sphere_rise_k_per_w,
    perfusion_length_m,
    profile_names,
    site_names,
)
from energy_models.pricing import estimate
from energy_models.quantities import parse_model

WORK = workload(dense_layer(64, 16))
RATE_HZ = WORK.step_rate_hz
Path = tuple[str | int, ...]


def quantities(table: Any, path: Path = ()) -> Iterator[Path]:
    """Yield where the quantities of a table are."""
    if isinstance(table, dict) and {"value", "low", "high", "unit"} <= set(table):
        yield path
    elif isinstance(table, dict | list):
        for key, inner in table.items() if isinstance(table, dict) else enumerate(table):
            yield from quantities(inner, (*path, key))


def zeroed(table: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the table with the low bound of one quantity, then the whole quantity, at zero."""
    for path in quantities(table):
        for fields in (("low",), ("low", "value", "high")):
            changed: Any = copy.deepcopy(table)
            found = changed
            for key in path:
                found = found[key]
            found.update(dict.fromkeys(fields, 0.0))
            yield f"{'.'.join(map(str, path))} {'/'.join(fields)}", changed


@contextmanager
def told(change: str) -> Generator[None]:
    """Let our errors pass, and name the change where another is raised."""
    try:
        yield
    except CosimError:
        return
    except ArithmeticError as error:
        raise AssertionError(change) from error


def priced(profile: HardwareProfile, site: Site) -> None:
    report = estimate(WORK, profile, site, decode_rate_hz=RATE_HZ)
    for check in check_limits(site, report):
        assert not math.isnan(check.headroom)
    sample_designs([Design(WORK, profile, site, RATE_HZ)], draws=4, seed=0)


@pytest.mark.parametrize("name", site_names())
def test_a_zero_anywhere_in_a_site(name: str) -> None:
    table = load_site(name).model_dump(mode="json", exclude_none=True)
    ends = 0
    for changed, document in zeroed(table):
        with told(f"{name}: {changed}"):
            priced(load_profile("cortex_m4f"), parse_model(document, Site, where=name))
            ends += 1
    assert ends  # not every zero is refused: some are limits, and are priced


@pytest.mark.parametrize("name", profile_names())
def test_a_zero_anywhere_in_a_machine(name: str) -> None:
    table = load_profile(name).model_dump(mode="json", exclude_none=True)
    ends = 0
    for changed, document in zeroed(table):
        with told(f"{name}: {changed}"):
            priced(parse_model(document, HardwareProfile, where=name), load_site("implant_utah96"))
            ends += 1
    assert ends  # not every zero is refused: some are limits, and are priced


def test_without_perfusion_heat_is_conducted_alone() -> None:
    """``1 / (4 pi k a)``: k = 0.5 W/(m K), a = 10 mm gives 1 / (4 pi 0.005) = 15.92 K/W."""
    for perfusion, heat in ((0.0, 4e6), (0.01, 0.0), (1e-300, 1e-300)):
        length = perfusion_length_m(0.5, perfusion, heat)
        assert length == math.inf
        assert pennes_sphere_rise_k_per_w(0.01, 0.5, length) == pytest.approx(1 / (4 * math.pi * 0.005))
    small = pennes_sphere_rise_k_per_w(0.01, 0.5, perfusion_length_m(0.5, 1e-12, 4e6))
    assert small == pytest.approx(1 / (4 * math.pi * 0.005), rel=0.01)  # the limit is reached


@pytest.mark.parametrize(("radius", "conductivity"), [(0.0, 0.5), (0.01, 0.0), (-1.0, 0.5), (math.nan, 0.5)])
def test_no_body_and_no_conduction_are_refused(radius: float, conductivity: float) -> None:
    with pytest.raises(ProfileError, match="Give an area and a conductivity above zero"):
        pennes_sphere_rise_k_per_w(radius, conductivity, 0.01)


@pytest.mark.parametrize(
    ("path", "said"),
    [(("package", "area"), "package.area: its low bound must be above zero"),
     (("temperature", "tissue", "conductivity"), "temperature.tissue.conductivity: its low bound must be above zero")],
)  # fmt: skip
def test_what_must_not_be_zero_is_told_by_its_path(path: tuple[str, ...], said: str) -> None:
    table: Any = load_site("implant_ecog64_wimagine").model_dump(mode="json", exclude_none=True)
    found = table
    for key in path:
        found = found[key]
    found["low"] = 0.0
    with pytest.raises(ProfileError) as caught:
        parse_model(table, Site, where="mine")
    assert said in str(caught.value)


def test_a_box_needs_two_sides() -> None:
    side = {"value": 10.0, "low": 10.0, "high": 10.0, "unit": "mm", "basis": "assumed", "source": "own_work",
            "where": "here", "note": "a test"}  # fmt: skip
    nothing = side | {"value": 0.0, "low": 0.0, "high": 0.0}
    table: Any = load_site("implant_ecog64_wimagine").model_dump(mode="json", exclude_none=True)
    sheet = {"length": side, "width": side, "thickness": nothing}
    side["source"] = nothing["source"] = table["package"]["area"]["source"]
    sheet = {"length": dict(side), "width": dict(side), "thickness": dict(nothing)}
    found = parse_model({**table, "package": sheet}, Site, where="mine").package
    assert found is not None
    assert found.surface_m2.nominal == pytest.approx(2e-4)
    with pytest.raises(ProfileError, match="gives off no heat"):
        parse_model({**table, "package": {**sheet, "width": dict(nothing)}}, Site, where="mine")
