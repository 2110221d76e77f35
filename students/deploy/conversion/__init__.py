"""A deployed graph run with spikes: integrate-and-fire neurons in place of its activations, exactly equal."""

from students.deploy.conversion.network import SpikingNetwork, convert
from students.deploy.conversion.simulate import Simulation, simulate
from students.deploy.conversion.work import spiking_workload

__all__ = ["Simulation", "SpikingNetwork", "convert", "simulate", "spiking_workload"]
