"""NIR files: spikes against numpy loops, counts by hand, recurrent edges, every refusal."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from energy_models.errors import StudentError
from energy_models.workload import Workload
from students.counting import observe
from students.interchange import example_shape, read_network

nir = pytest.importorskip("nir", reason="the extra 'export' is not installed")

DT = 1e-3
SEED = np.random.default_rng(11)


def numbers(*shape: int) -> np.ndarray:
    return SEED.standard_normal(shape).astype(np.float32)


def flat(units: int, value: float) -> np.ndarray:
    return np.full(units, value, np.float32)


def lif(
    units: int, *, tau: float = 5 * DT, r: float = 5.0, threshold: float = 1.0, leak: float = 0.0, reset: float = 0.0
):
    """Gain r dt / tau: 1 by default; decay 1 - 1/5 = .8."""
    return nir.LIF(
        tau=flat(units, tau), r=flat(units, r), v_leak=flat(units, leak), v_threshold=flat(units, threshold),
        v_reset=flat(units, reset),
    )  # fmt: skip


def save(path: Path, nodes: dict, edges: list, shape: tuple, outputs: tuple, *, dt: float | None = DT) -> Path:
    """Write a graph from 'in' to 'out'."""
    ends = {"in": nir.Input(np.array(shape)), "out": nir.Output(np.array(outputs))}
    graph = nir.NIRGraph({**ends, **nodes}, edges, metadata={} if dt is None else {"dt": dt}, type_check=False)
    nir.write(path, graph)
    return path


def chain(path: Path, nodes: dict, shape: tuple, outputs: tuple, dt: float | None = DT) -> Path:
    edges = list(itertools.pairwise(["in", *nodes, "out"]))
    return save(path, nodes, edges, shape, outputs, dt=dt)


def count(network, signal, mode="window", **options) -> Workload:
    inputs = torch.from_numpy(signal)
    return observe(network, inputs, name="net", mode=mode, step_rate_hz=1 / DT, input_bits=32, **options)


def operations(layer) -> dict[str, int]:
    return {name: found.total for name, found in layer.operations.items()}


def numpy_lif(currents: np.ndarray, recurrence: tuple, threshold: float, reset: float) -> np.ndarray:
    """Spikes of currents (steps, units), one example; the recurrence is decay, gain and offset."""
    decay, gain, offset = recurrence
    v, out = np.zeros(currents.shape[1]), []
    for now in currents:
        v = decay * v + gain * now + offset
        fired = v > threshold
        v = np.where(fired, reset, v)
        out.append(fired)
    return np.array(out, np.float32)


def test_spikes_are_those_of_a_numpy_loop(tmp_path):
    first, second = numbers(7, 5), numbers(4, 7)
    bias, tau = numbers(7), (DT * SEED.uniform(2, 9, 7)).astype(np.float32)
    hidden = nir.LIF(tau=tau, r=flat(7, 3.0), v_leak=flat(7, 0.2), v_threshold=flat(7, 0.4), v_reset=flat(7, -0.1))
    nodes = {"fc": nir.Affine(first, bias), "lif": hidden, "fc2": nir.Linear(second), "lif2": lif(4, threshold=0.3)}
    network = read_network(chain(tmp_path / "net.nir", nodes, (5,), (4,)))
    signal = numbers(3, 5, 40)
    found = network(torch.from_numpy(signal)).numpy()
    rate = DT / tau
    for example, spikes in zip(signal, found, strict=True):
        inner = numpy_lif(example.T @ first.T + bias, (1 - rate, 3 * rate, 0.2 * rate), 0.4, -0.1)
        outer = numpy_lif(inner @ second.T, (0.8, 1.0, 0.0), 0.3, 0.0)
        np.testing.assert_array_equal(spikes, outer.T)
    assert 0.05 < found.mean() < 0.95


def test_counts_by_hand(tmp_path):
    """Two inputs, weights [[1, 0], [2, 1]], three steps: (1, 0), (0, 0), (0, 3); decay .8, threshold 1.

    Currents: (1, 2), (0, 0), (0, 3). Membranes: (1, 2): the second fires; (.8, 0); (.64, 3): the second fires.
    """
    weight = np.array([[1, 0], [2, 1]], np.float32)
    path = chain(tmp_path / "net.nir", {"fc": nir.Linear(weight), "lif": lif(2)}, (2,), (2,))
    signal = np.array([[[1, 0, 0], [0, 0, 3]]], np.float32)
    network = read_network(path)
    assert network(torch.from_numpy(signal))[0].tolist() == [[0, 0, 0], [1, 0, 1]]
    workload = count(network, signal)
    assert workload.complete
    product, neurons = workload.layers
    # 3 steps x 4 sites; non-zero inputs 2, two weights each; the second input meets one weight that is not zero.
    assert [one.total for one in (product.products.dense_full, product.products.effective_input)] == [12, 4]
    assert (product.products.effective.accumulate.total, product.products.effective.multiply_accumulate.total) == (2, 1)
    # Six updates; currents that are not zero: 2 + 0 + 1; a reset selects what is stored.
    assert operations(neurons) == {"leak": 6, "compare": 6, "add": 3}
    assert (neurons.output_events.total, neurons.updates_active.total, neurons.updates_idle.total) == (2, 3, 3)
    assert (neurons.state_elements, neurons.constants) == (2, 2)  # decay and threshold, shared by all neurons
    stream = count(network, signal, mode="stream")
    assert stream.decodes == 3
    assert [layer.products.dense_full.total for layer in stream.layers if layer.products] == [12]


def test_a_gain_an_offset_and_a_reset_of_their_own_are_counted_and_stored(tmp_path):
    # gain 2 * 1/5 = .4, offset .5 * 1/5 = .1, threshold 1, reset -1. Current 2, 0: v = .9, .82.
    path = chain(tmp_path / "net.nir", {"lif": lif(1, r=2.0, leak=0.5, reset=-1.0)}, (1,), (1,))
    (layer,) = count(read_network(path), np.array([[[2, 0]]], np.float32)).layers
    assert operations(layer) == {"leak": 2, "compare": 2, "add": 1 + 2, "multiply": 1}
    assert layer.constants == 5  # decay, threshold, gain, offset, reset


def test_neurons_without_threshold_and_without_leak(tmp_path):
    signal = numbers(2, 3, 9)
    li = nir.LI(tau=flat(3, 4 * DT), r=flat(3, 1.0), v_leak=flat(3, 0.0))
    found = read_network(chain(tmp_path / "li.nir", {"li": li}, (3,), (3,)))(torch.from_numpy(signal)).numpy()
    v, wanted = np.zeros((2, 3)), []
    for step in range(9):
        v = 0.75 * v + 0.25 * signal[..., step]
        wanted.append(v)
    np.testing.assert_allclose(found, np.stack(wanted, -1), rtol=1e-5, atol=1e-6)
    integrate = nir.IF(r=flat(3, 1 / DT), v_threshold=flat(3, 1.0))
    network = read_network(chain(tmp_path / "if.nir", {"if": integrate}, (3,), (3,)))
    wanted = np.stack([numpy_lif(one.T, (1.0, 1.0, 0.0), 1.0, 0.0).T for one in signal])
    np.testing.assert_array_equal(network(torch.from_numpy(signal)).numpy(), wanted)
    (layer,) = count(network, signal).layers
    assert operations(layer).keys() == {"compare", "add"}  # a decay of 1 needs no leak


def test_a_synaptic_current(tmp_path):
    constants = {"r": flat(2, 4.0), "v_leak": flat(2, 0.0), "v_threshold": flat(2, 0.5), "w_in": flat(2, 2.0)}
    node = nir.CubaLIF(tau_syn=flat(2, 2 * DT), tau_mem=flat(2, 4 * DT), **constants)
    network = read_network(chain(tmp_path / "net.nir", {"cuba": node}, (2,), (2,)))
    signal = numbers(2, 2, 25)
    found = network(torch.from_numpy(signal)).numpy()
    for example, spikes in zip(signal, found, strict=True):
        i, v = np.zeros(2), np.zeros(2)
        for step, now in enumerate(example.T):
            i = 0.5 * i + 0.5 * 2.0 * now
            v = 0.75 * v + 0.25 * 4.0 * i
            fired = v > 0.5
            v = np.where(fired, 0.0, v)
            np.testing.assert_array_equal(spikes[:, step], fired)
    # One pulse: current 1, .5, .25: two leaks an update, one addition of the input, one of each current to a membrane.
    (layer,) = count(network, np.array([[[1, 0, 0], [0, 0, 0]]], np.float32)).layers
    assert operations(layer) == {"leak": 12, "compare": 6, "add": 1 + 3}
    assert (layer.state_elements, layer.constants) == (4, 3)  # gain 1 * 1 is none


def recurrent(path: Path, *, nested: bool) -> tuple[Path, np.ndarray, np.ndarray]:
    """Input weights, neurons, and weights from their spikes back to them; flat, or as a graph inside the graph."""
    forward, back = numbers(6, 3), 0.5 * numbers(6, 6)
    back[0, :] = 0.0
    inner = {"lif": lif(6, threshold=0.5), "w_rec": nir.Linear(back)}
    loop = [("lif", "w_rec"), ("w_rec", "lif")]
    if nested:
        ends = {"input": nir.Input(np.array([6])), "output": nir.Output(np.array([6]))}
        cell = nir.NIRGraph({**ends, **inner}, [("input", "lif"), *loop, ("lif", "output")], type_check=False)
        nodes, edges = {"fc": nir.Linear(forward), "cell": cell}, [("in", "fc"), ("fc", "cell"), ("cell", "out")]
    else:
        nodes, edges = {"fc": nir.Linear(forward), **inner}, [("in", "fc"), ("fc", "lif"), *loop, ("lif", "out")]
    return save(path, nodes, edges, (3,), (6,)), forward, back


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "graph in a graph"])
@pytest.mark.parametrize("mode", ["window", "stream"])
def test_recurrent_edges_carry_the_spikes_of_the_step_before(tmp_path, nested, mode):
    path, forward, back = recurrent(tmp_path / "net.nir", nested=nested)
    network, signal = read_network(path), numbers(3, 3, 30)
    found = network(torch.from_numpy(signal)).numpy()
    sent = 0
    for example, spikes in zip(signal, found, strict=True):
        v, before = np.zeros(6), np.zeros(6)
        for step, now in enumerate(example.T):
            sent += int(before.sum())
            v = 0.8 * v + forward @ now + back @ before
            before = (v > 0.5).astype(float)
            v = np.where(before, 0.0, v)
            np.testing.assert_array_equal(spikes[:, step], before)
    workload = count(network, signal, mode=mode)
    assert workload.complete
    layer = next(one for one in workload.layers if one.name.endswith("w_rec"))
    products = layer.products
    # Every step, the first included: 36 sites; each spike of the step before meets 6 weights, one of them zero.
    assert products.dense_full.total == 3 * 30 * 36
    assert (products.effective_input.total, products.effective.total) == (6 * sent, 5 * sent)
    assert products.effective.multiply_accumulate.total == 0
    assert (layer.kind, layer.activation_bits, layer.state_elements, layer.state_bits) == ("recurrent", 1, 6, 1)
    assert count(network, signal, mode=mode, batch_size=2).layers == workload.layers


def test_convolutions_pools_and_flattening(tmp_path):
    two, one, dense = numbers(3, 1, 3, 3), numbers(2, 3, 2), numbers(2, 4)
    nodes = {
        "conv": nir.Conv2d((6, 8), two, 1, (1, 1), 1, 1, numbers(3)),
        "sum": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "avg": nir.AvgPool2d(np.array([3, 1]), np.array([3, 1]), np.array([0, 0])),
        "join": nir.Flatten({"input": np.array([3, 1, 4])}, 1, 2),
        "narrow": nir.Conv1d(4, one, 2, 0, 1, 1, np.zeros(2, np.float32)),
        "scale": nir.Scale(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)),
        "flat": nir.Flatten({"input": np.array([2, 2])}, 0, -1),
        "fc": nir.Linear(dense),
        "spike": nir.Threshold(flat(2, 0.1)),
    }
    network = read_network(chain(tmp_path / "net.nir", nodes, (1, 6, 8), (2,), dt=None))
    signal = torch.from_numpy(numbers(2, 1, 6, 8, 3))
    found, functional = network(signal), torch.nn.functional
    for step in range(3):
        x = functional.conv2d(signal[..., step], torch.from_numpy(two), torch.from_numpy(nodes["conv"].bias), padding=1)
        x = functional.avg_pool2d(4 * functional.avg_pool2d(x, 2), (3, 1)).flatten(2)
        x = functional.conv1d(x, torch.from_numpy(one), stride=2) * torch.from_numpy(nodes["scale"].scale)
        x = (x.flatten(1) @ torch.from_numpy(dense).T > 0.1).float()
        assert torch.equal(found[..., step], x)
    workload = count(network, signal.numpy())
    assert workload.complete
    products = {layer.name: layer.products.dense_full.mean for layer in workload.layers if layer.products}
    # 3 steps; 3 maps x 6 x 8 x 9 taps; 2 maps x 2 positions x 3 channels x 2 taps; 2 x 4.
    assert products == {"conv": 3 * 3 * 48 * 9, "narrow": 3 * 2 * 2 * 6, "fc": 3 * 8}
    sums = next(layer for layer in workload.layers if layer.name == "sum")
    assert operations(sums) == {"add": 2 * 3 * 36 * 3}  # 36 windows of four: three additions each


# --- what is refused ---------------------------------------------------------------------------------------------


def refusal(path: Path, **options) -> str:
    with pytest.raises(StudentError) as caught:
        read_network(path, **options)
    return str(caught.value)


def test_the_step_is_asked_for_where_the_file_does_not_say_it(tmp_path):
    path = chain(tmp_path / "net.nir", {"lif": lif(2)}, (2,), (2,), dt=None)
    assert "no step length is known" in refusal(path)
    assert read_network(path, step_s=DT).step_s == DT
    said = chain(tmp_path / "said.nir", {"lif": lif(2)}, (2,), (2,))
    assert "the file says dt = 0.001" in refusal(said, step_s=0.002)
    assert example_shape(read_network(said), (2, 50)) == (2, 50)


def test_all_nodes_that_cannot_run_are_listed_at_once(tmp_path):
    nodes = {"wait": nir.Delay(flat(2, 2.5 * DT)), "fast": lif(2, tau=0.2 * DT), "fine": lif(2)}
    text = refusal(chain(tmp_path / "net.nir", nodes, (2,), (2,)))
    assert "2 of 5 nodes" in text
    assert "wait (Delay: delays of other than whole steps of 0.001 s)" in text
    assert "fast (LIF: a step of 0.001 s" in text


def test_a_loop_without_a_neuron_or_without_weights(tmp_path):
    weights = {"a": nir.Linear(np.eye(2, dtype=np.float32)), "b": nir.Linear(np.eye(2, dtype=np.float32))}
    edges = [("in", "a"), ("a", "b"), ("b", "a"), ("a", "out")]
    assert "passes no neuron" in refusal(save(tmp_path / "a.nir", weights, edges, (2,), (2,)))
    edges = [("in", "lif"), ("lif", "lif"), ("lif", "out")]
    assert "no weights of its own" in refusal(save(tmp_path / "b.nir", {"lif": lif(2)}, edges, (2,), (2,)))


def test_damaged_and_foreign_files(tmp_path):
    whole = chain(tmp_path / "net.nir", {"lif": lif(2)}, (2,), (2,)).read_bytes()
    for name, content in {"half": whole[: len(whole) // 2], "empty": b"", "text": b"not a network at all"}.items():
        path = tmp_path / f"{name}.nir"
        path.write_bytes(content)
        assert "damaged, or no NIR file" in refusal(path)
    assert "no such file" in refusal(tmp_path / "absent.nir")


def test_a_link_to_another_file_is_not_followed(tmp_path):
    h5py = pytest.importorskip("h5py", reason="the extra 'export' is not installed")
    chain(tmp_path / "other.nir", {"lif": lif(2)}, (2,), (2,))
    path = chain(tmp_path / "net.nir", {"lif": lif(2)}, (2,), (2,))
    with h5py.File(path, "a") as file:
        del file["node/nodes/lif"]
        file["node/nodes/lif"] = h5py.ExternalLink("other.nir", "/node/nodes/lif")
    assert "leads to another file" in refusal(path)


def test_inputs_of_another_shape(tmp_path):
    network = read_network(chain(tmp_path / "net.nir", {"lif": lif(2)}, (2,), (2,)))
    with pytest.raises(StudentError, match=r"\(batch, 2, steps\)"):
        network(torch.zeros(1, 3, 5))


def test_without_the_package_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = chain(tmp_path / "net.nir", {"lif": lif(2)}, (2,), (2,))
    monkeypatch.setitem(sys.modules, "nir", None)
    assert "pip install 'cosim[export]'" in refusal(path)
