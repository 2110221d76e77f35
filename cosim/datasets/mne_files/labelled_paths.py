"""The files an option lists, a name for each, and the labels of its groups."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cosim.datasets import files
from cosim.datasets.mne_files.options import Options
from energy_models.errors import DataError

FIELD = re.compile(r"\{([a-z_]\w*)\}|(\*)")
ONE_LABEL = r"[^/_.]+"


@dataclass(frozen=True, slots=True)
class LabelledPath:
    """A recording file, its name within the dataset, and its labels by group."""

    path: Path
    name: str
    groups: dict[str, str]


def labelled_paths(options: Options, data_dir: Path | None, *, corpus: str) -> list[LabelledPath]:
    """Return the files that are listed, with the labels that options or their paths give them.

    Raises
    ------
    DataError
        If no data folder is named, two files have one name, or labels do not go with the files.
    """
    paths = _listed(options.files, data_dir, corpus=corpus)
    where = f"options of {corpus!r}"
    names = _names(paths, where=where)
    given = {"subject": options.subject, "session": options.session, "run": options.run}
    for group, labels in given.items():
        if len(labels) not in {0, 1, len(paths)}:
            raise DataError(f"{group} has {len(labels)} labels for {len(paths)} files", where=where,
                            remedy="Give one for all files, or one for each in their order.")
    result: list[LabelledPath] = []
    for number, (path, name) in enumerate(zip(paths, names, strict=True)):
        own = {"run": name, **_from_path(path, options.path_pattern, where=where)}
        own |= {group: labels[number % len(labels)] for group, labels in given.items() if labels}
        result.append(LabelledPath(path, name, own))
    return result


def _listed(listed: Sequence[str], data_dir: Path | None, *, corpus: str) -> list[Path]:
    """Return the paths of all files; a ``*`` stands for any part of a name."""
    found: list[Path] = []
    for text in listed:
        path = Path(text)
        if not path.is_absolute():
            path = files.root(data_dir, corpus=corpus, expected=", ".join(listed)) / path
        matches = [path]
        if "*" in text:
            matches = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))) if path.is_absolute()
                             else Path().glob(str(path)))  # fmt: skip
        if not matches:
            raise DataError("no file is called so", where=str(path), remedy="Check the folder and the pattern.")
        found += matches
    if not found:
        raise DataError("no file is listed", where=f"options of {corpus!r}", remedy="Write files = [\"a.edf\"].")
    return found


def _names(paths: Sequence[Path], *, where: str) -> list[str]:
    """Return the stem of each file, with the folders above it where stems alone do not tell files apart."""
    stems = [path.stem for path in paths]
    names = stems
    for depth in range(1, max(len(path.parts) for path in paths)):
        if len(set(names)) == len(names):
            break
        names = ["/".join((*path.parts[:-1][-depth:], path.stem)) for path in paths]
    if len(set(names)) < len(names):
        raise DataError("two files have the same name, so their trials could not be told apart", where=where,
                        remedy="List each file once, and rename one of two namesakes.")
    return names


def _from_path(path: Path, pattern: str, *, where: str) -> dict[str, str]:
    """Return the labels that stand in a path, by a pattern with names in braces and ``*`` for any text.

    Raises
    ------
    DataError
        If the path does not look like that, or the pattern names nothing or one group twice.
    """
    if not pattern:
        return {}
    names = [match[1] for match in FIELD.finditer(pattern) if match[1]]
    if not names or len(set(names)) < len(names):
        raise DataError(f"path_pattern = {pattern!r} names no group, or one twice", where=where,
                        remedy="Write each group once in braces, such as sub-{subject}_ses-{session}.")
    regex, place = "", 0
    for match in FIELD.finditer(pattern):
        regex += re.escape(pattern[place : match.start()])
        regex += f"(?P<{match[1]}>{ONE_LABEL})" if match[1] else "[^/]*"
        place = match.end()
    found = list(re.finditer(regex + re.escape(pattern[place:]), path.as_posix()))
    if not found:
        raise DataError(f"the path does not hold path_pattern = {pattern!r}", where=str(path),
                        remedy="Change the pattern, or give subject, session and run as lists.")
    return {name: str(found[-1][name]) for name in names}
