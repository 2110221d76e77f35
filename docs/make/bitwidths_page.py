"""``docs/bitwidths.md`` from the archived runs of ``benchmarks/bitwidths.py``, at today's prices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bitwidths_rows import AFTER, BARS, MACHINES, Form, PartTable, read_part
from bitwidths_text import HEAD, NOT_RUN, NOT_RUN_PARTS, TAIL, WHY_ALIKE
from markdown_tables import Banded, number, row
from matplotlib import pyplot

from energy_models.hardware import ProgrammableCore, load_profile
from students.spec import Quantised, parse_form

DOCS = Path(__file__).resolve().parents[1]
ARCHIVES = DOCS / "results" / "bitwidths"
TITLES = {
    "motor_imagery": "Motor imagery, EEGNet-4",
    "velocity_42_units": "Intracortical velocity, 42 units, MLP",
    "velocity_95_channels": "Intracortical velocity, 95 channels, MLP",
    "seizure": "Seizure segments, EEGNet-4",
    "ssvep": "SSVEP, EEGNet-8",
}
CALLED = {"uniform": "uniform forms", "mixed": "mixed forms", "teacher": "forms that a teacher taught"}
NONE = "–"
UNIFORM = ("w3a3", "w2a4", "w2a2", "ternary-a4")
SEEDS = 5
"""Seeds that were meant to be run."""
WIDE_EDGE = 8
"""Weights of the first and last product, where a uniform form has others there [bits]."""
NO_SPREAD = 1e-9
"""Width below which an interval is that of equal differences."""
COLOURS = {"labels": "#0072b2", "taught": "#00805e", "teacher": "#b8860b", "ptq": "#d55e00", "gptq": "#7d4a9e"}
LEGEND = {"labels": "trained, labels", "taught": "trained, float form too", "teacher": "trained, a teacher too",
          "ptq": "rounded", "gptq": "rounded by GPTQ"}  # fmt: skip
TRAINED = ("labels", "taught", "teacher")


def write_page(folder: Path = DOCS) -> None:
    """Write the page and one picture a part into a folder."""
    parts = [read_part(ARCHIVES / name, name) for name in TITLES if (ARCHIVES / name).is_dir()]
    lacking = [TITLES[name] for name in TITLES if not (ARCHIVES / name).is_dir()]
    text = HEAD + "".join(_part(part) for part in parts) + _bars(parts)
    text += _not_run(parts, lacking)
    (folder / "bitwidths.md").write_text(text + WHY_ALIKE.format(widths=_product_widths()) + TAIL, encoding="utf-8")
    for part in parts:
        _picture(part, folder / f"bitwidths_{part.name}.svg")


def _part(part: PartTable) -> str:
    """Return the table of one set of recordings."""
    head = ["form", "weights × inputs of products [bits]", "stored [bytes]", f"{part.metric}, {LEGEND['labels']}"]
    head += [f"less float: {LEGEND[how]}" for how in (*TRAINED, *AFTER)]
    head += [f"{machine} [µW]" for machine in MACHINES]
    words = len(head) - 3 - len(MACHINES)
    lines = [row(head), row(["---", "---", "---:", *["---"] * words, *["---:"] * len(MACHINES)])]
    lines += [row(_cells(form)) for form in part.forms]
    note = (
        f"\n{_seeds(part)}, {part.folds}; 95 % intervals {part.over}. Differences are form less float, paired by "
        f"held-out example and seed. Power: the decoder with its preprocessing, nominal, {part.rate_hz:.3g} decodes a "
        f"second, site `{part.site}`.{f' The teacher: {part.teaching}.' if part.teaching else ''}\n"
    )
    return f"\n## {TITLES[part.name]}\n\n![score against bits](bitwidths_{part.name}.svg)\n\n{''.join(lines)}{note}"


def _seeds(part: PartTable) -> str:
    """Return how many seeds were run, by set of forms where they differ."""
    counts = set(part.seeds.values())
    if len(counts) == 1:
        return f"{counts.pop()} seeds"
    return "Seeds: " + ", ".join(f"{count} of {CALLED[forms]}" for forms, count in part.seeds.items())


def _cells(form: Form) -> list[str]:
    losses = [_difference(form.losses.get(how)) for how in (*TRAINED, *AFTER)]
    powers = [NONE if power is None else number(power * 1e6) for power in form.power_w]
    score = NONE if form.score is None else "{:.3f} [{:.3f}, {:.3f}]".format(*form.score)
    return [f"`{form.text}`", form.widths, f"{form.stored_bytes:,}", score, *losses, *powers]


def _difference(loss: Banded | None) -> str:
    if loss is None:
        return NONE
    ends = None if loss.low is None or loss.high is None else (-loss.high, -loss.low)
    return _with_ends(-loss.mean, ends)


def _with_ends(mean: float, ends: tuple[float, float] | None) -> str:
    """Return a signed number with its interval; nothing is below zero by a rounding."""
    shown = "no interval" if ends is None else f"{ends[0] + 0.0:+.3f}, {ends[1] + 0.0:+.3f}"
    return f"{mean + 0.0:+.3f} [{shown}]".replace("-0.000", "+0.000").replace("-", "−")


def _bars(parts: Sequence[PartTable]) -> str:
    """Return which of the bars are met, by the upper end of the loss's interval."""
    lines = [row(["recordings", "form", "training", "bar", "loss [95 %]", "verdict"]), row(["---"] * 6)]
    for part in parts:
        for which, forms, bar in _questions(part):
            for how in TRAINED:
                loss = _chosen(part, forms, how)
                if loss is not None:
                    form, found = loss
                    text = f"`{form}`" + (" (best on validation)" if len(forms) > 1 else "")
                    lines.append(row([TITLES[part.name], f"{which}: {text}", LEGEND[how], f"{bar:g}", _loss(found),
                                      verdict_of(found, bar, part)]))  # fmt: skip
    return (
        "\n## Bars\n\nLoss is float less form, paired. A bar is met where the interval's upper end is below it, "
        "undecided where half the interval is wider than the bar or nothing differs between what it ranges over, "
        "missed otherwise.\n\n" + "".join(lines)
    )


def _questions(part: PartTable) -> Iterator[tuple[str, tuple[str, ...], float]]:
    w8, w4, mixed = BARS["r2" if part.metric.startswith("R") else "share"]
    yield "8 bits", ("w8a8",), w8
    yield "4 bits", ("w4a4",), w4
    several = tuple(form.text for form in part.forms if is_mixed(form.text))
    if several:
        yield "mixed, weights of 2 to 4 bits", several, mixed
    else:
        yield "uniform, weights of 2 to 3 bits; no mixed form run", UNIFORM, mixed


def is_mixed(text: str) -> bool:
    """Return whether a form's weights have several widths, all of 2 to 4 bits."""
    form = parse_form(text)
    widths = form.all_widths[0] if isinstance(form, Quantised) else set[int]()
    return len(widths) > 1 and widths <= {2, 3, 4}


def _chosen(part: PartTable, forms: Sequence[str], how: str) -> tuple[str, Banded] | None:
    """Return the form, of some, that is best on validation, and its loss."""
    known = [form for form in part.forms if form.text in forms and how in form.losses]
    if not known:
        return None
    best = max(known, key=lambda form: form.validation[how])
    return best.text, best.losses[how]


def _loss(loss: Banded) -> str:
    return _with_ends(loss.mean, None if loss.low is None or loss.high is None else (loss.low, loss.high))


def verdict_of(loss: Banded, bar: float, part: PartTable) -> str:
    """Return whether a loss meets a bar; an interval without width says nothing of what else could be held out."""
    if loss.low is None or loss.high is None:
        return "undecided: no interval"
    if loss.high - loss.low < NO_SPREAD:
        return f"undecided: no spread {part.over}"
    if loss.high < bar:
        return "met"
    return "undecided" if (loss.high - loss.low) / 2 > bar else "missed"


def _not_run(parts: Sequence[PartTable], lacking: Sequence[str]) -> str:
    """Return the parts, and within the others the ways and seeds, that were not run; empty where there are none."""
    lines = [NOT_RUN_PARTS.format(parts="; ".join(lacking))] if lacking else []
    for part in parts:
        own, alike = {form.text for form in part.forms}, [one for one in parts if _family(one) == _family(part)]
        known = dict.fromkeys(form.text for one in alike for form in one.forms)
        absent = [text for text in known if text not in own and _set_of(text) in part.seeds]
        if absent:
            lines.append(f"- {TITLES[part.name]}, in no way: {', '.join(f'`{form}`' for form in absent)}.\n")
        for how, called in LEGEND.items():
            if how == "teacher" and how not in part.seeds:
                continue
            forms = [form.text for form in part.forms if how not in form.validation and _can_be(form.text, how)]
            if forms:
                told = ", ".join(f"`{form}`" for form in forms)
                lines.append(f"- {TITLES[part.name]}, {called}: {told}.\n")
        lines += [f"- {TITLES[part.name]}: {called}.\n" for forms, called in CALLED.items() if forms not in part.seeds]
        lines += [f"- {TITLES[part.name]}, {CALLED[forms]}: {SEEDS - count} of {SEEDS} seeds.\n"
                  for forms, count in part.seeds.items() if count < SEEDS]  # fmt: skip
    return NOT_RUN + "".join(lines) if lines else ""


def _family(part: PartTable) -> str:
    """Return the architecture of a part's decoder, whose layers' names are in its forms."""
    return TITLES[part.name].rsplit(" ", 1)[1].partition("-")[0]


def _set_of(text: str) -> str:
    """Return the set of forms that one is of: uniform ones may have wide edges."""
    form = parse_form(text)
    widths = isinstance(form, Quantised) and (form.overrides or form.edge_bits not in (None, WIDE_EDGE))
    return "mixed" if widths else "uniform"


def _can_be(text: str, how: str) -> bool:
    """Return whether a form can be made in a way: float is not rounded, and coarse weights are not by GPTQ."""
    form = parse_form(text)
    return isinstance(form, Quantised) and not (how == "gptq" and isinstance(form.weight, str))


def _product_widths() -> str:
    """Return the operand widths of the machines that have some given ones."""
    told: list[str] = []
    for machine in MACHINES:
        style = load_profile(machine).execution
        if isinstance(style, ProgrammableCore):
            widths = " and ".join(str(one.bits) for one in style.product_widths["integer"])
            told.append(f"`{machine}` multiplies integers of {widths} bits")
    return "; ".join(told)


def _picture(part: PartTable, path: Path) -> None:
    """Write scores against the forms, a line a way of training."""
    names = [form.text for form in part.forms if form.text != "float32"]
    figure, axes = pyplot.subplots(figsize=(8.5, 3.4), layout="constrained")
    for how, colour in COLOURS.items():
        known = [(names.index(form.text), form.losses[how]) for form in part.forms if how in form.losses]
        offset = (list(COLOURS).index(how) - 2) * 0.15
        xs, means = [x + offset for x, _ in known], [-loss.mean for _, loss in known]
        below = [0.0 if loss.high is None else loss.high - loss.mean for _, loss in known]
        above = [0.0 if loss.low is None else loss.mean - loss.low for _, loss in known]
        axes.errorbar(xs, means, yerr=[below, above], fmt="o", capsize=2, markersize=4, color=colour, label=LEGEND[how])
    axes.axhline(0.0, color="#6e7781", linewidth=0.8)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_ylabel(f"{part.metric}, form less float")
    axes.legend(fontsize=8, frameon=False, ncols=2)
    with pyplot.rc_context({"svg.hashsalt": "cosim", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


if __name__ == "__main__":
    write_page()
