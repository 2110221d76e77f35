"""FLOPs and BOPs of a workload, worked by hand."""

import dataclasses

import pytest
from energy_workloads import count, dense_layer, neurons, workload


def test_products_count_two_flops_and_their_widths_in_bit_operations():
    """12 x 32 products at 4 and 8 bits, 32 additions: 2 x 384 + 32 FLOP, 384 x 4 x 8 BOP."""
    layer = dense_layer(12, 32, weight_bits=4)
    work = workload(dataclasses.replace(layer, operations={"add": count(32)}))
    assert work.floating_point_operations == 800
    assert work.bit_operations == 12_288


def test_a_product_of_two_signals_has_the_width_of_its_signal_twice():
    layer = dataclasses.replace(dense_layer(3, 5, kind="attention", activation_bits=6), weight_bits=0, weights=0)
    assert workload(layer).bit_operations == 15 * 36


def test_neurons_add_no_bit_operations():
    """4 leaks, 4 compares, 3 additions, 2 resets."""
    work = workload(neurons(4, active=3, spikes=2))
    assert (work.floating_point_operations, work.bit_operations) == (13, 0)


@pytest.mark.parametrize("field", ["weight_bits", "activation_bits"])
def test_without_widths_bit_operations_are_unknown(field):
    assert workload(dataclasses.replace(dense_layer(3, 5), **{field: 0})).bit_operations is None
