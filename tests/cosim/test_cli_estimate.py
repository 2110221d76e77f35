"""``cosim estimate``: one stored workload priced from the command line, without torch."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_study

from cosim import estimate as price
from cosim.report.estimate_tables import estimate_tables
from energy_models.hardware import load_profile, load_site, profile_names
from energy_models.pricing import estimate
from energy_models.workload import Conventions, Count, LayerWork, Products, Uncounted, Workload, write_workload


def network() -> Workload:
    sites = Products(Count.constant(96, 2), Count.constant(0, 2))
    layer = LayerWork(
        "fc", "linear", "integer", 1, (16,), (6,), 16, 6, 16, Conventions(sites, sites, sites, sites),
        weights=96, weights_nonzero=96, weights_key="fc", weight_bits=8, activation_bits=8, output_bits=8,
        accumulator_bits=20,
    )
    return Workload("tiny", "window", 2, 10, 16, 100.0, 16, (layer,))


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    write_workload(network(), tmp_path / "w.json")
    return tmp_path / "w.json"


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return tiny_study.command(Path.cwd(), *arguments)


def test_json_holds_the_estimate(stored: Path) -> None:
    done = command("estimate", stored, "--profile", "gap9", "--site", "headset_commodity", "--rate", "4", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    report = estimate(network(), load_profile("gap9"), load_site("headset_commodity"), decode_rate_hz=4)
    assert found["power_w"]["nominal"] == report.total_power_w.nominal
    assert found["decode_energy_j"]["high"] == report.decode_energy_j.high
    low, middle, high = found["quantiles_5_50_95"]["power_w"]
    assert report.total_power_w.low < low < middle < high < report.total_power_w.high
    assert found["mac_only"]["energy_j"]["nominal"] == pytest.approx(96 * 0.1e-12)  # MINDFUL: 0.1 pJ a product
    times = found["decode_energy_j"]["nominal"] / (96 * 0.1e-12)
    assert found["mac_only"]["decode_over_it"]["nominal"] == pytest.approx(times)
    assert {limit["name"] for limit in found["limits"]} == {"battery", "deadline", "link"}
    assert found["tornado"][0]["path"] == "site.front_end.power"


def test_state_by_hand_is_said_where_a_machine_prices_neurons_only() -> None:
    fired = LayerWork(
        "gt", "elementwise", "integer", 1, (6,), (6,), 6, 6, 0, activation_bits=16, output_bits=1,
        operations={"compare": Count.constant(6, 2)},
    )
    state = LayerWork(
        "state", "elementwise", "integer", 1, (0,), (0,), 0, 0, 0,
        activation_bits=16, output_bits=16, state_bits=16, state_elements=6, state_reads=6, state_writes=6,
    )
    by_hand = dataclasses.replace(network(), layers=(*network().layers, fired, state))
    without = dataclasses.replace(network(), layers=(*network().layers, fired))
    said = {
        (name, workload is by_hand): estimate_tables(workload, name, None, decode_rate_hz=1, draws=64, seed=0).notes
        for name in ("xylo", "gap9")
        for workload in (by_hand, without)
    }
    assert [key for key, notes in said.items() if any("carried by hand (state)" in one for one in notes)] == [
        ("xylo", True)
    ]


def test_weights_with_a_copy_are_said_to_be_kept_or_reloaded(stored: Path) -> None:
    # one bank of 4 KiB kept at 7.7 pW/bit over 0.85 is 297 nW; waking the copy alone takes 10 nJ: 34 ms and some more
    slow, fast = (
        estimate_tables(network(), "asic22_fdx", None, decode_rate_hz=rate, draws=64, seed=0) for rate in (1, 100)
    )
    for tables, choice in ((slow, "reloaded"), (fast, "kept")):
        (line,) = (one for one in tables.summary_lines() if one["figure"] == "weights in weight_sram")
        assert str(line["nominal"]).startswith("break-even at 4")
        assert str(line["nominal"]).endswith(f": {choice}")
    document = json.loads(json.dumps(slow.document(), allow_nan=False))
    assert document["reload"]["choice"] == "reloaded"
    levels = {(one["operand"], one["level"]) for one in document["accesses"]}
    assert {("weights", "weight_sram"), ("activations", "data_sram"), ("sums", "registers")} <= levels
    plain = estimate_tables(network(), "gap9", None, decode_rate_hz=1, draws=64, seed=0)
    assert not any("kept" in str(one) for one in plain.summary_lines())


def test_csv_rows_sum_to_the_decode(stored: Path) -> None:
    done = command("estimate", stored, "--profile", "asic65_near_memory", "--rate", "10", "--csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    report = estimate(network(), load_profile("asic65_near_memory"), None, decode_rate_hz=10)
    assert sum(float(row["energy_j"]) for row in rows) == pytest.approx(report.decode_energy_j.nominal, rel=1e-12)
    assert {row["cause"] for row in rows} == {"compute", "control", "memory"}


def test_the_table_names_units_notes_and_what_decides(stored: Path) -> None:
    done = command("estimate", stored, "--profile", "gap9", "--rate", "4")
    assert done.returncode == 0, done.stderr
    assert "one decode" in done.stdout
    assert "mac_only (mindful)" in done.stdout
    assert "decode over mac_only" in done.stdout
    assert "µW" in done.stdout
    assert "no site given: front end, converter, radio, stimulation and regulator not charged" in done.stdout
    assert "decides: wake.energy" in done.stdout


def test_work_without_a_price_leaves_no_complete_figure(tmp_path: Path) -> None:
    layer = dataclasses.replace(network().layers[0], arithmetic="float", weight_bits=32, activation_bits=32)
    write_workload(network().replace(layers=(layer,)), tmp_path / "float.json")
    options = (tmp_path / "float.json", "--profile", "gap9", "--site", "headset_commodity", "--rate", "4")
    done = command("estimate", *options)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert "INCOMPLETE" in done.stdout
    assert "cosim workload --weight-bits" in done.stdout
    for name in ("decoder", "device", "latency"):
        assert lines[name].count("≥") == 2, lines[name]
        assert lines[name].rstrip().endswith("unknown")
    assert "5 / 50 / 95 %" not in done.stdout
    assert lines["battery"].rstrip().endswith("fits only at best")
    assert lines["deadline"].rstrip().endswith("fits only at best")
    assert lines["link"].rstrip().endswith("fits")  # what is sent does not hang on what computes it
    found = json.loads(command("estimate", *options, "--json").stdout)
    assert found["verdict"] == "does not fit the machine"
    assert found["unaccounted"] == ["unpriced: profile 'gap9' prices no float products of kind linear (needed by fc)"]


def test_of_unpriced_work_python_says_at_least_too() -> None:
    layer = dataclasses.replace(network().layers[0], arithmetic="float", weight_bits=32, activation_bits=32)
    found = price(network().replace(layers=(layer,)), "gap9", decode_rate_hz=4)
    lines = {line.split(":")[0]: line for line in found.summary().splitlines()}
    for name in ("power", "one decode"):
        assert lines[name].count("at least") == 4, lines[name]
        assert lines[name].count("unknown]") == 2
    assert repr(found.report).count("unknown]") == 2
    assert found.report._repr_html_().count("unknown]") == 2


def test_what_decides_moves_a_shown_digit() -> None:
    for line in price(network(), "gap9", decode_rate_hz=4).tables.swings:
        low, high = line.split(" from ")[1].split(" (")[0].split(" to ")
        assert low != high


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--profile", "gap", "--rate", "4"), "Did you mean 'gap9'"),
        (("--profile", "gap9", "--rate", "-4"), "above 0 Hz"),
        (("--profile", "gap9", "--rate", "4", "--draws", "1000"), "power of two"),
        (("--profile", "gap9", "--rate", "4", "--json", "--csv"), "two forms at once"),
        (("--profile", "gap9", "--rate", "4", "--seed", "-1"), "--seed"),
        (("--profile", "gap9", "--site", "moon", "--rate", "4"), "unknown site 'moon'"),
    ],
)
def test_mistakes_get_one_paragraph(stored: Path, options: tuple[str, ...], message: str) -> None:
    done = command("estimate", stored, *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_workload(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_text('{"schema": "cosim.workload/2", "name":')
    done = command("estimate", path, "--profile", "gap9", "--rate", "4")
    assert done.returncode == 2
    assert "cut short" in done.stderr


def test_pricing_never_imports_torch(stored: Path) -> None:
    code = (
        "import sys; from cosim.cli.app import app\n"
        f"app(['estimate', {str(stored)!r}, '--profile', 'gap9', '--rate', '4', '--json'], standalone_mode=False)\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip().endswith("False"), done.stderr


def test_csv_leaves_what_has_no_price_or_no_count_empty(tmp_path: Path) -> None:
    layer = dataclasses.replace(network().layers[0], arithmetic="float", weight_bits=32, activation_bits=32)
    gap = Uncounted("read", "linear", "called once for all steps")
    write_workload(network().replace(layers=(layer,), uncounted=(gap,)), tmp_path / "float.json")
    done = command("estimate", tmp_path / "float.json", "--profile", "gap9", "--rate", "4", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    (priceless,) = (row for row in rows if row["cause"] == "no price")
    assert (priceless["layer"], priceless["energy_j"]) == ("fc", "")
    assert (rows[-1]["cause"], rows[-1]["energy_high_j"]) == (
        "uncounted: read linear (called once for all steps)", "",
    )
    assert "INCOMPLETE" in done.stderr
    assert "NOTE: unpriced: profile 'gap9'" in done.stderr


def test_limits_that_cannot_be_compared_are_rows_with_the_reason() -> None:
    area = next(load_profile(name).area for name in profile_names() if load_profile(name).area is not None)
    site = load_site("headset_pulp").model_copy(update={"silicon_area": area})
    unknown = next(name for name in profile_names() if load_profile(name).area is None)
    found = price(network(), unknown, site, decode_rate_hz=4)
    (row,) = [row for row in found.tables.limit_lines() if row["limit"] == "silicon_area"]
    why = f"the silicon area of {unknown} is not known"
    assert (row["used"], row["verdict"]) == ("unknown", f"not checked: {why}")
    assert list(row) == list(found.tables.limit_lines()[0])
    assert found.tables.document()["unchecked_limits"] == [f"silicon_area not checked: {why}"]
    assert found.to_frame("limits")["verdict"].tolist()[-1] == f"not checked: {why}"


def test_the_first_line_says_all_that_is_wrong() -> None:
    big = dataclasses.replace(network().layers[0], weights=10**9, arithmetic="float", weight_bits=32)
    tables = estimate_tables(
        network().replace(layers=(big,)), "gap9", None, decode_rate_hz=4, draws=64, seed=0
    )
    assert tables.headline.startswith("INCOMPLETE")
    assert tables.headline.endswith("Nor does it fit the machine.")
    assert tables.unfit[0].startswith("weights need 32000000000 bits")
    assert not any("no price" in line or "prices no" in line for line in tables.unfit)


@pytest.mark.parametrize("form", [(), ("--json",), ("--csv",)])
def test_a_full_standard_output_is_said(stored: Path, form: tuple[str, ...]) -> None:
    code = "from cosim.cli.app import main; main()"
    options = ["estimate", str(stored), "--profile", "gap9", "--rate", "4", *form]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, *options], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: standard output: cannot be written (No space left")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_an_interrupt_says_that_it_stopped(stored: Path) -> None:
    code = (
        "import energy_models.hardware as c\n"
        "def stop(_name):\n    raise KeyboardInterrupt\n"
        "c.load_profile = stop\n"
        "from cosim.cli.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "estimate", str(stored), "--profile", "gap9", "--rate", "4"],
        capture_output=True, text=True, check=False,
    )
    assert (done.returncode, done.stderr) == (130, "Stopped.\n")


def test_a_stream_decides_once_a_step(tmp_path: Path) -> None:
    write_workload(network().replace(mode="stream", steps_per_decode=1), tmp_path / "s.json")
    done = command("estimate", tmp_path / "s.json", "--profile", "gap9", "--rate", "4")
    assert done.returncode == 2
    assert "--decode-rate: 4 decisions a second are asked for, but a streaming decoder" in done.stderr
    assert command("estimate", tmp_path / "s.json", "--profile", "gap9", "--rate", "100").returncode == 0


def test_other_channels_than_the_place_has_are_said() -> None:
    def notes(channels: int) -> tuple[str, ...]:
        work = network().replace(channels=channels)
        return estimate_tables(work, "gap9", "implant_utah96", decode_rate_hz=4, draws=64, seed=0).notes

    assert notes(96) == ()
    assert notes(16) == (
        "front end and converter are charged for the network's 16 channels, where implant_utah96 has 96",
    )
