"""A page of the documentation as a script: its files, its Python and its commands, in the order of the page.

    ```python                              runs, all blocks of a page in one namespace
    ```console                             each line that begins with `$ cosim` runs
    ```text                                after one of these: each line is somewhere in what it printed
    ```{code-block} LANGUAGE               with a `:caption:`, is written to that file; without one, is only shown
    ```{literalinclude} FILE               likewise
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(?P<head>[^\n`]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
CAPTION = re.compile(r"^:caption: *(\S+)$", re.MULTILINE)
OPTIONS = re.compile(r"\A(?::[a-z-]+:[^\n]*\n)+")


@dataclass(frozen=True, slots=True)
class Step:
    """One act of a reader: Python, a command, a file that is written under a name, a look at what is printed."""

    kind: str
    text: str
    name: str = ""
    line: int = 0


def steps(page: Path) -> Iterator[Step]:
    """Yield what a reader of the page does, in order."""
    source = page.read_text(encoding="utf-8")
    for fence in FENCE.finditer(source):
        head, body = fence["head"].strip(), fence["body"]
        line = source[: fence.start()].count("\n") + 2
        caption = CAPTION.search(body)
        if head == "python":
            yield Step("python", body, line=line)
        elif head == "console":
            commands = [text[2:] for text in body.splitlines() if text.startswith("$ cosim ")]
            yield from (Step("command", command, line=line) for command in commands)
        elif head == "text":
            yield Step("printed", body, line=line)
        elif head.startswith("{code-block}") and caption:
            yield Step("file", OPTIONS.sub("", body), caption[1], line)
        elif head.startswith("{literalinclude}") and caption:
            yield Step("file", (page.parent / head.split()[1]).read_text(encoding="utf-8"), caption[1], line)


def script(page: Path) -> str:
    """Return a Python program that does all of it in the folder it is started in."""
    # A study's workers import the file, hence the guard.
    lines = [*PROLOGUE.splitlines(), *(line for step in steps(page) for line in _code(page, step))]
    return "\n".join(["if __name__ == '__main__':", *(f"    {line}" for line in lines), ""])


PROLOGUE = """
import contextlib, io, pathlib, sys
sys.path.insert(0, '')
space = {'__name__': 'page'}
printed = io.StringIO()
"""


def _code(page: Path, step: Step) -> list[str]:
    """Return the lines that carry out one step; `printed` holds what the last of them printed."""
    where = f"{page.name}:{step.line}"
    if step.kind == "file":
        return [f"pathlib.Path({step.name!r}).write_text({step.text!r}, encoding='utf-8')"]
    if step.kind == "printed":
        wanted = [" ".join(line.split()) for line in step.text.splitlines() if line.strip()]
        return [
            "words = ' '.join(printed.getvalue().split())",
            f"assert all(one in words for one in {wanted!r}), ({where!r}, words)",
        ]
    start = ["printed = io.StringIO()", "with contextlib.redirect_stdout(printed):"]
    if step.kind == "python":
        padded = "\n" * (step.line - 1) + step.text
        return [*start, f"    exec(compile({padded!r}, {str(page)!r}, 'exec'), space)"]
    return [
        f"sys.argv = {shlex.split(step.text, comments=True)!r}",
        "from cosim.cli.app import main",
        *start,
        "    try: main()",
        f"    except SystemExit as stop: assert not stop.code, ({where!r}, {step.text!r}, stop.code)",
    ]
