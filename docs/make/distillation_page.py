"""``docs/distillation.md`` from the archived runs of ``benchmarks/distillation.py``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from distillation_rows import FLOAT, Banded, Cell, Line, correlation, read_cell
from distillation_text import BARS, HEAD, HOW, IN_SHORT, NOT_RUN, REMARKS, TAIL
from markdown_tables import row
from matplotlib import pyplot
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

DOCS = Path(__file__).resolve().parents[1]
ARCHIVES = DOCS / "results" / "distillation"
SUBJECT = "SSVEP, a subject left out"
ADDED_LATER = {"subjects_ssvep_chosen_on_another"}
"""Parts that were added after results of others were seen: their bars are exploratory."""
TITLES = {
    "labels_42_units": "Few labels: intracortical velocity, 42 units",
    "labels_motor_imagery": "Few labels: motor imagery",
    "labels_ssvep": "Few labels: SSVEP",
    "labels_95_channels": "Few labels: intracortical velocity, 95 channels",
    "labels_87_units": "Few labels: direction of the target, 87 units",
    "full_42_units": "All labels: intracortical velocity, 42 units",
    "motor_imagery": "All labels: motor imagery",
    "subjects_ssvep": SUBJECT,
    "subjects_ssvep_chosen_on_another": f"{SUBJECT}, chosen on another subject",
    "seizure": "All labels: seizure segments",
    "full_95_channels": "All labels: intracortical velocity, 95 channels",
}
CELLS = ("2_a_class", "4_a_class", "30_s", "60_s", "180_s", "in_sample", "out_of_fold", "all")
"""Names of cells in their order."""
SAMPLES = ("in_sample", "out_of_fold")
CELLS_OF = {
    "labels_42_units": ("30_s", "60_s", "all"),
    "labels_motor_imagery": ("2_a_class", "4_a_class", "all"),
    "labels_ssvep": ("2_a_class", "all"),
    "labels_95_channels": ("30_s", "60_s", "180_s", "all"),
    "labels_87_units": ("30_s", "60_s", "all"),
    **dict.fromkeys(
        ("full_42_units", "motor_imagery", "subjects_ssvep", "subjects_ssvep_chosen_on_another", "seizure",
         "full_95_channels"), SAMPLES,
    ),
}  # fmt: skip
SEEDS = 5
"""Seeds that were meant to be run."""
CELL_TITLES = {
    "in_sample": "targets in sample", "out_of_fold": "targets out of fold", "all": "all labels, no teacher (ceiling)",
}  # fmt: skip
CHOSEN_ON_ALL = "and of all to choose on"
"""What a protocol says where all labels of validation are kept: early stopping, gate and best control see them."""
MORE_LABELS = "and all labels of validation"
BUDGETS = CELLS[:5]
UNLABELLED, LABELLED = "kl", "unlabelled=left_out"
BAR, SUBJECT_BAR = 0.02, 0.04
RECORDINGS = 3
"""On how many recordings the bar of few labels is to be met."""
FEW, MET = "Few labels: ", "met"
NONE = "–"
Helps = tuple[str, str, bool, float]
"""Recordings, student, whether its interval is above zero, and what the teacher scores more than labels alone."""
TAUGHT, ALONE = "#0072b2", "#d55e00"
"""Colours of students with a teacher, and of those without."""


def write_page(folder: Path = DOCS) -> None:
    """Write the page and one picture a part into a folder."""
    parts = {name: _cells(ARCHIVES / name) for name in TITLES if (ARCHIVES / name).is_dir()}
    text = HEAD + _in_short(parts) + HOW + "".join(_part(name, cells) for name, cells in parts.items())
    text += _ablation(parts) + _relevance(parts) + _bars(parts)
    text += _not_run(parts)
    (folder / "distillation.md").write_text(text + TAIL, encoding="utf-8")
    for name, cells in parts.items():
        _picture(cells, folder / f"distillation_{name}.svg")


def _in_short(parts: dict[str, list[Cell]]) -> str:
    """Return, for the smallest budget of labels of each set of recordings, scores side by side and where they help."""
    head = ["recordings", "labels", "student", "labels alone", "taught on labelled", "taught on unlabelled too",
            "less best control [95 %]", "teacher", "all labels"]  # fmt: skip
    lines = [row(head), row(["---"] * 3 + ["---:"] * 3 + ["---"] + ["---:"] * 2)]
    both, labelled_alone = list[Helps](), list[Helps]()
    for name, cells in parts.items():
        few = next((cell for cell in cells if cell.name in BUDGETS), None)
        ceiling = next((cell for cell in cells if cell.name == "all"), None)
        if few is None:
            continue
        for one in _unlabelled(few):
            mine = [line for line in few.floats if line.student == one.student]
            labelled = next((line for line in mine if LABELLED in line.method), None)
            full, plain = None if ceiling is None else ceiling.plain(one.student), few.plain(one.student)
            scores = [plain.score, labelled and labelled.score, one.score]
            recordings = TITLES[name].removeprefix(FEW)
            lines.append(row([
                recordings, title_of(few), one.student, *map(_mean, scores), _gap(one.control),
                _mean(few.teacher), _mean(full and full.score),
            ]))  # fmt: skip
            room = math.nan if few.teacher is None else few.teacher.mean - plain.score.mean
            both.append((recordings, one.student, _above_zero(one.control), room))
            labelled_alone.append((recordings, one.student, _above_zero(labelled and labelled.control), room))
    rooms = {said: [room for _, _, above, room in both if above is said] for said in (True, False)}
    return IN_SHORT.format(
        unlabelled=where_it_helps(both), labelled=where_it_helps(labelled_alone), helped=_range(rooms[True]),
        others=_range(rooms[False]),
    ) + "".join(lines)  # fmt: skip


def _above_zero(found: Banded | None) -> bool:
    return found is not None and found.low is not None and found.low > 0


def where_it_helps(found: Sequence[Helps]) -> str:
    """Return for how many students and on which recordings something helps: all of their students, or those named."""
    said = list[str]()
    for recordings in dict.fromkeys(name for name, *_ in found):
        mine = [(student, above) for name, student, above, _ in found if name == recordings]
        which = [student for student, above in mine if above]
        if which:
            said.append(recordings if len(which) == len(mine) else f"{recordings}: {', '.join(which)}")
    count = f"{sum(above for _, _, above, _ in found)} of {len(found)} students"
    return f"{count} ({'; '.join(said)})" if said else count


def _range(values: Sequence[float]) -> str:
    """Return the least and the largest of some differences."""
    return f"{_signed(min(values))} to {_signed(max(values))}" if values else NONE


def _mean(found: Banded | None) -> str:
    return NONE if found is None else f"{found.mean:.3f}"


def _not_run(parts: dict[str, list[Cell]]) -> str:
    """Return the parts, and within the others the cells and seeds, that were not run; empty where there are none."""
    lines: list[str] = []
    for name, title in TITLES.items():
        found = {cell.name: cell for cell in parts.get(name, [])}
        lacking = [CELL_TITLES.get(one) or one.replace("_", " ") for one in CELLS_OF[name] if one not in found]
        if lacking:
            lines.append(f"- {title}{': ' + '; '.join(lacking) if found else ''}\n")
        lines += [
            f"- {title}, {title_of(cell)}: {SEEDS - cell.seeds} of {SEEDS} seeds\n"
            for cell in found.values()
            if cell.seeds < SEEDS
        ]
        lines += [
            f"- {title}, {title_of(cell)}: {'; '.join(cell.left_out)}\n" for cell in found.values() if cell.left_out
        ]
    return NOT_RUN + "".join(lines) if lines else ""


def _cells(folder: Path) -> list[Cell]:
    return [read_cell(folder / name) for name in CELLS if (folder / name).is_dir()]


def _part(name: str, cells: Sequence[Cell]) -> str:
    """Return the tables of one set of recordings."""
    found = f"\n## {TITLES[name]}\n\n![differences](distillation_{name}.svg)\n"
    return found + REMARKS.get(name, "") + "".join(_cell(one) for one in cells)


def title_of(cell: Cell) -> str:
    """Return what a cell is called; one whose choices saw labels beyond its budget says so."""
    title = CELL_TITLES.get(cell.name, cell.name.replace("_", " "))
    return f"{title} ({MORE_LABELS})" if CHOSEN_ON_ALL in cell.protocol else title


def _cell(cell: Cell) -> str:
    head = ["student", "taught by", f"{cell.metric} [95 %]", "less labels alone", "less best control", "teacher passed"]
    lines = [row(head), row(["---"] * len(head))]
    lines += [
        row([_student(one), f"`{one.method}`" if one.method else "labels alone", _score(one.score), _gap(one.gain),
             _gap(one.control) + (f" ({one.against})" if one.against else ""), one.taught or NONE])
        for one in cell.lines
    ]  # fmt: skip
    teacher = ""
    if cell.teacher is not None:
        room = ", ".join(
            f"{student} {_signed(cell.teacher.mean - cell.plain(student).score.mean)}"
            for student in dict.fromkeys(one.student for one in cell.floats)
        )
        teacher = f" Teacher {_score(cell.teacher)}; headroom: {room}."
    return (
        f"\n### {_opening(title_of(cell))}\n\n{''.join(lines)}\n{cell.seeds} seeds; 95 % intervals {cell.over}; "
        f"{cell.protocol}.{teacher}\n"
    )


def _opening(text: str) -> str:
    """Return a text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def _student(line: Line) -> str:
    return line.student if line.form == FLOAT else f"{line.student} `{line.form}`"


def _signed(value: float) -> str:
    """Return a number with its sign; nothing is below zero by a rounding."""
    return f"{value:+.3f}".replace("-0.000", "+0.000").replace("-", "−")


def _score(found: Banded) -> str:
    ends = "no interval" if found.low is None else f"{found.low:.3f}, {found.high:.3f}"
    return f"{found.mean:.3f} [{ends}]"


def _gap(found: Banded | None) -> str:
    if found is None:
        return NONE
    ends = "no interval" if found.low is None or found.high is None else f"{_signed(found.low)}, {_signed(found.high)}"
    return f"{_signed(found.mean)} [{ends}]"


def _ablation(parts: dict[str, list[Cell]]) -> str:
    """Return IND and other students with and without TSKD, where both were run; empty elsewhere."""
    lines = [
        row([TITLES[name], title_of(cell), one.student, _score(cell.plain(one.student).score), _score(one.score),
             _gap(one.gain), _gap(one.control) + (f" ({one.against})" if one.against else "")])
        for name, cells in parts.items()
        for cell in cells
        if any(one.family == "ind" and one.method.startswith("tskd") for one in cell.lines)
        for one in cell.floats
        if one.method.startswith("tskd")
    ]  # fmt: skip
    if not lines:
        return ""
    head = ["recordings", "cell", "student", "labels alone", "TSKD", "difference [95 %]", "less best control"]
    return (
        "\n## IND against TSKD\n\nWhat the architecture of BrainDistill brings, and what its distillation: IND beside "
        "other students, each with and without TSKD.\n\n" + row(head) + row(["---"] * len(head)) + "".join(lines)
    )


def _relevance(parts: dict[str, list[Cell]]) -> str:
    """Return what TSR says of scores, cell by cell; empty where no projection was run."""
    lines = [
        row([TITLES[name], title_of(cell), str(found[0]), _gap(found[1])])
        for name, cells in parts.items()
        for cell in cells
        if (found := correlation(cell.relevance)) is not None
    ]
    if not lines:
        return ""
    head = row(["recordings", "cell", "projections", "correlation [95 %]"]) + row(["---"] * 4)
    return (
        "\n## Task relevance (TSR) against score\n\nTSR of the projection that a student learned from, and that "
        "student's score on validation, over methods, students, folds and seeds; these rows share students and "
        "teachers, so that the true intervals are wider.\n\n" + head + "".join(lines)
    )


def _bars(parts: dict[str, list[Cell]]) -> str:
    lines = [row(["recordings", "student", "what", "bar", "difference [95 %]", "verdict"]), row(["---"] * 6)]
    found = list(_verdicts(parts))
    lines += [row(one) for one in found]
    return BARS + "".join(lines) + few_labels_bar(found)


def few_labels_bar(verdicts: Sequence[Sequence[str]]) -> str:
    """Return on which recordings the bar of few labels is met by every student, and on which by some."""
    few = [one for one in verdicts if one[0].startswith(FEW)]
    names = list(dict.fromkeys(one[0] for one in few))
    met = {name: [one[-1] == MET for one in few if one[0] == name] for name in names}
    every, some = ([name.removeprefix(FEW) for name in names if test(met[name])] for test in (all, any))
    return (
        f"\nFew labels: met by every student on {len(every)} of {len(names)} recordings ({'; '.join(every) or NONE}), "
        f"by some student on {len(some)}; the bar asks for {RECORDINGS}.\n"
    )


def _verdicts(parts: dict[str, list[Cell]]) -> Iterator[list[str]]:
    for name, cells in parts.items():
        few = next((cell for cell in cells if cell.name in BUDGETS), None)
        if few is not None:
            for one in _unlabelled(few):
                yield [TITLES[name], one.student, f"`kl`, {title_of(few)}, less best control", f"{BAR:g}",
                       _gap(one.control), verdict_of(one.control, BAR)]  # fmt: skip
        if TITLES[name].startswith(SUBJECT):
            later = "exploratory: " if name in ADDED_LATER else ""
            for cell in cells:
                for one in _unlabelled(cell):
                    what = f"`kl` less labels alone, {title_of(cell)}"
                    yield [TITLES[name], one.student, what, f"{SUBJECT_BAR:g}", _gap(one.gain),
                           later + verdict_of(one.gain, SUBJECT_BAR)]  # fmt: skip


def _unlabelled(cell: Cell) -> list[Line]:
    """Return the students that learned from the teacher's outputs on unlabelled examples too."""
    return [one for one in cell.floats if one.method.split()[:1] == [UNLABELLED] and LABELLED not in one.method]


def verdict_of(found: Banded | None, bar: float) -> str:
    """Return whether a difference meets a bar: its mean reaches it and its interval is above zero."""
    if found is None:
        return "undecided: no control"
    if found.low is None or found.high is None:
        return "undecided: no interval"
    if found.mean >= bar and found.low > 0:
        return MET
    return "missed" if found.high < bar else "undecided"


def _picture(cells: Sequence[Cell], path: Path) -> None:
    """Draw differences from labels alone, a line a student and method, a panel a cell."""
    shown = [cell for cell in cells if any(one.gain is not None for one in cell.lines)]
    figure, panels = pyplot.subplots(
        1, len(shown), figsize=(1.5 + 3.6 * len(shown), 5.2), layout="constrained", squeeze=False, sharex=True
    )
    for cell, axes in zip(shown, panels[0], strict=True):
        lines = [one for one in cell.lines if one.gain is not None]
        for place, one in enumerate(reversed(lines)):
            gain, colour = one.gain or Banded(0.0, None, None), TAUGHT if one.taught else ALONE
            axes.plot([_end(gain, gain.low), _end(gain, gain.high)], [place, place], color=colour, linewidth=1.4)
            axes.plot(gain.mean, place, "o", color=colour, markersize=4)
        axes.set_yticks(range(len(lines)), [_name(one) for one in reversed(lines)], fontsize=7)
        axes.axvline(0.0, color="#6e7781", linewidth=0.8)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_title(title_of(cell).partition(",")[0], fontsize=9)
        axes.set_xlabel(f"{cell.metric}, less labels alone", fontsize=8)
    shown_as = [(TAUGHT, "learns from a teacher"), (ALONE, "labels alone, another way")]
    lines = [Line2D([], [], color=colour, marker="o", markersize=4, label=label) for colour, label in shown_as]
    figure.legend(handles=lines, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    with pyplot.rc_context({"svg.hashsalt": "cosim", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def _name(line: Line) -> str:
    """Return a student and who taught it, without the weights of methods."""
    words = [word for word in line.method.split() if not word.startswith("weight=")]
    return f"{line.student}, {' '.join(words)}".replace("unlabelled=left_out", "on labelled alone")


def _end(gain: Banded, end: float | None) -> float:
    return gain.mean if end is None else end


if __name__ == "__main__":
    write_page()
