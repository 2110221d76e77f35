"""Reads many changed files of every kind that the product reads, and prints what they ended in.

    python -m tests.robustness.fuzz --inputs 10000 --seed 0
    python -m tests.robustness.fuzz --seed 0 --only onnx:1234 --keep /tmp/kept

The second reads one input again, and keeps its bytes. An input depends on seed, kind and number alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

from tests.robustness.kinds import KINDS
from tests.robustness.outcomes import FAULTS, SOUND, Ending
from tests.robustness.pool import Pool, Task
from tests.robustness.worker import Setting


def tasks(inputs: int) -> Iterator[Task]:
    """Yield that many inputs, kinds taking turns by their weights; numbers count on within a kind."""
    round_of = [
        kind.name for place in range(max(kind.weight for kind in KINDS)) for kind in KINDS if place < kind.weight
    ]
    numbers = {kind.name: count() for kind in KINDS}
    for place in range(inputs):
        name = round_of[place % len(round_of)]
        yield name, next(numbers[name])


def read_all(given: Iterable[Task], *, seed: int, processes: int = 2, keep: Path | None = None) -> Iterator[Ending]:
    """Yield what each input ended in."""
    with tempfile.TemporaryDirectory(prefix="robustness-") as home:
        pool = Pool(processes, Setting(Path(home), seed, keep))
        try:
            yield from pool.run(given)
        finally:
            pool.close()


def table(endings: Sequence[Ending]) -> str:
    """Return how many inputs of each kind ended in what, as text."""
    found = Counter((one.kind, one.end) for one in endings)
    ends = [end for end in (*SOUND, *FAULTS) if any(one.end == end for one in endings)]
    names = [kind.name for kind in KINDS if any(one.kind == kind.name for one in endings)]
    rows = [["kind", "inputs", *ends, "slowest s"]]
    for name in names:
        own = [one for one in endings if one.kind == name]
        rows.append(
            [name, str(len(own)), *(str(found[name, end]) for end in ends), f"{max(o.seconds for o in own):.2f}"]
        )
    sums = (str(sum(found[name, end] for name in names)) for end in ends)
    rows.append(["all", str(len(endings)), *sums, f"{max(one.seconds for one in endings):.2f}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def told(ending: Ending, seed: int) -> str:
    """Return a fault as text, with the command that reads its input again."""
    again = f"python -m tests.robustness.fuzz --seed {seed} --only {ending.kind}:{ending.number} --keep FOLDER"
    head = f"{ending.end.upper()} {ending.kind} ({ending.done}) after {ending.seconds:.1f} s"
    return f"{head}\n{ending.said}\n  again: {again}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 where an input ended in a fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", action="append", default=[], help="a kind, or kind:number; repeatable")
    parser.add_argument("--keep", type=Path, help="folder for the inputs as they were changed")
    given = parser.parse_args(arguments)
    chosen = list(_chosen(given.only, given.inputs)) if given.only else list(tasks(given.inputs))
    begun = time.monotonic()
    endings: list[Ending] = []
    for ending in read_all(chosen, seed=given.seed, processes=given.processes, keep=given.keep):
        endings.append(ending)
        if ending.end in FAULTS or ":" in "".join(given.only):
            print(told(ending, given.seed), flush=True)  # noqa: T201
    faults = sum(one.end in FAULTS for one in endings)
    seconds = time.monotonic() - begun
    print(table(endings))  # noqa: T201
    print(f"fuzz: {len(endings)} inputs, seed {given.seed}, {faults} faults, {seconds:.0f} s")  # noqa: T201
    return 1 if faults else 0


def _chosen(names: Sequence[str], inputs: int) -> Iterator[Task]:
    for name in names:
        kind, _, number = name.partition(":")
        if kind not in {one.name for one in KINDS}:
            raise SystemExit(f"no kind {kind!r}; there are: {', '.join(one.name for one in KINDS)}")
        yield from [(kind, int(number))] if number else [(kind, place) for place in range(inputs)]


if __name__ == "__main__":
    sys.exit(main())
