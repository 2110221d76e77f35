"""Students as code: from a run, from a folder, on the command line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_study import cosim as command

import cosim
from cosim.api.student import check_replaceable
from energy_models.errors import CosimError
from students.deploy.emulator import absent_tools
from students.interchange import read_network

GCC = shutil.which("gcc")


def runs(folder: Path, name: str) -> str:
    """Compile what was written, run its test vectors, and return what the program says."""
    if GCC is None:
        pytest.skip("gcc is not installed")
    program = folder / "check"
    sources = [str(folder / f"{name}.c"), str(folder / f"{name}_check.c")]
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    subprocess.run([GCC, *flags, *sources, "-o", str(program)], check=True)
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout


def test_a_decoder_of_a_run_is_written_and_passes_its_test_vectors(finished: Path, tmp_path: Path) -> None:
    code, out, said = command("export", f"{finished}:EEGNet-1 w4a4", "--out", str(tmp_path), "--name", "net", "--json")
    assert code == 0, said
    told = json.loads(out)
    assert told["entry"] == "window"
    assert told["test_vectors"] == "12 held-out examples"
    assert (told["decisions_changed"], told["decisions_compared"]) == (0, 12)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(told["files"])
    assert runs(tmp_path, "net") == "0 of 24 outputs differ\n"


def test_codes_are_those_of_the_converter_with_the_standardisation_in_the_graph(finished: Path, tmp_path: Path) -> None:
    student = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student()
    written = cosim.export(student, tmp_path, examples=4)
    assert written.agreement.differing == 0
    assert written.agreement.decisions == 4
    assert written.graph.codes.scale.shape == (4,)
    assert np.abs(written.graph.codes.offset).max() < 1
    assert {"what": "test vectors", "value": "4 held-out examples"} in written.rows()


def test_the_studys_filters_are_written_in_front(finished: Path, tmp_path: Path) -> None:
    """An average reference and a band-pass: codes of 16 bits, all of them, and every decision on held-out examples."""
    where = ("export", f"{finished}:EEGNet-1 w4a4", "--out", str(tmp_path), "--name", "net")
    told = command(*where, "--sample-step", "0.01", "--json")
    assert told[0] == 0, told[2]
    said = json.loads(told[1])
    assert (said["input_bits"], said["sample_signed"]) == (16, True)
    assert said["decisions_changed"] == 0
    assert {"net_chain.h", "net_chain.c", "net_chain_check.c"} <= set(said["files"])
    assert runs(tmp_path, "net") == "0 of 24 outputs differ\n"
    assert runs(tmp_path, "net_chain") == "0 of 2048 codes differ\n"
    again = cosim.export(f"{finished}:EEGNet-1 w4a4", tmp_path / "two", sample_step=0.01)
    assert again.chain is not None
    assert {"what": "samples", "value": f"signed samples of {again.chain.bits} bits"} in again.rows()


@pytest.mark.parametrize(("step", "why"), [(1e-30, "most of .* beyond all codes"), (1e9, "all of .* the code 0")])
def test_steps_far_from_the_recordings_are_refused_with_those_that_make_sense(
    finished: Path, tmp_path: Path, step: float, why: str
) -> None:
    student = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student()
    with pytest.raises(CosimError, match=f"in steps of .*: {why}.* units of the recordings: between") as told:
        cosim.export(student, tmp_path / "a", sample_step=step)
    least, most = (float(text) for text in re.findall(r"[0-9.]+(?:e[+-]?[0-9]+)?(?= and|$)", str(told.value))[-2:])
    assert 0 < least < 0.01 < most < 1e9


def test_filters_that_cannot_be_written_are_refused(finished: Path, tmp_path: Path) -> None:
    student = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student()
    with pytest.raises(CosimError, match="samples in steps of 0"):
        cosim.export(student, tmp_path / "a", sample_step=0.0)
    with pytest.raises(CosimError, match="filters in qonnx"):
        cosim.export(student, tmp_path / "a", format="qonnx", sample_step=0.1)
    saved = student.save(tmp_path / "saved")
    with pytest.raises(CosimError, match="its recordings are not known"):
        cosim.export(str(saved), tmp_path / "a", sample_step=0.1)
    assert not (tmp_path / "a").exists()


def test_a_copied_student_takes_codes_of_its_own_grid(finished: Path, tmp_path: Path) -> None:
    student = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student()
    saved = student.save(tmp_path / "saved")
    written = cosim.export(str(saved), tmp_path / "code")
    assert (written.graph.codes.bits, written.vectors) == (8, "16 examples of noise")
    assert runs(tmp_path / "code", "decoder") == "0 of 32 outputs differ\n"


@pytest.mark.slow
def test_instructions_by_layer_on_an_emulated_board(finished: Path, tmp_path: Path) -> None:
    if missing := absent_tools():
        pytest.skip(f"not installed: {', '.join(missing)}")
    where = ("export", f"{finished}:EEGNet-1 w4a4", "--out", str(tmp_path), "--board", "cortex-m4")
    code, out, said = command(*where, "--json")
    assert code == 0, said
    told = json.loads(out)["emulated"]
    assert (told["calls"], told["outputs"], told["board"]) == (12, 24, "cortex-m4")
    assert all(one["instructions"] > 0 for one in told["layers"])
    code, out, said = command(*where)
    assert code == 0, said
    assert "instructions on cortex-m4 (not cycles)" in out


def test_an_absent_emulator_is_said_before_anything_is_written(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CosimError, match="qemu-system-arm"):
        cosim.export(f"{finished}:EEGNet-1 w4a4", tmp_path / "code", board="cortex-m4")
    assert not (tmp_path / "code").exists()


@pytest.mark.parametrize("dialect", ["qonnx", "qcdq"])
def test_a_decoder_as_onnx_decides_as_the_student_and_says_what_codes_stand_for(
    finished: Path, tmp_path: Path, dialect: str
) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    pytest.importorskip("onnxoptimizer", reason="the extra 'export' is not installed")
    code, out, said = command(
        "export", f"{finished}:EEGNet-1 w4a4", "--out", str(tmp_path), "--format", dialect, "--json"
    )
    assert code == 0, said
    told = json.loads(out)
    assert told["files"] == ["decoder.onnx", "decoder_vectors.npz", "decoder_student.json"]
    assert (told["decisions_compared"], told["decisions_changed"]) == (12, 0)
    assert told["largest_difference"] < 1e-6
    properties = {one.key: json.loads(one.value) for one in onnx.load(str(tmp_path / "decoder.onnx")).metadata_props}
    vectors = np.load(tmp_path / "decoder_vectors.npz")
    scale, offset = (np.reshape(properties[f"input_{name}"], (-1, 1)) for name in ("scale", "offset"))
    np.testing.assert_allclose(vectors["codes"] * scale + offset, vectors["inputs"], rtol=1e-5, atol=1e-6)
    if dialect == "qcdq":
        settings = runtime.SessionOptions()
        settings.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        session = runtime.InferenceSession(tmp_path / "decoder.onnx", settings)
        found = np.concatenate([session.run(None, {"input": one[None]})[0] for one in vectors["inputs"]])
        np.testing.assert_allclose(found, vectors["outputs"], atol=1e-6)


def test_an_onnx_file_that_computes_something_else_is_not_written(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxoptimizer", reason="the extra 'export' is not installed")
    reader = "cosim.api.export.network_file.read_network"
    monkeypatch.setattr(reader, lambda _: lambda given: torch.zeros(len(given), 2))
    with pytest.raises(CosimError, match=r"eegnet w4a4: .*computes something else: outputs differ.*Write C instead"):
        cosim.export(f"{finished}:EEGNet-1 w4a4", tmp_path / "net", format="qcdq")
    assert not (tmp_path / "net").exists()


def test_fewer_test_vectors_than_asked_for_are_told(finished: Path, tmp_path: Path) -> None:
    written = cosim.export(f"{finished}:EEGNet-1 w4a4", tmp_path, examples=100_000)
    assert {"what": "test vectors", "value": "12 held-out examples, 99,988 fewer than asked for"} in written.rows()
    assert written.to_dict()["test_vectors_absent"] == 99_988


NO_INTEGERS = "float32, which has no integers"


@pytest.mark.parametrize(
    ("label", "words"),
    [("EEGNet-1 float32", NO_INTEGERS), ("Spikes spiking", NO_INTEGERS), ("nothing", "there is no decoder")],
)
def test_what_cannot_be_written_is_said(finished: Path, tmp_path: Path, label: str, words: str) -> None:
    code, _, said = command("export", f"{finished}:{label}", "--out", str(tmp_path))
    assert code == 2
    assert words in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", ["c", "qcdq"])
def test_where_it_cannot_be_written_is_said(finished: Path, tmp_path: Path, format: str) -> None:
    student = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student()
    taken = tmp_path / "taken"
    taken.write_text("a file")
    for folder, why in ((taken, "it is a file"), (taken / "below", "")):
        with pytest.raises(CosimError, match=f"cannot write.*{why}"):
            cosim.export(student, folder, format=format)
    assert taken.read_text() == "a file"


def test_an_export_replaces_an_older_one(finished: Path, tmp_path: Path) -> None:
    student = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student()
    cosim.export(student, tmp_path, examples=2)
    written = cosim.export(student, tmp_path, weights="packed")
    assert {path.name for path in tmp_path.iterdir()} == set(written.files)
    assert runs(tmp_path, "decoder") == "0 of 24 outputs differ\n"


def test_an_export_of_another_student_is_not_replaced(finished: Path, tmp_path: Path) -> None:
    student = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student()
    cosim.export(student, tmp_path, examples=2)
    kept = (tmp_path / "decoder_weights.h").read_bytes()
    with torch.no_grad():
        next(student.model.parameters()).mul_(-1.0)
    with pytest.raises(CosimError, match=r"it holds 'decoder' of another student already.*--name"):
        cosim.export(student, tmp_path, examples=2)
    assert (tmp_path / "decoder_weights.h").read_bytes() == kept


def test_a_saved_student_is_replaced_by_itself_only(finished: Path, tmp_path: Path) -> None:
    student = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student()
    student.save(tmp_path)
    check_replaceable(tmp_path, student.spec, student.facts)
    quantised = ("quantize", f"{finished}:EEGNet-1 float32", "ptq w8a8", "--out", str(tmp_path))
    code, _, said = command(*quantised)
    assert (code, "it holds another student already (eegnet w4a4)" in said) == (2, True), said
    assert cosim.load_student(tmp_path).spec == student.spec


def test_the_code_of_the_guide_compiles_and_decides(finished: Path, tmp_path: Path) -> None:
    if GCC is None:
        pytest.skip("gcc is not installed")
    cosim.export(cosim.load_run(finished).decoder("EEGNet-1 w4a4").student(), tmp_path)
    guide = (Path(__file__).parents[2] / "docs" / "howto" / "export.md").read_text()
    include, _, body = guide.partition("```c\n")[2].partition("```")[0].partition("\n")
    body = body.replace("decoder_push(sample);", "for (int t = 0; t < DECODER_STEPS; t++) decoder_push(sample);")
    body = body.replace("decoder_code_t sample", "static decoder_code_t sample")
    body = body.replace("decoder_class(logits);", "decoder_class(logits); return intent >= DECODER_OUTPUTS;")
    (tmp_path / "main.c").write_text(f"{include}\nint main(void)\n{{\n{body}\nreturn 2;\n}}\n")
    sources = [str(tmp_path / file) for file in ("main.c", "decoder.c", "decoder_stream.c")]
    subprocess.run([GCC, "-std=c99", "-Wall", "-Werror", *sources, "-o", str(tmp_path / "main")], check=True)
    subprocess.run([str(tmp_path / "main")], check=True)


def test_a_student_without_recordings_whose_input_grid_is_damaged(finished: Path, tmp_path: Path) -> None:
    saved = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student().save(tmp_path / "saved")
    weights = next(path for path in Path(saved).iterdir() if path.suffix == ".safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    code, _, said = command("export", str(saved), "--out", str(tmp_path / "code"))
    assert code == 2
    assert "Traceback" not in said
    assert not (tmp_path / "code").exists()


def test_mistakes_of_a_call(finished: Path, tmp_path: Path) -> None:
    student = cosim.load_run(finished).decoder("EEGNet-1 w4a4").student()
    with pytest.raises(CosimError, match="unknown format"):
        cosim.export(student, tmp_path, format="cobol")
    with pytest.raises(CosimError, match="names no files"):
        cosim.export(student, tmp_path, name="../net")
    with pytest.raises(CosimError, match="runs on no board"):
        cosim.export(student, tmp_path, format="qonnx", board="cortex-m4")
    with pytest.raises(CosimError, match="unknown way to store weights 'zip'"):
        cosim.export(student, tmp_path, weights="zip")
    with pytest.raises(CosimError, match="0 test vectors"):
        cosim.export(student, tmp_path, examples=0)
    with pytest.raises(CosimError, match="no run"):
        cosim.export("nowhere:EEGNet", tmp_path)
    with pytest.raises(CosimError, match="no saved student"):
        cosim.export(tmp_path, tmp_path)


def test_a_spiking_decoder_as_nir_computes_what_the_student_does(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("nir", reason="the extra 'export' is not installed")
    data = cosim.load_dataset("synthetic_spikes", units=6, steps=1000)
    student = cosim.train(
        "spiking_mlp", data, options={"hidden_1": 4, "hidden_2": 4}, training={"epochs": 1, "batch_size": 8},
        inputs="raw", out=tmp_path / "kept",
    )  # fmt: skip
    written = cosim.export(student, tmp_path / "net", format="nir")
    assert written.files == ("decoder.nir", "decoder_vectors.npz", "decoder_student.json")
    vectors = np.load(tmp_path / "net" / "decoder_vectors.npz")
    with torch.inference_mode():
        outputs = read_network(tmp_path / "net" / "decoder.nir")(torch.from_numpy(vectors["inputs"]))
    np.testing.assert_allclose(outputs.transpose(1, 2).numpy(), vectors["outputs"], atol=1e-5)
    code, _, said = command("export", f"{finished}:EEGNet-1 w4a4", "--out", str(tmp_path / "no"), "--format", "nir")
    assert code == 2
    assert "its form is w4a4, and NIR has no integer grids" in said
    assert not (tmp_path / "no").exists()


def test_widths_are_learned_on_the_command_line(own_run: Path, tmp_path: Path) -> None:
    """Whose widths, and for which machine, are asked of widths that are learned only."""
    told = ("quantize", f"{own_run}:EEGNet-1 float32", "w4a4", "--epochs", "2", "--out", str(tmp_path / "out"))
    for alone in (("--learned", "both"), ("--machine", "gap9"), ("--decode-rate", "2")):
        code, _, said = command(*told, *alone)
        assert code != 0
        assert "Give --bit-penalty too" in said
    machine = ("--machine", "asic65_near_memory", "--decode-rate", "2Hz")
    code, out, said = command(*told, "--bit-penalty", "1e3", "--learned", "both", *machine, "--json")
    assert code == 0, said
    form = said.partition("Learned widths: ")[2].splitlines()[0]
    assert json.loads(out)["student"].endswith(form)
