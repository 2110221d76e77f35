"""`cosim scale`: a machine in, the same machine elsewhere out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_study import command

from energy_models.hardware import load_profile
from energy_models.technology.scaling import scaled_profile


def test_a_machine_is_written_and_loads(tmp_path: Path) -> None:
    arguments = ("scale", "asic45_reference", "--node", "28", "--supply", "0.6", "--out", "mine.toml")
    done = command(tmp_path, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    written = load_profile(tmp_path / "mine.toml")
    expected = scaled_profile(load_profile("asic45_reference"), node_nm=28, supply_v=0.6)
    assert written.quantity_at == expected.quantity_at
    assert (written.name, written.title) == ("mine", expected.title)
    rows = {row["constant"]: row for row in json.loads(done.stdout)["constants"]}
    assert rows["supply"]["nominal"] == 0.6
    assert rows["memories[0].read"]["nominal"] < rows["memories[0].read"]["before"]
    assert "wake.time" not in rows
    again = command(tmp_path, *arguments)
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_a_chosen_clock_moves_on_request_only(tmp_path: Path) -> None:
    clock = load_profile("asic45_reference").clock.value
    for name, flags in (("kept", ()), ("moved", ("--clock",))):
        done = command(tmp_path, "scale", "asic45_reference", "--supply", "0.6", "--out", f"{name}.toml", *flags)
        assert done.returncode == 0, done.stderr
    assert load_profile(tmp_path / "kept.toml").clock.value == clock
    assert load_profile(tmp_path / "moved.toml").clock.value < clock


def test_the_name_says_where(tmp_path: Path) -> None:
    done = command(tmp_path, "scale", "gap9", "--temperature", "310")
    assert done.returncode == 0, done.stderr
    assert "retention" in done.stdout
    assert load_profile(tmp_path / "gap9_scaled_22nm_650mv_310k.toml").temperature.value == 310


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gap9",), "nothing moves"),
        (("gap9", "--node", "28"), "totals of one chip"),
        (("asic45_reference", "--node", "130"), "outside 7 to 90 nm"),
        (("asic45_reference", "--supply", "0.6", "--out", "Mine 1.toml"), "name"),
        (("asic45_reference", "--supply", "0.6", "--out", "absent/mine.toml"), "cannot be written"),
        (("gap8", "--supply", "0.6"), "unknown profile"),
    ],
)
def test_a_mistake_is_one_paragraph(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = command(tmp_path, "scale", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.toml"))
