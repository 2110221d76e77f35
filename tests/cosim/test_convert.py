"""Quantised students of a run as spiking networks: from the front door and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_study import cosim as command

import cosim
from energy_models.errors import CosimError
from energy_models.workload import read_workload


def test_a_student_of_a_run_becomes_a_spiking_network_that_decides_as_its_integers_do(finished: Path) -> None:
    student = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student()
    found = cosim.convert(student, examples=4)
    assert found.vectors == "4 held-out examples"
    assert found.compared == 8
    assert found.network.latency_steps == sum(found.network.steps.values())
    assert found.workload.decodes == 4
    assert found.synaptic_operations > 0
    assert "equal to its integers" in repr(found)
    before = [row.name for row in student.workload().layers if row.name.startswith("pipeline.")]
    assert before
    assert [row.name for row in found.workload.layers][: len(before)] == before
    assert found.workload.complete


def test_fewer_time_steps_are_those_of_one_more_training(own_run: Path) -> None:
    student = cosim.load_run(own_run).decoder("EEGNet-1 w4a4").student()
    whole, found = cosim.convert(student, examples=4), cosim.convert(student, examples=4, timesteps=3)
    assert str(found.student.spec.form) == "w4a2"
    assert found.student.spec.training == student.spec.training
    assert found.student.spec.method == student.spec.method
    assert found.network.latency_steps < whole.network.latency_steps / 3
    assert max(found.network.steps.values()) == 3
    assert (found.compared, found.vectors) == (8, "4 held-out examples")
    assert 0 <= found.student.test_score <= 1
    again = cosim.convert(student, examples=4, timesteps=3)
    assert again.spikes == found.spikes
    assert cosim.convert(student, examples=4, timesteps=15).spikes == whole.spikes


def test_time_steps_that_no_activation_has_are_refused(finished: Path, tmp_path: Path) -> None:
    code, _, said = command("convert", f"{finished}:EEGNet-1 w4a4", "--timesteps", "5")
    assert code == 2
    assert "5 time steps of a student in w4a4" in said
    assert "3, 7, 15" in said
    student = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student()
    with pytest.raises(CosimError, match="31 time steps"):
        cosim.convert(student, timesteps=31)
    copied = cosim.load_student(student.save(tmp_path / "copied"))
    with pytest.raises(CosimError, match="without the recordings"):
        cosim.convert(copied, timesteps=3)
    with pytest.raises(CosimError, match="Give timesteps too"):
        cosim.convert(student, training={"epochs": 1})


def test_the_command_writes_a_workload_that_can_be_priced(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    code, out, said = command("convert", f"{finished}:EEGNet-1 w4a4", "--out", str(path), "--json")
    assert code == 0, said
    told = json.loads(out)
    assert (told["outputs_differing"], told["outputs_compared"]) == (0, 24)
    assert told["time_steps"] == sum(told["time_steps_by_layer"].values())
    work = read_workload(path)
    spikes = {layer.name: layer.output_events.total for layer in work.layers if layer.kind == "neuron"}
    assert spikes == told["spikes_by_layer"]
    report = cosim.estimate(work, "event_core_28nm", "implant_utah96", decode_rate_hz=1.0)
    assert not [line for line in report.report.unaccounted if "products" in line]


def test_a_decoder_of_a_run_is_priced_by_its_name(finished: Path) -> None:
    options = ("--profile", "cortex_m4f", "--decode-rate", "4", "--json")
    code, out, said = command("estimate", f"{finished}:EEGNet-1 w4a4", *options)
    assert code == 0, said
    work = cosim.load_run(finished).decoder("EEGNet-1 w4a4").workload()
    priced = cosim.estimate(work, "cortex_m4f", decode_rate_hz=4)
    assert json.loads(out)["decode_energy_j"]["nominal"] == priced.report.decode_energy_j.nominal
    code, _, said = command("estimate", f"{finished}:nobody", *options)
    assert code == 2
    assert "nobody" in said


def test_what_cannot_be_converted_says_why(finished: Path) -> None:
    with pytest.raises(CosimError, match=r"no integers.*quantize"):
        cosim.convert(f"{finished}:EEGNet-1 float32")
    with pytest.raises(CosimError, match="at least one"):
        cosim.convert(f"{finished}:EEGNet-1 w4a4", examples=0)
    code, _, said = command("convert", f"{finished}:nobody")
    assert (code, "no decoder 'nobody'" in said) == (2, True)
