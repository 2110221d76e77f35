"""Spiking neurons, what one does in a step, what encodes their input, and the snnTorch adapter (never loaded here)."""

from students.neurons.dynamics import Dynamics
from students.neurons.encoders import Encoder, encoder_names, load_encoder
from students.neurons.lif import LIF, LeakyIntegrator, ZeroInitialState
from students.neurons.models import LeakyIntegratorModel, LIFModel, NeuronModel, float_neurons

__all__ = [
    "LIF",
    "Dynamics",
    "Encoder",
    "LIFModel",
    "LeakyIntegrator",
    "LeakyIntegratorModel",
    "NeuronModel",
    "ZeroInitialState",
    "encoder_names",
    "float_neurons",
    "load_encoder",
]
