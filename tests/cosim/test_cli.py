"""The command line: fast help, data on stdout, one-paragraph errors, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_study import cosim

COMMANDS = ("run", "resume", "pareto", "feasibility", "report", "profiles", "sites", "datasets", "studies", "doctor")
HEAVY = ("torch", "pandas", "scipy", "mne", "optuna", "sklearn", "matplotlib", "plotly")


def fresh(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    program = f"import sys\nfrom cosim.cli import main\ntry:\n    main()\nfinally:\n    {code or 'pass'}"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def loaded(*arguments: str) -> set[str]:
    """Return which heavy libraries a command had imported when it ended."""
    result = fresh(*arguments, code=f"print('loaded:', *(m for m in {HEAVY} if m in sys.modules), file=sys.stderr)")
    return set(result.stderr.rsplit("loaded:", 1)[1].split())


def test_help_is_fast() -> None:
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        assert fresh("--help").returncode == 0
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
    (("run", "demo", "--set", 'students.0.variants=["w1a4"]'), "1 weight bits"),
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
    assert checks["import students.quantize"] == "ok"
    assert checks["profiles"] == "ok"
    assert code == (1 if "wrong" in checks.values() else 0)
