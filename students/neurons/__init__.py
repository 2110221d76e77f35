"""Spiking neurons, what one does in a step, what encodes their input, and the snnTorch adapter (never loaded here)."""

from students.kernels.neurons.surrogates import Surrogate
from students.neurons.adaptive import AdaptiveLIF
from students.neurons.dynamics import Dynamics
from students.neurons.encoders import Encoder, encoder_names, load_encoder
from students.neurons.euler import StepNeuron
from students.neurons.integer import IntegerIntegrator, IntegerLIF
from students.neurons.integer_states import IntegerStateLIF
from students.neurons.lif import LIF, LeakyIntegrator, ZeroInitialState
from students.neurons.models import (
    AdaptiveModel,
    LeakyIntegratorModel,
    LIFModel,
    MultiSpikeModel,
    NeuronModel,
    ParametricModel,
    RecurrentLIFModel,
    RecurrentSynapticModel,
    SynapticModel,
    float_neurons,
)
from students.neurons.multi_spike import MultiSpikeLIF
from students.neurons.parametric import ParametricLIF
from students.neurons.recurrent import RecurrentLIF
from students.neurons.recurrent_synaptic import RecurrentSynapticLIF
from students.neurons.synaptic import SynapticLIF

OWN_NEURONS = (
    LIF, MultiSpikeLIF, SynapticLIF, AdaptiveLIF, ParametricLIF, RecurrentLIF, RecurrentSynapticLIF, LeakyIntegrator,
    StepNeuron, IntegerLIF, IntegerStateLIF, IntegerIntegrator,
)  # fmt: skip
"""Neurons that say themselves what they do in a step."""

RECURRENT_NEURONS = (RecurrentLIF, RecurrentSynapticLIF)
"""Of these, those with weights on the spikes of their own layer."""

__all__ = [
    "LIF",
    "OWN_NEURONS",
    "RECURRENT_NEURONS",
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
    "RecurrentSynapticLIF",
    "RecurrentSynapticModel",
    "Surrogate",
    "SynapticLIF",
    "SynapticModel",
    "ZeroInitialState",
    "encoder_names",
    "float_neurons",
    "load_encoder",
]
