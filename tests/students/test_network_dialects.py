"""Network files as exporters write them: own functions, missing imports, old operator sets, time first, scalars."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosim import count as count_file
from energy_models.errors import StudentError
from energy_models.workload import Workload
from students.counting import observe
from students.interchange import example_shape, read_network

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

onnxruntime: Any = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")

RATE_HZ = 100.0


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def save(
    path: Path, nodes: list[Any], weights: dict[str, np.ndarray], ends: tuple[tuple[Any, ...], tuple[Any, ...]],
    *, opset: int = 17, domains: tuple[str, ...] = (), **options: Any,
) -> Path:
    """Write a graph with one input 'x' and one output 'y' of given axes."""
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ends[0]),
         # Until version 4 of the format stored weights were inputs too.
         *([helper.make_tensor_value_info(name, TensorProto.FLOAT, one.shape) for name, one in weights.items()]
           if opset < 7 else [])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ends[1])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(one, 1) for one in domains)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=3 if opset < 7 else 8, **options), str(path))
    return path


def count(path: Path, decodes: int = 3, shape: tuple[int, ...] | None = None) -> Workload:
    network = read_network(path)
    inputs = torch.from_numpy(noise(decodes, *example_shape(network, shape)))
    return observe(network, inputs, name="net", mode="window", step_rate_hz=RATE_HZ, input_bits=32)


def sites(workload: Workload) -> float:
    assert workload.complete, workload.uncounted
    assert workload.products is not None
    return workload.products.dense_full.mean


def same_as_runtime(path: Path, signal: np.ndarray) -> None:
    wanted = onnxruntime.InferenceSession(str(path)).run(None, {"x": signal})[0]
    network: Any = read_network(path)
    with torch.no_grad():
        found = network._once([torch.from_numpy(signal)])[0]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_functions_of_the_file_are_written_out(tmp_path: Path) -> None:
    """4 x 3 products, in a function that a graph calls twice in a row: of 4 to 4, and a function within a function."""
    inner = helper.make_function(
        "my", "Lin", ["a", "w"], ["b"], [helper.make_node("MatMul", ["a", "w"], ["b"])], [helper.make_opsetid("", 17)]
    )
    outer = helper.make_function(
        "my", "Twice", ["a", "w"], ["c"],
        [helper.make_node("Lin", [a, "w"], [b], domain="my") for a, b in ("ab", "bc")],
        [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)],
    )  # fmt: skip
    path = save(tmp_path / "net.onnx", [helper.make_node("Twice", ["x", "w"], ["y"], domain="my")], {"w": ones(4, 4)},
                ((1, 4), (1, 4)), domains=("my",), functions=[inner, outer])  # fmt: skip
    assert sites(count(path)) == 2 * 4 * 4


@pytest.mark.parametrize("domain", ["onnx.brevitas", "qonnx.custom_op.general", "finn.custom_op.general"])
def test_domains_that_the_imports_leave_out(tmp_path: Path, domain: str) -> None:
    constants = {"s": np.float32(0.5), "z": np.float32(0.0), "b": np.float32(4.0)}
    how = {"domain": domain, "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    nodes = [
        helper.make_node("Quant", ["x", "s", "z", "b"], ["xq"], **how),
        helper.make_node("Quant", ["w", "s", "z", "b"], ["wq"], **how),
        helper.make_node("MatMul", ["xq", "wq"], ["y"], "product"),
    ]
    weights = {"w": ones(4, 3), **{name: np.array(value) for name, value in constants.items()}}
    workload = count(save(tmp_path / "net.onnx", nodes, weights, ((1, 4), (1, 3)), opset=11))
    layer = next(one for one in workload.layers if one.name == "product")
    assert (sites(workload), layer.weight_bits, layer.activation_bits) == (12, 4, 4)


def test_operator_set_six(tmp_path: Path) -> None:
    """Additions along an axis, as they were written before version 7; a Gemm that says that it broadcasts."""
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["a"], kernel_shape=[3]),
        helper.make_node("Add", ["a", "c"], ["b"], broadcast=1, axis=1),
        helper.make_node("Flatten", ["b"], ["d"]),
        helper.make_node("Gemm", ["d", "w", "e"], ["y"], transB=1, broadcast=1),
    ]
    weights = {"k": noise(5, 4, 3), "c": noise(5, seed=1), "w": noise(3, 40, seed=2), "e": noise(3, seed=3)}
    path = save(tmp_path / "net.onnx", nodes, weights, ((1, 4, 10), (1, 3)), opset=6)
    assert sites(count(path)) == 5 * 8 * 4 * 3 + 40 * 3
    signal = noise(1, 4, 10, seed=4)
    windows = np.lib.stride_tricks.sliding_window_view(signal[0], 3, 1)
    middle = np.einsum("ock,ctk->ot", weights["k"], windows) + weights["c"][:, None]
    with torch.no_grad():
        found = read_network(path)(torch.from_numpy(signal))[0].numpy()
    np.testing.assert_allclose(found, weights["w"] @ middle.ravel() + weights["e"], rtol=1e-4, atol=1e-4)


def recurrent(path: Path, kind: str, steps: Any, **options: Any) -> Path:
    """A recurrent layer of 4 inputs and 6 units that reads steps first."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    weights = {"w": noise(1, 6 * gates, 4, seed=1), "r": noise(1, 6 * gates, 6, seed=2),
               "b": noise(1, 12 * gates, seed=3)}  # fmt: skip
    node = helper.make_node(kind, ["x", "w", "r", "b"], ["y"], hidden_size=6, **options)
    return save(path, [node], weights, ((steps, 1, 4), (steps, 1, 1, 6)))


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("steps", [7, "steps"])
def test_files_that_read_time_first(tmp_path: Path, kind: str, gates: int, steps: Any) -> None:
    path = recurrent(tmp_path / "net.onnx", kind, steps)
    workload = count(path, shape=(7, 4))
    assert sites(workload) == 7 * gates * 6 * (4 + 6)
    assert workload.decodes == 3


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_a_gru_that_resets_before_its_product(tmp_path: Path, direction: str) -> None:
    path = recurrent(tmp_path / "net.onnx", "GRU", 7, linear_before_reset=0, direction=direction)
    same_as_runtime(path, noise(7, 1, 4, seed=9))
    workload = count(path)
    assert sites(workload) == 7 * 3 * 6 * (4 + 6)
    assert workload.state_bits_total == 6 * 32


@pytest.mark.parametrize(
    ("kind", "options", "inputs", "said"),
    [
        ("LSTM", {"clip": 1.0}, [], "clip = 1.0"),
        ("LSTM", {"input_forget": 1}, [], "input_forget = 1"),
        ("GRU", {"direction": "sideways"}, [], "direction = 'sideways'"),
        ("GRU", {"activations": ["Relu", "Tanh"]}, [], "activations"),
        ("LSTM", {}, ["", "", "", "p"], "peepholes"),
        ("RNN", {}, ["n"], "sequence lengths"),
    ],
)
def test_recurrent_layers_that_are_refused_by_name(
    tmp_path: Path, kind: str, options: dict[str, Any], inputs: list[str], said: str
) -> None:
    path = recurrent(tmp_path / "net.onnx", kind, 7, **options)
    model = onnx.load(str(path))
    model.graph.node[0].input.extend(inputs)
    model.graph.initializer.extend([numpy_helper.from_array(noise(1, 18), "p")] * ("p" in inputs))
    model.graph.initializer.extend([numpy_helper.from_array(np.array([7], np.int32), "n")] * ("n" in inputs))
    onnx.save(model, str(path))
    with pytest.raises(StudentError, match=said):
        read_network(path)


def test_a_file_for_eight_examples_is_run_on_eight(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": ones(4, 3)},
                ((8, 4), (8, 3)))  # fmt: skip
    assert sites(count_file(path, rate_hz=100, decodes=16)) == 12
    with pytest.raises(StudentError, match="--decodes 8"):
        count_file(path, rate_hz=100, decodes=4)


nir = pytest.importorskip("nir", reason="the extra 'export' is not installed")


def chain(path: Path, nodes: dict[str, Any], ends: tuple[tuple[int, ...], tuple[int, ...]]) -> Path:
    names = ["input", *nodes, "output"]
    whole = {"input": nir.Input(np.array(ends[0])), **nodes, "output": nir.Output(np.array(ends[1]))}
    nir.write(path, nir.NIRGraph(whole, list(itertools.pairwise(names)), type_check=False))
    return path


def cuba(**changes: Any) -> Any:
    plain = {"tau_syn": 0.02, "tau_mem": 0.01, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0, "w_in": 1.0}
    return nir.CubaLIF(**{name: np.asarray(value, np.float32) for name, value in {**plain, **changes}.items()})


@pytest.mark.parametrize("shape", [(), (1,)])
def test_neurons_of_one_value_a_parameter(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """12 inputs to 16 neurons, 50 steps: 9,600 sites; a membrane and a current each, of 32 bits."""
    h5py: Any = pytest.importorskip("h5py")
    names = ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in")
    neuron = cuba(**{name: np.full(16, 0.02) for name in names})
    path = chain(tmp_path / "a.nir", {"fc": nir.Affine(noise(16, 12), noise(16)), "l": neuron}, ((12,), (16,)))
    with h5py.File(path, "r+") as file:
        for name in names:
            del file[f"node/nodes/l/{name}"]
            file[f"node/nodes/l/{name}"] = np.full(shape, 0.02, np.float32)
    network = read_network(path, 1e-3)
    workload = observe(network, torch.randn(2, 12, 50), name="a", mode="window", step_rate_hz=1e3, input_bits=16)
    assert sites(workload) == 12 * 16 * 50
    assert workload.state_bits_total == 16 * 2 * 32


def test_neurons_with_some_parameters_of_one_value(tmp_path: Path) -> None:
    h5py: Any = pytest.importorskip("h5py")
    full = {name: np.full(16, value, np.float32) for name, value in {"tau_mem": 0.01, "r": 1.0}.items()}
    neuron = cuba(**{**dict.fromkeys(("tau_syn",), np.full(16, 0.02)), **full,
                     **{name: np.zeros(16) for name in ("v_leak", "v_reset")},
                     **{name: np.ones(16) for name in ("v_threshold", "w_in")}})  # fmt: skip
    path = chain(tmp_path / "a.nir", {"fc": nir.Linear(noise(16, 12)), "l": neuron}, ((12,), (16,)))
    with h5py.File(path, "r+") as file:
        parameters = file["node/nodes/l"]
        del parameters["v_leak"], parameters["v_threshold"]
        parameters["v_leak"], parameters["v_threshold"] = np.float32(0.0), np.ones(1, np.float32)
    assert read_network(path, 1e-3)(torch.randn(1, 12, 5)).shape == (1, 16, 5)


def test_arrays_that_lie_outside_a_nir_file(tmp_path: Path) -> None:
    h5py: Any = pytest.importorskip("h5py")
    raw = tmp_path / "weights.raw"
    raw.write_bytes(noise(16, 12).tobytes())
    path = chain(tmp_path / "a.nir", {"fc": nir.Linear(noise(16, 12))}, ((12,), (16,)))
    virtual = tmp_path / "virtual.nir"
    virtual.write_bytes(path.read_bytes())
    with h5py.File(path, "r+") as file:
        del file["node/nodes/fc/weight"]
        file.create_dataset("node/nodes/fc/weight", (16, 12), "f4", external=[(str(raw), 0, h5py.h5f.UNLIMITED)])
    with h5py.File(virtual, "r+") as file:
        layout = h5py.VirtualLayout((16, 12), "f4")
        layout[:] = h5py.VirtualSource(str(path), "node/nodes/fc/weight", (16, 12))
        del file["node/nodes/fc/weight"]
        file.create_virtual_dataset("node/nodes/fc/weight", layout)
    for one in (path, virtual):
        with pytest.raises(StudentError, match="'/node/nodes/fc/weight' leads to another file"):
            read_network(one)


def test_the_step_of_the_equations_is_not_the_rate(tmp_path: Path) -> None:
    """v <- v + 0.6 with a unit step: 0.6, then 1.2 fires and resets; half of 100 steps. At 1 kHz it never fires."""
    one = ones(1)
    neuron = nir.IF(r=one, v_threshold=one, v_reset=np.zeros(1, np.float32))
    nodes = {"a": nir.Linear(np.array([[0.6]], np.float32)), "if": neuron, "b": nir.Linear(ones(1, 1))}
    path = chain(tmp_path / "if.nir", nodes, ((1,), (1,)))
    signal = ones(1, 1, 100)
    fired = {}
    for euler_step in (1.0, None):
        workload = count_file(path, signal, rate_hz=1000, euler_step=euler_step)
        spikes = next(layer.output_events for layer in workload.layers if layer.output_events is not None)
        fired[euler_step] = spikes.total, "no neuron fired" in workload.provenance.get("spikes", "")
    assert fired == {1.0: (50, False), None: (0, True)}
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(StudentError, match="finite step above 0"):
            read_network(path, wrong)
    with pytest.raises(StudentError, match=r"only files ending in \.nir"):
        count_file(tmp_path / "net.onnx", rate_hz=1000, euler_step=1.0)


@pytest.mark.parametrize("kind", ["INT4", "UINT4", "FLOAT8E4M3FN", "FLOAT8E5M2"])
def test_numbers_that_are_not_read_are_named_with_the_way_on(tmp_path: Path, kind: str) -> None:
    """Not called damaged: they are what other tools write."""
    stored = helper.make_tensor("w", getattr(TensorProto, kind), [4, 3], [1] * 12)
    nodes = [helper.make_node("DequantizeLinear", ["w", "s"], ["f"]), helper.make_node("MatMul", ["x", "f"], ["y"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in (("x", 4), ("y", 3))]
    scale = numpy_helper.from_array(np.float32(0.1), "s")
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [stored, scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (tmp_path / "one.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(StudentError, match=rf"one.onnx: the tensor 'w' holds {kind}, which is not read.*8 bits.*Clip"):
        read_network(tmp_path / "one.onnx")


def test_weights_of_bfloat16_keep_their_width(tmp_path: Path) -> None:
    stored = helper.make_tensor("w", TensorProto.BFLOAT16, [4, 3], [float(one) for one in range(12)])
    nodes = [
        helper.make_node("Cast", ["w"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "f"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in (("x", 4), ("y", 3))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [stored])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    (tmp_path / "one.onnx").write_bytes(model.SerializeToString())
    found = count(tmp_path / "one.onnx")
    assert sites(found) == 12
    assert [layer.weight_bits for layer in found.layers if layer.products] == [16]


def test_an_output_without_a_shape_is_what_the_graph_makes_of_it(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = save(tmp_path / "n.onnx", [node], {"w": noise(4, 3)}, ((1, 4), (1, 3)))
    model = onnx.load(str(path))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(model, str(path))
    assert sites(count(path)) == 12
    same_as_runtime(path, noise(1, 4))


def test_weights_scaled_in_blocks_are_refused_by_name(tmp_path: Path) -> None:
    weights = {"w": np.ones((4, 3), np.int8), "s": np.abs(noise(2, 3))}
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["f"], axis=0, block_size=2),
        helper.make_node("MatMul", ["x", "f"], ["y"]),
    ]
    with pytest.raises(StudentError, match="block_size = 2"):
        read_network(save(tmp_path / "n.onnx", nodes, weights, ((1, 4), (1, 3)), opset=21))


def test_scales_that_fit_no_axis_of_their_weights_are_refused_by_name(tmp_path: Path) -> None:
    for axis, number in ((0, 9), (5, 3)):
        nodes = [
            helper.make_node("DequantizeLinear", ["w", "s"], ["f"], axis=axis),
            helper.make_node("MatMul", ["x", "f"], ["y"]),
        ]
        weights = {"w": np.ones((4, 3), np.int8), "s": np.abs(noise(number))}
        with pytest.raises(StudentError, match=rf"{number} scales for weights of shape \(4, 3\)"):
            read_network(save(tmp_path / "n.onnx", nodes, weights, ((1, 4), (1, 3)), opset=13))
