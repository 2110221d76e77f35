"""Exact product counts of classical decoders, observed on the very numbers they decoded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cosim.baselines.numerics.fixed_point import ACCUMULATOR_BITS, WIDTH_BITS
from energy_models.workload import Arithmetic, Conventions, Count, Kind, LayerWork, Products

FLOAT_BITS = 32


def constant(operations: Mapping[str, int], decodes: int) -> dict[str, Count]:
    """Return operation counts that are the same in every decode; kinds that do not occur are left out."""
    return {kind: Count.constant(number, decodes) for kind, number in operations.items() if number}


def linear_products(activations: NDArray[Any], weights: NDArray[Any]) -> Conventions:
    """Return the products of a matrix applied to every row of every decode, in the four conventions.

    Parameters
    ----------
    activations : ndarray, shape (decodes, calls, inputs)
        On their integer grid where quantised.
    weights : ndarray, shape (outputs, inputs)
        On their integer grid where quantised.
    """
    outputs = len(weights)
    magnitude = np.abs(activations)
    ones = (magnitude == 1).sum(axis=1)
    others = ((magnitude != 0) & (magnitude != 1)).sum(axis=1)
    zeros = activations.shape[1] - ones - others
    kept = (weights != 0).sum(axis=0)
    dense = _products(others.sum(axis=1) * outputs, (ones + zeros).sum(axis=1) * outputs)
    driven = _products(others.sum(axis=1) * outputs, ones.sum(axis=1) * outputs)
    return Conventions(dense, dense, driven, _products(others @ kept, ones @ kept))


def pair_products(left: NDArray[Any], right: NDArray[Any], wanted: NDArray[np.bool_]) -> Conventions:
    """Return the products of two data matrices, ``left @ right`` of each decode, for the wanted elements only.

    The left operand counts as the activation. The products with a fixed operand of a triangular or symmetric
    result are left out by `wanted`.

    Parameters
    ----------
    left : ndarray, shape (decodes, rows, inner)
    right : ndarray, shape (decodes, inner, columns)
    wanted : ndarray of bool, shape (rows, columns)
    """
    magnitude = np.abs(left)
    ones, others = magnitude == 1, (magnitude != 0) & (magnitude != 1)
    columns = wanted.sum(axis=1)
    full = np.full(len(left), int(wanted.sum()) * left.shape[2])
    driven_others = others.sum(axis=2) @ columns
    driven_ones = ones.sum(axis=2) @ columns
    dense = _products(driven_others, full - driven_others)
    present = (right != 0).astype(np.float64)
    both = [(mask.astype(np.float64) @ present * wanted).sum(axis=(1, 2)) for mask in (others, ones)]
    return Conventions(dense, dense, _products(driven_others, driven_ones), _products(*both))


def _products(multiply_accumulate: NDArray[Any], accumulate: NDArray[Any]) -> Products:
    """Return one convention from per-decode counts."""
    return Products(*(Count.of([int(number) for number in array]) for array in (multiply_accumulate, accumulate)))


def linear_row(
    name: str,
    activations: NDArray[Any],
    weights: NDArray[Any],
    *,
    arithmetic: Arithmetic,
    biases: int = 0,
    operations: Mapping[str, int] | None = None,
    output_bits: int | None = None,
    kind: Literal["linear", "filter", "matmul"] = "linear",
) -> LayerWork:
    """Return the row of a stored matrix applied to every row of every decode.

    Parameters
    ----------
    name : str
    activations : ndarray, shape (decodes, calls, inputs)
    weights : ndarray, shape (outputs, inputs)
    arithmetic : {'float', 'integer'}
        ``integer``: 16-bit weights and activations, 40-bit accumulators; ``float``: 32 bits throughout.
    biases : int
        Stored biases; each call adds all of them.
    operations : mapping of str to int
        Other operations per decode, beside those of the biases.
    output_bits : int or None
        Width of a result; None: the width of the operands.
    kind : str
    """
    decodes, calls, inputs = activations.shape
    width, accumulator = (WIDTH_BITS, ACCUMULATOR_BITS) if arithmetic == "integer" else (FLOAT_BITS, FLOAT_BITS)
    others = dict(operations or {})
    others["add"] = others.get("add", 0) + biases * calls
    events = (activations != 0).sum(axis=(1, 2))
    return LayerWork(
        name=name, kind=kind, arithmetic=arithmetic, calls=calls,
        input_shape=(inputs,), output_shape=(len(weights),), inputs=calls * inputs, outputs=calls * len(weights),
        reduction=inputs, products=linear_products(activations, weights), operations=constant(others, decodes),
        weights=weights.size, weights_nonzero=int(np.count_nonzero(weights)), biases=biases, weights_key=name,
        weight_bits=width, activation_bits=width, output_bits=width if output_bits is None else output_bits,
        accumulator_bits=accumulator, bias_bits=accumulator if biases else 0,
        input_events=Count.of([int(number) for number in events]),
    )  # fmt: skip


def matrix_row(
    name: str, left: NDArray[Any], right: NDArray[Any], wanted: NDArray[np.bool_], *, arithmetic: Arithmetic
) -> LayerWork:
    """Return the row of a product of two data matrices (see `pair_products`); its results stay in accumulators."""
    _, rows, inner = left.shape
    columns = right.shape[2]
    width, accumulator = (WIDTH_BITS, ACCUMULATOR_BITS) if arithmetic == "integer" else (FLOAT_BITS, FLOAT_BITS)
    return LayerWork(
        name=name, kind="matmul", arithmetic=arithmetic, calls=1, input_shape=(rows, inner),
        output_shape=(rows, columns), inputs=rows * inner, outputs=int(wanted.sum()), reduction=inner,
        products=pair_products(left, right, wanted), weight_bits=width, activation_bits=width,
        output_bits=accumulator, accumulator_bits=accumulator,
    )  # fmt: skip


def stage_row(
    name: str,
    operations: Mapping[str, int],
    *,
    inputs: int,
    outputs: int,
    decodes: int,
    arithmetic: Arithmetic,
    kind: Kind = "feature",
    weights: int = 0,
    accumulator_bits: int | None = None,
) -> LayerWork:
    """Return the row of a stage without weight x activation products, its operations given per decode.

    `weights` are constants it reads once each per decode (a window function, twiddle factors); `accumulator_bits`
    is the width its sums need, None for the widest.
    """
    width = WIDTH_BITS if arithmetic == "integer" else FLOAT_BITS
    widest = ACCUMULATOR_BITS if arithmetic == "integer" else FLOAT_BITS
    return LayerWork(
        name=name, kind=kind, arithmetic=arithmetic, calls=1, input_shape=(inputs,), output_shape=(outputs,),
        inputs=inputs, outputs=outputs, operations=constant(operations, decodes), weights=weights,
        weights_nonzero=weights, weights_key=name if weights else "", weight_bits=width if weights else 0,
        activation_bits=width, output_bits=width,
        accumulator_bits=widest if accumulator_bits is None else accumulator_bits,
    )  # fmt: skip
