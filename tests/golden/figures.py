"""Collects the figures that the golden files hold; ``python tests/golden/figures.py`` writes them again.

A change that moves a figure writes the files again and says under **Numbers** in the changelog what moved and why.
"""

from __future__ import annotations

import csv
import itertools
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

import pandas as pd
import torch

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DEMO, PRICES, PAGES, MACHINE = "demo.csv", "prices.csv", "pages.json", "machine.json"
PRICE_COLUMNS = ("decoder_power_nominal_w", "total_power_low_w", "total_power_nominal_w", "total_power_high_w")
GENERATED = ("published_models", "architectures", "braindistill", "memory", "validation")
NUMBER = re.compile(r"(?<![\w.])[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")

Row = dict[str, str]


def machine() -> dict[str, str]:
    """Return what decides the last digits of a training: trained scores repeat on such a machine only."""
    return {
        "torch": torch.__version__, "instructions": torch.backends.cpu.get_cpu_capability(),
        "architecture": platform.machine(), "processor": processor(),
    }  # fmt: skip


def processor() -> str:
    """Return vendor, family and model of the processor: its libraries choose their sums by it too."""
    listed = Path("/proc/cpuinfo")
    if not listed.exists():
        return platform.processor()
    lines = listed.read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return " ".join(told.get(key, "unknown") for key in ("vendor_id", "cpu family", "model"))


def demo_rows(run: Path) -> list[Row]:
    """Return score and prices of every point of a finished demo, one row a point, machine and site."""
    scores: pd.DataFrame = pd.read_parquet(run / "scores.parquet")
    prices: pd.DataFrame = pd.read_parquet(run / "priced.parquet")
    joined = scores.merge(prices, on="workload_digest", how="left")
    rows: list[Row] = []
    for one in joined.to_dict("records"):
        names = {key: str(one[key]) for key in ("decoder", "seed", "fold")}
        place = {key: str(one[key]) if isinstance(one[key], str) else "" for key in ("profile", "site")}
        numbers = {key: repr(float(one[key])) for key in ("score", "validation_score", *PRICE_COLUMNS)}
        rows.append(names | place | numbers)
    return sorted(rows, key=lambda row: tuple(row.values())[:5])


def run_demo(folder: Path) -> Path:
    """Run the demo into a new folder and return it."""
    cosim = Path(sys.executable).with_name("cosim")
    subprocess.run([str(cosim), "run", "demo", "--out", str(folder)], check=True, capture_output=True, cwd=ROOT)
    return folder


def price_rows() -> list[Row]:
    """Return the price of every shipped workload on every machine at every site; no training enters them."""
    from energy_models.hardware import load_profile, load_site, profile_names, site_names
    from energy_models.pricing import estimate
    from energy_models.workload import read_workload

    folder = Path(str(files("energy_models.data"))) / "workloads"
    rows: list[Row] = []
    for path, profile, site in itertools.product(sorted(folder.glob("*.json")), profile_names(), site_names()):
        workload = read_workload(path)
        rate_hz = workload.step_rate_hz if workload.mode == "stream" else 2.0
        report = estimate(workload, load_profile(profile), load_site(site), decode_rate_hz=rate_hz)
        whole = report.total_power_w
        values = (report.decoder_power_w.nominal, whole.low, whole.nominal, whole.high)
        figures = {key: repr(value) for key, value in zip(PRICE_COLUMNS, values, strict=True)}
        rows.append({"workload": path.stem, "profile": profile, "site": site, **figures})
    return rows


def page_numbers() -> dict[str, list[str]]:
    """Return every number of the generated pages, in order; their words may change."""
    texts = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in GENERATED}
    return {name: NUMBER.findall(text) for name, text in texts.items()}


def read_rows(name: str) -> list[Row]:
    """Return the rows of a golden table."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write_rows(name: str, rows: Iterable[Mapping[str, str]]) -> None:
    table = list(rows)
    with (HERE / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def main() -> None:
    """Write every golden file again."""
    _write_rows(PRICES, price_rows())
    pages = json.dumps(page_numbers(), ensure_ascii=False).replace("], ", "],\n ")
    (HERE / PAGES).write_text(pages + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        _write_rows(DEMO, demo_rows(run_demo(Path(folder) / "demo")))
    (HERE / MACHINE).write_text(json.dumps(machine(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
