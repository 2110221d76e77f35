"""The digest of a run: a page of markdown and one picture, small enough to be kept beside the code."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

from cosim.engine.files import read_json, record_errors, write_atomically
from cosim.engine.run_folder import FAILURES
from cosim.report.charts import levels
from cosim.report.comparison import comparison, difference_rows, over_text, score_row, selection_note
from cosim.report.figures.numbers import headroom_text, quantity_text, scaled_band_text, score_of
from cosim.report.figures.points import METRICS
from cosim.report.figures.printed import front_figure
from cosim.report.headline import (
    LIMIT_WORDS,
    answers,
    choice_note,
    headline,
    power_of,
)
from cosim.report.inputs import Row, Run, decoder_widths, machine_title, opened, site_title
from cosim.report.page import repetitions
from cosim.report.sections import MOST_LINES, assumption_rows, incomplete_rows, infeasibility_rows
from cosim.report.selection import foremost, selection_text, table_rows_each
from cosim.tables.archive import portable
from students.spec import Quantised, parse_form
from students.spec.migration import former_form

MICROWATT_W = 1e-6
NONE = "–"
MOST_NAMES = 6  # of folds, or decoders, written out in a sentence
HOW_TUNED = (
    "Weights are fitted on the training part. The validation part decides when a network stops, which epoch is kept, "
    "whether the teacher may teach, what a search tries next, and what a classical decoder chooses; that one is then "
    "fitted on both parts. The test part is scored only."
)
EDGES_UNKNOWN = (
    " Workloads were not kept: how wide first and last weights are where a form says nothing of them is not known; in "
    "earlier versions they had 8 bits, today they are as wide as all others."
)
HOW_TO_READ = (
    "Same axes for every machine. Numbers: the decoders of the table below. Bars, cut at the frame: 95 % interval of "
    "the score, low to high bound of the power. Line, large markers and bold labels: the front at nominal values."
)


def write_digest(run: Path | Run, folder: Path) -> Path:
    """Write ``<study>.md`` and ``<study>.svg`` of a finished run into a folder and return the markdown's path.

    `run` is the run's folder, or what `cosim.report.inputs.opened` returned.

    Raises
    ------
    CosimError
        When a file of the run is missing or malformed, nothing was priced, or the folder cannot be written.
    """
    found = opened(run)
    with record_errors(found.folder):
        return _write_digest(found, folder)


def _write_digest(run: Run, folder: Path) -> Path:
    failed = run.folder / FAILURES
    failures = cast(list[Any], read_json(failed)["failures"]) if failed.is_file() else []
    name = str(run.study["name"])
    picture = ""
    if any(row["infeasibilities"] == "[]" for row in run.at_site(run.sites[0])):
        picture = f"{name}.svg"
        front_figure(run.summary, folder / picture, profiles=run.machines, site=run.sites[0], levels=levels(run))
    path = folder / f"{name}.md"
    write_atomically(path, digest_text(run, picture=picture, failures=len(failures)))
    return path


def digest_text(run: Run, *, picture: str, failures: int) -> str:
    """Return the digest of a run as markdown.

    Parameters
    ----------
    run : Run
    picture : str
        File name of the picture beside it; empty for none.
    failures : int
        Points of the study that failed.
    """
    site = run.sites[0]
    parts = [
        f"# {escaped(run.study['title'])}",
        f"*{escaped(run.study['question'])}*" if run.study["question"] else "",
        _answer(run),
        _compared(run),
        f"![{_metric(run)} against decoder power, {site}]({picture})\n\n{HOW_TO_READ}" if picture else "",
        f"## Scores on the test part\n\n{_scores(run)}\n\n{_scores_note(run)}",
        _differences(run),
        f"## Prices: {escaped(site_title(site))}\n\n{_prices(run, site)}",
        "## How it was done\n\n" + _bullets(_how(run)),
        "## Read with care\n\n" + _bullets(_caveats(run, failures)),
        "## Versions\n\n" + _versions(run),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(value: object) -> str:
    """Return text that markdown takes neither for a tag nor for the end of a table cell."""
    return " ".join(str(value).split()).replace("<", "&lt;").replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _metric(run: Run) -> str:
    metric = str(run.study["metric"])
    return METRICS.get(metric, metric)


def _answer(run: Run) -> str:
    """Return the page's first sentence, and one line for every further site."""
    found = answers(run)
    opening = f"**{escaped(headline(run, found))}**"
    others = [
        f"{escaped(a.title)}: {escaped(a.pick['decoder'])} on {a.pick['profile']}, {score_of(a.pick)}, "
        f"{power_of(a.pick, 'decoder_power')} for the decoder: {a.verdict}."
        for a in found[1:]
    ]
    parts = [opening, _bullets(others) if others else "", choice_note(run)]
    return "\n\n".join(part for part in parts if part)


def _compared(run: Run) -> str:
    compared, asked = comparison(run), "Does a network beat the classical decoder?"
    if compared is None:
        return f"**{asked}** This study does not hold both, so it cannot say."
    plain = {"better": "Yes.", "worse": "No.", "no clear difference": "Not clearly.", "cannot tell": "Unknown."}
    return f"**{asked} {plain[compared['verdict']]}** {escaped(compared['text'])} {selection_note(run)}"


def _scores(run: Run) -> str:
    head = ["no.", "decoder", f"{_metric(run)} [95 %]", "p of chance", "validation", "parameters",
            "bits, weights × inputs of products", "distilled from, in runs"]  # fmt: skip
    tasks = any(score_row(row)["task"] for row in run.decoders)
    if tasks:
        head.insert(4, "task")
    taught = run.scores.groupby("decoder_id", sort=False)["distilled_from"].agg(list).to_dict()
    widths = decoder_widths(run)
    rows: list[list[str]] = []
    for row in run.decoders:
        cells = _score_cells(row, taught[row["decoder_id"]], widths)
        if tasks:
            cells.insert(4, score_row(row)["task"] or NONE)
        rows.append(cells)
    return table(head, rows)


def _score_cells(row: Row, taught: Sequence[str], widths: Mapping[str, tuple[str, str]]) -> list[str]:
    shown = score_row(row)
    teacher = row["role"] == "teacher"
    kind = {"teacher": " (teacher, not deployed)", "baseline": " (classical)"}.get(str(row["role"]), "")
    return [
        str(row["number"]),
        escaped(row["decoder"]) + kind,
        shown["score"],
        shown["p"],
        shown["validation"],
        NONE if teacher else f"{int(row['parameters']):,}",
        NONE if row["role"] != "student" else _widths(widths.get(row["decoder_id"])),
        _taught(taught) if row["role"] == "student" else NONE,
    ]


def _widths(found: tuple[str, str] | None) -> str:
    """Return the widths of products, as one where all are alike; a dash where no workload says them."""
    return NONE if found is None else " × ".join(map(_shortened, found))


def _shortened(widths: str) -> str:
    """Return widths by layer, as one where all are alike."""
    found = set(widths.split("/"))
    return found.pop() if len(found) == 1 else widths


def _former_forms(run: Run) -> str:
    """Return what forms of a run mean that was trained when first and last weights kept 8 bits; empty of others."""
    widths = decoder_widths(run)
    former: dict[str, str] = {}
    for row in run.decoders:
        form = parse_form(row["form"]) if row["role"] == "student" else None
        if not isinstance(form, Quantised):
            continue
        if row["decoder_id"] not in widths:
            return EDGES_UNKNOWN
        first = widths[row["decoder_id"]][0].partition("/")[0]
        if first not in {str(bits) for bits in form.all_widths[0]}:
            former[str(form)] = str(former_form(str(form)))
    told = " and ".join(f"`{then}` is `{now}` of today" for then, now in sorted(former.items(), reverse=True))
    return f" Forms are named as when they were trained, with 8-bit weights at the edges: {told}." if told else ""


def _scores_note(run: Run) -> str:
    """Return what the scores are, what their intervals range over, and what chance would give."""
    over = Counter(over_text(int(row["score_count"]), str(row["score_over"])) for row in run.decoders)
    ranges = " or ".join(name for name, _ in over.most_common())
    chance = "" if run.study["chance"] is None else f" Chance is {float(run.study['chance']):.3f};"
    return (
        f"Predictions of all folds are pooled and scored once a seed; mean over seeds, interval {ranges}.{chance} p: "
        "share of permutations within runs that reach the score." + _former_forms(run)
    )


def _differences(run: Run) -> str:
    """Return the table of paired differences; empty where there is none."""
    rows = difference_rows(run.differences)
    if not rows:
        return ""
    head = ["decoder", "less", "difference [95 %]", "interval", "what it is"]
    return "## Differences, paired by held-out example\n\n" + table(
        head, [[escaped(row[name]) for name in ("decoder", "against", "difference", "over", "kind")] for row in rows]
    )


def _taught(sources: Sequence[str]) -> str:
    """Return whose outputs a student learned from beside the labels, with how often."""
    counts = Counter(source or "labels alone" for source in sources)
    if len(counts) == 1:
        return escaped(next(iter(counts)))
    return ", ".join(f"{escaped(source)} {count} of {len(sources)}" for source, count in counts.most_common())


def _prices(run: Run, site: str) -> str:
    """Return the table of prices at a site, machine by machine, cheapest first, what cannot run last."""
    head = ["machine", "decoder", "score", "decoder [µW]", "device", "energy per decode", "latency", "verdict",
            "binding limit", "headroom"]  # fmt: skip
    each, whole = table_rows_each(run), len(run.at_site(site))
    rows = [row for machine in run.machines for row in sorted(foremost(run.at(machine, site), each), key=_cannot_run)]
    text = table(head, [_price_cells(row) for row in rows])
    if len(rows) < whole:
        text += f"\n\n{selection_text(len(rows), whole)}`cosim pareto` prints all of them."
    if any(row["incomplete"] != "[]" for row in rows if not _cannot_run(row)):
        text += "\n\n≥ something is not priced, see below: a lower bound."
    return text


def _cannot_run(row: Row) -> bool:
    return row["infeasibilities"] != "[]"


def _price_cells(row: Row) -> list[str]:
    name = escaped(row["decoder"]) + (" (classical)" if row["role"] == "baseline" else "")
    opening = [str(row["profile"]), f"**{name}**" if row["front"] else name, f"{float(row['score_mean']):.3f}"]
    if _cannot_run(row):
        return [*opening, *[NONE] * 4, "cannot run", NONE, NONE]
    limit = str(row["binding_limit"])
    bound = "≥ " if row["incomplete"] != "[]" else ""
    return [
        *opening,
        bound + _microwatts(row),
        bound + power_of(row, "total_power"),
        quantity_text(float(row["decode_energy_nominal_j"]), "J"),
        quantity_text(float(row["latency_nominal_s"]), "s"),
        str(row["verdict"]),
        LIMIT_WORDS.get(limit, limit),
        headroom_text(float(row["headroom"])),
    ]


def _microwatts(row: Row) -> str:
    return scaled_band_text(row, "decoder_power", "w", MICROWATT_W)


def _how(run: Run) -> list[str]:
    study = run.study
    card = study["dataset"]["card"]
    folds = sorted({str(fold) for fold in run.scores["fold"]})
    named = f": {'; '.join(folds)}" if len(folds) <= MOST_NAMES else ""
    chance = "" if study["chance"] is None else f", chance {float(study['chance']):.3f}"
    steps = [step["name"] + ("" if step["causal"] else " (looks ahead)") for step in study["dataset"]["pipeline"]]
    lines = [
        f"Command, with `COSIM_DATA` naming the folder of recordings: `{portable(study['command'])}`",
        f"Data: {escaped(card['title'])}, licence {escaped(card['licence'])}. {escaped(card['citation'])}",
        f"Split: {escaped(study['protocol'])}. {len(folds)} fold{'s' if len(folds) > 1 else ''}{escaped(named)}.",
        HOW_TUNED,
        f"Repeated: {repetitions(run)}; seeds {', '.join(map(str, study['seeds']))}. "
        f"Metric: {_metric(run)}{chance}. A decision at {quantity_text(float(study['decode_rate_hz']), 'Hz')}.",
        f"Preprocessing, counted and priced: {escaped(', '.join(steps)) or 'none'}.",
    ]
    return [*lines, _gates(run)]


def _gates(run: Run) -> str:
    if not run.gates:
        return "Teacher gate: no teacher in this study."
    passed: dict[str, list[bool]] = {}
    for gate in run.gates:
        passed.setdefault(str(gate["student"]), []).append(bool(gate["passed"]))
    counts = "; ".join(f"{escaped(name)} {sum(found)} of {len(found)}" for name, found in passed.items())
    every = all(chain.from_iterable(passed.values()))
    rest = "" if every else " Elsewhere quantised students learned from the float student."
    return f"Teacher gate, teacher above the student trained without it on validation data: {counts}.{rest}"


def _caveats(run: Run, failures: int) -> list[str]:
    """Return what a reader must know: of the recordings, of what failed, cannot run, is not priced, is assumed."""
    dataset = run.study["dataset"]
    notes = (*dataset.get("notes", []), *run.study.get("notes", []))
    lines = [escaped(line) for line in (*dataset["card"]["caveats"], *notes)]
    if failures:
        lines.append(f"{failures} point{'s' if failures > 1 else ''} of the study failed and stand nowhere above.")
    lines += _cannot(run)
    missing = incomplete_rows(run)
    lines += [f"Not counted or not priced: {escaped(row['line'])} ({_few(row['decoders'])})."
              for row in missing[:MOST_LINES]]  # fmt: skip
    if len(missing) > MOST_LINES:
        lines.append(f"{len(missing) - MOST_LINES} more things are not counted or not priced; the report names some.")
    assumed = sorted({row["where"] for row in assumption_rows(run)})
    if assumed:
        places = sorted({where.partition(".")[0] for where in assumed})
        lines.append(f"{len(assumed)} number{'s' if len(assumed) > 1 else ''} of {_few(places)} are assumed, without a "
                     "source that was read; the report page lists each with its reason.")  # fmt: skip
    return lines


def _cannot(run: Run) -> list[str]:
    """Return per machine which decoders cannot run there, with one reason."""
    lines, reasons = list[str](), infeasibility_rows(run)
    for machine in run.machines:
        rows = [row for row in reasons if row["line"].startswith(f"{machine}: ")]
        if rows:
            names = sorted(set(chain.from_iterable(row["decoders"] for row in rows)))
            reason = rows[0]["line"].removeprefix(f"{machine}: ").partition(" (")[0]
            lines.append(f"Cannot run on {machine}: {_few(names)}; among the reasons: {escaped(reason)}.")
    return lines


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(escaped(name) for name in names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"


def _versions(run: Run) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(run.study["versions"].items()))
    hashes = dict(json.loads(json.dumps(sorted({(r["profile"], r["profile_hash"]) for r in run.summary}))))
    machines = "; ".join(f"{machine_title(name)} (`{name}`, content {value[:10]})" for name, value in hashes.items())
    return f"{escaped(versions)}.\n\nMachines: {escaped(machines)}."
