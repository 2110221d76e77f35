"""Standard output that is not UTF-8, or closed: every command still answers, and JSON stays JSON."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from unittest import mock

import pytest

from cosim.cli.app import main

COSIM = [sys.executable, "-c", "from cosim.cli.app import main; main()"]


def printed(encoding: str, *arguments: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of a command that writes in an encoding, both decoded strictly."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2))
    code = 0
    with mock.patch.object(sys, "argv", ["cosim", *arguments]), mock.patch.multiple(sys, stdout=out, stderr=err):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out.flush()
        err.flush()
    texts = [stream.buffer.getvalue().decode(encoding) for stream in (out, err)]  # type: ignore[attr-defined]
    return code, texts[0], texts[1]


COMMANDS = (
    ("profiles",), ("sites",), ("datasets",), ("profiles", "gap9"), ("sites", "implant_utah96"),
    ("datasets", "synthetic_eeg"), ("--help",), ("estimate", "--help"), ("profiles", "nön–existing"),
    ("run", "µ.toml"), ("profiles", "\udcff"),
)  # fmt: skip


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_answers(encoding: str, command: tuple[str, ...]) -> None:
    code, out, err = printed(encoding, *command)
    assert code in (0, 2)
    assert out or err


def test_our_own_characters_have_plainer_ones() -> None:
    from cosim.cli.output import PLAINER, speak_in_any_encoding

    speak_in_any_encoding()
    for character in map(chr, PLAINER):
        assert b"?" not in character.encode("ascii", "cosim.plainer")
    assert "5 µW ± 1 → a × b".encode("ascii", "cosim.plainer") == b"5 uW +/- 1 -> a x b"
    assert "日 \udcff".encode("ascii", "cosim.plainer") == b"? \\udcff"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "utf-16"])
def test_json_is_the_same_in_every_encoding(encoding: str) -> None:
    code, out, _ = printed(encoding, "profiles", "--json")
    assert code == 0
    assert json.loads(out) == json.loads(printed("utf-8", "profiles", "--json")[1])


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_is_no_error(closed: str) -> None:
    command = f'"{sys.executable}" -c "from cosim.cli.app import main; main()" profiles {closed}'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_an_ascii_process() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*COSIM, "sites", "implant_utah96"], capture_output=True, env=environment, check=True)
    assert done.stdout.decode("ascii")
