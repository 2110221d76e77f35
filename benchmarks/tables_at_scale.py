"""How long pricing and the commands that read a run take with 500 decoders on 17 machines at 8 sites: 68,000 prices.

    OMP_NUM_THREADS=1 python benchmarks/tables_at_scale.py
    OMP_NUM_THREADS=1 python benchmarks/tables_at_scale.py --rows 1000000

With ``--rows`` the prices are those of the first decoders, copied: decoders repeat after 24, with another name and
score, so pricing each would give the same. Pricing itself is then not measured.

The run is made up, its workloads are the shipped EEGNet's with other widths and as many channels as each decoder has.
Exits with 1 where a command misses its time or its memory, or its page its size. Times are the processor's: all is done
by one thread, and on an idle machine the clock says the same.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import compute, parquet

from cosim.engine.files import to_json
from cosim.tables.decoders import DECODERS, DecoderScore
from cosim.tables.differences import DIFFERENCES, Difference, write_differences
from cosim.tables.prices import PRICED
from cosim.tables.results import Score, write_parquet
from cosim.tables.workloads import WORKLOADS, StoredWorkload
from energy_models.hardware import profile_names, site_names
from energy_models.workload import Count, Workload, at_widths, read_workload, workload_digest, workload_text

PRICING_S, COMMAND_S, MEMORY_BYTES, PAGE_BYTES = 20.0, 30.0, 1e9, 6e6
FORMS = ((32, 32), (8, 8), (4, 4), (2, 4))
ROWS_S, ROWS_BYTES = 120.0, 2e9  # of a command where --rows says how many prices there are
SIZES = 6
PRICE = "import sys; from pathlib import Path; from cosim.tables.prices import reprice; reprice(Path(sys.argv[1]))"


def larger(value: Any, factor: int) -> Any:
    """Return a workload, or a part of it, whose counts are a multiple."""
    if isinstance(value, Count):
        return dataclasses.replace(value, total=value.total * factor, squares=value.squares * factor**2)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {field.name: larger(getattr(value, field.name), factor) for field in dataclasses.fields(value)}
        scaled = {name: found[name] * factor for name in ("weights", "weights_nonzero", "biases") if name in found}
        return dataclasses.replace(value, **(found | scaled))
    if isinstance(value, tuple):
        return tuple(larger(one, factor) for one in value)
    return {key: larger(one, factor) for key, one in value.items()} if isinstance(value, dict) else value


def decoders(count: int) -> list[tuple[str, str, Workload, tuple[int, int]]]:
    """Return student, form, workload and widths of so many decoders."""
    shipped = read_workload(Path(str(files("energy_models.data"))) / "workloads" / "eegnet_8_2.json")
    found: list[tuple[str, str, Workload, tuple[int, int]]] = []
    for number, (weight, activation) in itertools.islice(
        itertools.product(range(-(-count // len(FORMS))), FORMS), count
    ):
        form = "float32" if weight == 32 else f"w{weight}a{activation}"
        work = larger(shipped, 1 + number % SIZES)
        work = work if weight == 32 else at_widths(work, weight_bits=weight, activation_bits=activation)
        named = dataclasses.replace(work, name=f"EEGNet-{number} {form}")
        found.append((f"EEGNet-{number}", form, named, (weight, activation)))
    return found


def write_run(root: Path, count: int) -> None:
    """Write the tables of a run in which all is made up but the workloads."""
    chance = np.random.default_rng(0)
    scores, pooled, workloads, gaps = list[Score](), list[DecoderScore](), list[StoredWorkload](), list[Difference]()
    for student, form, work, (weight, activation) in decoders(count):
        digest, name, score = workload_digest(work), f"{student} {form}", float(chance.uniform(0.3, 0.9))
        workloads.append(StoredWorkload(digest, workload_text(work)))
        scores.append(Score(
            study="scale", dataset="synthetic_eeg", protocol="made up", split="holdout", role="student",
            decoder_id=name, decoder=name, student=student, family="eegnet", options="{}", form=form, spiking=False,
            method="", spec_digest=name, seed=0, fold="all", metric="balanced_accuracy", score=score,
            validation_score=score, parameters=1700, weight_bits=weight, activation_bits=activation,
            workload_digest=digest, complete=work.complete, distilled_from="", versions="{}",
        ))  # fmt: skip
        nan = float("nan")
        pooled.append(DecoderScore(
            decoder_id=name, metric="balanced_accuracy", score_mean=score, score_low=score - 0.05,
            score_high=score + 0.05, score_over="subjects", score_count=9, score_method="bootstrap", folds=1, seeds=1,
            chance=0.25, p_value=0.001, itr_bits_per_min=nan, auroc=nan, sensitivity=nan, specificity=nan,
            false_alarms_per_hour=nan, latency_s=nan, events=nan, events_found=nan, unstated="{}",
        ))  # fmt: skip
        if form != "float32":
            base = f"{student} float32"
            gaps.append(
                Difference("form", name, base, name, base, -0.01, -0.02, 0.0, "subjects", 9, 1, "bootstrap", "")
            )
    write_parquet(scores, root / "scores.parquet")
    write_parquet(pooled, root / DECODERS)
    write_parquet(workloads, root / WORKLOADS)
    write_differences(gaps, root / DIFFERENCES)
    hardware = {"profiles": list(profile_names()), "sites": list(site_names()), "decode_rate_hz": 4.0}
    documents: dict[str, dict[str, object]] = {
        "plan.json": {"study": {"hardware": hardware}, "data_dir": None, "command": "cosim run scale"},
        "study.json": {
            "name": "scale", "title": "Made up", "question": "", "protocol": "made up", "metric": "balanced_accuracy",
            "chance": 0.25, "seeds": [0], "command": "cosim run scale", "versions": {}, **hardware,
            "dataset": {"name": "synthetic_eeg", "pipeline": [], "notes": [], "card": {
                "title": "Made up", "licence": "CC0", "citation": "None.", "homepage": "", "caveats": []}},
        },
        "gates.json": {"gates": []},
    }  # fmt: skip
    for name, document in documents.items():
        (root / name).write_text(to_json(document), encoding="utf-8")


def write_copied_prices(root: Path, count: int) -> None:
    """Price the decoders that differ, and write the table of prices of all as copies of theirs."""
    apart = SIZES * len(FORMS)
    digests = [workload_digest(work) for _, _, work, _ in decoders(count)]
    with tempfile.TemporaryDirectory() as temporary:
        write_run(Path(temporary), apart)
        subprocess.run([sys.executable, "-c", PRICE, temporary], check=True)
        made = parquet.read_table(Path(temporary) / PRICED)
    place = made.schema.get_field_index("workload_digest")
    first = [made.filter(compute.equal(made["workload_digest"], digest)) for digest in digests[:apart]]
    with parquet.ParquetWriter(root / PRICED, made.schema, compression="zstd", write_page_checksum=True) as writer:
        for start in range(0, count, apart):
            copies = [
                part.set_column(place, made.schema.field(place), pyarrow.array([digest] * len(part)))
                for digest, part in zip(digests[start : start + apart], first, strict=False)
            ]
            writer.write_table(pyarrow.concat_tables(copies))


def measured(command: list[str]) -> tuple[float, float, float]:
    """Return wall and processor time [s] and largest resident memory [B] of a command; its output goes to nowhere."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, float(usage.ru_maxrss * unit)


def main() -> int:
    """Print the table; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decoders", type=int, default=500)
    parser.add_argument("--keep", type=Path, help="folder in which the run stays")
    parser.add_argument("--rows", type=int, help="prices, at least: made by copying, not priced")
    arguments = parser.parse_args()
    places = len(profile_names()) * len(site_names())
    count = arguments.decoders if arguments.rows is None else -(-arguments.rows // places)
    command_s, most_bytes = (COMMAND_S, MEMORY_BYTES) if arguments.rows is None else (ROWS_S, ROWS_BYTES)
    cosim = str(Path(sys.executable).with_name("cosim"))
    missed = 0
    with tempfile.TemporaryDirectory() as temporary:
        root: Path = arguments.keep or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        write_run(root, count)
        steps: dict[str, tuple[list[str], float]] = {}
        if arguments.rows is None:
            steps["price"] = ([sys.executable, "-c", PRICE, str(root)], PRICING_S)
        else:
            write_copied_prices(root, count)
            print(f"{count:,} decoders at {places} places: {count * places:,} prices", flush=True)
        for name in ("feasibility", "pareto", "report"):
            steps[name] = ([cosim, name, str(root)], command_s)
        steps["report --digest"] = ([cosim, "report", str(root), "--digest", str(root / "digest")], command_s)
        for name, (command, bar_s) in steps.items():
            wall_s, seconds, memory = measured(command)
            missed += seconds > bar_s or memory > most_bytes
            print(f"{name:16} {seconds:6.1f} s of {bar_s:.0f}   {memory / 1e6:6.0f} MB of {most_bytes / 1e6:.0f}   "
                  f"({wall_s:.1f} s on the clock)", flush=True)  # fmt: skip
        written = [path for path in (root / "report.html", *root.glob("*.parquet")) if path.is_file()]
        sizes = {path.name: path.stat().st_size for path in written}
        missed += sizes["report.html"] > PAGE_BYTES
        print(json.dumps(sizes))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
