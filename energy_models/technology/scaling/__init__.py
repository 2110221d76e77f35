"""The same machine at another node, supply or temperature: marked as derived, refused outside the laws' range."""

from energy_models.technology.scaling.apply import scaled_profile
from energy_models.technology.scaling.leakage import barrier_factor, supply_factor, temperature_factor
from energy_models.technology.scaling.minimum import minimum_energy_supply_v, operation_energy_ratio
from energy_models.technology.scaling.node import node_factor, sram_factor
from energy_models.technology.scaling.supply import (
    drive_speed,
    dynamic_factor,
    frequency_factor,
    nominal_supply_v,
    thermal_slope_v,
)
from energy_models.technology.scaling.technology import Technology, load_technology

__all__ = [
    "Technology",
    "barrier_factor",
    "drive_speed",
    "dynamic_factor",
    "frequency_factor",
    "load_technology",
    "minimum_energy_supply_v",
    "node_factor",
    "nominal_supply_v",
    "operation_energy_ratio",
    "scaled_profile",
    "sram_factor",
    "supply_factor",
    "temperature_factor",
    "thermal_slope_v",
]
