"""Students in small integers: Brevitas layers behind the `Layers` protocol.

Every scale is a learned parameter, stored as the base-two logarithm of its clipping threshold, so that a step of the
optimiser changes it by a proportion. It starts at the least-squares optimum for the trained float student (weights per
channel, activations on a calibration set) and is learned from the first step on. No statistics are collected during
training, so training and evaluation round alike from the start.

Grids. Weights are symmetric, ``-(2^(b-1)-1) .. 2^(b-1)-1`` (two bits: -1, 0, 1); so are signed signals (the raw input,
and what passes between two products). After a ReLU: ``0 .. 2^b-1``. The input has a width of its own
(`Quantised.input_bits`), and so have layers the form names, by `students.quantize.width_plan`. Biases are 32-bit
integers on the accumulator's grid. A scale that is to be a power of two is one in every step: the exponent is rounded,
its gradient passes. Ternary and binary weights: `students.quantize.weight_grid`.

A signal is clipped where its learned threshold says, which is the parameter of PACT (Choi et al. 2018, arXiv
1805.06085) with the scale's gradient inside the range as well (as in LSQ, Esser et al. 2020, arXiv 1902.08153).

Weight scales are per output channel (`Quantised.per` says otherwise) where a batch norm or a requantisation follows,
which multiplies each channel by its own constant anyway (and depthwise filters differ widely in range). The last
product has one scale, so that its raw accumulators can be compared, or sent, without a multiplication each.

A recurrent layer has fixed grids inside (`students.kernels.recurrent_grid`); the form says the widths of its input, of
its weights, and of its state as the recurrent product reads it.

A product returns its accumulator as a float. Batch norm and `OutputScale` stay modules; deployed, they are absorbed
into the multiplier and offset of the requantisation that follows, the integer weights untouched.
"""

from __future__ import annotations

from brevitas import config as brevitas_config
from torch import Tensor, nn

from students.layers.layout import BatchNorm1d
from students.layers.modules import OutputScale, hold_filters
from students.layers.protocol import Bias, Edge, Padding, RecurrentKind, Sign, resolve_padding
from students.neurons.models import (
    MultiSpikeModel,
    NeuronModel,
    RecurrentLIFModel,
    RecurrentSynapticModel,
    float_neurons,
)
from students.quantize.adopt import IntegerParts, adopted
from students.quantize.adopt.parts import Sum
from students.quantize.linear_attention import IntegerLinearAttention
from students.quantize.modules import (
    EventNeurons,
    IntegerAveragePool,
    IntegerConv1d,
    IntegerDelays,
    IntegerDropout,
    IntegerLinear,
    IntegerReLU,
    Requantise,
)
from students.quantize.neurons import fed_back, feedback_of, integer_neurons
from students.quantize.recurrent import IntegerRecurrent
from students.quantize.rows import IntegerMatMul, IntegerSoftmax
from students.quantize.weight_grid import WeightGrid
from students.quantize.width_plan import WidthPlan, weight_grid
from students.spec import LayerKind, Quantised, Shape

SUM_BITS = 12
"""Width of the operands of a sum that the network puts out: no form's activations are meant for its estimates.

At 16 bits float32 itself rounds one of ten thousand the other way; a step of 12 bits is a 4000th of the range.
"""


class QuantLayers:
    """The `Layers` of an integer student; see the module's text for the grids.

    Parameters
    ----------
    form : Quantised
        One that can be trained (`students.spec.check_trainable`).
    plan : WidthPlan or None
        Widths by layers' names, from an earlier building; None: layers go by their kind.
    """

    def __init__(self, form: Quantised, plan: WidthPlan | None = None) -> None:
        self.form, self.plan = form, WidthPlan(form) if plan is None else plan
        # By default Brevitas makes new parameters whenever a state dict is loaded, so that an optimiser made before
        # would go on training the discarded ones. Set here, so that reading somebody else's network changes nothing.
        brevitas_config.REINIT_ON_STATE_DICT_LOAD = False

    def _weights(self, kind: LayerKind, edge: Edge) -> WeightGrid:
        return weight_grid(self.form, self.plan.product(kind, edge), edge)

    def quantise_input(self) -> nn.Module:
        """Return a signed grid of `input_bits`."""
        return Requantise(self.form.input_bits, "signed", self.form.scale)

    def requantise(self) -> nn.Module:
        """Return a signed grid as wide as the next product reads it."""
        return self.plan.add(Requantise(self.plan.signal_bits(), "signed", self.form.scale), "signal")

    def conv1d(
        self, inputs: int, outputs: int, kernel: int, *, padding: Padding, stride: int = 1, dilation: int = 1,
        bias: Bias = "learned", edge: Edge = "inner",
    ) -> nn.Module:
        """Return an `IntegerConv1d`."""
        pads, weights = resolve_padding(padding, dilation * (kernel - 1) + 1), self._weights("conv", edge)
        module = IntegerConv1d(
            inputs, outputs, kernel, pads=pads, stride=stride, groups=1, bias=bias, weights=weights, dilation=dilation
        )
        return self.plan.add(module, "conv", edge)

    def depthwise_conv1d(
        self, channels: int, kernel: int, *, padding: Padding, bias: Bias = "none", edge: Edge = "inner"
    ) -> nn.Module:
        """Return an `IntegerConv1d` with one filter per channel."""
        pads, weights = resolve_padding(padding, kernel), self._weights("depthwise", edge)
        module = IntegerConv1d(
            channels, channels, kernel, pads=pads, stride=1, groups=channels, bias=bias, weights=weights
        )
        return self.plan.add(module, "depthwise", edge)

    def filter_bank(self, channels: int, taps: Tensor, *, padding: Padding, edge: Edge = "first") -> nn.Module:
        """Return an `IntegerConv1d` whose weights are given."""
        filters, kernel = taps.shape
        module = IntegerConv1d(
            channels, channels * filters, kernel, pads=resolve_padding(padding, kernel), stride=1, groups=channels,
            bias="none", weights=self._weights("depthwise", edge),
        )
        hold_filters(module, taps)
        return self.plan.add(module, "depthwise", edge)

    def linear(self, inputs: int, outputs: int, *, bias: Bias = "learned", edge: Edge = "inner") -> nn.Module:
        """Return an `IntegerLinear`."""
        module = IntegerLinear(inputs, outputs, bias=bias, weights=self._weights("linear", edge))
        return self.plan.add(module, "linear", edge)

    def batchnorm(self, channels: int) -> nn.Module:
        """Return a `BatchNorm1d`; deployed, it is part of the requantisation that follows."""
        return BatchNorm1d(channels)

    def relu(self) -> nn.Module:
        """Return an `IntegerReLU` as wide as the next product reads it."""
        return self.plan.add(IntegerReLU(self.plan.signal_bits(), self.form.scale), "signal")

    def delays(self, channels: int, most: int) -> nn.Module:
        """Return an `IntegerDelays`."""
        return IntegerDelays(channels, most)

    def average_pool(self, kernel: int, stride: int | None = None, *, sign: Sign = "unsigned") -> nn.Module:
        """Return an `IntegerAveragePool` as wide as the next product reads it."""
        module = IntegerAveragePool(kernel, stride, self.plan.signal_bits(), sign, self.form.scale)
        return self.plan.add(module, "signal")
        return self.plan.add(module, "signal")

    def dropout(self, probability: float) -> nn.Module:
        """Return an `IntegerDropout`."""
        return IntegerDropout(probability)

    def add(self, *, edge: Edge = "inner") -> nn.Module:
        """Return a `Sum` of two signals on one grid; of `SUM_BITS` where it is what the network puts out."""
        bits = self.plan.signal_bits() if edge == "inner" else SUM_BITS
        return Sum(self.plan.add(Requantise(bits, "signed", self.form.scale), "signal"))

    def matmul(self) -> nn.Module:
        """Return an `IntegerMatMul`."""
        return IntegerMatMul()

    def linear_attention(self, width: int) -> nn.Module:
        """Return an `IntegerLinearAttention` whose signals are as wide as the next product reads its results."""
        found = IntegerLinearAttention(width, self.plan.signal_bits(), self.form.scale)
        for grid in (found.query, found.key, found.value, found.output):
            self.plan.add(grid, "signal")
        return found

    def softmax(self) -> nn.Module:
        """Return an `IntegerSoftmax` as wide as the next product reads it."""
        return IntegerSoftmax(self.plan.signal_bits())

    def recurrent(self, kind: RecurrentKind, inputs: int, hidden: int, *, edge: Edge = "inner") -> nn.Module:
        """Return an `IntegerRecurrent`, whose recurrent product reads its state at the layer's activation width."""
        bits = self.plan.product("recurrent", edge)
        module = IntegerRecurrent(
            kind, inputs, hidden, input_weights=weight_grid(self.form, bits, edge),
            weights=weight_grid(self.form, self.plan.product("recurrent", "inner"), "inner"),
            operand_bits=bits.activation_bits,
        )
        return self.plan.add(module, "recurrent", edge)

    def neurons(self, channels: int, model: NeuronModel) -> nn.Module:
        """Return neurons; without state bits in the form with states in float32, where currents are accumulators.

        Raises
        ------
        StudentError
            As `integer_neurons` and `feedback_of`.
        """
        bits, feedback = self.form.state_bits, None
        if isinstance(model, RecurrentLIFModel | RecurrentSynapticModel):
            feedback = feedback_of(channels, model, self._weights("recurrent", "inner"))
            self.plan.add(feedback, "recurrent")
            if bits is None:
                return fed_back(channels, model, feedback)
        if bits is not None:
            return integer_neurons(channels, model, bits, feedback)
        if isinstance(model, MultiSpikeModel) and model.most > 1:
            return EventNeurons(model.make(channels), model.most)
        return float_neurons(channels, model)

    def output_scale(self, outputs: int) -> nn.Module:
        """Return an `OutputScale`; deployed, it is part of the last accumulator's dequantisation."""
        return OutputScale(outputs)

    def adopt(self, network: nn.Module, shape: Shape) -> nn.Module:
        """Return the network with its layers replaced by integer ones; see `students.quantize.adopt`."""
        parts = IntegerParts(self.form)
        found = adopted(network, parts, shape)
        self.plan.adopted, self.plan.signals = tuple(parts.products), tuple(parts.signals)
        return found
