"""``cosim workload``: any network counted from the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_study import command, cosim
from torch import nn

from cosim.workloads.network_workload import Observation, network_workload
from energy_models.errors import CosimError, DataError, StudentError
from energy_models.workload import Workload, parse_workload, read_workload
from students.models.build import build
from students.models.store import save_student
from students.spec import Shape, StudentSpec


def how(**changes: object) -> Observation:
    plain: dict[str, object] = {
        "input_shape": None, "recordings": None, "step_rate_hz": None, "mode": None, "input_bits": 16, "decodes": 2,
        "seed": 0, "warm_up_steps": 0,
    }
    return Observation(**{**plain, **changes})  # type: ignore[arg-type]


@pytest.fixture
def student(tmp_path: Path) -> Path:
    shape = Shape(task="classification", channels=3, steps=64, outputs=2, step_rate_hz=128.0)
    spec = StudentSpec(family="eegnet", shape=shape, seed=0)
    torch.manual_seed(0)
    save_student(tmp_path / "student", build(spec), spec, {})
    return tmp_path / "student"


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(2, 3, 5), nn.ReLU())


def tokens() -> nn.Module:
    return nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(24, 2))


def broken() -> nn.Module:
    raise ZeroDivisionError("no such montage")


class Raising(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise OSError("no such file")


class Sum(nn.Module):
    def forward(self, eeg: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
        return eeg + offset


def empty_shell() -> nn.Module:
    return nn.Linear(10, 2, device="meta")


def not_a_number() -> nn.Module:
    model = nn.Linear(10, 2)
    nn.init.constant_(model.weight, torch.nan)
    return model


def nothing() -> None:
    return None


def dense_full(workload: Workload) -> int:
    assert workload.products is not None
    return round(workload.products.dense_full.mean)


def test_a_saved_student_brings_its_own_shape_and_rate(student: Path) -> None:
    counted = network_workload(str(student), how())
    assert (counted.channels, counted.steps_per_decode, counted.step_rate_hz) == (3, 64, 128.0)
    assert counted.complete
    assert "noise, seed 0: densities are not data" in counted.provenance["inputs"]


def test_a_python_function_is_observed_on_recordings(tmp_path: Path) -> None:
    values = np.zeros((3, 2, 10), np.float64)
    values[:, 0, 4] = 2.0
    np.save(tmp_path / "x.npy", values)
    source = f"{__name__}:small"
    counted = network_workload(source, how(recordings=tmp_path / "x.npy", step_rate_hz=100.0))
    # 3 filters x 2 channels x 5 taps x 6 outputs; the one non-zero sample meets 5 outputs of 3 filters
    assert dense_full(counted) == 180
    assert counted.products is not None
    assert counted.products.effective.multiply_accumulate.mean == 15
    assert counted.provenance["inputs"] == "recordings x.npy"


def test_an_architecture_is_named_and_states_its_own_input() -> None:
    assert dense_full(network_workload("eegnet_8_2", how())) == 11_745_984
    with pytest.raises(StudentError, match="states its own input"):
        network_workload("eegnet_8_2", how(input_shape=(3, 4)))


@pytest.mark.parametrize(
    ("source", "changes", "message"),
    [
        ("eegnet_8_3", {}, "Did you mean 'eegnet_8_2'"),
        ("no.such.module:f", {}, "cannot be imported"),
        ("torch.nn:Linear", {}, "cannot be called without arguments"),
        (f"{__name__}:nothing", {}, "returned a NoneType"),
        (f"{__name__}:small", {"step_rate_hz": 1.0}, "Give --input-shape"),
        (f"{__name__}:small", {"input_shape": (2, 10)}, "Give --sample-rate"),
        (f"{__name__}:small", {"step_rate_hz": 1.0, "input_shape": (5, 10)}, "the model raised RuntimeError"),
        (f"{__name__}:broken", {"step_rate_hz": 1.0}, "it raised ZeroDivisionError: no such montage"),
        (f"{__name__}:Raising", {"step_rate_hz": 1.0, "input_shape": (2, 10)}, "raised OSError.*no such file"),
        (f"{__name__}:Sum", {"step_rate_hz": 1.0, "input_shape": (2, 10)}, "TypeError.*'offset'"),
        (f"{__name__}:tokens", {"step_rate_hz": 1.0, "input_shape": (6,)}, "in 0: .*float32.*number format"),
        (f"{__name__}:empty_shell", {"step_rate_hz": 1.0, "input_shape": (2, 10)}, "on the device meta.*Load"),
        (f"{__name__}:not_a_number", {"step_rate_hz": 1.0, "input_shape": (2, 10)}, "20 of the 20 .* not finite"),
        (f"{__name__}:small", {"step_rate_hz": -1.0, "input_shape": (2, 10)}, "impossible options"),
        ("missing.onnx", {"step_rate_hz": 1.0}, "missing.onnx"),
        ("net.pt", {}, "a PyTorch file.*torch.onnx.export"),
        ("net.PTH", {}, "a PyTorch file.*torch.onnx.export"),
        ("net.h5", {}, "a Keras or HDF5 file.*tf2onnx"),
        ("net.keras", {}, "a Keras file.*tf2onnx"),
        ("net.py", {}, "a Python file.*module:function"),
    ],
)
def test_mistakes_say_what_where_and_the_remedy(source: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(CosimError, match=message.replace("(", r"\(")):
        network_workload(source, how(**changes))


def test_recordings_that_cannot_be_read_or_do_not_fit(tmp_path: Path) -> None:
    source, path = f"{__name__}:small", tmp_path / "x.npy"
    np.save(path, np.ones((2, 2, 10), np.float32))
    with pytest.raises(DataError, match="where --input-shape says"):
        network_workload(source, how(recordings=path, input_shape=(2, 11), step_rate_hz=1.0))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read"):
        network_workload(source, how(recordings=path, step_rate_hz=1.0))
    np.save(path, np.array(["a", "b"]))
    with pytest.raises(DataError, match="no real numbers"):
        network_workload(source, how(recordings=path, step_rate_hz=1.0))
    np.save(path, np.full((1, 2, 10), np.nan, np.float32))
    with pytest.raises(DataError, match="not finite"):
        network_workload(source, how(recordings=path, step_rate_hz=1.0))


@pytest.mark.parametrize(
    ("network", "values", "says"),
    [
        ("small", np.zeros((0, 2, 10), np.float32), "nothing to observe"),
        ("small", np.float32(3), "nothing to observe"),
        ("small", np.full((1, 2, 10), 1e300), "20 input values are not finite"),
        ("small", np.ones((1, 2, 10), np.int16), "in 0: .*int16.*number format"),
        ("small", np.ones((1, 2, 10), complex), "holds complex128"),
        ("tokens", np.full((1, 6), 7), "in 0: the model raised IndexError"),
    ],
)
def test_recordings_a_network_cannot_use(tmp_path: Path, network: str, values: np.ndarray, says: str) -> None:
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(CosimError, match=says):
        network_workload(f"{__name__}:{network}", how(recordings=tmp_path / "x.npy", step_rate_hz=1.0))


def test_tokens_and_several_signals_come_from_files(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[0, 1, 2, 3, 4, 0], [4, 4, 4, 4, 4, 4]]))
    counted = network_workload(f"{__name__}:tokens", how(recordings=tmp_path / "x.npy", step_rate_hz=1.0))
    assert dense_full(counted) == 48
    np.savez(tmp_path / "two.npz", eeg=np.ones((3, 2, 10)), offset=np.ones((3, 2, 1)))
    counted = network_workload(f"{__name__}:Sum", how(recordings=tmp_path / "two.npz", step_rate_hz=1.0))
    assert counted.layers[0].operations["add"].mean == 20
    np.savez(tmp_path / "none.npz")
    with pytest.raises(DataError, match="holds no array"):
        network_workload(f"{__name__}:Sum", how(recordings=tmp_path / "none.npz", step_rate_hz=1.0))


def test_the_command_writes_the_file_and_prints_the_table(student: Path, tmp_path: Path) -> None:
    out = tmp_path / "w.json"
    done = command(tmp_path, "workload", student, "--json", out)
    assert done.returncode == 0, done.stderr
    assert "per decode" in done.stdout
    counted = read_workload(out)
    assert counted.products is not None
    piped = command(tmp_path, "workload", student, "--json", "-")
    assert json.loads(piped.stdout)["schema"] == "cosim.workload/4"
    wrong = command(tmp_path, "workload", student, "--input-shape", "3xx")
    assert wrong.returncode == 2
    assert "is no shape" in wrong.stderr


def test_products_flops_and_bops_stand_beside_one_another(tmp_path: Path) -> None:
    code, out, err = cosim("workload", f"{__name__}:small", "--input-shape", "2x10", "--sample-rate", "1",
                           "--weight-bits", "8", "--activation-bits", "4")  # fmt: skip
    assert code == 0, err
    head, conv, *_, whole = (line for line in out.splitlines() if line)
    cells = dict(zip(re.split(r"\s{2,}", head), re.split(r"\s{2,}", conv), strict=False))
    # 3 filters x 2 channels x 5 taps x 6 outputs = 180 products; beside them 18 biases added, 18 sums requantised
    wanted = {"MAC": "180", "AC": "0", "FLOP": f"{2 * 180 + 36}", "BOP": f"{180 * 8 * 4:,}"}
    assert {name: cells[name] for name in wanted} == wanted
    assert f"{180 * 8 * 4:,}" in whole
    code, out, _ = cosim("workload", f"{__name__}:small", "--input-shape", "2x10", "--sample-rate", "1", "--json")
    document = json.loads(out)
    work = parse_workload(out, where="test")
    assert document["totals"]["products_dense_full"] == 180
    assert document["totals"]["bit_operations"] == work.bit_operations == 180 * 32 * 16  # float weights, 16-bit inputs
    assert document["totals"]["floating_point_operations"] == work.floating_point_operations
    assert sum(one["floating_point_operations"] for one in document["totals"]["layers"]) == (
        work.floating_point_operations
    )


def test_assumed_widths_are_said_and_stored(tmp_path: Path) -> None:
    out = tmp_path / "w.json"
    start = "from cosim.cli.app import main; main()"
    program = [sys.executable, "-c", start, "workload", "eegnet_8_2", "--json", str(out)]
    done = subprocess.run([*program, "--weight-bits", "8"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "one width without the other" in done.stderr
    both = ("--weight-bits", "8", "--activation-bits", "4")
    done = subprocess.run([*program, *both], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "widths: assumed W8A4: not quantised, not trained" in done.stderr
    assert "UserWarning" not in done.stderr
    temporal = read_workload(out).layers[0]
    # 64 taps: 8 + 4 + log2(64) bits of a sum
    assert (temporal.weight_bits, temporal.activation_bits, temporal.accumulator_bits) == (8, 4, 18)


@pytest.mark.parametrize("change", [{"step_rate_hz": 250.0}, {"mode": "stream"}, {"input_shape": (22, 1000)}])
def test_an_architecture_takes_no_input_of_another_kind(change: dict[str, object]) -> None:
    with pytest.raises(StudentError, match="states its own input and rate"):
        network_workload("eegnet_8_2", how(**change))


def test_a_folder_without_a_student_and_a_counted_workload_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match=r"the folder has no spec\.json"):
        network_workload(str(tmp_path), how())
    with pytest.raises(StudentError, match="cosim estimate prices it"):
        network_workload("eegnet.json", how())


@pytest.mark.parametrize("rate", ["-250", "0", "nan", "inf"])
def test_a_rate_that_is_none(rate: str) -> None:
    done = command(Path.cwd(), "workload", "m:f", "--rate", rate, "--input-shape", "2x9")
    assert done.returncode == 2
    assert "--sample-rate:" in done.stderr
    assert "above 0 Hz" in done.stderr


def test_a_family_is_counted_for_a_shape_and_outputs(tmp_path: Path) -> None:
    shape = ("--input-shape", "3x64", "--sample-rate", "128Hz", "--outputs", "2")
    code, _, err = cosim("workload", "eegnet", *shape, "--json", str(tmp_path / "w.json"))
    assert code == 0, err
    counted = read_workload(tmp_path / "w.json")
    assert (counted.channels, counted.steps_per_decode, counted.step_rate_hz) == (3, 64, 128.0)
    assert "--outputs" in cosim("workload", "eegnet")[2]
    assert "no other option" in cosim("workload", "eegnet", *shape, "--mode", "stream")[2]
