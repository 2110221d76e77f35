"""Tables: as wide as they are where they are piped, fitted to a terminal; options that commands take alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_study import cosim

import cosim as package
from cosim.cli import options, table
from cosim.cli.output import print_rows
from energy_models.workload import bit_widths

LONG = "found by a fit to the measured table of the maker, which is described in the text"
ROWS = [
    {"decoder": f"EEGNet-{n} w4a4", "score": n / 7, "p_value": 0.5, "why": LONG, "verdict": "fits"} for n in range(5)
]


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int | None,
            least: tuple[str, ...] = ()) -> tuple[list[str], str]:  # fmt: skip
    monkeypatch.setattr(table, "terminal_width", lambda: width)
    print_rows(ROWS, "table", least=least)
    shown = capsys.readouterr()
    return shown.out.splitlines(), shown.err


def test_a_pipe_gets_every_column_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines, said = printed(monkeypatch, capsys, None)
    assert len(lines) == 1 + len(ROWS)
    assert all(LONG in line and line.endswith("fits") for line in lines[1:])
    assert said == ""


@pytest.mark.parametrize("width", [120, 100, 80, 60, 40, 20, 5])
def test_a_terminal_gets_what_fits_and_is_told_the_rest(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, said = printed(monkeypatch, capsys, width, least=("p_value", "why"))
    assert max(map(len, lines)) <= max(width, len("EEGNet-0 w4a4"))
    names = lines[0].split()
    assert names[0] == "decoder"
    left_out = [name for name in ROWS[0] if name not in names]
    assert all(name in said for name in left_out)
    assert bool(said) == bool(left_out)
    assert ("p_value" in names) <= ("why" in names)  # what matters least goes first
    for number in range(len(ROWS)):  # names and numbers are never broken
        assert sum(f"EEGNet-{number} w4a4" in line for line in lines) == 1


def test_words_are_folded_before_a_column_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, said = printed(monkeypatch, capsys, 90)
    assert said == ""
    assert len(lines) > 1 + len(ROWS)
    assert [line.split()[-1] for line in lines if "EEGNet" in line] == ["fits"] * len(ROWS)
    assert all(sum(word in line for line in lines) >= len(ROWS) for word in LONG.split())


def test_the_version_is_told() -> None:
    assert cosim("--version") == (0, f"cosim {package.__version__}\n", "")


def test_no_command_shows_the_help() -> None:
    code, out, _ = cosim()
    assert code == 2
    assert "estimate" in out


@pytest.mark.parametrize("bits", ["64", "1000000000000", "0", "-3", "8.5"])
@pytest.mark.parametrize("option", ["--weight-bits", "--activation-bits", "--input-bits"])
def test_widths_outside_of_the_range_are_refused(option: str, bits: str) -> None:
    code, out, err = cosim("workload", "eegnet_8_2", option, bits)
    assert (code, out) == (2, "")
    assert option in err


def test_the_widest_width_is_that_of_the_counts() -> None:
    assert options.MOST_BITS == bit_widths.MOST_BITS


def test_a_workload_is_printed_where_json_names_no_file(tmp_path: Path) -> None:
    whole = cosim("workload", "eegnet_8_2", "--json")[1]
    assert cosim("workload", "eegnet_8_2", "--json", "-")[1] == whole
    assert cosim("workload", "--json", "--seed", "3", "eegnet_8_2")[1] == whole
    assert json.loads(whole)["name"] == "eegnet_8_2"
    assert cosim("workload", "eegnet_8_2", "--json", str(tmp_path / "w.json"))[0] == 0
    written, printed = json.loads((tmp_path / "w.json").read_text()), json.loads(whole)
    totals = printed.pop("totals")
    assert len(totals["layers"]) == len(printed["layers"])
    assert written == printed
    rates = [
        cosim("estimate", str(tmp_path / "w.json"), "--profile", "gap9", name, "4", "--json")[1]
        for name in ("--rate", "--decode-rate")
    ]
    assert rates[0] == rates[1] != ""
