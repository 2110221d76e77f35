"""What the fuzz found and was mended, one case of each kind, small enough to be read."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from scipy.io import savemat

from cosim import load_run
from cosim import load_student as load_saved
from cosim.datasets import files
from cosim.datasets.mne_files import read_continuous
from cosim.datasets.registry import load
from cosim.engine.files import record_errors, write_atomically
from cosim.study.check import check_study
from cosim.tables.decoders import DecoderScore
from cosim.tables.results import Score, read_parquet
from energy_models.analysis.uncertainty import quantity_draws
from energy_models.calibration import read_board_table
from energy_models.errors import CosimError, DataError, StudentError, StudyError, errors_placed
from energy_models.quantities import Quantity
from students.interchange import read_network
from students.models.build import build
from students.models.store import WEIGHTS, load_student, save_student
from students.models.tensor_files import write_tensors
from students.models.weights import load_weights
from tests.cosim.eeglab_file import write_eeglab
from tests.cosim.recording_files import noise, write_edf, write_fif, write_persyst
from tests.cosim.trial_files import write_trials
from tests.robustness.trained import STUDENT

BOARD = "board,network,conv_macs,layers,energy_uj,power_mw,latency_ms,clock_mhz,software\nb,n,1000,2,{},1,1,100,s\n"


@pytest.mark.parametrize("text", ["5e-324", "1e308", "0", "nan"])
def test_a_measured_figure_is_one_that_can_be_measured(tmp_path: Path, text: str) -> None:
    """In SI 5e-324 uJ are no joules at all, whose logarithm is none."""
    (tmp_path / "boards.csv").write_text(BOARD.format(text))
    with pytest.raises(DataError, match=r"boards.csv line 2: energy_uj = .*Write a number from 1e-12 to 1e\+12"):
        read_board_table(tmp_path / "boards.csv")


def test_parts_of_a_fif_file_that_lead_back_are_refused(tmp_path: Path) -> None:
    path = write_fif(tmp_path / "one_raw.fif", noise(3.0))
    data = bytearray(path.read_bytes())
    data[12:16] = struct.pack(">i", 36)  # past the identification of 16 + 20 bytes, where the next part stands
    assert read_continuous(path).steps == 300
    data[36 + 12 : 36 + 16] = struct.pack(">i", 36)  # itself
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"one_raw.fif: the part at byte 36 states \d+ bytes and leads to byte 36"):
        read_continuous(path)


def test_a_text_of_an_array_that_is_no_character_is_refused(tmp_path: Path) -> None:
    """Numpy reads it, and Python raises SystemError wherever it is used."""
    labels = np.array(["a", "b"])
    labels.view(np.uint32)[0] = 0x110000
    np.save(tmp_path / "session.npy", labels)
    with pytest.raises(DataError, match=r"session.npy: an array cannot be read \(ValueError: a text holds"):
        files.read_npy(tmp_path / "session.npy")


def test_text_is_no_variable_of_numbers(tmp_path: Path) -> None:
    savemat(tmp_path / "own.mat", {"X": "text", "Y": np.array([1 + 1j])})
    for name, kind in (("X", "text"), ("Y", "complex")):
        with pytest.raises(DataError, match=f"own.mat: variable '{name}' is {kind}, not an array of real numbers"):
            files.read_mat(tmp_path / "own.mat", (name,), corpus="x", fetch="y")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("fill", [1e308, np.nan])
def test_numbers_too_large_are_told_without_a_warning_of_numpy(tmp_path: Path, fill: float) -> None:
    inputs = np.random.default_rng(0).normal(0, 10, (4, 2, 8))
    inputs[0, 0, 0] = fill
    np.savez(tmp_path / "own.npz", inputs=inputs, targets=np.arange(4) % 2)
    options = {"path": "own.npz", "task": "classification", "rate_hz": 8.0, "source_bits": 16, "output_names": "L,R"}
    with pytest.raises(DataError, match=r"own.npz: example 1: not-a-number or infinite values in channel 0, "):
        load("arrays", data_dir=tmp_path, options=options)


def test_amplitudes_are_told_with_their_file(tmp_path: Path) -> None:
    inputs = np.random.default_rng(0).normal(0, 1e9, (4, 2, 8))
    np.savez(tmp_path / "own.npz", inputs=inputs, targets=np.arange(4) % 2)
    options = {"path": "own.npz", "task": "classification", "rate_hz": 8.0, "source_bits": 16, "output_names": "L,R"}
    with pytest.raises(DataError, match=r"own.npz: inputs: amplitudes no electrode gives"):
        load("arrays", data_dir=tmp_path, options={**options, "unit": "µV"})


def test_weights_that_are_no_numbers_are_refused_wherever_they_come_from(tmp_path: Path) -> None:
    """1e308 is a number in double precision, and none in the network's single precision."""
    model = build(STUDENT)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    name = next(name for name, tensor in state.items() if tensor.is_floating_point())
    save_file({**state, name: torch.full_like(state[name], 1e308, dtype=torch.float64)}, tmp_path / "own.safetensors")
    with pytest.raises(StudentError, match=f"own.safetensors: {name} holds numbers that are not finite"):
        load_weights(model, tmp_path / "own.safetensors")
    save_student(tmp_path / "saved", build(STUDENT), STUDENT, {})
    wrong = {**state, name: torch.full_like(state[name], torch.nan)}
    metadata = {"schema": "cosim.student/2", "spec_digest": STUDENT.digest}
    write_tensors(tmp_path / "saved" / WEIGHTS, wrong, metadata)
    with pytest.raises(StudentError, match=f"{WEIGHTS}: {name} holds numbers that are not finite"):
        load_student(tmp_path / "saved")


def test_a_column_of_another_kind_is_told(tmp_path: Path) -> None:
    import dataclasses

    names = [field.name for field in dataclasses.fields(DecoderScore)]
    pd.DataFrame({name: ["x"] for name in names}).to_parquet(tmp_path / "decoders.parquet", index=False)
    with pytest.raises(CosimError, match=r"decoders.parquet: columns differ .*score_mean holds (large_)?string"):
        read_parquet(tmp_path / "decoders.parquet", DecoderScore)
    pd.DataFrame({name: ["x"] for name in names}).to_parquet(tmp_path / "scores.parquet", index=False)
    with pytest.raises(CosimError, match=r"scores.parquet: columns differ from the schema .*: missing "):
        read_parquet(tmp_path / "scores.parquet", Score)


def test_records_that_do_not_go_together_are_told_with_the_way_on(tmp_path: Path) -> None:
    with pytest.raises(CosimError, match=rf"{tmp_path}: tables and records .* \(KeyError: 'a'\).*cosim resume"), \
            record_errors(tmp_path):  # fmt: skip
        raise KeyError("a")


def test_a_folder_where_a_table_is_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "results.csv").mkdir()
    with pytest.raises(CosimError, match=r"results.csv: this file cannot be written \(Is a directory\)"):
        write_atomically(tmp_path / "results.csv", "x")


def test_an_error_gets_the_place_it_lacks_once() -> None:
    for where, said in (("", "f.npz: bad. Mend it"), ("axis 1", "f.npz: axis 1: bad. Mend it"),
                        ("f.npz", "f.npz: bad. Mend it")):  # fmt: skip
        with pytest.raises(DataError) as caught, errors_placed("f.npz"):
            raise DataError("bad", where=where, remedy="Mend it")
        assert str(caught.value) == said


@pytest.mark.parametrize("packed", [False, True])
def test_an_element_of_an_unknown_type_in_a_matlab_file_is_refused(tmp_path: Path, packed: bool) -> None:
    """Scipy's reader ends the process on it: type 9, double precision, is 0 in a field of a structure."""
    import zlib

    savemat(tmp_path / "own.mat", {"s": {"a": 1.5, "b": np.arange(6.0).reshape(2, 3)}, "c": np.ones((3, 2))})
    assert files.read_mat(tmp_path / "own.mat", ("c",), corpus="x", fetch="y")["c"].shape == (3, 2)
    data = bytearray((tmp_path / "own.mat").read_bytes())
    place = data.index(struct.pack("<IId", 9, 8, 1.5))
    data[place] = 0
    if packed:
        size = int.from_bytes(data[132:136], "little") + 8
        element = zlib.compress(bytes(data[128 : 128 + size]))
        data[128 : 128 + size] = struct.pack("<II", 15, len(element)) + element
    (tmp_path / "own.mat").write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"own.mat: .* \(ValueError: an element states type 0 and 8 bytes"):
        files.read_mat(tmp_path / "own.mat", ("c",), corpus="x", fetch="y")


def test_complex_weights_are_refused(tmp_path: Path) -> None:
    state = {name: tensor.clone() for name, tensor in build(STUDENT).state_dict().items()}
    name = next(name for name, tensor in state.items() if tensor.is_floating_point())
    save_file({**state, name: state[name].to(torch.complex64)}, tmp_path / "own.safetensors")
    with pytest.raises(StudentError, match=f"own.safetensors: {name} holds complex numbers"):
        load_weights(build(STUDENT), tmp_path / "own.safetensors")


@pytest.mark.parametrize("bits", [1e38, float("nan"), float("inf"), 33.0, 2.5, 0.0])
def test_a_quantiser_of_a_width_that_none_has_is_refused(tmp_path: Path, bits: float) -> None:
    """Python computes 2 to the power of 1e38 for ever."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from students.interchange import read_network

    stored = {"w": np.ones((4, 3), np.float32), "s": np.float32(0.1), "z": np.float32(0), "b": np.float32(bits)}
    nodes = [
        helper.make_node("Quant", ["w", "s", "z", "b"], ["wq"], "weights", domain="qonnx.custom_op.general", signed=1),
        helper.make_node("MatMul", ["x", "wq"], ["y"], "product"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in (("x", 4), ("y", 3))]
    kept = [numpy_helper.from_array(np.asarray(one), name) for name, one in stored.items()]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 1)]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], kept)
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), str(tmp_path / "own.onnx"))
    with pytest.raises(StudentError, match=r"own.onnx: 1 of 2 nodes .*weights .*a width of .* bits, not one whole"):
        read_network(tmp_path / "own.onnx")


def test_dates_of_every_year_are_read(tmp_path: Path) -> None:
    """Nanoseconds since 1970 reach from 1677 to 2262 only; an amplifier whose clock was reset writes others."""
    samples = noise(3.0, [100])
    for year in (120, 1600, 2024, 2500):
        rows = [f"{year:04d}-01-01T00:00:{n / 100:09.6f},{x:.3f},{'L' if n in {50, 100} else 'R' if n == 150 else ''}"
                for n, x in enumerate(samples[0])]  # fmt: skip
        (tmp_path / "own.csv").write_text("\n".join(["time,C3 (uV),marker", *rows]) + "\n", encoding="utf-8")
        options = {"files": "own.csv", "classes": "L,R", "source_bits": 16, "start_s": 0.0, "stop_s": 0.5}
        found = load("mne_file", data_dir=tmp_path, options=options)
        np.testing.assert_allclose(found.windows.inputs()[:, 0, 0], samples[0, [50, 100, 150]], atol=1e-3)


@pytest.mark.parametrize("onset", ["inf", "1e308", "-1e300", "n/a"])
def test_events_of_no_time_in_a_table_of_bids_are_left_out(tmp_path: Path, onset: str) -> None:
    samples = noise(8.0, [200, 400])
    write_edf(tmp_path / "sub-01_task-x_eeg.edf", samples, range(8), kind="EDF+C")
    rows = [f"{onset}\t1\tL", "2.0\tinf\tL", "4.0\t1e308\tR"]
    text = "\n".join(["onset\tduration\ttrial_type", *rows]) + "\n"
    (tmp_path / "sub-01_task-x_events.tsv").write_text(text, encoding="utf-8")
    options = {"files": "*.edf", "classes": "L,R", "source_bits": 16, "start_s": 0.0, "stop_s": 1.0, "events": "bids"}
    found = load("mne_file", data_dir=tmp_path, options=options)
    assert found.target_values.tolist() == [0, 1]
    assert any("1 event(s) have no onset" in note for note in found.notes)


def test_a_link_to_itself_is_replaced_by_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.symlink_to(path)
    write_atomically(path, "x")
    assert path.read_text(encoding="utf-8") == "x"


@pytest.mark.parametrize("ending", ["_raw.fif", "_raw.fif.gz", "-epo.fif", "-epo.fif.gz"])
def test_parts_that_lead_back_are_refused_in_trials_and_packed_files(tmp_path: Path, ending: str) -> None:
    samples = noise(4.0, [100, 200, 300])
    plain = tmp_path / ending.removesuffix(".gz")
    if ending.startswith("-epo"):
        write_trials(plain, 0.0, 0.5, {100: "L", 200: "R", 300: "L"}, samples)
    else:
        write_fif(plain, samples, [(1.0, 0.0, "L"), (2.0, 0.0, "R")])
    data = bytearray(plain.read_bytes())
    data[12:16] = data[36 + 12 : 36 + 16] = struct.pack(">i", 36)  # the part after the identification of 16 + 20 bytes
    (tmp_path / ending).write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    options = {"files": ending, "classes": "L,R", "source_bits": 16, "start_s": 0.0, "stop_s": 0.5}
    with pytest.raises(DataError, match=rf"{ending}: .*leads to byte 36"):
        load("mne_file", data_dir=tmp_path, options=options)


@pytest.mark.parametrize("time", ["1e308", "-1e300", "inf"])
def test_a_time_stamp_that_no_clock_shows_is_refused(tmp_path: Path, time: str) -> None:
    rows = [f"{n / 100 if n != 50 else time},{x:.3f},L" for n, x in enumerate(noise(3.0)[0])]
    (tmp_path / "own.csv").write_text("\n".join(["time_s,C3 (uV),marker", *rows]) + "\n", encoding="utf-8")
    options = {"files": "own.csv", "classes": "L,R", "source_bits": 16, "start_s": 0.0, "stop_s": 0.5}
    with pytest.raises(DataError, match=r"own.csv: 1 of 300 time stamps are no numbers"):
        load("mne_file", data_dir=tmp_path, options=options)


def test_a_matrix_without_sizes_in_a_matlab_file_is_refused(tmp_path: Path) -> None:
    """Scipy's reader ends the process on it, in cells and fields of an EEGLAB header as well."""
    path = write_eeglab(tmp_path / "one.set", noise(4.0), [(1.0, "L"), (2.0, "R")])
    data = path.read_bytes()
    place = data.index(struct.pack("<IIii", 5, 8, 1, 2))  # of the channel's name, C3
    options = {"files": "one.set", "classes": "L,R", "source_bits": 16, "start_s": 0.0, "stop_s": 1.0}
    assert load("mne_file", data_dir=tmp_path, options=options).windows.inputs().shape[0] == 2
    for sizes in (struct.pack("<IIii", 5, 0, 1, 2), struct.pack("<IIii", 5, 4, 1, 2), struct.pack("<IIii", 5, 8, -1, 2),
                  struct.pack("<IIii", 9, 8, 1, 2)):  # fmt: skip
        path.write_bytes(data[:place] + sizes + data[place + 16 :])
        with pytest.raises(DataError, match=r"one.set: .* \(ValueError: a matrix (of .* )?states (its|the) sizes"):
            load("mne_file", data_dir=tmp_path, options=options)


def test_a_cell_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    savemat(tmp_path / "own.mat", {"c": np.array([["a", 1.0]], dtype=object), "x": np.ones(3)})
    data = (tmp_path / "own.mat").read_bytes()
    place = data.index(struct.pack("<IIii", 5, 8, 1, 2))
    (tmp_path / "own.mat").write_bytes(data[:place] + struct.pack("<IIii", 5, 8, 1 << 20, 1 << 10) + data[place + 16 :])
    with pytest.raises(DataError, match=r"own.mat: .*a matrix of 1\d\d bytes states the sizes \[1048576, 1024\]"):
        files.read_mat(tmp_path / "own.mat", ("x",), corpus="x", fetch="y")


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "../" * 2000])
def test_a_name_that_no_file_can_have_is_told(tmp_path: Path, name: str) -> None:
    study = {"study": {"name": "x"}, "hardware": {"profiles": [name], "sites": [name]}}
    with pytest.raises(StudyError, match=r"hardware.profiles.0: there is no"):
        check_study(study, where="own.toml")
    options = {"path": name, "task": "classification", "rate_hz": 8.0, "source_bits": 16, "output_names": "L,R"}
    with pytest.raises(DataError, match="was not found"):
        load("arrays", data_dir=tmp_path, options=options)
    for opened in (load_run, load_saved):
        with pytest.raises(CosimError, match=r"no run|no saved student"):
            opened(name)


def test_what_a_reader_prints_is_a_note(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_persyst(tmp_path / "one.lay", noise(4.0), [(1.0, "L"), (2.0, "R")])
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"(?m)^BirthDate=.*$", "BirthDate=none/", text), encoding="utf-8")
    found = read_continuous(path)
    assert any("Unable to process birthdate" in note for note in found.notes)
    assert capfd.readouterr().out == ""


@pytest.mark.filterwarnings("error")
def test_draws_of_a_constant_do_not_overflow() -> None:
    known = {"unit": "V", "basis": "assumed", "source": "design_choice", "where": "here", "note": "for a test"}
    with pytest.raises(ValidationError, match=r"high must be 1e[+]30 at most, in SI units"):
        Quantity.model_validate({"value": 1.0, "low": 1.0, "high": 1e308, **known})
    for low, value in ((1e-30, 1.0), (5e-324, 1.0), (5e-324, 5e-324), (0.0, 1.0)):
        widest = Quantity.model_validate({"value": value, "low": low, "high": 1e30, **known})
        assert np.isfinite(quantity_draws(widest, np.array([-8.2, 0.0, 8.2]))).all()


@pytest.mark.parametrize("kind", ["graph", "text", "unknown"])
def test_a_size_that_is_no_number_in_a_network_file_is_told(tmp_path: Path, kind: str) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
    helper, path = onnx.helper, tmp_path / "one.onnx"
    node = helper.make_node("Conv", ["x", "k"], ["y"], kernel_shape=[3])
    size = node.attribute[0]
    size.ClearField("ints")
    size.type = {"graph": size.GRAPH, "text": size.STRING, "unknown": size.UNDEFINED}[kind]
    size.s = b"three" if kind == "text" else b""
    ends = [helper.make_tensor_value_info(*one) for one in (("x", 1, [1, 1, 8]), ("y", 1, [1, 1, 6]))]
    weight = onnx.numpy_helper.from_array(np.ones((1, 1, 3), np.float32), "k")
    graph = helper.make_graph([node], "net", ends[:1], ends[1:], [weight])
    path.write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(StudentError, match=r"one.onnx: .*(kernel_shape is no number|Conv)"):
        read_network(path)


@pytest.mark.parametrize("name", [b"own.domain", b"matmul_1", b"MatMul", b"weight_1", b"signal_1"])
def test_a_name_that_is_no_text_in_a_network_file_is_told(tmp_path: Path, name: bytes) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
    helper, path = onnx.helper, tmp_path / "one.onnx"
    ends = [helper.make_tensor_value_info(*one) for one in (("signal_1", 1, [1, 4]), ("y", 1, [1, 3]))]
    nodes = [helper.make_node("MatMul", ["signal_1", "weight_1"], ["a"], "matmul_1"),
             helper.make_node("Own", ["a"], ["y"], domain="own.domain")]  # fmt: skip
    weight = onnx.numpy_helper.from_array(np.ones((4, 3), np.float32), "weight_1")
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], [weight])
    whole = helper.make_model(graph).SerializeToString()
    path.write_bytes(whole.replace(name, b"\xff" + name[1:]))
    with pytest.raises(StudentError, match=r"one.onnx: it is damaged"):
        read_network(path)


@pytest.mark.filterwarnings("error")
def test_a_time_constant_of_zero_in_a_network_file_is_told(tmp_path: Path) -> None:
    nir = pytest.importorskip("nir", reason="the extra 'export' is not installed")
    ones, path = np.ones(2, np.float32), tmp_path / "one.nir"
    neuron = nir.LIF(tau=np.zeros(2, np.float32), r=ones, v_leak=0 * ones, v_threshold=ones, v_reset=0 * ones)
    ends = {"input": nir.Input(np.array([2])), "l": neuron, "output": nir.Output(np.array([2]))}
    nir.write(path, nir.NIRGraph(ends, [("input", "l"), ("l", "output")], type_check=False))
    with pytest.raises(StudentError, match=r"a step of 0.01 s for time constants down to 0.0 s"):
        read_network(path, 0.01)
