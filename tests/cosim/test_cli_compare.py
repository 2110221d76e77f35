"""``cosim compare``: designs under common draws of what is uncertain."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest
import tiny_study

import cosim
from energy_models.workload import Conventions, Count, LayerWork, Products, Workload, write_workload


def network(inputs: int, outputs: int) -> Workload:
    sites = Products(Count.constant(inputs * outputs, 2), Count.constant(0, 2))
    layer = LayerWork(
        "fc", "linear", "integer", 1, (inputs,), (outputs,), inputs, outputs, inputs,
        Conventions(sites, sites, sites, sites), weights=inputs * outputs, weights_nonzero=inputs * outputs,
        weights_key="fc", weight_bits=8, activation_bits=8, output_bits=8, accumulator_bits=24,
    )  # fmt: skip
    return Workload("tiny", "window", 2, 10, inputs, 100.0, 16, (layer,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small = network(64, 32)
    write_workload(small, tmp_path / "small.json")
    write_workload(network(64, 40), tmp_path / "larger.json")
    floating = dataclasses.replace(small.layers[0], arithmetic="float", weight_bits=32, activation_bits=32)
    write_workload(small.replace(layers=(floating,)), tmp_path / "float.json")
    return tmp_path


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return tiny_study.command(folder, "compare", *arguments)


def test_what_designs_share_is_drawn_once(folder: Path) -> None:
    done = command(folder, "small.json@gap9", "larger.json@gap9", "small.json@cortex_m4f", "--rate", "50", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    names = [one["design"] for one in found["designs"]]
    medians = [one["quantiles_5_50_95"]["decoder_power_w"][1] for one in found["designs"]]
    assert medians == sorted(medians)
    powers = {one["design"]: one["quantiles_5_50_95"]["decoder_power_w"] for one in found["designs"]}
    # a quarter more work on one machine: the bands overlap almost wholly, and still the answer is certain
    assert powers["small.json@gap9"][2] > powers["larger.json@gap9"][1]
    pairs = {(pair["first"], pair["second"]): pair["found"] for pair in found["pairs"]}
    assert len(pairs) == 3
    same_machine = pairs["small.json@gap9", "larger.json@gap9"]
    assert same_machine["probability_less"] == 1.0
    low, _, high = same_machine["ratio"]
    assert 0.7 < low <= high <= 1.0
    apart = pairs[names[0], names[2]]  # least first: more likely than not to be the lesser
    assert 0.5 <= apart["probability_less"] <= 1.0


def test_what_estimate_takes_is_compared(folder: Path) -> None:
    shape = ("--input-shape", "22x64", "--sample-rate", "128", "--outputs", "4")
    designs = ("small.json@gap9", "eegnet_8_2@asic65_near_memory", "mlp@cortex_m4f")
    done = command(folder, *designs, "--decode-rate", "4", *shape, "--json")
    assert done.returncode == 0, done.stderr
    found = {one["design"]: one for one in json.loads(done.stdout)["designs"]}
    assert {(one["workload"], one["machine"]) for one in found.values()} >= {("tiny", "gap9")}
    assert found.keys() == {*designs}
    one = found["eegnet_8_2@asic65_near_memory"]
    table = cosim.compare(str(folder / designs[0]), designs[1], decode_rate_hz=4)
    frame = table.to_frame().set_index("design")
    median_w = one["quantiles_5_50_95"]["decoder_power_w"][1]  # of other draws: three designs share more constants
    assert frame.loc[one["design"], "power_median_w"] == pytest.approx(median_w, rel=0.02)
    refused = command(folder, *designs[:2], "--decode-rate", "4", *shape)
    assert refused.returncode == 2
    assert "says its own input" in refused.stderr


def test_a_part_of_a_price_is_compared_with_nothing(folder: Path) -> None:
    done = command(folder, "small.json@gap9", "float.json@gap9", "--rate", "50")
    assert done.returncode == 0, done.stderr
    line = next(row for row in done.stdout.splitlines() if row.startswith("float.json@gap9"))
    assert line.count("≥") == 3
    assert line.rstrip().endswith("incomplete")
    assert "probability" not in done.stdout
    assert "prices no float products of kind linear" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small.json@gap9", "--rate", "4"), "Name two or more"),
        (("small.json@gap9", "small.json@gap9", "--rate", "4"), "1 of them different"),
        (("small.json", "larger.json@gap9", "--rate", "4"), "is no design"),
        (("small.json@gap", "larger.json@gap9", "--rate", "4"), "Did you mean 'gap9'"),
        (("none.json@gap9", "larger.json@gap9", "--rate", "4"), "cannot be read"),
        (("small.json@gap9", "larger.json@gap9", "--rate", "0"), "above 0 Hz"),
    ],
)
def test_mistakes_get_one_paragraph(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    done = command(folder, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
