"""Constants of machine and site as a command line sets and varies them: ``site.front_end.power=3uW/channel``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from energy_models.hardware import HardwareProfile, Site
    from energy_models.workload import Recalibration

Constants = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="PATH=VALUE",
        help="Set a constant of machine or site, such as site.front_end.power=3uW/channel (without a unit: SI); "
        "repeatable.",
    ),
]
Sweeps = Annotated[
    list[str],
    typer.Option(
        "--sweep", metavar="WHAT=A,B,C",
        help="Vary a constant (site.front_end.power=1,3,10uW/channel), decode_rate, node, supply, electrodes_lost, "
        "duty_cycle, charge_cycles, recalibration_interval, weight_bits and activation_bits (assumed widths of any "
        "network), or, of an architecture, a family or a saved student, which are built again, channels or bits; "
        "repeatable: every combination.",
    ),
]
Recalibrate = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="How it learns on the device, every --sweep recalibration_interval: such as "
        "examples=200,epochs=5,batch=10,optimiser=sgd,layers=last,bits=16 (32: floating point).",
    ),
]
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
AXES = {
    "decode_rate": "decode_rate_hz", "rate": "decode_rate_hz", "node": "node_nm", "supply": "supply_v",
    "recalibration_interval": "recalibration_interval_s",
}
"""What is swept by a shorter name."""


def settings_of(texts: Sequence[str]) -> dict[str, object]:
    """Return what ``--set`` sets: texts with a unit, or numbers in SI, by path.

    Raises
    ------
    PriceError
        No ``path=value``, or a path twice.
    """
    found: dict[str, object] = {}
    for path, text in _parts(texts, "--set", "site.front_end.power=3uW/channel"):
        found[path] = amount_of(text)
    return found


def axes_of(texts: Sequence[str]) -> dict[str, list[object]]:
    """Return what ``--sweep`` varies; a unit behind the last value holds for those before it that have none.

    Raises
    ------
    PriceError
        No ``name=values``, or a name twice.
    """
    axes: dict[str, list[object]] = {}
    for name, text in _parts(texts, "--sweep", "site.front_end.power=1,3,10uW/channel"):
        values = [value.strip() for value in text.split(",") if value.strip()]
        number = _NUMBER.match(values[-1]) if values else None
        unit = "" if number is None else values[-1][number.end():].strip()
        axes[AXES.get(name, name)] = [
            amount_of(f"{value} {unit}" if unit and _NUMBER.fullmatch(value) else value) for value in values
        ]
    return axes


def recalibration_of(text: str | None) -> Recalibration | None:
    """Return how a network learns on the device from a text such as that of `Recalibrate`; None where none is given.

    Raises
    ------
    CosimError
        A part that is unknown, missing, given twice or impossible.
    """
    if text is None:
        return None
    from energy_models.errors import PriceError, WorkloadError, unknown_name
    from energy_models.workload import Recalibration

    option, example = "--recalibrate", "examples=200,epochs=5,batch=10,optimiser=sgd,layers=last,bits=16"
    given = dict(_parts([part for part in text.split(",") if part.strip()], option, example))
    known = [one.name for one in dataclasses.fields(Recalibration)]
    if unknown := [name for name in given if name not in known]:
        raise PriceError(f"there is no {unknown[0]!r}", where=option, remedy=unknown_name("parts", unknown[0], known))
    read: dict[str, object] = {}
    for name, value in {**dict(_parts(example.split(","), option, example)), **given}.items():
        is_name = name in ("optimiser", "layers")
        if not is_name and not (value.isascii() and value.isdigit() and len(value) < 10):
            raise PriceError(f"{name}={value[:40]!r}", where=option, remedy="Give a whole number")
        read[name] = value if is_name else int(value)
    try:
        found = Recalibration(**read)  # pyright: ignore[reportArgumentType]  (checked there)
    except WorkloadError as error:  # of what is given: parts of the example are sound
        raise PriceError(error.what, where=option, remedy=error.remedy) from error
    if missing := [name for name in known if name not in given]:
        verb = "is" if len(missing) == 1 else "are"
        raise PriceError(f"{', '.join(missing)} {verb} not said", where=option, remedy=f"Write {option} {example}")
    return found


@contextmanager
def told_as_typed(settings: Iterable[str], axes: Iterable[str]) -> Generator[None]:
    """Let errors name the option that was typed, ``--sweep channels``, where they name an argument of Python.

    Raises
    ------
    CosimError
        The same, with another place; every other failure passes unchanged.
    """
    from energy_models.errors import CosimError

    typed = {path: f"--set {path}" for path in settings} | {name: f"--sweep {_typed(name)}" for name in axes}
    typed |= {"over": "--sweep", "power budget": "--budget"}
    try:
        yield
    except CosimError as error:
        place = typed.get(error.where.rpartition(", ")[2])
        if place is None:
            raise
        raise type(error)(error.what, where=place, remedy=error.remedy) from error


def _typed(name: str) -> str:
    return next((option for option, known in AXES.items() if known == name), name)


def _parts(texts: Sequence[str], option: str, example: str) -> Iterator[tuple[str, str]]:
    from energy_models.errors import PriceError

    seen: set[str] = set()
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not (name and sign and value):
            raise PriceError(f"{text[:60]!r} is no setting", where=option, remedy=f"Write {option} {example}")
        if name in seen:
            raise PriceError(f"{name} is given twice", where=option, remedy="Give each once")
        seen.add(name)
        yield name, value


def amount_of(text: str) -> float | str:
    """Return a number in SI as one; a text with a unit stays a text."""
    if not _NUMBER.fullmatch(text):
        return text
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else float(text)


def set_places(
    profile: str, site: str | None, settings: Mapping[str, object], budget: str | None
) -> tuple[HardwareProfile, Site | None]:
    """Return the machine and the site with what the caller sets, and the device's power budget there.

    Raises
    ------
    CosimError
        An unknown name, path or unit, or a budget without a site.
    """
    from cosim.api.places import placed

    amount = None if budget is None else amount_of(budget)
    return placed(profile, site, constants=settings, budget=amount, where="--budget")


def told(settings: Mapping[str, object], machine: HardwareProfile, site: Site | None) -> list[str]:
    """Return a line for each constant that was set: its value in SI, and what it was."""
    lines: list[str] = []
    for path in settings:
        kind, _, rest = path.partition(".")
        model = machine if kind == "profile" or site is None else site
        quantity = model.quantity_at[rest]
        lines.append(f"{path} = {quantity.value:g} {quantity.unit}: {quantity.note}")
    return lines
