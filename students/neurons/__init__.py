"""Spiking neurons, what one does in a step, what encodes their input, and the snnTorch adapter (never loaded here)."""

from students.neurons.dynamics import Dynamics
from students.neurons.encoders import Encoder, encoder_names, load_encoder
from students.neurons.lif import LIF, LeakyIntegrator, ZeroInitialState
from students.neurons.models import LeakyIntegratorModel, LIFModel, NeuronModel, RecurrentLIFModel, float_neurons
from students.neurons.recurrent import RecurrentLIF

__all__ = [
    "LIF",
    "Dynamics",
    "Encoder",
    "LIFModel",
    "LeakyIntegrator",
    "LeakyIntegratorModel",
    "NeuronModel",
    "RecurrentLIF",
    "RecurrentLIFModel",
    "ZeroInitialState",
    "encoder_names",
    "float_neurons",
    "load_encoder",
]
