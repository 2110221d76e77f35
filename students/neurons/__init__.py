"""Spiking neurons, what one does in a step, what encodes their input, and the snnTorch adapter (never loaded here)."""

from students.kernels.neurons.surrogates import Surrogate
from students.neurons.adaptive import AdaptiveLIF
from students.neurons.dynamics import Dynamics
from students.neurons.encoders import Encoder, encoder_names, load_encoder
from students.neurons.euler import StepNeuron
from students.neurons.integer import IntegerIntegrator, IntegerLIF
from students.neurons.lif import LIF, LeakyIntegrator, ZeroInitialState
from students.neurons.models import (
    AdaptiveModel,
    LeakyIntegratorModel,
    LIFModel,
    MultiSpikeModel,
    NeuronModel,
    ParametricModel,
    RecurrentLIFModel,
    SynapticModel,
    float_neurons,
)
from students.neurons.multi_spike import MultiSpikeLIF
from students.neurons.parametric import ParametricLIF
from students.neurons.recurrent import RecurrentLIF
from students.neurons.synaptic import SynapticLIF

OWN_NEURONS = (
    LIF, MultiSpikeLIF, SynapticLIF, AdaptiveLIF, ParametricLIF, RecurrentLIF, LeakyIntegrator, StepNeuron, IntegerLIF,
    IntegerIntegrator,
)  # fmt: skip
"""Neurons that say themselves what they do in a step."""

__all__ = [
    "LIF",
    "OWN_NEURONS",
    "AdaptiveLIF",
    "AdaptiveModel",
    "Dynamics",
    "Encoder",
    "LIFModel",
    "LeakyIntegrator",
    "LeakyIntegratorModel",
    "MultiSpikeLIF",
    "MultiSpikeModel",
    "NeuronModel",
    "ParametricLIF",
    "ParametricModel",
    "RecurrentLIF",
    "RecurrentLIFModel",
    "Surrogate",
    "SynapticLIF",
    "SynapticModel",
    "ZeroInitialState",
    "encoder_names",
    "float_neurons",
    "load_encoder",
]
