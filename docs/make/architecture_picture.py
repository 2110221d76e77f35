"""The picture of the rooms, drawn from the import contracts: ``python docs/make/architecture_picture.py``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "architecture.svg"
PACKAGES = {
    "cosim": "the experiment: recordings in, accuracy against microwatts out",
    "students": "learning: decoders, quantised and spiking forms, exact counts",
    "energy_models": "physics: what a counted network costs on a machine at a site",
}
NOT_ROOMS = {"registry", "errors", "versions", "data"}
NOTES = {
    "cli": "one file a command", "api": "puts a run together", "workloads": "networks named on the command line",
    "report": "page and figures", "tables": "scores and prices of a run", "engine": "stages, store, executors, search",
    "study": "the study file, checked", "teachers": "targets, gate", "baselines": "classical",
    "evaluation": "scores, fronts",
    "splits": "what is held out", "datasets": "recordings, windows", "preprocessing": "filters, counted",
    "testing": "contract suites for plug-ins",
    "architectures": "networks as TOML", "neurobench": "its definitions", "counting": "what a network did, exactly",
    "interchange": "ONNX, QONNX, NIR", "training": "one loop, methods of distillation",
    "deploy": "integers as a chip runs them", "models": "build, quantise, store",
    "families": "one file an architecture", "quantize": "integer layers (Brevitas)",
    "layers": "one vocabulary of layers",
    "neurons": "LIF and kin, encoders, snnTorch", "spec": "what rebuilds a student",
    "kernels": "inner loops of training (Numba)",
    "validation": "predicted against measured", "calibration": "boards fitted to tables",
    "design": "machines sized to networks",
    "analysis": "uncertainty, break-even, published models", "feasibility": "limits of a site, battery",
    "pricing": "counts times constants", "mapping": "placement, action counts, styles",
    "technology": "laws of memory, logic, scaling", "hardware": "machines and sites", "workload": "what was counted",
    "quantities": "values with bounds and source",
}
"""A few words for each room."""
WIDTH, FLOOR = 4.0, 0.62


@dataclass(frozen=True, slots=True)
class Floors:
    """One package's rooms, floor by floor from the top; a room imports from lower floors only."""

    package: str
    floors: tuple[tuple[str, ...], ...]


def read_floors() -> tuple[Floors, ...]:
    """Return the floors of the three packages as the ``layers`` contracts of ``pyproject.toml`` state them."""
    contracts: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    return tuple(Floors(package, _floors(package, contracts)) for package in PACKAGES)


def _floors(package: str, contracts: list[dict[str, Any]]) -> tuple[tuple[str, ...], ...]:
    for contract in contracts:
        layers = [_rooms(package, layer, contract) for layer in contract.get("layers", [])]
        if contract["type"] == "layers" and any(layers):
            return tuple(layer for layer in layers if layer)
    raise LookupError(f"pyproject.toml has no layers contract for the rooms of {package}")


def _rooms(package: str, layer: str, contract: dict[str, Any]) -> tuple[str, ...]:
    """Return the rooms of one layer: ``package.room`` in full, or ``room`` where the package is the container."""
    inside = contract.get("containers") == [package]
    names = [name.strip(" ()") for name in re.split(r"[|:]", layer)]
    short = [name.removeprefix(f"{package}.") for name in names if inside or name.startswith(f"{package}.")]
    return tuple(name for name in short if name not in NOT_ROOMS and "." not in name)


def draw(floors: tuple[Floors, ...], path: Path) -> None:
    """Write the picture: a column a package, its floors from top to bottom, imports pointing down and to the right."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "cosim", "font.family": "sans-serif"})
    highest = max(len(one.floors) for one in floors)
    figure, axes = pyplot.subplots(figsize=(12.5, 0.55 * highest + 1.4))
    for column, one in enumerate(floors):
        _column(axes, one, column * (WIDTH + 1.0), highest * FLOOR)
        if column:
            arrow = {"arrowstyle": "-|>", "color": "#334155", "lw": 1.6}
            left, right = column * (WIDTH + 1.0) - 0.9, column * (WIDTH + 1.0) - 0.1
            axes.annotate("", (right, highest * FLOOR - 0.3), (left, highest * FLOOR - 0.3), arrowprops=arrow)
            axes.text((left + right) / 2, highest * FLOOR - 0.15, "imports", ha="center", fontsize=8, color="#334155")
    axes.set_xlim(-0.15, 3 * WIDTH + 2.15)
    axes.set_ylim(-0.2, highest * FLOOR + 0.75)
    axes.axis("off")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)


def _column(axes: Axes, one: Floors, left: float, top: float) -> None:
    axes.text(left, top + 0.5, one.package, fontsize=13, fontweight="bold", color="#0f172a")
    axes.text(left, top + 0.22, PACKAGES[one.package], fontsize=7.5, color="#475569")
    for floor, rooms in enumerate(one.floors):
        width = (WIDTH - 0.1 * (len(rooms) - 1)) / len(rooms)
        for place, room in enumerate(rooms):
            corner = (left + place * (width + 0.1), top - (floor + 1) * FLOOR + 0.1)
            box = FancyBboxPatch(
                corner, width, FLOOR - 0.16, boxstyle="round,pad=0,rounding_size=0.06", facecolor="#e2ecf7",
                edgecolor="#5b7ea6", lw=0.9,
            )  # fmt: skip
            axes.add_patch(box)
            middle = (corner[0] + width / 2, corner[1] + (FLOOR - 0.16) / 2)
            axes.text(middle[0], middle[1] + 0.08, room, ha="center", va="center", fontsize=9, color="#0f172a")
            axes.text(middle[0], middle[1] - 0.12, NOTES[room], ha="center", va="center", fontsize=6, color="#475569")


if __name__ == "__main__":
    draw(read_floors(), PICTURE)
