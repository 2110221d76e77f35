"""``cosim estimate``: constants set, a budget, sweeps, and what may be priced."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
import torch
from test_cli_estimate import network
from tiny_study import cosim

from cosim.engine.stored_data import PIPELINE
from cosim.workloads.rebuilt import rebuilt_workload
from energy_models.errors import StudentError, WorkloadError
from energy_models.workload import write_workload
from students.architectures import architecture_names, load_architecture, with_channels
from students.models import build, save_student
from students.spec import Shape, StudentSpec

FIXED = (
    "at_at", "femba_tiny", "histn", "lumamba_tiny", "luna_base", "mlperf_tiny_ic", "mlperf_tiny_sww",
    "mlperf_tiny_vww", "ndt2_m1", "neurorvq", "ssvep_dnn_64", "ssvep_dnn_9",
)  # fmt: skip
PLACE = ("--profile", "gap9", "--site", "headset_pulp")
RATE = ("--decode-rate", "4")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("work") / "eegnet.json"
    code, _, err = cosim("workload", "eegnet_8_2", "--weight-bits", "8", "--activation-bits", "8", "--json", str(path))
    assert code == 0, err
    return str(path)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    shape = Shape(task="classification", channels=3, steps=64, outputs=2, step_rate_hz=128.0)
    spec = StudentSpec(family="eegnet", shape=shape, seed=0)
    folder = tmp_path_factory.mktemp("kept") / "student"
    torch.manual_seed(0)
    save_student(folder, build(spec), spec, {})
    return str(folder)


def estimated(*arguments: str) -> dict[str, object]:
    code, out, err = cosim("estimate", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def points(*arguments: str) -> list[dict[str, float]]:
    code, out, err = cosim("estimate", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_constant_is_set_with_a_unit_or_in_si(stored: str) -> None:
    texts = ("3uW/channel", "3 µW/channel", "3e-6")
    found = [estimated(stored, *PLACE, *RATE, "--set", f"site.front_end.power={text}") for text in texts]
    powers = [one["power_by_cause_w"]["front_end"]["nominal"] for one in found]  # type: ignore[index]
    # 22 channels of 3 uW behind the site's regulator
    assert powers[0] == powers[1] == pytest.approx(powers[2])
    assert powers[0] == pytest.approx(22 * 3e-6, rel=0.5)
    assert "was 550 uW/channel" in str(found[0]["set"])
    both = estimated(stored, *PLACE, *RATE, "--set", "site.front_end.power=3uW/channel", "--set", "profile.static=0W")
    assert len(both["set"]) == 2  # type: ignore[arg-type]


def test_the_budget_is_the_answer(stored: str) -> None:
    code, out, _ = cosim("estimate", stored, *PLACE, *RATE, "--budget", "1mW")
    assert code == 0
    first, second, *_ = out.replace("\u00a0", " ").splitlines()
    assert "power_budget" in first
    assert second.startswith("Budget 1 mW: exceeds. The device draws")
    assert "most of it front_end" in second
    assert "too much" in second
    assert "left." in cosim("estimate", stored, *PLACE, *RATE, "--budget", "1W")[1].splitlines()[1]
    limits = estimated(stored, *PLACE, *RATE, "--budget", "0.001")["limits"]
    assert [one["limit"]["nominal"] for one in limits if one["name"] == "power_budget"] == [1e-3]  # type: ignore[index,union-attr]


def test_a_sweep_varies_constants_and_rates(stored: str) -> None:
    sweeps = ("--sweep", "site.front_end.power=1,3,10uW/channel", "--sweep", "decode_rate=1,4")
    rows = points(stored, *PLACE, *sweeps)
    found = [row["site.front_end.power [W/channel]"] for row in rows]
    assert found == pytest.approx([1e-6, 1e-6, 3e-6, 3e-6, 1e-5, 1e-5])
    assert {row["decode_rate_hz"] for row in rows} == {1, 4}
    one = estimated(stored, *PLACE, *RATE, "--set", "site.front_end.power=3uW/channel")
    assert rows[3]["power_w"] == one["power_w"]["nominal"]  # type: ignore[index]
    code, table, _ = cosim("estimate", stored, *PLACE, *sweeps)
    assert code == 0
    assert "6 of 6 points fit" in table.splitlines()[1]
    assert "10 µW/channel" in table.replace("\u202f", " ").replace("\u00a0", " ")
    listed = list(csv.DictReader(io.StringIO(cosim("estimate", stored, *PLACE, *sweeps, "--csv")[1])))
    assert [float(row["power_w"]) for row in listed] == [row["power_w"] for row in rows]


def test_a_sweep_of_what_was_set_or_of_a_constant_of_the_machine(stored: str) -> None:
    rows = points(stored, *PLACE, *RATE, "--set", "site.front_end.power=0W/channel", "--sweep", "profile.static=1,2mW")
    assert rows[0]["power_w"] < rows[1]["power_w"]


def test_an_architecture_is_built_again_with_channels_and_bits() -> None:
    rows = points("eegnet_8_2", *PLACE, *RATE, "--sweep", "channels=8,22,44", "--sweep", "bits=8,4")
    assert [(row["channels"], row["bits"]) for row in rows] == [(8, 8), (8, 4), (22, 8), (22, 4), (44, 8), (44, 4)]
    energy = [row["decode_energy_j"] for row in rows]
    assert energy[0] < energy[2] < energy[4]
    assert rows[3]["widths"] == "assumed W4A4: not quantised, not trained"  # type: ignore[comparison-overlap]
    own = points("eegnet_8_2", *PLACE, *RATE, "--sweep", "weight_bits=8")
    assert own[0]["decode_energy_j"] == energy[2]  # 22 channels are its own


@pytest.mark.parametrize("name", architecture_names())
def test_every_architecture_takes_other_channels_or_says_why_not(name: str) -> None:
    described = load_architecture(name)
    if name in FIXED:
        with pytest.raises(StudentError, match="do not take"):
            with_channels(described, 2 * described.input.channels)
        return
    wider = with_channels(described, 2 * described.input.channels)
    assert wider.input.channels == 2 * described.input.channels
    assert wider.outputs == described.outputs
    assert with_channels(described, described.input.channels) is described


def test_a_student_and_a_family_are_built_again(student: str) -> None:
    own = points(student, *PLACE, *RATE, "--sweep", "channels=3,6", "--sweep", "bits=8,4")
    assert own[0]["decode_energy_j"] < own[2]["decode_energy_j"]
    family = ("eegnet", "--input-shape", "3x64", "--sample-rate", "128", "--outputs", "2")
    rows = points(*family, *PLACE, *RATE, "--sweep", "channels=3,6", "--sweep", "bits=8,4")
    assert [row["decode_energy_j"] for row in rows] == [row["decode_energy_j"] for row in own]
    assert estimated(*family, *PLACE, *RATE)["decode_energy_j"] == estimated(student, *PLACE, *RATE)["decode_energy_j"]


def test_what_is_counted_for_other_channels_is_a_gap(student: str, tmp_path: Path) -> None:
    whole = rebuilt_workload(student, channels=6, where="test")
    assert whole.complete
    assert whole.channels == 6
    kept = tmp_path / "with_pipeline"
    shutil.copytree(student, kept)
    write_workload(network(), kept / PIPELINE)
    assert not rebuilt_workload(kept, channels=6, where="test").complete
    with pytest.raises(WorkloadError, match="cannot be built again"):
        rebuilt_workload(tmp_path / "net.onnx", bits=4, where="test")


MISTAKES = [
    (("--set", "site.front_end.power=3mV"), "Use one of: pW/channel"),
    (("--set", "site.front_end.pwer=3uW/channel"), "Did you mean site.front_end.power"),
    (("--set", "site.front_end.power"), "is no setting"),
    (("--set", "site.front_end.power=-1uW/channel"), "from 0 up"),
    (("--set", "site.front_end.power=nan"), "is no number with a unit"),
    (("--set", "profile.static=1W", "--set", "profile.static=2W"), "given twice"),
    (("--budget", "1mV"), "uW"),
    (("--budget", "0W"), "above zero"),
    (("--budget", "little"), "no number"),
    (("--sweep", "channels=8,22"), "is counted as it is, with its channels and widths"),
    (("--sweep", "bits=8,4"), "is counted as it is, with its channels and widths"),
    (("--sweep", "channels=8,22"), "--sweep channels: "),
    (("--sweep", "bits=8,4"), "--sweep bits: "),
    (("--sweep", "channels=8,22"), "weight_bits and activation_bits (assumed widths), rates, node"),
    (("--sweep", "channels=32,32"), "--sweep channels: 32 is given twice"),
    (("--sweep", "electrodes_lost=0,0"), "0 is given twice"),
    (("--recalibrate", "examples=0"), "--recalibrate: examples 0. Give 1 or more"),
    (("--recalibrate", "optimiser=foo"), "--recalibrate: optimiser 'foo'. Choose among sgd, momentum, adam"),
    (("--recalibrate", "layers=lst"), "--recalibrate: layers 'lst'"),
    (("--recalibrate", "examples=2,epochs=1"), "batch, optimiser, layers, bits are not said"),
    (("--recalibrate", "examples=2,epochs=1,batch=1,layers=all,bits=16"), "optimiser is not said"),
    (("--recalibrate", "examples=2,epochs=1,batch=1,optimiser=sgd,layers=all,bits=16"), "how often does it learn? Add"),
    (("--sweep", "bits=8,4"), "name of an architecture"),
    (("--sweep", "site.front_end.power=1,3V"), "--sweep site.front_end.power: '1 V': unit 'V' has dimension"),
    (("--sweep", "site.front_end.power=1,3V"), "Use one of: pW/channel"),
    (("--sweep", "site.front_end.power=,"), "--sweep site.front_end.power: an empty list"),
    (("--sweep", "volume=1,2"), "--sweep: nothing is called 'volume'"),
    (("--sweep", "weight_bits=64"), "--sweep weight_bits: a width of 64 bits. Give 1 to 32"),
    (("--set", "site.front_end.pwer=3uW/channel"), "--set site.front_end.pwer: no constant"),
    (("--budget", "0W"), "--budget: 0 W"),
    (("--sweep", "decode_rate=1,2"), "given twice"),
    (("--sample-rate", "250"), "says its own input"),
]


@pytest.mark.parametrize(("options", "said"), MISTAKES)
def test_a_mistake_is_one_line(stored: str, options: tuple[str, ...], said: str) -> None:
    code, out, err = cosim("estimate", stored, *PLACE, *RATE, *options)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert said in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("eegnet_8_2", *PLACE, *RATE, "--sweep", "bits=64"), "--sweep bits: a width of 64 bits. Give 1 to 32"),
        (("eegnet_8_2", *PLACE, *RATE, "--sweep", "bits=1.5"), "--sweep bits: 1.5 is no width"),
        (("eegnet_8_2", *PLACE, *RATE, "--sweep", "channels=0"), "--sweep channels: 0 channels"),
        (("eegnet_8_2", *PLACE), "how often is a decision asked for?"),
        (("eegnet_8_2", *PLACE, "--sweep", "decode_rate=0,4"), "--sweep decode_rate: 0 Hz"),
        (("eegnet_8_3", *PLACE, *RATE), "Did you mean 'eegnet_8_2'"),
        (("eegnet", *PLACE, *RATE), "--outputs"),
        (("net.pt", *PLACE, *RATE), "torch.onnx.export"),
        (("eegnet_8_2", "--profile", "gap9", *RATE, "--budget", "1mW"), "Name a site"),
        (("eegnet_8_2", "--profile", "gap9", *RATE, "--set", "site.front_end.power=1W/channel"), "Name a site"),
    ],
)
def test_what_cannot_be_priced(arguments: tuple[str, ...], said: str) -> None:
    code, out, err = cosim("estimate", *arguments)
    assert (code, out) == (2, "")
    assert said in err
