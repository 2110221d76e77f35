"""Quantities with bounds, units and sources, and the files they are read from and written to."""

from energy_models.quantities.amounts import amount_si
from energy_models.quantities.band import ZERO, Band, total
from energy_models.quantities.files import TEMPORARY, no_room, write_failure, write_whole
from energy_models.quantities.quantity import (
    AboveZero,
    Area,
    Channels,
    Charge,
    Conductivity,
    Current,
    Cycles,
    CyclesPerInstruction,
    CyclesPerOperation,
    Energy,
    EnergyPerBit,
    EnergyPerSquareBit,
    EnergyPerStep,
    Frequency,
    Information,
    InformationRate,
    InstructionsPerOperation,
    Length,
    Power,
    PowerDensity,
    PowerPerBit,
    PowerPerChannel,
    Quantity,
    Ratio,
    RatioPerTime,
    RisePerPower,
    Temperature,
    TemperatureRise,
    Time,
    Voltage,
    VolumetricHeat,
    quantities,
    with_quantities,
)
from energy_models.quantities.shown import html_table, prefixed, prefixed_band, prefixed_floor
from energy_models.quantities.sources import Source, load_sources, require_source
from energy_models.quantities.text_file import TOML_BITS, check_document, parse_json, parse_toml, read_text, read_toml
from energy_models.quantities.toml_file import Frozen, content_digest, parse_model, read_model
from energy_models.quantities.units import DAY_S, HOUR_S, YEAR_S, find_unit, si_unit, to_si

__all__ = [
    "DAY_S", "HOUR_S", "TEMPORARY", "TOML_BITS", "YEAR_S", "ZERO", "AboveZero", "Area", "Band", "Channels",
    "Charge", "Conductivity", "Current", "Cycles", "CyclesPerInstruction", "CyclesPerOperation", "Energy",
    "EnergyPerBit", "EnergyPerSquareBit", "EnergyPerStep", "Frequency", "Frozen", "Information", "InformationRate",
    "InstructionsPerOperation", "Length", "Power", "PowerDensity", "PowerPerBit", "PowerPerChannel", "Quantity",
    "Ratio", "RatioPerTime", "RisePerPower", "Source", "Temperature", "TemperatureRise", "Time", "Voltage",
    "VolumetricHeat", "amount_si", "check_document", "content_digest", "find_unit", "html_table", "load_sources",
    "no_room", "parse_json", "parse_model", "parse_toml", "prefixed", "prefixed_band", "prefixed_floor",
    "quantities", "read_model",
    "read_text", "read_toml", "require_source", "si_unit", "to_si", "total", "with_quantities", "write_failure",
    "write_whole",
]
