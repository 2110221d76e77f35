"""A number with bounds, unit, basis and source: the only form in which a physical constant enters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationInfo, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from energy_models.errors import CosimError
from energy_models.quantities.band import Band
from energy_models.quantities.sources import Source, require_source
from energy_models.quantities.units import find_unit, require_dimension

MOST = 1e30  # SI; products of such constants do not overflow
Basis = Literal["measured", "simulated", "derived", "assumed"]


class Quantity(BaseModel):
    """A value with guaranteed bounds and where it comes from.

    Parameters
    ----------
    value, low, high : float
        Nominal value and bounds, in `unit`; ``0 <= low <= value <= high``.
    unit : str
        A text of `energy_models.quantities.units`.
    basis : {'measured', 'simulated', 'derived', 'assumed'}
        How it is known. ``assumed`` needs a note that says why.
    source : str
        Key of a bibliographic record.
    where : str
        Place in the source: figure, table, row, page.
    note : str
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float
    high: float
    unit: str
    basis: Basis
    source: str
    where: str = Field(min_length=1)
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        if not all(math.isfinite(x) for x in (self.low, self.value, self.high)):
            raise PydanticCustomError("bounds", "value, low and high must be finite numbers")
        if not 0 <= self.low <= self.value <= self.high:
            raise PydanticCustomError(
                "bounds", "bounds out of order: need 0 <= low <= value <= high, found {low}, {value}, {high}",
                {"low": self.low, "value": self.value, "high": self.high},
            )
        context = cast(Mapping[str, Any], info.context or {})
        known = cast(Mapping[str, Source] | None, context.get("sources"))
        try:
            factor = find_unit(self.unit).factor
            record = require_source(self.source, known)
        except CosimError as error:
            raise PydanticCustomError("quantity", "{text}", {"text": str(error)}) from error
        if self.high * factor > MOST:
            raise PydanticCustomError("bounds", "high must be {most} at most, in SI units", {"most": f"{MOST:g}"})
        if self.basis == "assumed" and not self.note:
            raise PydanticCustomError("note", "an assumed quantity needs a note that says why it is assumed")
        if not record.was_read and self.basis != "assumed":
            raise PydanticCustomError("basis", "its source was not read: the basis must be 'assumed'")
        return self

    @property
    def band(self) -> Band:
        """The value and its bounds in SI."""
        factor = find_unit(self.unit).factor
        return Band(self.low * factor, self.value * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Dimension:
    """Annotation that refuses a quantity whose unit is of another dimension."""

    name: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, quantity: Quantity) -> Quantity:
        try:
            require_dimension(quantity.unit, self.name)
        except CosimError as error:
            raise PydanticCustomError("unit", "{text}", {"text": str(error)}) from error
        return quantity


@dataclass(frozen=True, slots=True)
class AboveZero:
    """Annotation that refuses a quantity that may be zero: something is divided by it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, quantity: Quantity) -> Quantity:
        if quantity.band.low <= 0:
            raise PydanticCustomError("above_zero", "its low bound must be above zero")
        return quantity


Energy = Annotated[Quantity, Dimension("energy")]
Power = Annotated[Quantity, Dimension("power")]
Time = Annotated[Quantity, Dimension("time")]
Frequency = Annotated[Quantity, Dimension("frequency")]
Information = Annotated[Quantity, Dimension("information")]
InformationRate = Annotated[Quantity, Dimension("information_rate")]
EnergyPerBit = Annotated[Quantity, Dimension("energy_per_bit")]
EnergyPerSquareBit = Annotated[Quantity, Dimension("energy_per_square_bit")]
EnergyPerStep = Annotated[Quantity, Dimension("energy_per_step")]
PowerPerBit = Annotated[Quantity, Dimension("power_per_bit")]
PowerPerChannel = Annotated[Quantity, Dimension("power_per_channel")]
PowerDensity = Annotated[Quantity, Dimension("power_density")]
Temperature = Annotated[Quantity, Dimension("temperature")]
TemperatureRise = Annotated[Quantity, Dimension("temperature_rise")]
RisePerPower = Annotated[Quantity, Dimension("rise_per_power")]
Conductivity = Annotated[Quantity, Dimension("conductivity")]
VolumetricHeat = Annotated[Quantity, Dimension("volumetric_heat")]
Voltage = Annotated[Quantity, Dimension("voltage")]
Current = Annotated[Quantity, Dimension("current")]
Charge = Annotated[Quantity, Dimension("charge")]
Length = Annotated[Quantity, Dimension("length")]
Area = Annotated[Quantity, Dimension("area")]
Cycles = Annotated[Quantity, Dimension("cycles")]
CyclesPerOperation = Annotated[Quantity, Dimension("cycles_per_operation")]
CyclesPerInstruction = Annotated[Quantity, Dimension("cycles_per_instruction")]
InstructionsPerOperation = Annotated[Quantity, Dimension("instructions_per_operation")]
CapacitancePerArea = Annotated[Quantity, Dimension("capacitance_per_area")]
Channels = Annotated[Quantity, Dimension("channels")]
Ratio = Annotated[Quantity, Dimension("ratio")]
RatioPerTime = Annotated[Quantity, Dimension("ratio_per_time")]


def quantities(value: object, path: str = "") -> Iterator[tuple[str, Quantity]]:
    """Yield every quantity inside a model, mapping or sequence with its dotted path."""
    if isinstance(value, Quantity):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from quantities(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, Mapping):
        for key, item in cast(Mapping[object, object], value).items():
            yield from quantities(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (tuple, list)):
        for index, item in enumerate(cast(tuple[object, ...], value)):
            yield from quantities(item, f"{path}[{index}]")


def with_quantities(model: BaseModel, change: Callable[[str, Quantity], Quantity]) -> dict[str, Any]:
    """Return a model's fields with every quantity inside replaced by ``change(path, quantity)``; paths as above."""
    return {name: _changed(getattr(model, name), name, change) for name in type(model).model_fields}


def _changed(value: object, path: str, change: Callable[[str, Quantity], Quantity]) -> object:
    if isinstance(value, Quantity):
        return change(path, value)
    if isinstance(value, BaseModel):
        return {
            name: _changed(getattr(value, name), f"{path}.{name}", change) for name in type(value).model_fields
        }
    if isinstance(value, Mapping):
        entries = cast(Mapping[object, object], value).items()
        return {key: _changed(item, f"{path}.{key}", change) for key, item in entries}
    if isinstance(value, tuple):
        items = cast(tuple[object, ...], value)
        return tuple(_changed(item, f"{path}[{index}]", change) for index, item in enumerate(items))
    return value
