"""Whether an energy report keeps the limits of a site, and by how much."""

from energy_models.feasibility.battery import battery_life_s, battery_power_w
from energy_models.feasibility.duty import average_power_w, check_duty_cycle, longest_duty_cycle, off_power_w
from energy_models.feasibility.levers import Lever, levers
from energy_models.feasibility.limits import (
    CHECK_NAMES,
    LIMIT_VERDICTS,
    LimitCheck,
    LimitVerdict,
    SiteLimits,
    check_limits,
    check_site_limits,
    limit_quantities,
    limit_verdict,
    site_limits,
    unchecked_limits,
)
from energy_models.feasibility.recalibration import (
    RecalibrationCost,
    added_power_w,
    recalibration_cost,
    recalibration_draws_w,
)

__all__ = [
    "CHECK_NAMES", "LIMIT_VERDICTS", "Lever", "LimitCheck", "LimitVerdict", "RecalibrationCost", "SiteLimits",
    "added_power_w", "average_power_w", "battery_life_s", "battery_power_w", "check_duty_cycle", "check_limits",
    "check_site_limits", "levers", "limit_quantities", "limit_verdict", "longest_duty_cycle", "off_power_w",
    "recalibration_cost", "recalibration_draws_w", "site_limits", "unchecked_limits",
]
