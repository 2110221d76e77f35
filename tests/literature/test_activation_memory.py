"""Activations of published 8-bit networks on a microcontroller, against planned memory and arenas that are published.

Planners count tensors; an arena holds besides the interpreter's structures, scratch buffers and head room, so that live
tensors are a lower bound of it. The networks are built by hand: shapes only, every product requantised and clipped.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod

import pytest

from energy_models.hardware import load_profile
from energy_models.mapping.placing import required_bits
from energy_models.workload import Conventions, Count, Kind, LayerWork, Products, Workload

KIB = 1024
Shape = tuple[int, ...]


def product(name: str, kind: Kind, inputs: Shape, outputs: Shape, reduction: int) -> tuple[LayerWork, LayerWork]:
    """An int8 product with sums of 32 bit, and the clipping to 8 bit that is listed behind it."""
    sites = Products(Count.constant(prod(outputs) * reduction, 1), Count.constant(0, 1))
    weights = reduction * outputs[0]
    one = LayerWork(
        name=name, kind=kind, arithmetic="integer", calls=1, input_shape=inputs, output_shape=outputs,
        inputs=prod(inputs), outputs=prod(outputs), reduction=reduction,
        products=Conventions(sites, sites, sites, sites), weights=weights, weights_nonzero=weights, weights_key=name,
        weight_bits=8, activation_bits=8, output_bits=32, accumulator_bits=32,
    )
    clip = LayerWork(
        name=f"{name}.clip", kind="activation", arithmetic="integer", calls=1, input_shape=outputs,
        output_shape=outputs, inputs=prod(outputs), outputs=prod(outputs), activation_bits=32, output_bits=8,
    )
    return one, clip


def simple(name: str, kind: Kind, inputs: Shape, outputs: Shape) -> LayerWork:
    return LayerWork(
        name=name, kind=kind, arithmetic="integer", calls=1, input_shape=inputs, output_shape=outputs,
        inputs=prod(inputs), outputs=prod(outputs), activation_bits=8, output_bits=8,
    )


def network(name: str, image: Shape, *layers: LayerWork) -> Workload:
    return Workload(
        name=name, mode="window", decodes=1, steps_per_decode=prod(image[1:]), channels=image[0], step_rate_hz=1.0,
        input_bits=8, layers=layers,
    )


def mobilenet(image: Shape, width: float, classes: int) -> Workload:
    """MobileNet-v1 (Howard et al., arXiv 1704.04861, table 1) of channels times `width`."""
    side, channels = image[1] // 2, int(32 * width)
    layers = [*product("conv", "conv", image, (channels, side, side), 9 * image[0])]
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for place, (wide, stride) in enumerate(blocks):
        before, side, made = (channels, side, side), side // stride, int(wide * width)
        layers += product(f"depthwise {place}", "depthwise", before, (channels, side, side), 9)
        layers += product(f"pointwise {place}", "pointwise", (channels, side, side), (made, side, side), channels)
        channels = made
    layers.append(simple("pool", "pool", (channels, side, side), (channels, 1, 1)))
    layers += product("read-out", "linear", (channels,), (classes,), channels)
    return network("mobilenet", image, *layers)


def ds_cnn() -> Workload:
    """Keyword spotting of MLPerf Tiny: 49 x 10 features, 64 channels of 25 x 5, four separable blocks."""
    inner = (64, 25, 5)
    layers = [*product("conv", "conv", (1, 49, 10), inner, 40)]
    for place in range(4):
        layers += product(f"depthwise {place}", "depthwise", inner, inner, 9)
        layers += product(f"pointwise {place}", "pointwise", inner, inner, 64)
    layers.append(simple("pool", "pool", inner, (64, 1, 1)))
    layers += product("read-out", "linear", (64,), (12,), 64)
    return network("ds-cnn", (1, 49, 10), *layers)


def resnet8() -> Workload:
    """Image classification of MLPerf Tiny: three residual blocks of 16, 32, 64 channels on 32 x 32 x 3."""
    layers = [*product("conv", "conv", (3, 32, 32), (16, 32, 32), 27)]
    before, side = 16, 32
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        inner = (channels, side // stride, side // stride)
        layers += product(f"first {channels}", "conv", (before, side, side), inner, 9 * before)
        layers += product(f"second {channels}", "conv", inner, inner, 9 * channels)
        if stride == 2:
            layers += product(f"skip {channels}", "pointwise", (before, side, side), inner, before)
        layers.append(simple(f"sum {channels}", "elementwise", inner, inner))
        before, side = channels, side // stride
    layers.append(simple("pool", "pool", (64, 8, 8), (64, 1, 1)))
    layers += product("read-out", "linear", (64,), (10,), 64)
    return network("resnet-8", (3, 32, 32), *layers)


def autoencoder() -> Workload:
    """Anomaly detection of MLPerf Tiny: 640, four layers of 128, 8, four of 128, 640."""
    sizes = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
    layers: list[LayerWork] = []
    for place, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers += product(f"fc {place}", "linear", (inputs,), (outputs,), inputs)
    return network("autoencoder", (128, 5), *layers)


def activation_bytes(work: Workload) -> float:
    return required_bits(work, load_profile("cortex_m4f").execution)["activations"] / 8


def test_visual_wake_words_holds_one_pair_of_tensors() -> None:
    # first pointwise convolution: 48 x 48 x 8 in, 48 x 48 x 16 out, at 8 bit
    assert activation_bytes(mobilenet((3, 96, 96), 0.25, 2)) == 18_432 + 36_864


def test_mobilenet_by_a_memory_analyser() -> None:
    # petewarden/ml_memory_analyser, README: MobileNet v1 (1.0, 224) needs 1,204,224 bytes. Ours: 112 x 112 x (32 + 64)
    assert activation_bytes(mobilenet((3, 224, 224), 1.0, 1001)) == 1_204_224


@pytest.mark.parametrize(
    # STM32 model zoo, image_classification/mobilenetv1, activation RAM by STM32Cube.AI 10.0.0 for an STM32H7. Above 1:
    # less than one pair of tensors, so that outputs must overwrite inputs there; below 1: input and scratch are in it
    ("image", "width", "published_kib", "ours_over_published"),
    [
        ((1, 96, 96), 0.25, 52.8, 1.023),
        ((3, 96, 96), 0.25, 66.96, 0.806),
        ((3, 224, 224), 0.25, 272.96, 1.077),
        ((3, 224, 224), 0.5, 431.07, 1.364),
        ((3, 224, 224), 1.0, 1331.13, 0.883),
    ],
)
def test_mobilenet_by_a_vendors_planner(
    image: Shape, width: float, published_kib: float, ours_over_published: float
) -> None:
    found = activation_bytes(mobilenet(image, width, 5)) / KIB
    assert found / published_kib == pytest.approx(ours_over_published, abs=1e-3)


@pytest.mark.parametrize(
    # mlcommons/tiny, benchmark/reference_submissions, kTensorArenaSize of each: allotted, not the least that works
    ("work", "live", "arena_kib"),
    [
        (mobilenet((3, 96, 96), 0.25, 2), 55_296, 200),
        (ds_cnn(), 2 * 8_000, 200),
        (resnet8(), 2 * 16_384, 100),  # the block's input waits for the sum besides: 49,152 with the graph known
        (autoencoder(), 256, 10),
    ],
    ids=["vww", "kws", "ic", "ad"],
)
def test_live_tensors_are_within_the_arenas_of_mlperf_tiny(work: Workload, live: int, arena_kib: int) -> None:
    window = required_bits(work, load_profile("cortex_m4f").execution)["buffers"] / 8
    assert activation_bytes(work) == live
    assert live + window < arena_kib * KIB
