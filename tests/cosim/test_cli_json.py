"""``--json`` everywhere alike: every command prints one JSON text in SI, and the same keys for the same things."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import typer
from tiny_study import cosim

from cosim.cli.app import app
from energy_models.workload import read_workload

TABLE = """board,network,conv_macs,linear_macs,layers,energy_uj,latency_ms,power_mw,clock_mhz,software
kit,n1,2000000,10000,6,1000,25,40,100,lib
kit,n2,6000000,20000,9,2800,70,40,100,lib
"""
PLACE = ("--profile", "gap9", "--site", "headset_pulp")
COMMANDS: dict[str, tuple[str, ...]] = {
    "quantize": ("RUN:EEGNet-1 float32", "ptq w8a8 conv=w4a4", "--out", "small"),
    "export": ("RUN:EEGNet-1 w4a4", "--out", "code"), "convert": ("RUN:EEGNet-1 w4a4",),
    "resume": ("RUN",), "pareto": ("RUN",), "feasibility": ("RUN",), "report": ("RUN", "--out", "page.html"),
    "workload": ("eegnet_8_2", "--weight-bits", "8", "--activation-bits", "8"),
    "estimate": ("w.json", *PLACE, "--decode-rate", "4"),
    "design": ("w.json", "--rate", "4", "--supply", "0.6", "--style", "weight_stationary_array"),
    "compare": ("w.json@gap9", "w.json@cortex_m4f", "--decode-rate", "4"),
    "calibrate": ("table.csv", "--name", "kit"), "scale": ("asic65_near_memory", "--node", "28", "--out", "small.toml"),
    "new": ("study", "mine"), "profiles": (), "sites": (), "datasets": (), "studies": (), "doctor": (),
}  # fmt: skip
NOT_SI = re.compile(r"_(u|m|n|p|k|M|G)(w|j|s|hz|v|a)(_|$)", re.I)
OTHER_NAMES = {"profile", "profiles", "total_power_w", "total_power_nominal_w", "decoder_power_nominal_w", "score_mean"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("json")
    (root / "table.csv").write_text(TABLE)
    code, _, err = cosim("workload", *COMMANDS["workload"], "--json", str(root / "w.json"))
    assert code == 0, err
    return root


@pytest.fixture
def answers(folder: Path, own_run: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What every command prints with ``--json``."""
    monkeypatch.chdir(folder)
    found: dict[str, object] = {}
    for command, arguments in COMMANDS.items():
        for name in ("kit.toml", "small.toml", "mine.toml"):
            (folder / name).unlink(missing_ok=True)
        typed = [word.replace("RUN", str(own_run)) for word in arguments]
        code, out, err = cosim(command, *typed, "--json")
        assert code in ((0, 1) if command == "doctor" else (0,)), f"{command}: {err}"
        found[command] = json.loads(out)
    return found


def keys(value: object) -> Iterator[str]:
    """Yield every key of a document, those of tables of options and constants, which users name, left out."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from () if key in ("options", "provenance", "operations") else keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


def test_every_command_has_it() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert {*COMMANDS} | {"run"} == {*commands}
    for name, command in commands.items():
        assert any("--json" in parameter.opts for parameter in command.params), name


def test_keys_are_in_si_and_the_same_for_the_same_things(answers: dict[str, object], finished: Path) -> None:
    found = {command: {*keys(answer)} for command, answer in answers.items()}
    assert {command: bad for command, names in found.items() if (bad := {n for n in names if NOT_SI.search(n)})} == {}
    own = {"design": {"profile"}}  # the file of the machine itself, not its name
    bad = {command: (names & OTHER_NAMES) - own.get(command, set()) for command, names in found.items()}
    assert {command: names for command, names in bad.items() if names} == {}
    for command in ("pareto", "feasibility", "estimate", "compare", "profiles", "scale", "calibrate"):
        assert "machine" in found[command], command
    for command in ("resume", "report", "estimate"):
        assert "answer" in found[command], command
    for command in ("pareto", "estimate", "compare"):
        assert "decoder_power_w" in found[command], command
    for command in ("scale", "calibrate", "new"):
        assert "file" in found[command], command
    flat = {*pd.read_csv(finished / "results.csv").columns}
    assert {*found["pareto"], *found["feasibility"]} <= flat


def test_rows_of_a_run_are_those_of_its_results(answers: dict[str, object], finished: Path) -> None:
    table = pd.read_csv(finished / "results.csv").dropna(subset=["machine"])
    rows = answers["pareto"]
    assert isinstance(rows, list)
    assert len(rows) == len(table)
    for row, (_, wanted) in zip(rows, table.iterrows(), strict=True):
        assert (row["machine"], row["site"], row["decoder"]) == (wanted["machine"], wanted["site"], wanted["decoder"])
        if row["decoder_power_w"] is None:
            assert math.isnan(wanted["decoder_power_w"])
        else:
            assert row["decoder_power_w"] == pytest.approx(wanted["decoder_power_w"])
            assert 1e-9 < row["power_w"] < 1  # watts


def test_commands_agree_on_one_point(answers: dict[str, object], folder: Path) -> None:
    code, out, err = cosim("estimate", str(folder / "w.json"), *PLACE, "--sweep", "decode_rate=4", "--json")
    assert code == 0, err
    (row,) = json.loads(out)
    whole = answers["estimate"]
    assert isinstance(whole, dict)
    assert row["machine"] == whole["machine"]
    assert row["site"] == whole["site"]
    for name in ("power_w", "decoder_power_w", "decode_energy_j", "latency_s"):
        assert row[name] == whole[name]["nominal"], name
    assert answers["workload"]["totals"]["bit_operations"] == read_workload(folder / "w.json").bit_operations  # type: ignore[index]
