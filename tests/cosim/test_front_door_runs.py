"""The front door's runs and training: the same stages, results and prices as a study's, in a few lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tiny_study import TINY
from tiny_study import cosim as command

import cosim
from cosim.engine.local_store import LocalStore
from energy_models.errors import CosimError
from energy_models.workload import Workload
from students.models import load_extra

ROOT = Path(__file__).resolve().parents[2]
OPTIONS: dict[str, Any] = {"channels": 4, "sessions": 2, "runs": 1, "trials": 12, "rate_hz": 64.0, "trial_s": 1.0}
QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 8}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> cosim.Run:
    """A run of a script as a user writes one: no function, no ``if __name__``."""
    folder = tmp_path_factory.mktemp("script")
    (folder / "tiny.toml").write_text(TINY)
    script = folder / "script.py"
    lines = ["import cosim", "run = cosim.run('tiny.toml', out='run', settings=['study.seeds=[0]'])", "print(run)"]
    script.write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, cwd=folder, check=False, env=_environment()
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<Run: tiny in run: 6 decoders on 2 machines, 2 sites>")
    last = [line for line in done.stderr.splitlines() if "points finished" in line][-1]
    assert last.startswith("12 of 12 points finished; best on validation ")
    assert " left; " in done.stderr
    assert " left" not in last
    return cosim.load_run(folder / "run")


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def data() -> Any:
    return cosim.load_dataset("synthetic_eeg", **OPTIONS)


def test_results_are_one_flat_table_that_files_hold_too(finished: cosim.Run) -> None:
    table = finished.results
    assert len(table) == 5 * 4 + 1  # a teacher has a score and no price
    for name in table.columns:
        assert not table[name].astype(str).str.startswith(("{", "[")).any(), name
    needed = {"decoder", "form", "weight_bits", "score", "score_low", "machine", "site", "power_w", "verdict"}
    assert needed <= set(table)
    assert table.columns.is_unique
    pd.testing.assert_frame_equal(pd.read_parquet(finished.folder / "results.parquet"), table)
    assert pd.read_csv(finished.folder / "results.csv").columns.tolist() == table.columns.tolist()
    student = table[table["decoder"] == "EEGNet-1 w4a4"]
    assert set(student["options"]) == {"temporal_filters=1"}
    assert set(student["weight_bits"]) == {4}


def test_results_follow_prices_when_a_page_is_written_again(finished: cosim.Run) -> None:
    table = finished.folder / "results.csv"
    before = table.read_text()
    table.write_text("")
    code, _, said = command("report", str(finished.folder), "--reprice")
    assert code == 0, said
    assert table.read_text() == before


def test_what_a_machine_cannot_run_has_no_power(finished: cosim.Run) -> None:
    table = finished.results
    cannot = table["verdict"] == "does not fit the machine"
    assert cannot.any()
    assert table.loc[cannot, ["power_w", "decoder_power_w", "decode_energy_j", "headroom"]].isna().all(axis=None)
    assert table.loc[~cannot & (table["machine"] != ""), "power_w"].notna().all()


def test_front_and_feasibility_at_one_place(finished: cosim.Run) -> None:
    front = finished.pareto("cortex_m4f", "headset_commodity")
    assert set(front["machine"]) == {"cortex_m4f"}
    assert front["front"].any()
    whole = finished.pareto(power="total_power")
    assert len(whole) == 20
    fits = finished.feasibility(site="implant_epilepsy")
    assert set(fits["site"]) == {"implant_epilepsy"}
    assert (fits["verdict"] != "").all()


def test_a_decoder_brings_its_network_and_the_work_that_was_priced(finished: cosim.Run) -> None:
    decoder = finished.decoder("EEGNet-1 float32 undistilled")
    work = decoder.workload()
    assert work.layers[3].name == "pipeline.standardise"
    rows = finished.results
    here = rows[(rows["decoder"] == decoder.label) & (rows["machine"] == "cortex_m4f")
                & (rows["site"] == "headset_commodity")].iloc[0]
    reports = [
        cosim.estimate(decoder.workload(fold=fold), "cortex_m4f", "headset_commodity", decode_rate_hz=1).report
        for fold in decoder.folds
    ]
    nominal = [one.total_power_w.nominal for one in reports]
    assert here["power_w"] == pytest.approx(sum(nominal) / len(nominal), rel=1e-12)
    assert decoder.model()(torch.zeros(2, 4, 64)).shape == (2, 2)
    assert decoder.student().workload().layers == work.layers
    assert len(decoder.to_frame()) == 2


def test_training_is_the_study_s_own_stage(finished: cosim.Run, data: Any) -> None:
    student = cosim.train(
        "eegnet", data, split="leave_one_session_out", options={"temporal_filters": 1}, training=QUICK
    )
    theirs = finished.decoder("EEGNet-1 float32 undistilled").student()
    assert student.home is not None
    assert theirs.home is not None
    assert student.home.stage.digest == theirs.home.stage.digest
    for name, value in student.model.state_dict().items():
        assert torch.equal(value, theirs.model.state_dict()[name])
    assert student.test_score == theirs.test_score
    assert student.protocol == theirs.protocol
    assert "pipeline.standardise" in [layer.name for layer in student.workload().layers]


def test_quantising_goes_on_from_a_student_and_keeps_its_fold(data: Any, tmp_path: Path) -> None:
    student = cosim.train("eegnet", data, options={"temporal_filters": 1}, training=QUICK, out=tmp_path / "kept")
    small = cosim.quantize(student, "w4a4")
    assert str(small.spec.form) == "w4a4"
    assert small.facts["fold"] == student.facts["fold"]
    assert small.workload().weight_bits_total < student.workload().weight_bits_total
    stored = [layer for layer in small.workload().layers if layer.weights and not layer.name.startswith("pipeline.")]
    assert {layer.weight_bits for layer in stored} == {4}
    assert cosim.estimate(small, "gap9", "headset_commodity", decode_rate_hz=1).verdict == "fits"
    assert cosim.count(small) == small.workload()
    place = small.save(tmp_path / "copy")
    again = cosim.load_student(place)
    assert again.workload() == small.workload()
    assert again.test_score == small.test_score
    kept = tmp_path / "kept" / "stages" / "quantised"
    (stage,) = kept.iterdir()
    assert cosim.load_student(stage).workload() == small.workload()


def test_rounded_after_training_or_taught_by_the_float_student(data: Any, tmp_path: Path) -> None:
    student = cosim.train("eegnet", data, options={"temporal_filters": 1}, training=QUICK, out=tmp_path / "kept")
    rounded = cosim.quantize(student, "ptq w4a4")
    assert (rounded.spec.training.epochs, rounded.spec.method) == (0, None)
    taught = cosim.quantize(student, "w4a4", method="kl")
    assert taught.spec.method is not None
    assert taught.spec.method.options["weight"] > 0
    assert taught.home is not None
    assert load_extra(LocalStore(tmp_path / "kept").folder(taught.home.stage.key))["distilled_from"] == "float student"
    for given in ({"training": QUICK}, {"method": "kl"}):
        with pytest.raises(CosimError, match="ptq w4a4 is rounded after training, and not trained"):
            cosim.quantize(student, "ptq w4a4", **given)  # type: ignore[arg-type]


def test_widths_are_learned_from_a_student_s_own_recordings(data: Any, tmp_path: Path) -> None:
    student = cosim.train("eegnet", data, options={"temporal_filters": 1}, training=QUICK, out=tmp_path / "kept")
    assert cosim.learn_bits(student, "w4a8", penalty=1e3, training={"epochs": 40}) == "w2a8"
    with pytest.raises(CosimError, match="costs do not fit"):
        cosim.learn_bits(student, penalty=1.0, costs={"x": 1.0})
    drawn = {"machine": "asic65_near_memory", "decode_rate_hz": 2.0}
    given: dict[str, Any] = {"penalty": 1e3, "learned": "both", "training": {"epochs": 40}}
    narrow = cosim.learn_bits(student, "w4a4", **given, **drawn)
    assert narrow != "w4a4"
    assert set(narrow.replace("=", " ").split()) & {"w2a2", "w2a4"}
    with pytest.raises(CosimError, match="fewer bits save gap9 nothing"):
        cosim.learn_bits(student, penalty=1.0, machine="gap9", decode_rate_hz=2.0)
    with pytest.raises(CosimError, match="a machine needs decode_rate_hz"):
        cosim.learn_bits(student, penalty=1.0, machine="gap9")


def test_a_saved_student_is_counted_with_its_preprocessing(finished: cosim.Run) -> None:
    student = finished.decoder("EEGNet-1 w4a4").student()
    assert student.home is not None
    folder = finished.folder / "stages" / student.home.stage.kind / student.home.stage.digest
    counted, held_out = cosim.count(folder), student.workload()
    assert [layer.name for layer in counted.layers] == [layer.name for layer in held_out.layers]
    assert counted.input_bits == held_out.input_bits
    distilled = finished.decoder("EEGNet-1 float32").student()
    assert distilled.home is not None
    again = cosim.count(finished.folder / "stages" / distilled.home.stage.kind / distilled.home.stage.digest)
    assert [layer.name for layer in again.layers][:4] == [layer.name for layer in distilled.workload().layers][:4]


def test_a_sweep_that_trains_joins_scores_with_prices_by_bits(data: Any) -> None:
    table = cosim.sweep(
        "eegnet", data=data, forms=["float32", "w4a4"], machines=["gap9", "cortex_m4f"], sites="headset_commodity",
        over={"site.front_end.power": [1e-6, "3 uW/channel"]}, options={"temporal_filters": 1}, training=QUICK,
    )
    frame = table.to_frame()
    assert len(frame) == 2 * 2 * 2
    assert set(frame["form"]) == {"float32", "w4a4"}
    assert frame["score"].between(0, 1).all()
    assert frame["decode_rate_hz"].unique().tolist() == [1.0]  # windows of a second, side by side
    cheap, dear = (frame[frame["site.front_end.power [W/channel]"] == value]["power_w"] for value in (1e-6, 3e-6))
    assert (dear.dropna().to_numpy() > cheap.dropna().to_numpy()).all()
    assert table.varied == ("form", "decoder", "machine", "site.front_end.power [W/channel]")
    names = [trace.name for trace in table.plot().data if trace.showlegend is not False]
    assert [name for name in names if name[0].isdigit()] == ["1 eegnet float32", "2 eegnet w4a4"]
    assert table.plot().layout.yaxis.range[1] <= 1


def test_everything_shows_itself_in_one_line_and_as_a_small_table(finished: cosim.Run, data: Any) -> None:
    decoder = finished.decoder("EEGNet-1 w4a4")
    for one in (finished, decoder, decoder.student(), data):
        assert len(repr(one).splitlines()) == 1
        assert len(repr(one)) < 300
        assert one._repr_html_().startswith("<table>")
    assert "headset_commodity" in finished.summary()
    assert finished.answer in finished.summary()
    assert "on the test part" in finished.answer
    assert any(str(trace.name).endswith(" EEGNet-1 w4a4") for trace in finished.plot().data)
    assert finished.page().is_file()
    assert "24, 4 channels x 64 steps" in data.summary()
    assert set(data.to_frame()["target"]) == {"left hand", "right hand"}
    with pytest.raises(cosim.CosimError, match=r"not priced for machine 'gap8'. Available machines: cortex_m4f"):
        finished.plot("gap8")
    with pytest.raises(cosim.CosimError, match="there is no power 'total'"):
        finished.plot(power="total")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_a_run_writes_its_figure_for_print(finished: cosim.Run, tmp_path: Path, suffix: str) -> None:
    written = finished.save_figure(tmp_path / f"front.{suffix}", power="total_power")
    assert written.stat().st_size > 4000
    if suffix == "svg":
        text = written.read_text(encoding="utf-8").replace("\u00a0", " ")
        assert set(finished.results.query("front")["decoder"]) <= {name for name in finished.decoders if name in text}
    with pytest.raises(cosim.CosimError, match=r"cannot write \.gif files"):
        finished.save_figure(tmp_path / "front.gif")


def test_an_archived_run_has_results_and_no_networks(finished: cosim.Run, tmp_path: Path) -> None:
    from cosim.tables.archive import write_archive

    archived = cosim.load_run(write_archive(finished.folder, tmp_path / "archived"))
    pd.testing.assert_frame_equal(archived.results, finished.results)
    assert isinstance(archived.decoder("EEGNet-1 w4a4").workload(), Workload)
    with pytest.raises(cosim.CosimError, match="keeps no networks"):
        archived.decoder("EEGNet-1 w4a4").model()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run, data: cosim.train(3, data), "3 is no family's name"),
        (lambda run, data: cosim.train("eegnett", data), "Did you mean 'eegnet'"),
        (lambda run, data: cosim.train("eegnet", 3), "3 of type int is no dataset.*load_dataset"),
        (lambda run, data: cosim.train("eegnet", data.dataset), "of type Dataset is no dataset"),
        (lambda run, data: cosim.train("eegnet", data, split="sesion"), "Did you mean 'leave_one_session_out'"),
        (lambda run, data: cosim.train("eegnet", data, split=3), "3 is no split"),
        (lambda run, data: cosim.train("eegnet", data, split={"method": "leave_one_group_out"}), "group: is missing"),
        (lambda run, data: cosim.train("eegnet", data, options={"x": 1}), "Options are: temporal_filters"),
        (lambda run, data: cosim.train("eegnet", data, training={"epoch": 1}), "did you mean 'epochs'"),
        (lambda run, data: cosim.train("eegnet", data, training=1), "Give a table"),
        (lambda run, data: cosim.train("eegnet", data, fold="x"), "Available folds: session session1"),
        (lambda run, data: cosim.train("eegnet", data, seed=-1), "seed -1"),
        (lambda run, data: cosim.train("eegnet", data, inputs="scaled"), "'standardised' or 'raw'"),
        (lambda run, data: cosim.quantize(3, "w4a4"), "3 of type int is no student"),
        (lambda run, data: cosim.quantize(run.decoder("EEGNet-1 w4a4").student(), "w8a8"), "it is w4a4 already"),
        (lambda run, data: cosim.quantize(run.decoder("EEGNet-1 float32").student(), "float32"), "no quantised form"),
        (lambda run, data: cosim.quantize(run.decoder("EEGNet-1 float32").student(), 4), "4 is no quantised form"),
        (lambda run, data: cosim.quantize(run.decoder("Spikes spiking").student(), "w4b4"), "unknown form"),
        (lambda run, data: cosim.load_run(3), "3 is no folder"),
        (lambda run, data: cosim.load_run(run.folder.parent), "no run in this folder"),
        (lambda run, data: run.decoder("EEGNet-1 w4a"), "Did you mean 'EEGNet-1 w4a4'"),
        (lambda run, data: run.decoder("CSP+LDA").model(), "keep no network"),
        (lambda run, data: run.decoder("teacher (eegnet)").workload(), "teachers are not deployed"),
        (lambda run, data: run.decoder("EEGNet-1 w4a4").model(fold="x"), "Available folds"),
        (lambda run, data: run.decoder("EEGNet-1 w4a4").model(seed=7), "Available seeds: 0"),
        (lambda run, data: run.pareto("gap9"), "not priced for machine 'gap9'"),
        (lambda run, data: run.feasibility(site="moon"), "Available sites: headset_commodity"),
        (lambda run, data: run.pareto(power="power"), "Give decoder_power or total_power"),
        (lambda run, data: cosim.load_student(3), "3 is no folder"),
        (lambda run, data: cosim.load_student(run.folder), "no saved student.*load_run"),
        (lambda run, data: cosim.run(3), "3 is no study"),
        (lambda run, data: cosim.run("dem"), "Did you mean 'demo'"),
        (lambda run, data: cosim.run("demo", workers=0), "0 workers"),
        (lambda run, data: cosim.run({"study": {}}), "hardware: is missing"),
        (lambda run, data: cosim.load_dataset(3), "3 is no name"),
        (lambda run, data: cosim.load_dataset("synthetic_eeg", chanels=3), "Did you mean 'channels'"),
        (lambda run, data: cosim.sweep("eegnet", data=3, machines="gap9"), "no dataset"),
        (lambda run, data: cosim.sweep("eegnet", data=data, machines="gap9"), "sites: None"),
        (lambda run, data: cosim.sweep(3, data=data, machines="gap9", sites="headset_pulp"), "3 cannot be trained"),
        (lambda run, data: cosim.sweep("eegnet", forms=["w4a4"], machines="gap9"), "forms without recordings"),
        (lambda run, data: cosim.sweep("eegnet", data=data, machines="gap9", sites="headset_pulp", seed=3), "'seeds'"),
        (lambda run, data: cosim.sweep("eegnet", data=data, machines="gap9", sites="headset_pulp", seeds="a"), "seeds"),
        (lambda run, data: cosim.sweep("eegnet", data=data, machines="gap9", sites="headset_pulp", training=3),
         "training.student: should be a table"),
        (lambda run, data: cosim.sweep("eegnet", data=data, machines="gap9", sites="headset_pulp",
                                       over={"weight_bits": [4]}), "Give forms"),
        (lambda run, data: cosim.sweep("eegnet", data=data, machines="gap9", sites="headset_pulp", forms=["w4b4"]),
         "unknown form 'w4b4'"),
    ],
)  # fmt: skip
def test_mistakes_say_what_where_and_how_to_go_on(call: Any, message: str, finished: cosim.Run, data: Any) -> None:
    with pytest.raises(cosim.CosimError, match=message):
        call(finished, data)
