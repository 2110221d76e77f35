"""Hand-worked estimates on toy machines of round numbers; the arithmetic stands beside each."""

from __future__ import annotations

import dataclasses

import pytest
from energy_workloads import (
    count,
    dense_layer,
    neurons,
    products,
    quantity,
    toy_array,
    toy_core,
    toy_event,
    toy_site,
    with_operations,
    workload,
)

from energy_models.errors import WorkloadError
from energy_models.mapping.styles.weight_stationary import tiling
from energy_models.pricing import estimate
from energy_models.workload import LayerWork, Workload

PJ, NW = 1e-12, 1e-9


def test_array_by_hand() -> None:
    # 16 inputs x 6 outputs, W8A8, sums of 32 bit, on 8 rows x 4 columns: 2 row tiles, 2 column tiles.
    # multiply   96 x 8 x 8 x 10 fJ = 61.44 pJ; accumulate 96 x 32 x 1 fJ = 3.072 pJ   -> compute 64.512 pJ
    # control    (2 - 1) x 64.512 pJ
    # weights    96 x 8 / 32 = 24 words read x 2 pJ = 48 pJ
    # inputs     16 x 2 column tiles x 8 / 32 = 8 words x 2 pJ = 16 pJ
    # partials   (2 - 1) x 6 x 32 / 32 = 6 words, read 2 pJ and written 3 pJ = 30 pJ
    # outputs    6 x 8 / 32 = 1.5 -> 2 words x 3 pJ = 6 pJ                               -> memory 100 pJ
    # cycles     2 x 2 x (2 x 8 + 1 + 4 - 2) = 76 at 1 MHz, plus 2 us to wake = 78 us
    report = estimate(workload(dense_layer(16, 6)), toy_array(), None, decode_rate_hz=10)
    energy = report.layers[0].energy_j
    assert energy["compute"].nominal == pytest.approx(64.512 * PJ)
    assert energy["control"].nominal == pytest.approx(64.512 * PJ)
    assert energy["memory"].nominal == pytest.approx(100 * PJ)
    assert report.cycles.nominal == 76
    assert report.latency_s.nominal == pytest.approx(78e-6)
    # retention: weights 768 bit in 1 of 2048-bit banks; activations 16 x 8 + 6 x 8 = 176 and buffer 16 x 8 = 128 in one
    assert report.power_w["retention"].nominal == pytest.approx(2 * 2048 * 5 * PJ)
    assert report.power_w["static"].nominal == pytest.approx(10 * NW)
    assert report.power_w["wake"].nominal == pytest.approx(70 * PJ)
    # 10 decodes/s x 229.024 pJ + 10 nW + 20.48 nW + 70 pW
    assert report.total_power_w.nominal == pytest.approx(10 * 229.024 * PJ + 30.48 * NW + 70 * PJ)


def test_array_binary_inputs_need_no_multiplier() -> None:
    # 96 valid sites, zeros included: accumulate 96 x 32 fJ = 3.072 pJ and no multiplication
    report = estimate(workload(dense_layer(16, 6, activation_bits=1)), toy_array(), None, decode_rate_hz=10)
    assert report.layers[0].energy_j["compute"].nominal == pytest.approx(3.072 * PJ)


def test_tiling_of_depthwise_and_matmul() -> None:
    # depthwise: 4 channels x 2 filters, 5 taps, 10 positions: 4 groups of a (10, 5) x (5, 2) product
    depthwise = LayerWork(
        name="dw", kind="depthwise", arithmetic="integer", calls=1, input_shape=(4, 10), output_shape=(8, 10),
        inputs=40, outputs=80, reduction=5, products=products(400), weights=40, weights_key="dw",
    )
    tiles = tiling(depthwise, 8, 4)
    assert (tiles.groups, tiles.positions, tiles.row_tiles, tiles.column_tiles) == (4, 10, 1, 1)
    # attention scores: 2 heads of (6, 3) x (3, 6), nothing stored: 2 x 3 x 6 = 36 elements held still
    scores = dataclasses.replace(depthwise, kind="matmul", input_shape=(2, 6, 3), output_shape=(2, 6, 6), outputs=72,
                                 reduction=3, weights=0)
    tiles = tiling(scores, 8, 4)
    assert (tiles.groups, tiles.positions, tiles.column_tiles, tiles.stationary) == (2, 6, 2, 36)


def test_event_core_by_hand() -> None:
    # 16 inputs of which 3 spike, 6 outputs, W8, sums of 16 bit; words of 32 bit
    # accumulate 18 x 16 fJ = 0.288 pJ; rows: 6 x 8 = 48 bit -> 2 words each, 3 x 2 x 2 pJ = 12 pJ
    # state      18 words read and written: 18 x 5 pJ = 90 pJ
    # control    (2 - 1) x 0.288 + 18 x 0.5 + 3 messages of 1 + 2 x 0.5 = 15.288 pJ; cycles 18 x 2 + 3 x 4 = 48
    synapses = dense_layer(16, 6, activation_bits=1, accumulator_bits=16, events=3)
    # neurons: 6, of which 4 get input, 1 fires: leak 6, compare 6, add 4, reset 1, each 16 fJ = 0.272 pJ, all state
    # state words 6 x 16 / 32 = 3 read and written: 15 pJ; control 0.272 + 4 x 0.4 + 2 x 0.3 = 2.472 pJ
    # cycles 6 x 3 + 17 operations = 35; one time step: 0.6 pJ, 5 cycles
    report = estimate(workload(synapses, neurons(6, active=4, spikes=1)), toy_event(), None, decode_rate_hz=10)
    first, second, step = (layer.energy_j for layer in report.layers)
    assert first["compute"].nominal == pytest.approx(0.288 * PJ)
    assert first["memory"].nominal == pytest.approx(12 * PJ)
    assert first["state"].nominal == pytest.approx(90 * PJ)
    assert first["control"].nominal == pytest.approx(15.288 * PJ)
    assert second["state"].nominal == pytest.approx(15.272 * PJ)
    assert second["control"].nominal == pytest.approx(2.472 * PJ)
    assert step["control"].nominal == pytest.approx(0.6 * PJ)
    assert report.cycles.nominal == pytest.approx(48 + 35 + 5)


def test_core_by_hand() -> None:
    # 96 products x 2 + 100 for the layer; its 6 adds are in the product kernels; its 6 compares cost 5 each;
    # 50 per decode: 192 + 100 + 30 + 50 = 372 cycles of 3 mW / 1 MHz = 3 nJ: 1116 nJ
    layer = with_operations(dense_layer(16, 6), add=6, compare=6)
    report = estimate(workload(layer), toy_core(), None, decode_rate_hz=10)
    assert report.cycles.nominal == pytest.approx(372)
    assert report.decode_energy_j.nominal == pytest.approx(1116e-9)
    assert report.latency_s.nominal == pytest.approx(374e-6)
    assert not report.infeasibilities


def test_wide_operands_take_more_cycles() -> None:
    # 96 products x 2 x 3 at up to 12 bit + 100 for the layer + 50 per decode = 726 cycles
    report = estimate(workload(dense_layer(16, 6, activation_bits=12)), toy_core(), None, decode_rate_hz=10)
    assert report.cycles.nominal == pytest.approx(726)


def test_work_per_sample_is_not_multiplied_by_the_decode_rate() -> None:
    # a filter of 16 multiplications in a window of 5 samples at 50 Hz = 0.1 s: its power is energy / 0.1 s at any rate
    filtering = LayerWork(
        name="iir", kind="filter", arithmetic="integer", calls=1, input_shape=(16,), output_shape=(16,), inputs=16,
        outputs=16, operations={"multiply": count(16)}, activation_bits=8, output_bits=8, cadence="sample",
    )
    work = workload(filtering, mode="window", steps=5, channels=4)
    slow, fast = (estimate(work, toy_array(), None, decode_rate_hz=rate) for rate in (1, 100))
    # 16 x 64 x 10 fJ = 10.24 pJ, twice with control; 4 words in, 4 words out: 8 + 12 = 20 pJ
    assert slow.power_w["features"].nominal == pytest.approx((2 * 10.24 + 20) * PJ / 0.1)
    assert fast.power_w["features"] == slow.power_w["features"]
    assert slow.cycles.nominal == 0


STEP, BIT = quantity(10, "fJ/step"), quantity(10, "bit")
AROUND: dict[str, object] = {
    "front_end": {"model": "per_channel", "power": quantity(2, "uW/channel")},
    "converter": {"model": "walden", "figure_of_merit": STEP, "effective_bits": BIT},
    "radio": {"model": "per_bit", "energy": quantity(50, "pJ/bit")},
    "regulator": {"model": "efficiency", "efficiency": quantity(0.8, "1")},
}


def test_what_stands_around_the_machine_by_hand() -> None:
    # front end  16 channels x 2 uW = 32 uW
    # converter  16 x 10 fJ x 2^10 (10 effective bits of a 12-bit word) x 1 kS/s = 163.84 nW
    # radio      10 decodes/s x 20 bit x 50 pJ = 10 nW
    # machine    32.840 nW: 10 x 229.024 pJ + 30.48 nW + 70 pW (test_array_by_hand)
    # fed        32 + 0.16384 + 0.01 + 0.03284024 = 32.20668024 uW; a quarter of it is lost: 8.05167006 uW
    report = estimate(workload(dense_layer(16, 6)), toy_array(), toy_site(**AROUND), decode_rate_hz=10)
    assert report.power_w["front_end"].nominal == pytest.approx(32e-6)
    assert report.power_w["converter"].nominal == pytest.approx(163.84 * NW)
    assert report.power_w["radio"].nominal == pytest.approx(10 * NW)
    assert report.decoder_power_w.nominal == pytest.approx(32.84024 * NW)
    assert report.power_w["regulator"].nominal == pytest.approx(8051.67006 * NW)
    assert report.total_power_w.nominal == pytest.approx(40.2583503e-6)
    assert not report.incomplete


def test_every_machine_at_a_site_carries_the_same_around_it() -> None:
    work, site = workload(dense_layer(16, 6)), toy_site(**AROUND)
    array, core = (estimate(work, machine, site, decode_rate_hz=10) for machine in (toy_array(), toy_core()))
    for cause in ("front_end", "converter", "radio"):
        assert array.power_w[cause] == core.power_w[cause]
    assert array.decoder_power_w != core.decoder_power_w


def test_parts_that_are_absent_are_said_and_not_charged() -> None:
    report = estimate(workload(dense_layer(16, 6)), toy_array(), toy_site(), decode_rate_hz=10)
    assert report.total_power_w == report.decoder_power_w
    reason = "not charged: not part of this sum"
    assert report.incomplete == tuple(f"{p} {reason}" for p in ("front end", "converter", "regulator loss", "radio"))
    nowhere = estimate(workload(dense_layer(16, 6)), toy_array(), None, decode_rate_hz=10)
    assert nowhere.incomplete == ("no site given: front end, converter, radio, stimulation and regulator not charged",)
    assert nowhere.total_power_w == report.total_power_w


def test_infeasibilities_are_said() -> None:
    # 300 x 40 weights of 8 bit = 96000 bit against 8192: misses 87808
    big = estimate(workload(dense_layer(300, 40)), toy_array(), None, decode_rate_hz=10)
    assert any("weights" in line and "misses 87808 bits" in line for line in big.infeasibilities)
    floating = estimate(workload(dense_layer(16, 6, arithmetic="float")), toy_array(), None, decode_rate_hz=10)
    assert any("prices no float multiply at 8x8 bits (needed by fc)" in line for line in floating.infeasibilities)
    assert any(line.startswith("unpriced:") for line in floating.incomplete)
    wide = estimate(workload(dense_layer(16, 6, weight_bits=16)), toy_core(), None, decode_rate_hz=10)
    assert any("prices no integer products at 16x8 bits" in line for line in wide.infeasibilities)
    # 372 cycles at 1 MHz plus 2 us to wake, 5000 times a second: 1.87 s of work per second
    late = estimate(workload(with_operations(dense_layer(16, 6), compare=6)), toy_core(), None, decode_rate_hz=5000)
    assert any("1.87 s of work per second" in line for line in late.infeasibilities)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(WorkloadError, match="decode rate"):
        estimate(workload(dense_layer(16, 6)), toy_array(), None, decode_rate_hz=rate)


def test_missing_widths_are_refused_together() -> None:
    first = dataclasses.replace(dense_layer(16, 6, name="a"), accumulator_bits=0)
    second = dataclasses.replace(dense_layer(16, 6, name="b"), weight_bits=0)
    with pytest.raises(WorkloadError, match="a lacks accumulator_bits; b lacks weight_bits"):
        estimate(workload(first, second), toy_array(), None, decode_rate_hz=10)


def test_uncounted_work_marks_the_report() -> None:
    from energy_models.workload import Uncounted

    work: Workload = workload(dense_layer(16, 6)).replace(uncounted=(Uncounted("fft", "aten.fft", "no rule"),))
    report = estimate(work, toy_array(), None, decode_rate_hz=10)
    assert "uncounted: fft aten.fft (no rule)" in report.incomplete
