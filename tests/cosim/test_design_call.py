"""The front door and the command that size a machine to a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cosim
from cosim.cli.app import app
from cosim.cli.machines import design as command
from energy_models.design import KIB, Choices
from energy_models.errors import CosimError
from energy_models.workload import at_widths, read_workload, write_workload

WORKLOAD = Path(__file__).parents[2] / "energy_models/data/workloads/eegnet_8_2.json"
EEGNET = at_widths(read_workload(WORKLOAD), weight_bits=4, activation_bits=4)
FEW = Choices(
    supplies_v=(0.5, 0.7), rows=(8, 64), columns=(8,), bank_bits=(KIB, 4 * KIB), word_bits=(32,),
    weight_cells=("sram",), data_cells=("sram",), gated=(True,),
)


def test_the_designed_machine_draws_what_estimate_says_and_less_than_half_of_the_shipped_one() -> None:
    found = cosim.design(EEGNET, decode_rate_hz=0.5, site="implant_epilepsy", choices=FEW)
    report = cosim.estimate(EEGNET, found.profile, decode_rate_hz=0.5)
    shipped = cosim.estimate(EEGNET, "asic65_near_memory", decode_rate_hz=0.5)
    assert report.report.decoder_power_w.nominal == pytest.approx(found.best.power_w, rel=1e-12)
    assert found.best.power_w <= shipped.report.decoder_power_w.nominal / 2
    assert max(found.best.latency_s) <= 0.5  # the site's deadline
    powers = [one.power_w for one in found.found.front]
    assert powers == sorted(powers)


def test_relaxing_a_bound_never_raises_the_optimum_and_a_shared_machine_is_no_better_than_two() -> None:
    other = at_widths(read_workload(WORKLOAD), weight_bits=8, activation_bits=8).replace(name="eight")
    tight = cosim.design(EEGNET, decode_rate_hz=0.5, choices=FEW, deadline_s=0.006).best.power_w
    loose = cosim.design(EEGNET, decode_rate_hz=0.5, choices=FEW).best.power_w
    assert loose <= tight
    alone = loose + cosim.design(other, decode_rate_hz=0.5, choices=FEW).best.power_w
    shared = cosim.design(EEGNET, other, decode_rate_hz=0.5, choices=FEW)
    assert shared.best.power_w >= alone * (1 - 1e-12)
    assert shared.best.decoder_power_w[0] >= loose * (1 - 1e-12)
    assert len(shared.best.decoder_power_w) == 2


def test_draws_say_which_node_and_style_win_and_are_the_same_again() -> None:
    choices = Choices(
        nodes_nm=(65, 45), supplies_v=(0.5, 0.7), bank_bits=(KIB, 4 * KIB), word_bits=(32,), gated=(True,),
        weight_cells=("sram",), data_cells=("sram",), styles=("weight_stationary_array", "input_broadcast"),
    )
    one, again = (cosim.design(EEGNET, decode_rate_hz=0.5, choices=choices, seed=3) for _ in range(2))
    assert one.shares == again.shares
    assert sum(one.shares.machines) == pytest.approx(1.0)
    assert set(one.shares.nodes) == {65, 45}
    assert sum(one.shares.styles.values()) == pytest.approx(1.0)
    for low, middle, high in one.shares.power_w:
        assert low < middle < high


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"site": "nowhere"}, "nowhere"),
        ({"decode_rate_hz": 0}, "rate"),
        ({"deadline_s": 1e-9}, "deadline"),
        ({"deadline_s": -1.0}, "above zero"),
        ({"choices": FEW, "deadline_s": 1e-4}, "none of"),
    ],
)
def test_mistakes_are_told(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(CosimError, match=message):
        cosim.design(EEGNET, **{"decode_rate_hz": 0.5, "choices": FEW, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes_nm": (130,)}, {"styles": ("magic",)}, {"data_cells": ("non_volatile",)}, {"supplies_v": (0.3,)},
        {"rows": (0,)}, {"most_area_m2": -1.0}, {"most_area_m2": float("nan")},
        {"word_bits": ()}, {"weight_cells": ()}, {"bank_bits": (1e9,)},
    ],
)
def test_choices_beyond_the_laws_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(CosimError, match=r"Give|Choose|templates"):
        Choices(**wrong)  # type: ignore[arg-type]


def test_the_command_prints_what_the_call_finds_and_writes_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "LINE_SECONDS", 0.0)
    path, out = tmp_path / "net.json", tmp_path / "mine.toml"
    write_workload(EEGNET, path)
    asked = ["design", str(path), "--rate", "0.5", "--supply", "0.5", "--style", "weight_stationary_array", "--json"]
    result = CliRunner().invoke(app, [*asked, "--out", str(out)], catch_exceptions=False)
    lines = [line for line in result.stderr.splitlines() if line.endswith("kinds of machines searched")]
    assert lines == [f"{done} of 12 kinds of machines searched" for done in range(12)]  # 3 x 2 cells, gated or not
    document = json.loads(result.stdout)
    assert {"decoder_power_w", "area_m2", "latency_s", "profile"} <= set(document["best"])
    assert document["front"][0]["decoder_power_w"] == document["best"]["decoder_power_w"]
    report = cosim.estimate(EEGNET, out, decode_rate_hz=0.5)
    assert report.report.decoder_power_w.nominal == pytest.approx(document["best"]["decoder_power_w"], rel=1e-9)


def test_a_template_that_takes_no_such_network_is_named() -> None:
    with pytest.raises(CosimError, match=r"no template takes it: streaming_ring takes one new step"):
        cosim.design(EEGNET, decode_rate_hz=0.5, choices=Choices(styles=("streaming_ring",)))
