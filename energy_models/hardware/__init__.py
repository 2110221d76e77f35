"""What a machine and a site are: their constants, checked on reading and found by name."""

from energy_models.hardware.execution import (
    Costs,
    Datapath,
    EventCycles,
    EventDriven,
    EventTable,
    Execution,
    InputBroadcast,
    MatrixEngine,
    OperationCost,
    OperationName,
    OutputStationaryArray,
    ProgrammableCore,
    StreamingRing,
    Synapses,
    WeightStationaryArray,
)
from energy_models.hardware.library import PROFILES, SITES, load_profile, load_site, profile_names, site_names
from energy_models.hardware.lost_electrodes import with_lost_electrodes
from energy_models.hardware.memory import OPERANDS, Memory, NonVolatile, Operand
from energy_models.hardware.overrides import constant_units, with_constants, with_power_budget
from energy_models.hardware.periphery import (
    Absent,
    AcquisitionController,
    ConnectedRadio,
    CurveRegulator,
    PerChannelFrontEnd,
    PulseStimulator,
    Regulator,
    WaldenConverter,
)
from energy_models.hardware.profile import HardwareProfile, MemoryRail
from energy_models.hardware.site import LIMIT_NAMES, SILICON_LIMITS, Battery, LimitName, Link, Package, Site, Tissue
from energy_models.hardware.thermal import (
    box_surface_m2,
    equal_area_radius_m,
    pennes_sphere_rise_k_per_w,
    perfusion_length_m,
)

__all__ = [
    "LIMIT_NAMES", "OPERANDS", "PROFILES", "SILICON_LIMITS", "SITES", "Absent", "AcquisitionController", "Battery",
    "ConnectedRadio", "Costs", "CurveRegulator", "Datapath", "EventCycles", "EventDriven", "EventTable", "Execution",
    "HardwareProfile", "InputBroadcast", "LimitName", "Link", "MatrixEngine", "Memory", "MemoryRail", "NonVolatile",
    "Operand", "OperationCost", "OperationName", "OutputStationaryArray", "Package", "PerChannelFrontEnd",
    "ProgrammableCore", "PulseStimulator", "Regulator", "Site", "StreamingRing", "Synapses", "Tissue",
    "WaldenConverter", "WeightStationaryArray", "box_surface_m2", "constant_units", "equal_area_radius_m",
    "load_profile", "load_site", "pennes_sphere_rise_k_per_w", "perfusion_length_m", "profile_names", "site_names",
    "with_constants", "with_lost_electrodes", "with_power_budget",
]
