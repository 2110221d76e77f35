"""Leaderboard rows of published primate-reaching decoders: Dense and Footprint as printed, hand-worked.

Sources: NeuroBench leaderboard and ``examples/primate_reaching`` (its results are printed at the end of each script);
Zhou et al., "Combining SNNs with Filtering for Efficient Neural Decoding", arXiv 2312.15889 (memory of SNN_3D).
"indy" has 96 channels, "loco" 192; one sample is one bin of 4 ms.
"""

from __future__ import annotations

import pytest
import torch
from primate_reaching_nets import ANN2D, RSNN, SNN2, SNN3D
from test_observe_products import seen
from torch import Tensor, nn

from students.neurobench import NeuroBenchRow, neurobench_row
from students.neurons.lif import LIF, LeakyIntegrator, ZeroInitialState

FLOAT, INTEGER = 4, 8
"""Bytes of a float32 and of an int64."""


def bins(samples: int, channels: int) -> Tensor:
    """Binned spikes: 0 or 1, one in twenty."""
    return (torch.rand(samples, 1, channels, generator=torch.Generator().manual_seed(1)) < 0.05).float()


def row(model: nn.Module, samples: int, channels: int) -> NeuroBenchRow:
    return neurobench_row(model, bins(samples, channels), batch_size=256, wrapper="TorchModel")


def dense(found: NeuroBenchRow) -> float:
    assert found.synaptic_operations is not None
    return found.synaptic_operations.dense


@pytest.mark.parametrize(("channels", "operations", "footprint"), [(96, 4_900, 19_648), (192, 9_700, 38_848)])
def test_snn2(channels: int, operations: int, footprint: int) -> None:
    # 96 * 50 + 50 * 2 = 4,900; 192 * 50 + 50 * 2 = 9,700.
    # 4,900 weights of 4 B and two neurons of beta 4 + threshold 8 + graded factor 4 + reset mechanism 8 = 24 B.
    found = row(SNN2(channels), 40, channels)
    assert dense(found) == operations == channels * 50 + 50 * 2
    assert found.footprint_bytes == footprint == operations * FLOAT + 2 * (2 * FLOAT + 2 * INTEGER)
    assert found.connection_sparsity == 0.0
    assert found.synaptic_operations.effective_macs == 0.0  # spikes in, spikes between


def test_snn2_accumulations_are_the_fan_out_of_its_spikes() -> None:
    model, signal, hidden = SNN2(96), bins(40, 96), []
    with torch.no_grad():
        model.first.weight.mul_(8)  # so that it fires
    found = row(model, 40, 96)
    model.second.register_forward_pre_hook(lambda _, args: hidden.append(int(args[0].sum())))
    with torch.no_grad():
        fired = int((model(signal) > 1).sum())
    assert sum(hidden) > 0
    assert found.synaptic_operations.effective_acs == (50 * float(signal.sum()) + 2 * sum(hidden)) / 40
    assert found.activation_sparsity == pytest.approx(1 - (sum(hidden) + fired) / (40 * 52), rel=1e-12)


def test_what_snn2_does_beside_its_synapses() -> None:
    # Each bin: 50 + 2 leaks and membrane words read and written, 50 thresholds compared. A row says nothing of them.
    model = nn.Sequential(
        nn.Conv1d(96, 50, 1, bias=False), ZeroInitialState(LIF(50, 0.96, 1.0, reset="zero")),
        nn.Conv1d(50, 2, 1, bias=False), ZeroInitialState(LeakyIntegrator(2, 0.96)),
    )  # fmt: skip
    found = seen(model, bins(30, 96).permute(1, 2, 0), mode="stream", step_rate_hz=250.0)
    assert sum(layer.products.dense_full.mean for layer in found.layers if layer.products) == 4_900
    operations = {name: 0.0 for name in ("leak", "compare")}
    for layer in found.layers:
        for name in operations:
            operations[name] += layer.operations[name].mean if name in layer.operations else 0.0
    assert operations == {"leak": 52.0, "compare": 50.0}
    assert sum(layer.state_reads for layer in found.layers if layer.kind == "neuron") == 52
    assert sum(layer.state_writes for layer in found.layers if layer.kind == "neuron") == 52


@pytest.mark.parametrize(("channels", "operations", "footprint"), [(96, 4_704, 20_824), (192, 7_776, 33_496)])
def test_ann2d(channels: int, operations: int, footprint: int) -> None:
    # 96 * 32 + 32 * 48 + 48 * 2 = 3,072 + 1,536 + 96 = 4,704; 192 * 32 + 1,632 = 7,776 an inference.
    # The window fills first: 60 bins give 11 inferences, and "per sample" divides by 60.
    found = row(ANN2D(channels), 60, channels)
    assert operations == channels * 32 + 32 * 48 + 48 * 2
    assert dense(found) == pytest.approx(operations * 11 / 60, rel=1e-12)
    # Weights, biases 32 + 48 + 2, batch norms 4 * 80, their two step counters, and one row of the window.
    floats = operations + 82 + 4 * 80 + channels
    assert found.footprint_bytes == footprint == floats * FLOAT + 2 * INTEGER
    # The window that it keeps while running: 49 rows more.
    assert f"{footprint + 49 * channels * FLOAT} bytes afterwards" in " ".join(found.notes)


def test_ann2d_as_the_leaderboard_prints_it() -> None:
    # The example prints 4702.261627687736 for indy_20160622_01. One inference fewer for each of the first 49 bins:
    # 4,704 * (1 - 49 / n) gives n = 132,581 test bins, an integer to the last printed digit.
    samples = round(49 / (1 - 4702.261627687736 / 4704))
    assert 4704 * (samples - 49) / samples == pytest.approx(4702.261627687736, abs=5e-10)


def test_what_ann2d_does_beside_its_products() -> None:
    # Each prediction: 49 additions in each of 96 sums = 4,704, as many as all its products; 82 biases, 80 ReLUs
    # (compare), and 80 norms, which stand after a ReLU and so cannot fold: a multiplication and an addition each.
    class OneWindow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = ANN2D(96).read

        def forward(self, window: Tensor) -> Tensor:
            return self.read(window.sum(-1))

    found = seen(OneWindow(), bins(3 * 50, 96).reshape(3, 50, 96).transpose(1, 2))
    assert sum(layer.products.dense_full.mean for layer in found.layers if layer.products) == 4_704
    totals: dict[str, float] = {}
    for layer in found.layers:
        for name, count in layer.operations.items():
            totals[name] = totals.get(name, 0.0) + count.mean
    assert totals == {"add": 4_704 + 82 + 80, "multiply": 80, "compare": 80}


@pytest.mark.parametrize(("channels", "operations", "footprint"), [(96, 32_928, 24_972), (192, 54_432, 43_020)])
def test_snn3d(channels: int, operations: int, footprint: int) -> None:
    # 7 steps of 4,704 = 32,928 (7,776: 54,432), of which the first layer, fed by norms, 7 * 96 * 32 = 21,504 (43,008).
    found = row(SNN3D(channels), 60, channels)
    assert dense(found) == operations == 7 * (channels * 32 + 32 * 48 + 48 * 2)
    # Every bin is an inference here. The first layer's inputs are no spikes and, in a norm of counts, never zero.
    assert found.synaptic_operations.effective_macs == 7 * channels * 32
    # Weights, 82 biases, norm 2 * 7 * channels, 2 gains, three neurons of 3 floats and an integer, one window row.
    floats = operations // 7 + 82 + 14 * channels + 2 + 3 * 3 + channels
    assert found.footprint_bytes == footprint == floats * FLOAT + 3 * INTEGER


def test_snn3d_memory_of_the_paper() -> None:
    # Table of arXiv 2312.15889: 33,996 B, the mean over both monkeys.
    assert (24_972 + 43_020) / 2 == 33_996 == (row(SNN3D(96), 1, 96).footprint_bytes + 43_020) / 2


@pytest.mark.parametrize(
    ("channels", "units", "outputs", "operations"),
    [
        (96, 64, 2, 10_368),  # tinyRSNN: 96*64 + 64*64 + 64*2 = 6,144 + 4,096 + 128
        (192, 64, 2, 16_512),  # 12,288 + 4,096 + 128
        (96, 1024, 10, 1_157_120),  # bigRSNN, five read-outs of 2: 98,304 + 1,048,576 + 10,240
        (192, 1024, 10, 1_255_424),  # 196,608 + 1,048,576 + 10,240
    ],
)
def test_recurrent_snns(channels: int, units: int, outputs: int, operations: int) -> None:
    found = row(RSNN(channels, units, outputs), 3, channels)
    assert dense(found) == operations
    assert found.synaptic_operations.effective_macs == 0.0


def test_recurrent_snns_as_the_leaderboard_prints_them() -> None:
    # Means over both monkeys. tinyRSNN in float16: 2 B for each weight and for two constants of 64 + 2 neurons:
    # 10,368 * 2 + 264 = 21,000 and 16,512 * 2 + 264 = 33,288, mean 27,144. bigRSNN in float32, 1,024 + 10 neurons:
    # 1,157,120 * 4 + 8,272 = 4,636,752 and 5,029,968, mean 4,833,360.
    tiny = [
        neurobench_row(RSNN(c, 64, 2).half(), bins(1, c).half(), batch_size=1, wrapper="TorchModel") for c in (96, 192)
    ]
    assert [one.footprint_bytes for one in tiny] == [21_000, 33_288]
    assert sum(one.footprint_bytes for one in tiny) / 2 == 27_144
    big = [neurobench_row(RSNN(c, 1024, 10), bins(1, c), batch_size=1, wrapper="TorchModel") for c in (96, 192)]
    assert sum(one.footprint_bytes for one in big) / 2 == 4_833_360
    assert sum(dense(one) for one in tiny) / 2 == 13_440
    assert sum(dense(one) for one in big) / 2 == 1_206_272
