"""The command that writes a file to start from: a study, a place, a machine, or a module with one object."""

from __future__ import annotations

import keyword
import os
import re
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from cosim.cli.output import JsonOption, print_json, say

Kind = Literal["study", "site", "profile", "family", "dataset", "method"]
NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")


@dataclass(frozen=True, slots=True)
class Template:
    """Where the text of a kind comes from, the name it has there, and what is typed next.

    Parameters
    ----------
    package, file : str
        The shipped file that is copied: what documentation shows and tests run.
    known : str
        The name in it that becomes the new one.
    comment : str
        Lines put before the text, ``{name}`` standing for the new name.
    command : str
        The next command, likewise.
    """

    package: str
    file: str
    known: str
    comment: str
    command: str


COPIED: dict[str, tuple[str, str, str, str]] = {
    "study": (
        "cosim.study.shipped", "example",
        "# A study of your own. One value is changed without editing it:\n"
        "# cosim run {name}.toml --set training.student.epochs=40\n",
        "cosim run {name}.toml",
    ),
    "profile": (
        "energy_models.data.profiles", "cortex_m4f",
        "# A machine of your own, begun as a copy of {like}: change title, description and every constant that\n"
        "# differs. A constant has a value, its bounds low and high, a unit, a basis (measured, simulated, derived or\n"
        "# assumed), its source and where in it. A source of your own is a table [sources.KEY] with title, authors,\n"
        "# year, venue and read.\n",
        "cosim estimate eegnet_8_2 --profile {name}.toml --decode-rate 2 --sweep bits=8",
    ),
    "site": (
        "energy_models.data.sites", "headset_commodity",
        "# A place of your own, begun as a copy of {like}: change title, description, every constant that\n"
        "# differs, and the limits. A limit that is not given says why under [omitted].\n",
        "cosim estimate eegnet_8_2 --profile cortex_m4f --site {name}.toml --decode-rate 2",
    ),
}  # fmt: skip
"""Kinds of TOML file: package of the shipped ones, the one that is copied by default, comment, next command."""
WRITTEN: dict[str, Template] = {
    "family": Template(
        "cosim.cli.templates", "family.py", "", "# In a study file: family = \"{name}:FAMILY\"\n",
        "cosim run example --set students.0.family={name}:FAMILY --set students.0.options={{}} --out runs/{name}",
    ),
    "dataset": Template(
        "cosim.cli.templates", "dataset.py", "example_tones", "# In a study file: dataset.name = \"{name}:DATASET\"\n",
        "cosim run example --set dataset.name={name}:DATASET --set dataset.options={{}} --out runs/{name}",
    ),
    "method": Template(
        "cosim.cli.templates", "method.py", "", "# In a study file: method = {{ name = \"{name}:METHOD\" }}\n",
        "cosim run example --set students.0.method.name={name}:METHOD --out runs/{name}",
    ),
}  # fmt: skip
"""Kinds of module."""


def add_new_command(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(new)


def new(
    kind: Annotated[Kind, typer.Argument(help="What to begin.")],
    name: Annotated[str, typer.Argument(help="Its name, and the file's: NAME.toml, or NAME.py for code.")],
    *,
    like: Annotated[
        str | None, typer.Option(help="Shipped study, machine or site to copy; see cosim studies, profiles, sites.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a commented file that works as it is into this folder, and print the command to type next."""
    template = _template(kind, like)
    path = Path(f"{name}.toml" if kind in COPIED else f"{name}.py")
    _check_name(name, path)
    words = {"name": name, "like": template.known}
    text = (resources.files(template.package) / template.file).read_text(encoding="utf-8")
    if template.known:
        text = text.replace(f'"{template.known}"', f'"{name}"')
    _write_new(path, template.comment.format(**words) + text)
    command = template.command.format(**words)
    if as_json:
        print_json({"kind": kind, "name": name, "file": str(path), "next": command})
    else:
        say(f"Written: {path}. Next:")
        print(command)  # noqa: T201


def _template(kind: str, like: str | None) -> Template:
    """Return where the text of a kind comes from.

    Raises
    ------
    CosimError
        Nothing shipped has the name of `like`, or modules, which are copied from one example only.
    """
    from energy_models.errors import StudyError, unknown_name

    if kind not in COPIED:
        if like is not None:
            raise StudyError(f"a {kind} is begun from one example only", where="--like", remedy="Leave it out")
        return WRITTEN[kind]
    package, usual, comment, command = COPIED[kind]
    known = like or usual
    shipped = [each.name.removesuffix(".toml") for each in resources.files(package).iterdir()
               if each.name.endswith(".toml")]  # fmt: skip
    if known not in shipped:
        kinds = "studies" if kind == "study" else f"{kind}s"
        raise StudyError(f"no {kind} {known!r} ships", where="--like", remedy=unknown_name(kinds, known, shipped))
    return Template(package, f"{known}.toml", known, comment, command)


def _check_name(name: str, path: Path) -> None:
    """Refuse a name that no file or module can have, that is taken by a module, or whose file is there.

    Raises
    ------
    StudyError
    """
    from energy_models.errors import StudyError

    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise StudyError(f"{name!r:.60} is no name", where="NAME",
                         remedy="Begin with a small letter; then small letters, digits and _, 80 at most")  # fmt: skip
    if os.path.lexists(path):
        raise StudyError("is there already", where=str(path), remedy="Choose another name, or remove it")
    if path.suffix == ".py" and find_spec(name) is not None:
        raise StudyError(f"{name!r} is the name of a module that is installed, which would be found first",
                         where="NAME", remedy="Choose another name")  # fmt: skip


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there, whole or not at all.

    Raises
    ------
    StudyError
        It cannot be written.
    """
    from energy_models.errors import StudyError
    from energy_models.quantities import write_failure

    made = False
    try:
        with path.open("x", encoding="utf-8") as file:
            made = True
            file.write(text)
    except OSError as error:
        if made:
            path.unlink(missing_ok=True)
        raise StudyError(
            f"cannot be written ({write_failure(error)})", where=str(path),
            remedy="Start from a folder that may be written, with some space",
        ) from error
