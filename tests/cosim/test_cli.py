"""The command line: fast help, data on stdout, one-paragraph errors, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMANDS = ("run", "resume", "pareto", "feasibility", "report", "profiles", "sites", "datasets", "studies", "doctor")
HEAVY = ("torch", "pandas", "scipy", "mne", "optuna", "sklearn", "matplotlib", "plotly")


def cosim(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    program = f"import sys\nfrom cosim.cli import main\ntry:\n    main()\nfinally:\n    {code or 'pass'}"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def loaded(*arguments: str) -> set[str]:
    """Return which heavy libraries a command had imported when it ended."""
    result = cosim(*arguments, code=f"print('loaded:', *(m for m in {HEAVY} if m in sys.modules), file=sys.stderr)")
    return set(result.stderr.rsplit("loaded:", 1)[1].split())


def test_help_is_fast() -> None:
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        assert cosim("--help").returncode == 0
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.5


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_imports_nothing_heavy(command: str) -> None:
    assert loaded(command, "--help") == set()


@pytest.mark.parametrize("arguments", [("profiles",), ("sites",), ("profiles", "gap9"), ("sites", "implant_utah96")])
def test_catalogues_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) <= {"scipy"}  # the interpreter of a site's heat equation may use it


@pytest.mark.parametrize("command", ["profiles", "sites", "datasets", "studies"])
def test_lists_as_table_and_as_json(command: str) -> None:
    rows = json.loads(cosim(command, "--json").stdout)
    table = cosim(command)
    assert table.returncode == 0
    assert rows
    for row in rows:
        assert next(iter(row.values())) in table.stdout


def test_one_profile_shows_every_constant_with_its_source() -> None:
    result = cosim("profiles", "cortex_m4f")
    assert result.returncode == 0
    assert "clock" in result.stdout
    assert "assumed" in result.stdout or "measured" in result.stdout
    assert json.loads(cosim("profiles", "cortex_m4f", "--json").stdout)["name"] == "cortex_m4f"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("profiles", "cortex_m4"), "'cortex_m4f'"),
        (("sites", "implant_utah"), "'implant_utah96'"),
        (("datasets", "synthetic_eg"), "'synthetic_eeg'"),
        (("run", "dmeo"), "'demo'"),
        (("run", "demo", "--set", "hardware.profiles=[\"gap10\"]"), "'gap9'"),
        (("run", "demo", "--set", "students.0.variants=[\"w1a4\"]"), "1 weight bits"),
        (("run", "demo", "--set", "nonsense"), "--set"),
        (("resume", "nowhere"), "there is no run"),
        (("pareto", "nowhere"), "there is no run"),
        (("feasibility", "nowhere"), "there is no run"),
        (("report", "nowhere"), "there is no run"),
        (("datasets", "--download", "eegmmidb"), "--data-dir"),
    ],
)
def test_mistakes_are_one_paragraph_and_exit_code_2(arguments: tuple[str, ...], said: str) -> None:
    result = cosim(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_data_folder_names_the_path_expected(tmp_path: Path) -> None:
    result = cosim("run", "ssvep_headset", "--data-dir", str(tmp_path), "--out", str(tmp_path / "run"))
    assert result.returncode == 2
    assert str(tmp_path / "ssvep_exoskeleton") in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_unit_in_a_profile_is_one_paragraph(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "energy_models" / "data" / "profiles" / "gap9.toml"
    path = tmp_path / "mine.toml"
    path.write_text(shipped.read_text().replace('unit = "MHz"', 'unit = "pJ"', 1))
    result = cosim("profiles", str(path))
    assert result.returncode == 2
    assert "pJ" in result.stderr
    assert "Traceback" not in result.stderr


def test_doctor_says_what_is_there() -> None:
    result = cosim("doctor", "--json")
    checks = {row["check"]: row["state"] for row in json.loads(result.stdout)}
    assert checks["package torch"] == "ok"
    assert checks["import students.quantize"] == "ok"
    assert checks["profiles"] == "ok"
    assert result.returncode == 0
