"""`cosim calibrate`: a table in, a profile and its error out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_study import command

from energy_models.hardware import load_profile

TABLE = (
    "board,network,conv_macs,linear_macs,layers,energy_uj,latency_ms,clock_mhz,software\n"
    "kit,n1,1000000,0,5,800,20,100,s 1\nkit,n2,0,100000,5,120,3,100,s 1\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "table.csv").write_text(TABLE)
    return tmp_path


def test_a_profile_is_written_and_loads(folder: Path) -> None:
    done = command(folder, "calibrate", "table.csv", "--name", "kit", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["networks"] == ["n1", "n2"]
    check = document["cross_validation"]
    assert check["cycles"]["rows"] == 25  # 23 shipped whose library is on no other chip, and these two
    assert check["energy"]["rows"] < 25  # rows of which only the time was measured are errors of cycles alone
    assert all(row["energy_error"] is not None for row in document["held_out"])  # both of the table have an energy
    assert not document["library_measured_on_other_boards"]
    assert {"attention", "recurrent"} <= set(document["kinds_of_the_template"])
    profile = load_profile(folder / "kit.toml")
    assert profile.clock.value == 100
    assert profile.bands["execution.active_power"].nominal == pytest.approx(0.04)
    again = command(folder, "calibrate", "table.csv", "--name", "kit")
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_tables_for_people_name_the_error(folder: Path) -> None:
    done = command(folder, "calibrate", "table.csv", "--name", "kit", "--out", "sub/kit.toml")
    assert done.returncode == 2  # no such folder: one paragraph
    done = command(folder, "calibrate", "table.csv", "--name", "kit")
    assert "cycles_per_mac" in done.stdout
    assert "Held out, this board: energy off by" in done.stderr
    assert "2 rows." in done.stderr
    assert "cycles off by" in done.stderr
    assert "(90th percentile), 25 rows." in done.stderr
    assert "Library 's 1' was measured on no other board" in done.stderr
    assert "Kept from cortex_m4f: " in done.stderr
    (folder / "one.csv").write_text("\n".join(TABLE.splitlines()[:2]))
    alone = command(folder, "calibrate", "one.csv", "--name", "one")
    assert "its own error is not known" in alone.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("table.csv", "--name", "kit", "--class", "none"), "At least 3 are needed"),
        (("table.csv", "--name", "kit", "--class", "cortex"), "no class 'cortex'"),
        (("table.csv", "--name", "kit", "--like", "asic65_near_memory"), "no programmable core"),
        (("table.csv", "--name", "kit", "--out", "other.toml"), "has its name: kit.toml"),
        (("table.csv", "--name", "Kit 1"), "name"),
        (("absent.csv", "--name", "kit"), "cannot be read"),
    ],
)
def test_a_mistake_is_one_paragraph(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    done = command(folder, "calibrate", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(folder.glob("*.toml"))


@pytest.mark.parametrize(
    ("old", "new", "beside", "column"),
    [
        ("800,", "0.8,", "cortex_m", "energy_uj 0.8"),  # in mJ
        ("800,", "800000,", "cortex_m", "energy_uj 8e+05"),  # in nJ
        ("800,", "0.8,", "other_cores", ""),  # a class without an energy: all shipped boards are the measure
        ("20,100,", "20,10,", "cortex_m", "clock_mhz"),
        ("20,100,", "0.02,100,", "cortex_m", "latency"),  # in s
    ],
)
def test_a_wrong_unit_in_one_column_is_refused_and_named(
    folder: Path, old: str, new: str, beside: str, column: str
) -> None:
    first = TABLE.splitlines()[:2]
    (folder / "one.csv").write_text("\n".join([first[0], first[1].replace(old, new)]))
    done = command(folder, "calibrate", "one.csv", "--name", "one", "--class", beside)
    assert done.returncode == 2, done.stderr
    assert column in done.stderr
    assert not list(folder.glob("*.toml"))


@pytest.mark.parametrize("volts", ["1800", "0.0018", "18"])
def test_a_supply_that_no_chip_has_is_refused(folder: Path, volts: str) -> None:
    lines = TABLE.splitlines()
    text = "\n".join([f"{lines[0]},supply_v", *(f"{line},{volts}" for line in lines[1:])])
    (folder / "v.csv").write_text(text)
    done = command(folder, "calibrate", "v.csv", "--name", "v")
    assert done.returncode == 2
    assert "check the unit of supply_v" in done.stderr
