"""One registry for every kind of plug-in: names without imports, duplicates refused, objects of one's own."""

from __future__ import annotations

import math
from importlib.metadata import EntryPoint

import pytest

from energy_models import registry as module
from energy_models.errors import CosimError, DataError, unknown_name
from energy_models.registry import Registry


def as_number(name: str, found: object) -> float:
    if not isinstance(found, float):
        raise DataError(f"{name} is no number", remedy="Register a number")
    return found


NUMBERS = Registry[float]("tests.numbers", "number", "numbers", DataError, as_number)


def install(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    found = [EntryPoint(name, value, NUMBERS.group) for name, value in points]
    monkeypatch.setattr(module, "entry_points", lambda group: [one for one in found if one.group == group])


def test_loads_by_name_and_lists_without_importing(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ("pi", "math:pi"), ("lost", "no_such_module:x"))
    assert NUMBERS.names() == ("lost", "pi")
    assert NUMBERS.load("pi") == math.pi


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("pj", r"unknown number 'pj'.*'pi'"),
        ("lost", "cannot be imported.*no_such_module"),
        ("floor", "floor is no number"),
        ("no_such_module:x", "module 'no_such_module' cannot be imported"),
        ("math:tau2", "there is no 'tau2' in module 'math'"),
        (":pi", "cannot be imported"),
    ],
)
def test_mistakes_name_what_and_remedy(monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    install(monkeypatch, ("pi", "math:pi"), ("lost", "no_such_module:x"), ("floor", "math:floor"))
    with pytest.raises(DataError, match=says):
        NUMBERS.load(name)


def test_an_object_of_ones_own_is_named_by_its_module() -> None:
    assert NUMBERS.load("math:tau") == math.tau
    assert NUMBERS.load("sys:float_info.max") > 1e300


def test_two_packages_may_not_claim_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ("pi", "math:pi"), ("pi", "cmath:pi"))
    with pytest.raises(CosimError, match="cmath:pi and math:pi both claim the number 'pi'"):
        NUMBERS.names()


def test_one_package_found_twice_on_the_path_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ("pi", "math:pi"), ("pi", "math:pi"))
    assert NUMBERS.names() == ("pi",)


def test_a_stale_installation_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    with pytest.raises(DataError, match=r"unknown number 'pi'.*No numbers are registered.*install the package again"):
        NUMBERS.load("pi")


def test_of_very_many_names_the_nearest_and_the_first_are_told() -> None:
    names = [f"channel_{number:04d}" for number in range(500)]
    said = unknown_name("channels", "channel_0333x", names)
    assert "'channel_0333'" in said
    assert said.endswith("channel_0059 and 440 more")
    assert len(said) < 1100
    assert unknown_name("channels", "x", names[:60]).endswith("channel_0059")
