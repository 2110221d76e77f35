"""What there is to choose from: machines, sites, recordings, families, architectures and studies, a table each."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Literal

import pandas as pd

from energy_models.errors import StudyError
from energy_models.hardware import LIMIT_NAMES, load_profile, load_site, profile_names, site_names
from energy_models.quantities import find_unit


def machines(rows: Literal["machines", "measured"] = "machines") -> pd.DataFrame:
    """Return every machine by name: title, execution style, technology node [nm]; or what was measured on them.

    Parameters
    ----------
    rows : {'machines', 'measured'}
        Measured: every published figure that the energy models are held against, beside what is predicted, as
        `cosim.api.silicon.measured_figures` has it.

    Raises
    ------
    StudyError
        Rows of another kind.
    """
    if rows == "measured":
        from cosim.api.silicon import measured_figures

        return measured_figures()
    if rows != "machines":
        raise StudyError(f"there are no rows {rows!r}", where="machines", remedy="Give 'machines' or 'measured'")
    found = [load_profile(name) for name in profile_names()]
    return _table(
        [
            {
                "machine": one.name, "title": one.title, "style": one.execution.style,
                "node_nm": one.node.band.nominal / find_unit("nm").factor, "hash": one.digest[:12],
            }
            for one in found
        ]
    )


def sites() -> pd.DataFrame:
    """Return every site by name: title, channels, and the limits that are applied there."""
    found = [load_site(name) for name in site_names()]
    return _table(
        [
            {
                "site": one.name, "title": one.title, "channels": one.channels,
                "limits": ", ".join(limit for limit in LIMIT_NAMES if getattr(one, limit) is not None),
                "hash": one.digest[:12],
            }
            for one in found
        ]
    )


def corpora() -> pd.DataFrame:
    """Return every corpus that `cosim.load_dataset` can read, by name: task, title, licence, where it comes from."""
    from cosim.datasets.registry import dataset_names, describe

    found = [describe(name) for name in dataset_names()]
    return _table(
        [
            {
                "dataset": one.name, "task": one.task, "title": one.card.title, "licence": one.card.licence,
                "download": one.download, "options": ", ".join(one.options),
            }
            for one in found
        ]
    )


def families() -> pd.DataFrame:
    """Return every family of students by name: title, tasks, whether it spikes, its options."""
    from students.families import family_names, load_family

    found = [(name, load_family(name)) for name in family_names()]
    return _table(
        [
            {
                "family": name, "title": one.title, "tasks": ", ".join(one.tasks), "spiking": one.spiking,
                "options": ", ".join(one.Options.model_fields),
            }
            for name, one in found
        ]
    )


def architectures() -> pd.DataFrame:
    """Return every published architecture that `cosim.count` knows by name: title, input, rate [Hz]."""
    from students.architectures import architecture_names, load_architecture

    found = [load_architecture(name) for name in architecture_names()]
    return _table(
        [
            {
                "architecture": one.name, "title": one.title, "channels": one.input.channels, "steps": one.input.steps,
                "rate_hz": one.input.rate_hz,
            }
            for one in found
        ]
    )


def studies() -> pd.DataFrame:
    """Return every study that ships, by name: dataset, title, question."""
    from cosim.study.document import read_document, study_names

    found = [(name, read_document(name)) for name in study_names()]
    return _table(
        [
            {
                "study": name, "dataset": one["dataset"]["name"], "title": one["study"]["title"],
                "question": one["study"]["question"],
            }
            for name, one in found
        ]
    )


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Return rows as a table whose index is the name that other calls take."""
    return pd.DataFrame(rows).set_index(next(iter(rows[0])))
