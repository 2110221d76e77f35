"""The command line: fast help, data on stdout, one-paragraph errors, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_study import cosim

COMMANDS = (
    "run", "resume", "pareto", "feasibility", "report", "workload", "estimate", "compare", "calibrate", "scale", "new",
    "profiles", "sites", "datasets", "studies", "doctor",
)
HEAVY = ("torch", "pandas", "scipy", "mne", "optuna", "sklearn", "matplotlib", "plotly")


def fresh(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from cosim.cli.app import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


LOADED = f"""
import json, sys
from cosim.cli.app import main
found = {{}}
for command in json.loads(sys.argv[1]):
    sys.argv = ["cosim", *command]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, command
    found[" ".join(command)] = [name for name in {HEAVY} if name in sys.modules]
print(json.dumps(found), file=sys.stderr)
"""


def loaded(*commands: tuple[str, ...]) -> dict[str, list[str]]:
    """Return which heavy libraries were imported after each of some commands, run one after the other in a process."""
    command = [sys.executable, "-c", LOADED, json.dumps(commands)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(result.stderr.splitlines()[-1])


def test_help_of_every_command_imports_nothing_heavy() -> None:
    assert loaded(("--help",), *((command, "--help") for command in COMMANDS)) == {
        "--help": [], **{f"{command} --help": [] for command in COMMANDS}
    }  # fmt: skip


def test_catalogues_import_nothing_heavy() -> None:
    found = loaded(("profiles",), ("sites",), ("profiles", "gap9"), ("sites", "implant_utah96"))
    assert len(found) == 4
    for names in found.values():
        assert set(names) <= {"scipy"}  # the interpreter of a site's heat equation may use it


@pytest.mark.parametrize("command", ["profiles", "sites", "datasets", "studies"])
def test_lists_as_table_and_as_json(command: str) -> None:
    rows = json.loads(cosim(command, "--json")[1])
    code, table, _ = cosim(command)
    assert code == 0
    assert rows
    for row in rows:
        assert next(iter(row.values())) in table


def test_one_profile_shows_every_constant_with_its_source() -> None:
    code, table, _ = cosim("profiles", "cortex_m4f")
    assert code == 0
    assert "clock" in table
    assert "assumed" in table or "measured" in table
    assert json.loads(cosim("profiles", "cortex_m4f", "--json")[1])["name"] == "cortex_m4f"


MISTAKES = [
    (("profiles", "cortex_m4"), "'cortex_m4f'"),
    (("sites", "implant_utah"), "'implant_utah96'"),
    (("datasets", "synthetic_eg"), "'synthetic_eeg'"),
    (("run", "dmeo"), "'demo'"),
    (("run", "demo", "--set", 'hardware.profiles=["gap10"]'), "'gap9'"),
    (("run", "demo", "--set", 'students.0.forms=["w1a4"]'), "1 weight bits"),
    (("run", "demo", "--set", "nonsense"), "--set"),
    (("resume", "nowhere"), "there is no run"),
    (("pareto", "nowhere"), "there is no run"),
    (("feasibility", "nowhere"), "there is no run"),
    (("report", "nowhere"), "there is no run"),
    (("datasets", "--download", "eegmmidb"), "--data-dir"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_mistakes_are_one_paragraph_and_exit_code_2(arguments: tuple[str, ...], said: str) -> None:
    code, out, err = cosim(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("Error: ")
    assert said in err


def test_a_mistake_prints_no_traceback_in_a_process_of_its_own() -> None:
    result = fresh("profiles", "cortex_m4")
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_an_unknown_command_or_option_is_exit_code_2() -> None:
    assert cosim("rnu")[0] == 2
    assert cosim("run", "demo", "--workers", "0")[0] == 2


def test_wrong_data_folder_names_the_path_expected(tmp_path: Path) -> None:
    code, _, err = cosim("run", "ssvep_headset", "--data-dir", str(tmp_path), "--out", str(tmp_path / "run"))
    assert code == 2
    assert str(tmp_path / "ssvep_exoskeleton") in err


@pytest.mark.parametrize("below", ["file", "file/sub", "x" * 300])
def test_a_run_folder_that_cannot_be_made(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    code, out, err = cosim("run", "demo", "--out", str(tmp_path / below))
    assert (code, out) == (2, "")
    assert "this folder cannot be made" in err
    assert "--out" in err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_stream_is_priced_at_its_own_rate_only(tmp_path: Path) -> None:
    settings = ('dataset={name="synthetic_spikes"}', 'split={method="blocked_in_time"}', "hardware.decode_rate_hz=10",
                'baselines=[{name="kalman"}]', 'students=[{label="M", family="mlp", method={name="kl"}}]')  # fmt: skip
    pairs = [part for setting in settings for part in ("--set", setting)]
    code, out, err = cosim("run", "demo", "--out", str(tmp_path / "run"), *pairs)
    assert (code, out) == (2, "")
    assert "10 decisions a second" in err
    assert "20 steps a second" in err
    assert "decode_rate_hz = 20.0" in err
    assert "Nothing was computed." in err
    assert not (tmp_path / "run" / "stages").exists()  # told before anything is computed


def test_what_recordings_contradict_is_told_together(tmp_path: Path) -> None:
    settings = ('dataset={name="synthetic_spikes"}', 'split={method="leave_one_group_out", group="nobody"}',
                "hardware.decode_rate_hz=10", 'baselines=[{name="kalman"}]',
                'students=[{label="M", family="mlp", method={name="kl"}}]')  # fmt: skip
    pairs = [part for setting in settings for part in ("--set", setting)]
    code, out, err = cosim("run", "demo", "--out", str(tmp_path / "run"), *pairs)
    assert (code, out) == (2, "")
    for said in ("2 problems; nothing was computed", "10 decisions a second", "nobody"):
        assert said in err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('split={method="contiguous"}', "split.method: there is no 'contiguous'. Available"),
        ("split={}", "split.method: is missing"),
        ("gate.margin=-3", "gate.margin: "),
    ],
)
def test_a_choice_that_is_not_there_is_told_in_words(tmp_path: Path, setting: str, said: str) -> None:
    code, out, err = cosim("run", "demo", "--out", str(tmp_path / "run"), "--set", setting)
    assert (code, out) == (2, "")
    assert said in err
    assert "tag" not in err


@pytest.mark.parametrize(("plan", "said"), [("{}", "which study"), ("[]", "not a JSON object"), ("{", "not JSON")])
def test_a_damaged_plan_is_one_paragraph(tmp_path: Path, plan: str, said: str) -> None:
    (tmp_path / "plan.json").write_text(plan)
    for command in ("resume", "pareto", "report"):
        code, _, err = cosim(command, str(tmp_path))
        assert code == 2
        assert said in err


def test_machines_that_a_plan_got_wrong_are_told(tmp_path: Path) -> None:
    plan = {"study": {"hardware": {"profiles": [], "sites": 3}}, "data_dir": None, "command": "cosim run demo"}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    code, _, err = cosim("pareto", str(tmp_path))
    assert code == 2
    assert "study.hardware.profiles: needs at least 1" in err
    assert "study.hardware.sites: should be a list" in err


def test_a_wrong_unit_in_a_profile_is_one_paragraph(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "energy_models" / "data" / "profiles" / "gap9.toml"
    path = tmp_path / "mine.toml"
    path.write_text(shipped.read_text().replace('unit = "MHz"', 'unit = "pJ"', 1))
    code, _, err = cosim("profiles", str(path))
    assert code == 2
    assert "pJ" in err


def test_doctor_says_what_is_there() -> None:
    code, out, _ = cosim("doctor", "--json")
    checks = {row["check"]: row["state"] for row in json.loads(out)}
    assert checks["package torch"] == "ok"
    assert checks["import students.quantize.layers"] == "ok"
    assert checks["profiles"] == "ok"
    assert code == (1 if "wrong" in checks.values() else 0)
