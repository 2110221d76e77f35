"""The clock that logic and memories reach at their supplies, and what the clock costs where nothing is done.

    clock    1 / (margin max(delay of the logic, access of every memory)), each at its own supply
    delay    period at the node's nominal supply  I(Vn)/Vn / (I(V)/V)  (`energy_models.technology.scaling.supply`)
    cycle    gates  energy of a gate's registers and clock pins  (node / 130 nm)  (V / 1.2 V)^2  share left by gating

A finer node than that of the known delay is not credited with faster transistors. Laws take floats or arrays of points
and have no branch on values.
"""

from __future__ import annotations

from energy_models.quantities.number import Number, larger, largest
from energy_models.technology.area import NM_M
from energy_models.technology.machine_laws import End, against, at, machine_laws
from energy_models.technology.scaling import drive_speed, load_technology, thermal_slope_v


def supply_speed(supply_v: Number, end: End = "nominal") -> Number:
    """Return the reciprocal delay of a circuit ``I(V)/V`` in arbitrary units; only its ratios mean anything.

    Parameters
    ----------
    supply_v : float or array
        Supply [V].
    end : {'low', 'nominal', 'high'}
        Of threshold and velocity exponent together: 'low' is a low threshold.
    """
    law, slope = load_technology().supply, thermal_slope_v()
    threshold, power = at(law.threshold, end), at(law.velocity_exponent, end)
    return drive_speed(supply_v, threshold, power, slope)


def logic_delay_s(node_nm: Number, supply_v: Number, nominal_v: Number, end: End = "nominal") -> Number:
    """Return the delay of a multiply-accumulate [s]; `nominal_v` is the node's nominal supply."""
    laws = machine_laws().clock
    coarser = larger(node_nm * NM_M / at(laws.reference_node, "nominal"), 1.0)
    return at(laws.logic_period, end) * coarser * (supply_speed(nominal_v, end) / supply_speed(supply_v, end))


def reachable_clock_hz(delays_s: tuple[Number, ...], end: End = "nominal") -> Number:
    """Return the clock that a machine reaches [Hz]: ``1 / (margin max(delays))``.

    Parameters
    ----------
    delays_s : tuple of float or array
        Delay of the logic, and the access time of every memory at its own supply [s].
    end : {'low', 'nominal', 'high'}
        'low' takes the widest margin; delays come at the end that belongs to it, which is theirs to choose.
    """
    return 1.0 / (against(machine_laws().clock.margin, end) * largest(delays_s))


def clock_cycle_energy_j(gates: Number, node_nm: Number, supply_v: Number, end: End = "nominal") -> Number:
    """Return what a clock cycle costs a datapath whose work is priced apart [J]: trunk, and cells without work.

    Their registers are clocked through gates that leave a share of the energy. Capacitance goes with the node, energy
    with the square of the supply.

    Parameters
    ----------
    gates : float or array
        Of the datapath and its controller.
    node_nm : float or array
        Technology node [nm].
    supply_v : float or array
        Supply of the logic [V].
    end : {'low', 'nominal', 'high'}
    """
    laws = machine_laws().clock
    node = node_nm * NM_M / at(laws.cycle_node, "nominal")
    supply = supply_v / at(laws.cycle_supply, "nominal")
    return at(laws.cycle_energy, end) * at(laws.gated_clock, end) * gates * node * supply**2
