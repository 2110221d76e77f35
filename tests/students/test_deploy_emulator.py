"""Exported C on an emulated Cortex-M: bit-exact, instructions by layer, clear errors; `make emulator`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_deploy_networks as own
from deployed_networks import CODES, quantised, signals

from energy_models.errors import StudentError
from students.deploy import lower
from students.deploy.c_code import LAYERS_FILE, export_c
from students.deploy.emulator import BOARDS, absent_tools, emulate
from students.deploy.emulator.run import FLAGS
from students.spec import Shape

ABSENT = absent_tools()
emulated = pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}")

WINDOWS = Shape(task="classification", channels=4, steps=96, outputs=3, step_rate_hz=64.0)
STEPS = Shape(task="regression", channels=5, steps=60, outputs=2, step_rate_hz=20.0)
FAMILIES: list[tuple[str, Shape, dict[str, Any]]] = [
    ("eegnet", WINDOWS, {"temporal_filters": 3, "kernel_s": 0.25, "separable_taps": 4}),
    ("shallow", WINDOWS, {"filters": 6}), ("mlp", WINDOWS, {"hidden": 8}), ("mlp", STEPS, {"hidden": 8, "lags": 4}),
    ("gru", STEPS, {"hidden": 6}), ("lstm", WINDOWS, {"hidden": 5}),
]  # fmt: skip
nets = own.nets


def exported(folder: Path, family: str, form: str, shape: Shape, options: dict[str, Any] | None = None) -> Path:
    model, _ = quantised(family, form, shape, options)
    graph = lower(model, shape, codes=CODES)
    codes = graph.codes.codes_of(signals(shape, 3, 5).numpy() * 2)
    codes[-1:] = np.random.default_rng(0).choice([graph.codes.lowest, graph.codes.highest], size=codes[-1:].shape)
    export_c(graph, folder, vectors=codes)
    return folder


@emulated
@pytest.mark.slow
@pytest.mark.parametrize("form", ["w8a8", "w2a4 edge=4 in=6"])
@pytest.mark.parametrize(("family", "shape", "options"), FAMILIES)
def test_families_are_bit_exact(
    tmp_path: Path, family: str, shape: Shape, options: dict[str, Any], form: str
) -> None:
    found = emulate(exported(tmp_path, family, form, shape, options))
    calls = 3 * (shape.steps if shape.task == "regression" else 1)
    assert (found.calls, found.outputs) == (calls, calls * shape.outputs)
    layers = json.loads((tmp_path / LAYERS_FILE).read_text())["layers"]
    assert [one.function for one in found.layers] == list(layers)
    assert all(one.instructions > 0 for one in found.layers)


@emulated
@pytest.mark.slow
@pytest.mark.parametrize(("family", "shape"), [("spiking_mlp", STEPS), ("spiking_conv", WINDOWS)])
def test_spiking_families_are_bit_exact(tmp_path: Path, family: str, shape: Shape) -> None:
    assert emulate(exported(tmp_path, family, "w4a4s8", shape)).outputs > 0


@emulated
@pytest.mark.slow
@pytest.mark.parametrize(("family", "shape"), own.NETWORKS)
def test_own_networks_are_bit_exact(tmp_path: Path, family: str, shape: Shape) -> None:
    assert emulate(exported(tmp_path, family, "w8a8", shape)).outputs > 0


@emulated
@pytest.mark.slow
def test_all_boards_agree_and_count_alike(tmp_path: Path) -> None:
    folder = exported(tmp_path, "mlp", "w4a4", WINDOWS, {"hidden": 8})
    found = [emulate(folder, board=board) for board in BOARDS]
    assert {one.outputs for one in found} == {9}
    least, most = min(one.instructions for one in found), max(one.instructions for one in found)
    assert most < 1.1 * least
    again = emulate(folder, board="cortex-m4")
    assert again == found[list(BOARDS).index("cortex-m4")]


@emulated
@pytest.mark.slow
def test_instructions_of_a_layer_are_those_of_its_loop(tmp_path: Path) -> None:
    """Hand-worked: 8 rows of 384 products; the disassembly's inner loop has five instructions (two loads, multiply and
    add, compare, branch), so a row takes 1920, and all of them 15,360; what begins and ends a row is below 100."""
    found = emulate(exported(tmp_path, "mlp", "w8a8", WINDOWS, {"hidden": 8}))
    (first,) = (one for one in found.layers if one.nodes[0] == ("2", "linear"))
    assert 8 * 384 * 5 <= first.instructions <= 8 * 384 * 5 + 8 * 100
    assert found.instructions == pytest.approx(sum(one.instructions for one in found.layers) + found.overhead)
    assert found.overhead < 100
    assert "-O2" in FLAGS


@emulated
@pytest.mark.slow
def test_a_wrong_output_is_noticed(tmp_path: Path) -> None:
    folder = exported(tmp_path, "mlp", "w8a8", WINDOWS, {"hidden": 8})
    vectors = folder / "decoder_vectors.h"
    text = vectors.read_text()
    place = text.index("decoder_expected")
    vectors.write_text(text[:place] + text[place:].replace("    ", "    1", 1))
    with pytest.raises(StudentError, match="1 of 9 outputs differ"):
        emulate(folder)


def test_mistakes_are_said(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="unknown board 'z80'"):
        emulate(tmp_path, board="z80")


@emulated
def test_a_folder_without_an_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="no exported decoder"):
        emulate(tmp_path)
    (tmp_path / LAYERS_FILE).write_text("{}")
    with pytest.raises(StudentError, match="no decoder 'decoder'"):
        emulate(tmp_path)


def test_absent_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert set(absent_tools()) == {"gcc-arm-none-eabi", "binutils-arm-none-eabi", "qemu-system-arm", "gcc"}
    with pytest.raises(StudentError, match="gcc-arm-none-eabi"):
        emulate(tmp_path)
