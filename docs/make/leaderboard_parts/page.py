"""The leaderboard's page from its rows."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

from citations import source_lines
from markdown_tables import number, row

from leaderboard_parts import text
from leaderboard_parts.entries import Claim, Decoder, Leaderboard, Score
from leaderboard_parts.rows import CHOICES, DESIGNED, Row, of_decoder

MICRO = 1e6
NONE = "–"
COMPARED = ("bigRSNN", "tinyRSNN", "CTNet", "EEGNet-8,2")
"""Pairs of which both are counted at their activity, or both dense."""
PROCESSOR = "cortex_m4f"


def page(board: Leaderboard, rows: Sequence[Row]) -> str:
    """Return the page, as markdown."""
    counted = sum(not decoder.not_counted for decoder in board.decoders)
    supplies = ", ".join(f"{supply:g}" for supply in CHOICES.supplies_v)
    head = text.HEAD.format(
        counted=counted, decoders=len(board.decoders), machines=len(board.machines) + 1,
        findings=_findings(board, rows), choices=f"five templates, supplies of {supplies} V, on-chip SRAM",
    )
    tasks = (_task(board, name, rows) for name in board.tasks)
    return "".join((head, *tasks, _claims(board, rows), _activity(board, rows), _assumed(board), _sources(board)))


def _findings(board: Leaderboard, rows: Sequence[Row]) -> str:
    """Return what stands out, of decoders under one protocol."""
    big, tiny, ctnet, eegnet = (
        next(decoder for decoder in board.decoders if decoder.name == name) for name in COMPARED
    )
    fits = [row for row in rows if row.machine == PROCESSOR and not row.said]
    times = sorted(
        _times(one, row) for one in fits for row in rows
        if (row.decoder, row.task, row.machine) == (one.decoder, one.task, DESIGNED)
    )  # fmt: skip
    big_times, ctnet_times = (
        number(_times(of_decoder(rows, first)[DESIGNED], of_decoder(rows, second)[DESIGNED]))
        for first, second in ((big, tiny), (ctnet, eegnet))
    )
    return text.FINDINGS.format(
        big=big.name, tiny=tiny.name, ctnet=ctnet.name, eegnet=eegnet.name, big_gain=_gain(big, tiny),
        big_times=big_times, ctnet_gain=_gain(ctnet, eegnet), ctnet_times=ctnet_times, least=number(times[0]),
        most=number(times[-1]),
    )


def _times(first: Row, second: Row) -> float:
    """Return how many times the power of the second row the first draws.

    Raises
    ------
    ValueError
        One of the two has no power.
    """
    if first.power_w is None or second.power_w is None:
        raise ValueError(f"{first.decoder} and {second.decoder}: no machine, no power to compare")
    return first.power_w / second.power_w


def _gain(first: Decoder, second: Decoder) -> str:
    """Return by how much the first decoder's score is above the second's.

    Raises
    ------
    ValueError
        Their first scores are of different protocols.
    """
    if first.scores[0].protocol != second.scores[0].protocol:
        raise ValueError(f"{first.name} and {second.name} were scored under different protocols")
    return number(first.scores[0].value - second.scores[0].value)


def by_score(board: Leaderboard, task: str) -> list[Decoder]:
    """Return a task's decoders, the highest first published score first, those without one last."""
    found = [decoder for decoder in board.decoders if decoder.task == task]
    return sorted(found, key=lambda decoder: -decoder.scores[0].value if decoder.scores else 0.0)


def protocol_letters(board: Leaderboard, task: str) -> dict[str, str]:
    """Return the letter of each protocol of a task, in the order of its decoders."""
    used = dict.fromkeys(score.protocol for decoder in by_score(board, task) for score in decoder.scores)
    return dict(zip(used, ascii_lowercase, strict=False))


def _task(board: Leaderboard, name: str, rows: Sequence[Row]) -> str:
    task, decoders = board.tasks[name], by_score(board, name)
    letters = protocol_letters(board, name)
    parts = [text.TASK.format(title=task.title, rate=task.rate_hz, why=task.why)]
    head = tuple(task.metric if cell == "score" else cell for cell in text.WORK_HEAD)
    parts += [row(head), "|---|---|---|" + "---:|" * (len(head) - 3) + "\n"]
    parts += [_work(decoder, of_decoder(rows, decoder), letters) for decoder in decoders]
    parts += ["\n", *(f"{letter}: {board.protocols[key]}.  \n" for key, letter in letters.items()), "\n"]
    machines = (*board.shown, DESIGNED)
    titles = (_title(machine) for machine in machines)
    parts += [row(("power, µW", *titles, "its area, mm²")), "|---|" + "---:|" * (len(machines) + 1) + "\n"]
    priced = [(decoder, of_decoder(rows, decoder)) for decoder in decoders if not decoder.not_counted]
    parts += [
        row((decoder.name, *(power_text(found[one]) for one in machines), _micro(found[DESIGNED].area_m2)))
        for decoder, found in priced
    ]
    missing = [f"- {decoder.name}: {decoder.not_counted}.\n" for decoder in decoders if decoder.not_counted]
    return "".join((*parts, *(("\nNot counted:\n\n", *missing) if missing else ())))


def _title(machine: str) -> str:
    return "own machine, 65 nm" if machine == DESIGNED else f"`{machine}`"


def _work(decoder: Decoder, found: dict[str, Row], letters: dict[str, str]) -> str:
    first = decoder.scores[0] if decoder.scores else None
    score = "not read" if first is None else _score(first)
    others = "; ".join(f"{_score(one)} {letters[one.protocol]}" for one in decoder.scores[1:])
    letter = "" if first is None else letters[first.protocol] + (f" ({others})" if others else "")
    if not found:
        return row((decoder.name, score, letter, *[NONE] * 6))
    one = found[DESIGNED]
    counts = (one.constants, one.stored_bytes, one.state_bytes, one.macs, one.acs, one.other)
    return row((decoder.name, score, letter, *(f"{count:,.0f}" for count in counts)))


def _score(score: Score) -> str:
    spread = "" if score.spread is None else f" ± {score.spread:g}"
    return f"{score.value:g}{spread}{' (assumed)' if score.basis == 'assumed' else ''}"


def power_text(found: Row) -> str:
    """Return a row's power with its band in microwatts, or why there is none."""
    if found.reason:
        return found.reason
    low, nominal, high = (_micro(value) for value in (found.power_low_w, found.power_w, found.power_high_w))
    return f"{nominal} [{low}, {high}]"


def _micro(value: float | None) -> str:
    """Return a value times a million; a dash where it is not known."""
    return NONE if value is None else number(value * MICRO)


def _claims(board: Leaderboard, rows: Sequence[Row]) -> str:
    lines = [row(text.CLAIM_HEAD), "|---|---|---|---|---|---:|---|\n"]
    for decoder in board.decoders:
        lines += [_claim(decoder, claim, of_decoder(rows, decoder)) for claim in decoder.claims]
    return "".join((text.CLAIMS, *lines))


def _claim(decoder: Decoder, claim: Claim, found: dict[str, Row]) -> str:
    published, how = f"{claim.value:g} {claim.unit.replace('u', 'µ')}", f"{claim.basis}; {claim.where}"
    machine = f"`{claim.machine}`" if claim.machine else ""
    cells = [decoder.name, published, how, machine]
    if claim.machine not in found or not claim.unit.endswith("J"):
        return row((*cells, NONE, NONE, ""))
    one = found[claim.machine]
    if one.energy_j is None:
        return row((*cells, NONE, NONE, one.reason))
    low, nominal, high = (_micro(value) for value in (one.energy_low_j, one.energy_j, one.energy_high_j))
    ours, ratio = f"{nominal} µJ [{low}, {high}]", f"{one.energy_j / claim.si:.2f}"
    return row((*cells, ours, ratio, "fitted" if claim.fitted else ""))


def _activity(board: Leaderboard, rows: Sequence[Row]) -> str:
    lines = [row(text.ACTIVITY_HEAD), "|---|---|---:|---|---|\n"]
    for decoder in board.decoders:
        if not decoder.spikes:
            continue
        spikes = ", ".join(f"{name} {value:g}" for name, value in decoder.spikes.items())
        figure, one = decoder.published_acs, of_decoder(rows, decoder)[DESIGNED]
        published = "" if figure is None else f"{figure.value:,.0f} ({figure.where})"
        lines.append(row((decoder.name, spikes, f"{one.acs:,.0f}", published, decoder.spikes_from)))
    return "".join((text.ACTIVITY, *lines))


def _assumed(board: Leaderboard) -> str:
    lines = [
        f"- {decoder.name}, {score.value:g}: {score.where}.\n"
        for decoder in board.decoders for score in decoder.scores if score.basis == "assumed"
    ]
    return "".join((text.ASSUMED, *lines))


def _sources(board: Leaderboard) -> str:
    used = {one.source for decoder in board.decoders for one in (*decoder.scores, *decoder.claims)}
    return "".join((text.SOURCES, *source_lines(used, board.sources)))
