"""Writes the page: reads the run, fills the template, one file that works offline."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any, cast

import jinja2
from markupsafe import Markup

from cosim.engine.files import record_errors, write_atomically
from cosim.report import charts, evidence, sections
from cosim.report.comparison import comparison, difference_rows, over_text, selection_note, task_rows
from cosim.report.downloads import downloads_text
from cosim.report.figures.numbers import quantity_text, score_of
from cosim.report.headline import (
    LIMIT_WORDS,
    Answer,
    answers,
    binding_of,
    choice_note,
    chosen_on,
    headline,
    power_of,
)
from cosim.report.inputs import Run, firing_warnings, lag_lines, machine_title, opened, site_title
from cosim.report.own_machines import OwnMachines, own_machines
from cosim.report.selection import (
    foremost_decoders,
    foremost_differences,
    foremost_gates,
    more_notes,
    named_decoders,
    names_text,
)
from cosim.tables.archive import portable

OWN = "own"
"""Name of the chart of machines sized to decoders."""
MOST_SITE_COLUMNS = 3  # more of them stand in one column: a laptop's screen holds no more


def write_report(run: Path | Run, out: Path | None = None) -> Path:
    """Write the page of a finished run and return its path.

    Parameters
    ----------
    run : Path or Run
        Its folder, which holds ``study.json``, ``scores.parquet``, ``priced.parquet`` and ``gates.json``, or what
        `cosim.report.inputs.opened` returned, so that it is read once.
    out : Path or None
        The file to write; None: ``report.html`` in the run's folder.

    Raises
    ------
    CosimError
        When a file of the run is missing or malformed, nothing was priced, or the page cannot be written.
    """
    found = opened(run)
    path = found.folder / "report.html" if out is None else out
    with record_errors(found.folder):
        text = render(found)
    write_atomically(path, text)
    return path


def render(run: Run) -> str:
    """Return the page of a run as HTML text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cosim.report"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    try:
        return environment.get_template("report.html.j2").render(plotly=_plotly(), **_context(run))
    except jinja2.UndefinedError as error:
        raise LookupError(str(error)) from error


def _plotly() -> str:
    """Return plotly's library as base64 of gzip, which a browser unpacks: 2 MB instead of 5; always the same text."""
    from plotly import offline  # pyright: ignore[reportMissingTypeStubs]

    library: str = cast(Any, offline).get_plotlyjs()
    return base64.b64encode(gzip.compress(library.encode(), mtime=0)).decode()


def _trusted(script: str) -> Markup:
    """Return a script, or JSON in which no element can begin, unescaped."""
    return Markup(script)  # noqa: S704


def _context(run: Run) -> dict[str, Any]:
    found = answers(run)
    compared = comparison(run)
    own = own_machines(run)
    prices = sections.shown_rows(run)
    rows = sections.table_rows(run, prices)
    checks = run.checks([answer.pick for answer in found])
    cannot = sections.infeasibility_rows(run)
    missing = sections.incomplete_rows(run)
    passed = sum(bool(gate["passed"]) for gate in run.gates)
    return {
        "study": run.study, "dataset": run.study["dataset"], "headline": headline(run, found),
        "command": portable(str(run.study["command"])),
        "answers": [
            {"answer": a, "class": sections.css_class(a.verdict), "limits": sections.limit_rows(c)}
            for a, c in zip(found, checks, strict=True)
        ],
        "silent_sites": [site for site in run.sites if site not in {a.site for a in found}],
        "selection_note": selection_note(run) if compared else "",
        "differences": difference_rows(foremost_differences(run)), "decoders": named_decoders(run),
        "score_rows": task_rows(foremost_decoders(run)), "more": more_notes(run), "gate_rows": foremost_gates(run),
        "choice_note": choice_note(run), "chosen_on": chosen_on(run), "comparison": compared,
        "repetitions": repetitions(run), "rate": quantity_text(float(run.study["decode_rate_hz"]), "Hz"),
        **_charts(run, found, own), "sites": run.sites, "most_site_columns": MOST_SITE_COLUMNS, "all": charts.ALL,
        "downloads": _trusted(downloads_text(run, rows, prices, own=own)), "pick": charts.pick_of(found),
        "rows": rows, "table_note": sections.table_note(run, len(rows)), "gates": run.gates, "gates_passed": passed,
        "sources": sections.source_rows(run), "assumed": sections.assumption_rows(run),
        "incomplete": missing, "firing": firing_warnings(run), "lags": lag_lines(run),
        "infeasibilities": cannot, "most_lines": sections.MOST_LINES,
        "names_text": names_text,
        "teachers": [row for row in run.decoders if row["role"] == "teacher"],
        "score_of": score_of, "power_of": power_of, "binding_of": binding_of,
        "machine_title": machine_title, "site_title": site_title, "limit_words": LIMIT_WORDS,
        "steps": [
            {**step, "text": ", ".join(f"{k} {v}" for k, v in step["parameters"].items())}
            for step in run.study["dataset"].get("pipeline", [])
        ],
        "versions": ", ".join(f"{name} {version}" for name, version in sorted(run.study["versions"].items())),
        "hashes": json.loads(json.dumps(sorted({(r["profile"], r["profile_hash"]) for r in run.summary}))),
    }  # fmt: skip


def _charts(run: Run, found: tuple[Answer, ...], own: OwnMachines | None) -> dict[str, Any]:
    """Return what the template shows as charts, and the document that holds all of them."""
    views = charts.views(run, found)
    exhibits = {
        "bits": evidence.bit_charts(run, found), "differences_chart": [evidence.difference_chart(run)],
        "layers": evidence.layer_charts(run, found), "behind": evidence.behind_scores(run, found),
    }  # fmt: skip
    drawn = {f"front/{one.key}": one.front for one in views} | {f"bars/{one.key}": one.bars for one in views}
    drawn |= {one.key: one.chart for some in exhibits.values() for one in some}
    if own is not None:
        drawn[OWN] = own.chart
    document = charts.charts_text({name: chart for name, chart in drawn.items() if chart is not None})
    return {
        "own_machines": own, "views": views, "machines": list(dict.fromkeys(view.machine for view in views)),
        "powers": list(dict.fromkeys(view.power for view in views)), "charts": _trusted(document), **exhibits,
    }  # fmt: skip


def repetitions(run: Run) -> str:
    """Return how often things were repeated and what the intervals range over."""
    folds = max(int(row["folds"]) for row in run.decoders)
    seeds = max(int(row["seeds"]) for row in run.decoders)
    known = [row for row in run.decoders if row["score_over"] != "none"]
    over = sorted({over_text(int(row["score_count"]), str(row["score_over"])) for row in known})
    text = f"{folds} fold{'s' if folds > 1 else ''} × {seeds} seed{'s' if seeds > 1 else ''}"
    return f"{text}, intervals 95 % {' or '.join(over)}" if over else f"{text}, too few for an interval"
