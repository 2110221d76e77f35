"""Folders of runs: their tables, records and results; archives; the database of a search."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from random import Random

import pandas as pd
from filelock import FileLock

from cosim.api.finished_run import load_run
from cosim.engine.search import DATABASE, Search, database_errors
from cosim.report import write_report
from cosim.study.check import check_study
from cosim.tables.archive import ARCHIVE, check_archive, write_archive
from tests.robustness import values
from tests.robustness.kind import Kind
from tests.robustness.mild import json_order, vacuumed
from tests.robustness.sound import demand

STUDY = """
[study]
name = "small"
title = "Small"
question = "Does it hold?"
seeds = [0]

[dataset]
name = "synthetic_eeg"
options = { channels = 4, sessions = 2, runs = 1, trials = 12, rate_hz = 64.0, trial_s = 1.0 }

[split]
method = "leave_one_group_out"
group = "session"
validation = "fraction"

[[students]]
label = "Net"
family = "mlp"
options = { hidden = [4, 8] }
forms = ["float32"]

[[baselines]]
name = "csp_lda"

[training]
student = { epochs = 1, batch_size = 8 }

[hardware]
profiles = ["cortex_m4f", "asic65_near_memory"]
sites = ["headset_commodity"]
decode_rate_hz = 1.0
observed_examples = 4
"""
ROOT = Path(__file__).parents[2]
CELLS = (math.nan, math.inf, -1.0, 0.0, 1e308, "", "x", None, "{}", "[", '{"a": NaN}', 2**63 - 1, True)


def in_table(folder: Path, dice: Random) -> str:
    """Change a cell, a column or the rows of one of the folder's tables."""
    path = dice.choice(sorted(folder.glob("*.parquet")))
    table = pd.read_parquet(path)
    column, row = dice.choice(list(table.columns)), dice.randrange(len(table))
    act = dice.choice(("cell", "cell", "cell", "column", "drop", "rename", "rows", "order", "none", "double", "type"))
    match act:
        case "cell":
            table[column] = table[column].astype(object)
            table.loc[row, column] = dice.choice(CELLS)
            table[column] = table[column].map(str) if table[column].map(type).nunique() > 1 else table[column]
        case "column":
            table[column] = dice.choice(CELLS)
        case "drop":
            table = table.drop(columns=column)
        case "rename":
            table = table.rename(columns={column: f"{column}_"})
        case "rows":
            table = table.iloc[: dice.choice((1, len(table) // 2))]
        case "order":
            table = table.sample(frac=1, random_state=dice.randrange(1000))
        case "none":
            table = table.iloc[:0]
        case "double":
            table = pd.concat([table, table])
        case _:
            table[column] = table[column].map(str)
    table.to_parquet(path, index=False)
    return f"{path.name} {column} {act}"


def in_record(folder: Path, dice: Random) -> str:
    """Change a value of one of the folder's JSON files."""
    path = dice.choice(sorted(folder.glob("*.json")))
    document = json.loads(path.read_text(encoding="utf-8"))
    said = values.changed(document, dice)
    path.write_text(json.dumps(document), encoding="utf-8")
    return f"{path.name} {said}"


def in_database(path: Path, dice: Random) -> str:
    """Change a value, drop a row, a table or a column of a SQLite file."""
    base = sqlite3.connect(path)
    names = [name for (name,) in base.execute("select name from sqlite_master where type = 'table'")]
    table = dice.choice(sorted(names))
    columns = [row[1] for row in base.execute(f"pragma table_info({table})")]
    column = dice.choice(columns)
    act = dice.choice(("drop table", "empty", "value", "value", "value", "rename"))
    try:
        match act:
            case "drop table":
                base.execute(f"drop table {table}")
            case "empty":
                base.execute(f"delete from {table}")  # noqa: S608
            case "rename":
                base.execute(f"alter table {table} rename column {column} to {column}_")
            case _:
                value = dice.choice((None, -1, 0, 2**62, "x", "", b"\xff", 1e308, "[1,2", '{"a": 1}'))
                base.execute(f"update {table} set {column} = ?", (value,))  # noqa: S608
        base.commit()
    except sqlite3.Error as error:
        act = f"{act} refused ({error})"
    base.close()
    return f"{table}.{column} {act}"


def finished_run(home: Path) -> Path:
    """Return the folder of one finished run, which all processes of a fuzz share."""
    with FileLock(home / "finished.lock"):
        root = home / "finished" / "run"
        if not root.is_dir():
            study = home / "small.toml"
            study.write_text(STUDY, encoding="utf-8")
            command = [sys.executable, "-m", "tests.robustness.cosim_command", "run", str(study), "--out", str(root)]
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        return root


def _run(folder: Path) -> Path:
    shutil.copytree(finished_run(Path.cwd()), folder / "run", ignore=shutil.ignore_patterns("report.html"))
    return folder / "run"


def _archive(folder: Path) -> Path:
    return write_archive(finished_run(Path.cwd()), folder / "archived")


def _outside_hashes(change: Callable[[Path, Random], str]) -> Callable[[Path, Random], str]:
    """Return a change after which the archive's list of hashes is gone, as that of a run that is none."""

    def then(folder: Path, dice: Random) -> str:
        said = change(folder, dice)
        if dice.random() < 0.5:
            (folder / ARCHIVE).unlink(missing_ok=True)
            said += ", no list of hashes"
        return said

    return then


def _without_hashes(folder: Path, dice: Random) -> str:
    (folder / ARCHIVE).unlink()
    return json_order(folder, dice)


def _read_run(folder: Path) -> None:
    check_archive(folder)
    found = load_run(folder)
    demand(len(found.decoders) > 0, "no decoder")
    table = found.results
    scores = table["score"].astype(float)
    demand(bool((scores.isna() | (scores.abs() <= 1e3)).all()), "scores beyond any metric")
    powers = table["power_w"].astype(float)
    demand(bool((powers.isna() | ((powers >= 0) & powers.map(math.isfinite))).all()), "powers that are none")
    str(found.failures)
    found.pareto()
    repr(found)


def _read_page(folder: Path) -> None:
    page = write_report(folder)
    demand(page.stat().st_size > 0, "an empty page")


def _database(folder: Path) -> Path:
    plan = check_study(tomllib.loads(STUDY), where="small")
    search = Search(plan, "digest", folder)
    trial, _ = search.ask()
    search.tell(trial, {"score": 0.5})
    search.ask()
    return folder / DATABASE


def _read_database(path: Path) -> None:
    with database_errors(path.parent):
        plan = check_study(tomllib.loads(STUDY), where="small")
        search = Search(plan, "digest", path.parent)
        demand(len(search.completed()) + search.remaining() >= 2, "configurations are lost")
        while search.remaining():
            trial, _ = search.ask()
            search.tell(trial, {"score": 0.25})


RUNS = (
    Kind("run", _run, _read_run, json_order, (in_table, in_table, in_record)),
    Kind("page", _run, _read_page, json_order, (in_table, in_table, in_record)),
    Kind("archive", _archive, _read_run, _without_hashes, (_outside_hashes(in_table), _outside_hashes(in_record))),
    Kind("search", _database, _read_database, vacuumed, (in_database,)),
)
