"""Every notebook runs from top to bottom, shows what it claims to show, and holds no long function."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_notebooks_use_the_front_door_only() -> None:
    for path in NOTEBOOKS:
        for source in code_of(nbformat.read(path, 4)):
            for node in ast.walk(ast.parse(source)):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
                inside = [name for name in names if name.startswith(("cosim.", "students", "energy_models"))]
                assert not inside, (path.name, inside)


def code_of(notebook: nbformat.NotebookNode) -> list[str]:
    """Return the sources of the code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_defines_no_function_over_five_lines(path: Path) -> None:
    for source in code_of(nbformat.read(path, 4)):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or node.lineno) - node.lineno < 5


# What each notebook's claim says of its own variables, checked after its last cell.
CLAIMS = {
    "spiking_break_even": """
for form in FORMS:
    assert spikes[form].compared > 0, "every output is compared with the integers'"
    for machine in MACHINES:
        draws = table[f"{machine} [µW]"]
        less = draws[f"MLP {form} as spikes"] < draws[f"MLP {form}"]
        row = even.loc[f"MLP {form} as spikes", machine]
        assert less == (row["fired"] < row["same power at"]), (form, machine, row)
ours = [f"MLP {form} as spikes" for form in FORMS]
core, array, controller = (even.xs(machine, level="machine").loc[ours] for machine in MACHINES)
assert (array["95 %"] == 0).all(), array
assert (controller["less power, probability"] < 0.5).all() and (controller["same power at"] == 0).all(), controller
takes_less = core["fired"] < core["same power at"]
assert takes_less.tolist()[0::2] == [False, True], core
assert core["less power, probability"].iloc[0] < 0.05 < 0.9 < core["less power, probability"].iloc[2], core
drawn = table["event_core_28nm [µW]"]
assert all(abs(drawn[f"MLP {form} as spikes"] / drawn[f"MLP {form}"] - 1) < 0.02 for form in FORMS), drawn
assert causes.loc["static"].min() > 0.8 * causes.loc["decoder"].max(), causes
assert table["R²"].min() > 0.85, table
""",
    "validation_against_silicon": """
ours = held[held["kind"] == "Microcontrollers with a profile"]
energy = ours.loc[ours["quantity"] == "energy", "error"]
assert 0.06 < energy.median() < 0.1 and 0.15 < energy.quantile(0.9) < 0.25, energy.describe()
assert 0.88 < ours["in_band"].mean() < 0.96, ours["in_band"].mean()
beyond = held[held["kind"].str.startswith("Profiles used beyond")]
assert 0.55 < beyond["ratio"].median() < 0.75 and 0.85 < beyond["in_band"].mean() < 0.97, beyond["ratio"].describe()
assert beyond["width"].median() > 4 * ours["width"].median()
assert len(held) + (table["role"] == "fitted").sum() == len(table)
assert abs(1e6 * mine.nominal / fitted["predicted"] - 1) < 0.02, (mine, fitted)
assert (energies["predicted"] / energies["measured"]).round(6).tolist() == energies["ratio"].round(6).tolist(), "units"
""",
    "few_labels": """
assert gain.min() > 0.08, seeds
assert control.max() < 0.03, seeds
ridge, taught = table.loc["ridge"], table.loc["MLP w4a4 edge=8 kl"]
assert ridge["score"] > taught["score_low"] and ridge["decoder [µW]"] < 0.6 * taught["decoder [µW]"], table
assert taught["score"] > table.loc["MLP float32 undistilled", "score_high"], table
assert not run.failures and set(table["verdict"].dropna()) - {""} == {"fits"}, table["verdict"]
""",
    "bring_your_own": """
# 8 x 8 x 192; 8 x (17 x 192 - 2 x (1 + ... + 8)); 8 x 12 x 2
assert products == {"mix": 12288, "filter": 25536, "readout": 192}, products
assert exported.agreement.changed == 0, exported
said = {row["what"]: row["value"] for row in exported.rows()}
assert said["integers that differ from Brevitas"].startswith("0 of"), said
assert result["complete"].all(), result
for name in boards:
    middle = result.xs(name, level="board")["decode nominal [µJ]"]
    assert middle["w4a4"] == middle["w8a8"], result
assert (result["decode low [µJ]"] < result["decode high [µJ]"]).all(), result
assert min(one.test_score for one in students.values()) > 0.75, students
assert "energy off by" in done.stderr, done.stderr
assert board.bands["execution.active_power"].low < board.bands["execution.active_power"].high
assert "my_board_table" in set(report.sources()["source"]), report.sources()
""",
    "implant_feasibility": """
assert frame["decoder share"].max() < 0.02, frame
assert (frame["power_w"] <= 24.7e-3).tolist() == [True] * 7 + [False], frame
assert (frame["power_high_w"] <= 24.7e-3).tolist() == [channels <= 512 for channels in CHANNELS], frame
for channels, one in spikes.items():
    assert frame.loc[channels, "power_w"] == one.report.total_power_w.nominal
    against_raw = against["20 kS/s", channels]
    # at the radio energy where both draw the same, they do
    even = cosim.estimate(works[channels], **ask, constants={"site.radio.energy": against_raw.break_even_j_per_bit})
    assert abs(even.against_raw_streaming().saved_w.nominal) < 1e-9 * even.report.total_power_w.nominal
assert set(streaming.loc["20 kS/s", "cheaper"]) == {"decoding"}, streaming
assert streaming.loc["20 kS/s", "same at [pJ/bit]"].max() < 1, streaming
undecided = streaming.loc["1 kS/s", "cheaper"] == "undecided"
assert undecided[undecided].index.tolist() == [32, 64, 128], streaming
held = cosim.estimate(works[4096], **ask, constants={"site.front_end.power": need[4096]})
assert 0.999 < min(held.to_frame("limits")["headroom"]) < 1.001
mends = {lever.name for lever in largest.levers() if lever.bound is not None}
assert mends == {"site.front_end.power", "site.power_budget"}, mends
assert (battery["low [h]"] < battery["nominal [h]"]).all() and battery["nominal [h]"].is_monotonic_decreasing, battery
names = {path.name for path in written}
assert {"points.csv", "points.tex", "streaming.csv", "levers.tex", "power.pdf", "review.tex"} <= names, names
assert all(path.stat().st_size > 100 for path in written), written
limits = [figure.axes[0].get_ylim(), crossover.axes[0].get_ylim(), levers.axes[0].get_ylim()]
assert all(high / low < 1e6 for low, high in limits), limits  # what is drawn is in one unit
""",
    "co_design": """
assert (table["own nominal [µW]"] < table["fixed nominal [µW]"] / 3).all(), table
narrower = table.loc["w8a8", "fixed nominal [µW]"] - table.loc["w2a4", "fixed nominal [µW]"]
assert (table["fixed nominal [µW]"] - table["own nominal [µW]"] > 3 * narrower).all(), table
for form in FORMS:
    less = bars[f"{form}, fixed"] - bars[f"{form}, own"]
    assert less[["static", "retention"]].sum() > 0.8 * less.sum(), less
    assert less["compute"] < 0.05 * less.sum(), less
    priced = own[form].report.decoder_power_w
    assert abs(priced.nominal / designs[form].best.power_w - 1) < 1e-6, (priced, designs[form].best.power_w)
    assert abs(causes(own[form]).sum() / 1e6 / priced.nominal - 1) < 1e-9, causes(own[form])
    assert abs(causes(fixed[form]).sum() / 1e6 / fixed[form].report.decoder_power_w.nominal - 1) < 1e-9
assert "node" in free.shares.undecided and "style" not in free.shares.undecided, free.shares
assert heat.min() >= 1e6 * designs["w4a4"].best.power_w * (1 - 1e-9), heat
""",
    "bit_widths": """
kept = table.loc[["w8a8", "w6a6", "w4a4", "w3a3"]]
assert kept["balanced accuracy"].min() > table.loc["float32", "balanced accuracy"] - 0.08, table
widths = ["w8a8", "w6a6", "w4a4", "w3a3"]
assert table.loc[widths, "weights [kB]"].is_monotonic_decreasing, table
assert table.loc[widths, "decoder [µW]"].is_monotonic_decreasing, table
assert table.loc["ptq w2a4", "balanced accuracy"] < table.loc["w2a4", "balanced accuracy"], table
assert set(learned.replace("=", " ").split()) & {"w2a2", "w2a3", "w3a2", "w3a3", "w3a4", "w4a2", "w4a3"}, learned
assert exported.agreement.changed == 0, exported
assert 1 < table.loc["w8a8", "decoder [µW]"] / table.loc["w2a2", "decoder [µW]"] < 1.5, table

# A study on the same recordings finds the notebook's students finished, and its prices are the notebook's.
study = {
    "study": {"name": "same", "title": "The same as a study", "seeds": [0]},
    "dataset": {"name": data.name, "options": dict(data.options)},
    "split": split,
    "students": [{"label": "EEGNet", "family": "eegnet", "options": {"temporal_filters": 4}, "forms": ["w8a8"]}],
    "training": {"student": TRAINING, "quantised": {**TRAINING, **quick}},
    "hardware": {"profiles": [MACHINE, "cortex_m4f"], "sites": [SITE], "decode_rate_hz": DECODE_RATE_HZ},
}
run = cosim.run(study, out=student.home.root, workers=1)
theirs = run.decoder("EEGNet w8a8").student(fold=student.facts["fold"])
ours = students["w8a8"]
assert theirs.home.stage.digest == ours.home.stage.digest
assert theirs.workload() == ours.workload()
assert "pipeline.standardise" in [layer.name for layer in ours.workload().layers]
price = cosim.estimate(theirs, MACHINE, SITE, decode_rate_hz=DECODE_RATE_HZ).report
assert table.loc["w8a8", "decoder_power_w"] == price.decoder_power_w.nominal
assert table.loc["w8a8", "power_w"] == price.total_power_w.nominal
there = run.results
rows = there[(there["machine"] == MACHINE) & (there["decoder"] == "EEGNet w8a8")]
folds = [run.decoder("EEGNet w8a8").workload(fold=fold) for fold in run.decoder("EEGNet w8a8").folds]
each = cosim.sweep(folds, machines=MACHINE, sites=SITE, decode_rate_hz=DECODE_RATE_HZ).to_frame()["power_w"]
assert abs(rows["power_w"].iloc[0] / each.mean() - 1) < 1e-12
assert table.loc["w8a8", "power_w"] in set(each)
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_its_claim_holds(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    notebook.cells.append(nbformat.v4.new_code_cell(CLAIMS[path.stem]))
    where = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    kinds = {kind for cell in notebook.cells for out in cell.get("outputs", []) for kind in out.get("data", {})}
    assert {"image/png", "text/html"} <= kinds
