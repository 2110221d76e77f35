"""Networks that torch itself quantised (`torch.ao`): products with the widths of their codes, requantisations apart."""

import pytest
import torch
from torch import nn
from torch.ao import quantization
from torch.ao.nn.quantized import QFunctional

from energy_models.workload import LayerWork, Workload
from students.counting import observe
from students.counting.modules import torch_int8_recurrent

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def engine():
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm" if "fbgemm" in torch.backends.quantized.supported_engines else before
    torch.manual_seed(0)
    yield
    torch.backends.quantized.engine = before


def counted(model: nn.Module, signal: torch.Tensor) -> dict[str, LayerWork]:
    found = whole(model, signal)
    assert found.complete, found.uncounted
    return {layer.name: layer for layer in found.layers}


def whole(model: nn.Module, signal: torch.Tensor, batch_size: int = 32) -> Workload:
    return observe(
        model, signal, name="net", mode="window", step_rate_hz=100.0, input_bits=16, batch_size=batch_size
    )


def static(*layers: nn.Module, shape: tuple[int, ...], fused: tuple[str, ...] = ()) -> nn.Module:
    net = nn.Sequential(quantization.QuantStub(), *layers, quantization.DeQuantStub()).eval()
    if fused:
        quantization.fuse_modules(net, [list(fused)], inplace=True)
    net.qconfig = quantization.get_default_qconfig(torch.backends.quantized.engine)
    quantization.prepare(net, inplace=True)
    net(torch.randn(16, *shape))
    return quantization.convert(net)


def dense(layer: LayerWork) -> float:
    assert layer.products is not None
    return layer.products.dense_full.mean


def operations(layer: LayerWork) -> dict[str, float]:
    return {what: count.mean for what, count in layer.operations.items()}


def test_a_static_network_has_products_of_8_bits_and_their_requantisations():
    net = static(nn.Conv1d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2), shape=(4, 10), fused=("1", "2"))
    layers = counted(net, torch.randn(3, 4, 10))
    conv, linear = layers["1"], layers["4"]
    assert dense(conv) == 4 * 6 * 3 * 8
    assert dense(linear) == 48 * 2
    for product in (conv, linear):
        assert product.arithmetic == "integer"
        assert (product.weight_bits, product.activation_bits, product.bias_bits) == (8, 8, 32)
    assert (conv.weights, conv.biases) == (72, 6)
    assert operations(layers["0"]) == {"requantise": 4 * 10}
    assert operations(layers["1.activation"]) == {"requantise": 6 * 8}  # a ReLU is its clip
    assert operations(layers["4.quantise"]) == {"requantise": 2}
    assert operations(layers["5"]) == {"multiply": 2}
    assert (layers["5"].activation_bits, layers["5"].output_bits) == (8, 32)


def test_zeros_are_those_of_the_codes_not_of_the_integers():
    net = static(nn.Linear(6, 2), shape=(6,))
    linear = counted(net, torch.tensor([[0.0, 1e-6, 1.0, -1.0, 0.5, 0.0]]))["1"]
    assert linear.products is not None
    assert linear.products.effective_input.mean == 3 * 2  # 1e-6 is the zero point's code, which is not 0
    assert dense(linear) == 12


def test_activations_and_pools_between_layers_stay_on_the_grid():
    layers = (nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3), nn.Sigmoid())
    found = counted(static(*layers, shape=(1, 8, 8)), torch.randn(2, 1, 8, 8))
    assert dense(found["1"]) == 2 * 36 * 9
    assert operations(found["2"]) == {"compare": 72}
    assert found["2"].output_bits == 8
    assert operations(found["3"]) == {"compare": 18 * 3}
    assert dense(found["5"]) == 54
    assert operations(found["6"]) == {"lookup": 3}
    assert found["6"].constants == 256


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into, self.first, self.out = quantization.QuantStub(), nn.Linear(5, 5), quantization.DeQuantStub()
        self.sum = torch.ao.nn.quantized.FloatFunctional()

    def forward(self, x):
        x = self.into(x)
        return self.out(self.sum.add_relu(x, self.first(x)))


def test_sums_of_quantised_signals_are_counted():
    net = Residual().eval()
    net.qconfig = quantization.get_default_qconfig(torch.backends.quantized.engine)
    quantization.prepare(net, inplace=True)
    net(torch.randn(8, 5))
    net = quantization.convert(net)
    assert isinstance(net.sum, QFunctional)
    layers = counted(net, torch.randn(2, 5))
    assert dense(layers["first"]) == 25
    assert operations(layers["add_relu.activation"]) == {"requantise": 5}
    assert sum(operations(one).get("add", 0) for name, one in layers.items() if name != "first") == 5


def test_a_dynamic_linear_layer_searches_the_range_of_one_decode():
    net = quantization.quantize_dynamic(nn.Sequential(nn.Linear(10, 8), nn.ReLU()), {nn.Linear})
    signal = torch.randn(4, 10)
    layers = counted(net, signal)
    assert dense(layers["0"]) == 80
    assert (layers["0"].weight_bits, layers["0"].activation_bits, layers["0"].arithmetic) == (8, 8, "integer")
    assert operations(layers["0.input.range"]) == {"compare": 20}
    assert operations(layers["0.input.quantise"]) == {"requantise": 10}
    assert operations(layers["0.dequantise"]) == {"multiply": 8}
    assert operations(layers["1"]) == {"compare": 8}
    assert whole(net, signal, batch_size=1).layers == whole(net, signal).layers


@pytest.mark.parametrize(("kind", "gates", "states"), [(nn.LSTM, 4, 2), (nn.GRU, 3, 1)])
def test_a_dynamic_recurrent_layer_has_two_products_a_step_and_its_state(kind, gates, states):
    net = quantization.quantize_dynamic(nn.Sequential(kind(4, 3, batch_first=True)), {kind})
    found = whole(net, torch.randn(2, 5, 4))
    assert found.complete, found.uncounted
    layers = {layer.name: layer for layer in found.layers}
    assert dense(layers["0.input"]) == 5 * gates * 3 * 4
    assert dense(layers["0.hidden"]) == 5 * gates * 3 * 3
    assert {layers[f"0.{one}"].weight_bits for one in ("input", "hidden")} == {8}
    assert {layers[f"0.{one}"].activation_bits for one in ("input", "hidden")} == {8}
    assert layers["0.gates"].state_elements == 3 * states
    assert layers["0.gates"].arithmetic == "float"
    hidden = layers["0.hidden"].products
    assert hidden is not None
    assert hidden.effective_input.mean == 4 * gates * 3 * 3  # the first step multiplies a state of zeros


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_the_steps_that_are_counted_are_those_the_layer_runs(kind, monkeypatch):
    net = quantization.quantize_dynamic(
        nn.Sequential(kind(4, 3, num_layers=2, bidirectional=True, batch_first=True)), {kind}
    )
    outputs = []
    layer = torch_int8_recurrent._layer
    monkeypatch.setattr(
        torch_int8_recurrent, "_layer", lambda *given: outputs.append(layer(*given)) or outputs[-1]
    )
    signal = torch.randn(1, 5, 4)
    found = whole(net, signal)
    expected = net(signal)[0][0]
    assert len(outputs) == 4
    counted_here = torch.cat([outputs[2], outputs[3].flip(0)], -1)[:, 0]
    torch.testing.assert_close(counted_here, expected, atol=2e-3, rtol=0)
    sites = found.products
    assert sites is not None
    rows = (4 if kind is nn.LSTM else 3) * 3
    assert sites.dense_full.mean == 2 * 5 * rows * ((4 + 3) + (6 + 3))


def test_a_dynamic_cell_is_one_step():
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.LSTMCell(4, 3)

        def forward(self, x):
            state = None
            for step in x.unbind(2):
                state = self.cell(step, state)
            return state[0]

    layers = counted(quantization.quantize_dynamic(Loop(), {nn.LSTMCell}), torch.randn(2, 4, 5))
    assert dense(layers["cell.input"]) == 5 * 12 * 4
    assert dense(layers["cell.hidden"]) == 5 * 12 * 3
    assert layers["cell.gates"].state_elements == 6


@pytest.mark.parametrize(
    "net",
    [
        lambda: quantization.quantize_dynamic(nn.Sequential(nn.Linear(6, 2)), {nn.Linear}, dtype=torch.float16),
        lambda: static(nn.BatchNorm2d(1), nn.Flatten(), shape=(1, 2, 3)),
        lambda: static(nn.Conv1d(1, 2, 3, padding=1, padding_mode="reflect"), nn.Flatten(), shape=(1, 6)),
    ],
    ids=["half precision", "batch norm", "padding by reflection"],
)
def test_what_is_not_described_is_listed_with_the_reason(net):
    torch.backends.quantized.engine = "fbgemm"
    shapes = {"Linear": (2, 6), "BatchNorm2d": (2, 1, 2, 3)}
    model = net()
    kinds = [type(one).__name__ for one in model.modules()]
    signal = torch.randn(*next((shape for kind, shape in shapes.items() if kind in kinds), (2, 1, 6)))
    found = whole(model, signal)
    assert not found.complete
    assert all(one.reason for one in found.uncounted)
