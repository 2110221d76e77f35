"""The front door: light to import, names or paths or objects, and messages for arguments of a wrong kind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cosim
from cosim.report.estimate_tables import few_layers
from energy_models.hardware import load_profile, load_site
from energy_models.workload import LayerWork, Workload, at_widths

ROOT = Path(__file__).resolve().parents[2]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(4, 8, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 50, 2))


def counted() -> Workload:
    return cosim.count(network(), torch.ones(3, 4, 50), rate_hz=100)


def integer() -> Workload:
    return at_widths(counted(), weight_bits=8, activation_bits=8)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_takes_less_than_a_third_of_a_second_and_no_torch() -> None:
    code = (
        "import time, sys; begun = time.perf_counter(); import cosim; took = time.perf_counter() - begun\n"
        "dir(cosim)\n"
        "heavy = {'torch', 'pandas', 'numpy', 'pydantic', 'plotly', 'mne'} & set(sys.modules)\n"
        "print(took < 0.3, heavy or '')"
    )
    assert run(code).split() == ["True"]


def test_pricing_a_workload_file_needs_no_torch(tmp_path: Path) -> None:
    cosim.write_workload(integer(), tmp_path / "w.json")
    code = (
        "import sys, cosim\n"
        f"one = cosim.estimate({str(tmp_path / 'w.json')!r}, 'gap9', 'headset_pulp', decode_rate_hz=4)\n"
        f"cosim.sweep({str(tmp_path / 'w.json')!r}, machines='gap9', decode_rate_hz=4)\n"
        "one.summary(), one.to_frame(), one.plot()\n"
        "print('torch' in sys.modules)"
    )
    assert run(code).strip() == "False"


def test_every_name_of_the_front_door_exists_and_no_other() -> None:
    assert len(set(cosim.__all__)) == len(cosim.__all__) <= 36
    for name in cosim.__all__:
        assert getattr(cosim, name) is not None
    assert set(cosim.__all__) <= set(dir(cosim))
    with pytest.raises(AttributeError, match="no attribute 'cuont'"):
        _ = cosim.cuont  # type: ignore[attr-defined]


@pytest.mark.parametrize("package", ["cosim", "students", "energy_models"])
def test_packages_say_that_they_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_arrays_tensors_and_files_of_examples_count_alike(tmp_path: Path) -> None:
    examples = np.ones((3, 4, 50), np.float64)
    np.save(tmp_path / "x.npy", examples)
    found = [
        cosim.count(network(), x, rate_hz=rate).layers
        for x, rate in ((torch.ones(3, 4, 50), 100), (examples, "100 Hz"), (str(tmp_path / "x.npy"), "0.1 kHz"))
    ]
    assert found[0] == found[1] == found[2]


def test_noise_stands_in_for_examples_and_says_so() -> None:
    work = cosim.count(network(), rate_hz=100, input_shape=(4, 50), decodes=2)
    assert work.decodes == 2
    assert "noise" in work.provenance["inputs"]


def test_names_paths_and_objects_give_one_price(tmp_path: Path) -> None:
    work = integer()
    cosim.write_workload(work, tmp_path / "w.json")
    machine = tmp_path / "gap9.toml"
    shipped = ROOT / "energy_models" / "data" / "profiles" / "gap9.toml"
    machine.write_text(shipped.read_text())
    one = cosim.estimate(work, "gap9", "headset_pulp", decode_rate_hz=4)
    two = cosim.estimate(tmp_path / "w.json", machine, load_site("headset_pulp"), decode_rate_hz="4 Hz")
    three = cosim.estimate(str(tmp_path / "w.json"), load_profile("gap9"), "headset_pulp", decode_rate_hz=4.0)
    assert one.report == two.report == three.report
    assert one.verdict == two.verdict == "fits nominally"


def test_an_estimate_shows_itself() -> None:
    one = cosim.estimate(integer(), "gap9", "headset_pulp", decode_rate_hz=4)
    assert len(repr(one).splitlines()) == 1
    assert len(repr(one)) < 400
    assert "<table>" in one._repr_html_()
    assert one.answer in one.summary()
    layers = one.to_frame()
    assert layers["energy_j"].sum() == pytest.approx(one.report.decode_energy_j.nominal)
    power = one.to_frame("power").set_index("cause")["power_w"]
    assert power["device"] == pytest.approx(one.report.total_power_w.nominal)
    assert set(one.to_frame("limits")["limit"]) == {check.name for check in one.tables.limits}
    marks = one.plot().data[0]
    drawn = {name.partition("<br>")[0]: value for name, value in zip(marks.y, marks.x, strict=True)}
    assert drawn["front end"] == pytest.approx(one.report.power_w["front_end"].nominal)
    assert drawn["whole device"] == pytest.approx(one.report.total_power_w.nominal)
    assert all(re.search(r"<br>[\d.]+\s[munpµ]?W \[", name) for name in marks.y)  # every number without hovering


def test_without_a_site_nothing_is_judged_but_what_cannot_run_is_told() -> None:
    assert cosim.estimate(integer(), "gap9", decode_rate_hz=4).verdict == "no site"
    assert cosim.estimate(counted(), "gap9", decode_rate_hz=4).verdict == "does not fit the machine"


def test_a_sweep_prices_as_single_estimates_do() -> None:
    work = integer()
    table = cosim.sweep(
        work, machines=["gap9", "cortex_m4f"], sites=["headset_pulp"], over={"decode_rate_hz": [1, "4 Hz"]}
    ).to_frame()
    assert len(table) == 4
    for row in table.to_dict("records"):
        alone = cosim.estimate(work, row["machine"], row["site"], decode_rate_hz=row["decode_rate_hz"])
        assert row["power_w"] == alone.report.total_power_w.nominal
        assert row["decoder_power_high_w"] == alone.report.decoder_power_w.high
        assert row["verdict"] == alone.verdict


def test_a_budget_and_constants_are_those_of_the_command_line() -> None:
    kept = {"site.front_end.power": "3 uW/channel", "profile.static": 0.0}
    one = cosim.estimate(integer(), "gap9", "headset_pulp", decode_rate_hz=4, budget="1 mW", constants=kept)
    limits = one.to_frame("limits").set_index("limit")
    assert limits.loc["power_budget", "allowed"] == pytest.approx(1e-3)
    front_end = one.to_frame("power").set_index("cause")["power_w"]["front_end"]
    assert front_end == pytest.approx(one.workload.channels * 3e-6)
    answer, budget = one.summary().replace("\u00a0", " ").splitlines()[1:3]
    assert answer == one.answer
    assert budget.startswith(f"Budget 1 mW: {limits.loc['power_budget', 'verdict']}. The device draws")
    (row,) = cosim.sweep(
        integer(), machines="gap9", sites="headset_pulp", decode_rate_hz=4, budget=1e-3,
        over={path: [value] for path, value in kept.items()},
    ).to_frame().to_dict("records")  # fmt: skip
    assert row["power_w"] == one.report.total_power_w.nominal
    assert (row["verdict"], row["binding_limit"]) == (one.verdict, "power_budget")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"budget": "1 V"}, "cosim.estimate, budget: '1 V': unit 'V' has dimension voltage"),
        ({"budget": "-1 mW"}, "cosim.estimate, budget"),
        ({"constants": ["site.front_end.power"]}, "is no table"),
        ({"constants": {"site.frontend": 1}}, "site.front_end.power"),
    ],
)
def test_a_budget_or_constant_that_is_none_is_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(cosim.CosimError, match=re.escape(said)):
        cosim.estimate(integer(), "gap9", "headset_pulp", decode_rate_hz=4, **given)


def test_a_budget_needs_a_site() -> None:
    with pytest.raises(cosim.CosimError, match="Name a site"):
        cosim.estimate(integer(), "gap9", decode_rate_hz=4, budget="1 mW")
    with pytest.raises(cosim.CosimError, match="Name a site"):
        cosim.sweep(integer(), machines="gap9", decode_rate_hz=4, budget="1 mW")


def test_what_cannot_run_says_why_and_what_to_do() -> None:
    one = cosim.estimate(counted(), "gap9", "headset_pulp", decode_rate_hz=4)
    assert "assume widths" in one.summary()
    table = cosim.sweep(counted(), machines=["gap9", "cortex_m4f"], sites="headset_pulp", decode_rate_hz=4)
    frame = table.to_frame().set_index("machine")["infeasibilities"]
    assert "prices no float" in frame["gap9"]
    assert frame["cortex_m4f"] == ""
    text = table.summary().replace("\u00a0", " ")
    assert "1 of 2 points fits. Least power of those: " in text
    assert "Cannot run: profile 'gap9' prices no float" in text
    assert "add --sweep bits=8" in text
    assert text.index("A network of floats on a machine for integers") < text.index("Cannot run")


def test_many_layers_of_a_reason_are_counted_not_named() -> None:
    assert few_layers("x prices no y (needed by a, b, c, d)") == "x prices no y (needed by a, b, c, d)"
    assert few_layers("no y (needed by a, b, c, d, e); z") == "no y (needed by a, b, c and 2 more); z"


def test_a_sweep_says_at_which_values_it_fits() -> None:
    powers = ["1 uW/channel", "3 uW/channel", "20 mW/channel"]
    table = cosim.sweep(
        integer(), machines="gap9", sites="headset_pulp", decode_rate_hz=4, budget="12 mW",
        over={"site.front_end.power": powers},
    )  # fmt: skip
    fits = table.to_frame()["verdict"].str.startswith("fits").tolist()
    assert fits == [True, True, False]
    first, second = (line.replace("\u00a0", " ") for line in table.answer[:2])
    assert first.startswith("2 of 3 points fit. ")
    assert second == "Fits only at site.front_end.power 1 µW/channel, 3 µW/channel."


def test_every_reason_stays_whole() -> None:
    wide = cosim.count(nn.Sequential(nn.Conv1d(4, 999, 1), nn.ReLU()), torch.ones(1, 4, 999), rate_hz=100)
    alone = cosim.estimate(wide, "cortex_m4f", decode_rate_hz=4).report.infeasibilities
    assert any("; " in reason for reason in alone)
    table = cosim.sweep(wide, machines="cortex_m4f", decode_rate_hz=4)
    assert table.to_frame()["infeasibilities"][0] == " | ".join(alone)
    assert f"Cannot run: {alone[0]}" in table.summary()


def test_lines_of_a_figure_are_named_with_a_unit() -> None:
    over = {"decode_rate_hz": [1, 2, 4], "site.front_end.power": ["3 uW/channel", 3e-5]}
    figure = cosim.sweep(integer(), machines="gap9", sites="headset_pulp", over=over).plot()
    names = [line.name.replace("\u00a0", " ") for line in figure.data]
    assert names == ["site.front_end.power 3 µW/channel", "site.front_end.power 30 µW/channel"]


def test_a_sweep_is_read_in_prefixed_units() -> None:
    table = cosim.sweep(
        counted(), machines="cortex_m4f", sites="headset_pulp", over={"decode_rate_hz": [1, 10], "weight_bits": [8]},
    )  # fmt: skip
    first = table.to_frame().iloc[0]
    lines = table.lines()
    assert lines[0]["decode_rate_hz"] == "1"
    value, unit = str(lines[0]["decoder power"]).split("\u00a0")
    assert float(value) * {"W": 1, "mW": 1e-3, "µW": 1e-6}[unit] == pytest.approx(first["decoder_power_w"], rel=5e-3)
    assert "widths" not in lines[0]
    assert "Widths are assumed" in table.summary()
    (single,) = cosim.sweep(counted(), machines="cortex_m4f", decode_rate_hz=1).summary().splitlines()[:1]
    assert single.endswith("1 point")


def test_a_sweep_goes_over_constants_in_si_or_with_a_unit() -> None:
    table = cosim.sweep(
        integer(), machines="gap9", sites="headset_pulp", decode_rate_hz=4,
        over={"site.front_end.power": [3e-6, "3 µW/channel", "0.006 mW/channel"], "profile.static": [0.0]},
    ).to_frame()
    constant = table["site.front_end.power [W/channel]"]
    assert constant.tolist() == pytest.approx([3e-6, 3e-6, 6e-6])
    assert table["power_w"][0] == table["power_w"][1] < table["power_w"][2]
    at = load_profile("gap9").static.band.nominal
    plain = cosim.estimate(integer(), "gap9", "headset_pulp", decode_rate_hz=4).report
    assert table["decoder_power_w"][0] == pytest.approx(plain.decoder_power_w.nominal - at)


def test_a_sweep_of_widths_says_that_they_are_assumed() -> None:
    table = cosim.sweep(counted(), machines="gap9", decode_rate_hz=1, over={"weight_bits": [8, 4]}).to_frame()
    assert table["widths"].str.startswith("assumed").all()
    assert table["weight_bits"].tolist() == [8, 4]
    assert cosim.sweep(integer(), machines="gap9", decode_rate_hz=1).to_frame()["widths"][0].startswith("assumed W8A8")
    plain = cosim.sweep(counted(), machines="gap9", decode_rate_hz=1)
    assert plain.to_frame()["widths"].tolist() == ["as counted"]
    assert plain.to_frame()["power_w"].isna().all()  # gap9 prices no floats: the priced part would mislead


def test_a_sweep_shows_itself() -> None:
    table = cosim.sweep(counted(), machines=["gap9", "vega"], decode_rate_hz=1, over={"weight_bits": [8, 4]})
    assert len(repr(table).splitlines()) == 1
    assert table.varied == ("machine", "weight_bits", "widths")
    assert "<table>" in table._repr_html_()
    assert "gap9" in table.summary()
    named = {line.name: line for line in table.plot().data}
    assert list(named) == ["gap9", "vega"]
    assert list(named["gap9"].x) == [4, 8]
    assert table.plot().layout.yaxis.title.text == "power of the decoder [W]"


def test_a_figure_of_a_sweep_shows_what_was_varied_and_names_what_cannot_run() -> None:
    over = {"site.front_end.power": [1e-6, 3e-6]}
    table = cosim.sweep(integer(), machines="gap9", sites="headset_pulp", decode_rate_hz=1, over=over)
    (line,) = table.plot().data
    assert table.plot().layout.yaxis.title.text == "power of the whole device [W]"
    assert table.plot().layout.xaxis.title.text == "site.front_end.power [W/channel]"
    assert list(line.y) == pytest.approx(table.frame["power_w"].tolist())
    assert line.y[1] > line.y[0]
    both = cosim.sweep(counted(), machines=["gap9", "cortex_m4f"], over={"decode_rate_hz": [1, 100]})
    assert [one.name for one in both.plot().data] == ["gap9: cannot run", "cortex_m4f"]  # gap9 prices no floats
    places = cosim.sweep(integer(), machines=["gap9", "vega"], decode_rate_hz=1).plot().data[0]
    assert [name.partition("<br>")[0] for name in places.y] == ["gap9", "vega"]
    alone = cosim.sweep(counted(), machines="gap9", decode_rate_hz=1)
    with pytest.raises(cosim.CosimError, match="nothing can run on any of these machines"):
        alone.plot()
    with pytest.raises(cosim.CosimError, match=r"plot: .*prices no"):
        cosim.estimate(counted(), "gap9", decode_rate_hz=1).plot()


def test_compare_takes_pairs_and_texts(tmp_path: Path) -> None:
    work = integer()
    cosim.write_workload(work, tmp_path / "w.json")
    found = cosim.compare((work, "gap9"), (work, load_profile("cortex_m4f")), decode_rate_hz=4)
    texts = cosim.compare(f"{tmp_path}/w.json@gap9", f"{tmp_path}/w.json@cortex_m4f", decode_rate_hz=4)
    assert found.to_frame()["power_median_w"].tolist() == texts.to_frame()["power_median_w"].tolist()
    assert 0.5 < found.pairs_frame()["probability_less"][0] < 1
    assert "gap9" in repr(found)
    assert "takes less" in found.summary()


@pytest.mark.parametrize("name", ["machines", "sites", "corpora", "families", "architectures", "studies"])
def test_catalogues_are_tables_by_name(name: str) -> None:
    table = getattr(cosim, name)()
    assert len(table) > 5
    assert table.index.is_unique


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cosim.estimate(3, "gap9", decode_rate_hz=4), "work: 3 of type int.*cosim.count"),
        (lambda: cosim.estimate(network(), "gap9", decode_rate_hz=4), "Sequential.*cosim.count"),
        (lambda: cosim.estimate(Workload, "gap9", decode_rate_hz=4), "of type type"),
        (lambda: cosim.estimate("no.json", "gap9", decode_rate_hz=4), "no.json.*cannot be read"),
        (lambda: cosim.estimate(integer(), 3, decode_rate_hz=4), "profile: 3 of type int.*cosim profiles"),
        (lambda: cosim.estimate(integer(), None, decode_rate_hz=4), "profile: None"),
        (lambda: cosim.estimate(integer(), "gap8", decode_rate_hz=4), "Did you mean 'gap9'"),
        (lambda: cosim.estimate(integer(), "gap9", ["headset_pulp"], decode_rate_hz=4), "site: .*of type list"),
        (lambda: cosim.estimate(integer(), "gap9", decode_rate_hz=None), "decode_rate_hz: None.*Hz"),
        (lambda: cosim.estimate(integer(), "gap9", decode_rate_hz="4"), "has no unit.*Hz"),
        (lambda: cosim.estimate(integer(), "gap9", decode_rate_hz="4 mW"), "dimension power.*Hz"),
        (lambda: cosim.estimate(integer(), "gap9", decode_rate_hz=0), "above zero"),
        (lambda: cosim.estimate(integer(), "gap9", decode_rate_hz=4).to_frame("row"), "Give 'layers'"),
        (lambda: cosim.count(3, rate_hz=1), "model: 3 of type int.*torch.nn.Module"),
        (lambda: cosim.count(network(), torch.ones(1, 4, 50)), "rate is unknown"),
        (lambda: cosim.count(network(), rate_hz=1), "input shape is unknown"),
        (lambda: cosim.count(network(), object(), rate_hz=1), "no real numbers"),
        (lambda: cosim.count(network(), {}, rate_hz=1), "holds no array"),
        (lambda: cosim.count(network(), "x.npy", rate_hz=1), "x.npy: it cannot be read"),
        (lambda: cosim.count(network(), rate_hz=1, input_shape="4x50"), "sizes such as"),
        (lambda: cosim.count(network(), rate_hz=1, mode="windows"), "no mode 'windows'"),
        (lambda: cosim.count(network(), rate_hz=1, input_shape=(4, 50), decodes=0), "decodes: 0"),
        (lambda: cosim.count(network(), rate_hz=1, input_shape=(4, 50), input_bits=1.5), "input_bits: 1.5"),
        (lambda: cosim.sweep(3, machines="gap9", decode_rate_hz=1), "cosim.sweep: 3"),
        (lambda: cosim.sweep(integer(), machines=[], decode_rate_hz=1), "an empty list"),
        (lambda: cosim.sweep(integer(), machines={"gap9": 1}, decode_rate_hz=1), "a list of machines"),
        (lambda: cosim.sweep(integer(), machines="gap9"), "how often is a decision"),
        (lambda: cosim.sweep(integer(), machines="gap9", decode_rate_hz=1, over={"decode_rate_hz": [1]}), "twice"),
        (lambda: cosim.sweep(integer(), machines="gap9", over=[1]), "is no table"),
        (lambda: cosim.sweep(integer(), machines="gap9", over={"rate": [1]}), "Did you mean 'decode_rate_hz'"),
        (lambda: cosim.sweep(counted(), machines="gap9", decode_rate_hz=1, over={"weight_bits": [64]}), "1 to 32"),
        (lambda: cosim.sweep(counted(), machines="gap9", decode_rate_hz=1, over={"weight_bits": ["8"]}), "no width"),
        (lambda: cosim.sweep(integer(), machines="gap9", decode_rate_hz=1, over={"site.x": [1]}), "Name a site"),
        (lambda: cosim.compare(3, 4, decode_rate_hz=1), "3 is no design"),
        (lambda: cosim.compare("w.json@gap9", decode_rate_hz=1), "w.json"),
        (lambda: cosim.compare((integer(), "gap9"), decode_rate_hz=1), "Name two or more"),
    ],
)
def test_mistakes_in_python_say_what_where_and_the_remedy(call, message: str) -> None:
    with pytest.raises(cosim.CosimError, match=message):
        call()


def test_preprocessing_keeps_its_widths_where_others_are_assumed() -> None:
    scale = LayerWork(
        name="pipeline.scale", kind="feature", arithmetic="integer", calls=1, input_shape=(4,), output_shape=(4,),
        inputs=4, outputs=4, activation_bits=16, output_bits=16,
    )
    work = counted()
    found = at_widths(work.replace(layers=(scale, *work.layers)), weight_bits=4, activation_bits=4)
    assert found.layers[0] == scale
    assert found.layers[1].activation_bits == 4


def test_machines_sites_reports_and_workloads_show_themselves_in_one_line() -> None:
    report = cosim.estimate(integer(), "gap9", "headset_pulp", decode_rate_hz=4).report
    for one, word in (
        (load_profile("gap9"), "GAP9"), (load_site("headset_pulp"), "PULP"), (report, "on gap9"),
        (integer(), "Sequential"),
    ):
        for text in (repr(one), str(one)):
            assert len(text.splitlines()) == 1
            assert len(text) < 200
            assert word in text
        assert one._repr_html_().startswith("<table>")
    assert "INCOMPLETE" not in repr(integer())


def test_an_estimate_names_its_sources() -> None:
    one = cosim.estimate(integer(), "gap9", "headset_pulp", decode_rate_hz=4)
    sources = one.sources()
    assert tuple(sources["source"]) == one.report.sources
    assert sources["title"].str.len().min() > 0
