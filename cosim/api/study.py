"""Runs a study in a folder of its own and returns what it came to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cosim.api.arguments import workers_of
from cosim.api.finished_run import Run
from cosim.api.progress import lines_on_stderr
from cosim.api.run import run_study
from cosim.engine.executors.dask_cluster import dask_plan
from cosim.engine.progress import Watch
from cosim.report import write_report
from cosim.study.check import check_study, read_study
from energy_models.errors import StudyError

if TYPE_CHECKING:
    from cosim.study.schema import Study


def run(
    study: str | Path | Mapping[str, Any],
    *,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    workers: int = 2,
    executor: str = "local",
    scheduler: str = "",
    cluster: str = "",
    settings: Sequence[str] = (),
    watch: Watch | None = None,
) -> Run:
    """Run a study: every point that is not finished, then tables, prices and the page.

    Parameters
    ----------
    study : str, Path or mapping
        A name of `cosim.studies`, the path of a study file, or the tables of one.
    out : str or Path, optional
        Folder of this run; default: ``runs/<study>``. What is finished there is not computed again.
    data_dir : str or Path, optional
        Folder of recordings; default: the environment variable ``COSIM_DATA``.
    workers : int
        Processes, one torch thread each; a scheduler has its own.
    executor : {'local', 'dask'}
        Processes of this machine, or workers of a Dask cluster; the results are the same.
    scheduler, cluster : str, optional
        Of Dask: the address of a scheduler, or a batch system whose jobs are the workers, such as ``slurm``.
    settings : sequence of str
        Changes of the study, as ``section.key=value`` each.
    watch : callable, optional
        Told where the run stands, a few times a second; default: lines on stderr.

    Raises
    ------
    CosimError
        For anything the user can mend. Whatever was finished stays.
    """
    checked, dask = _checked(study, settings), dask_plan(executor, scheduler, cluster)
    root = Path("runs") / checked.study.name if out is None else Path(out)
    run_study(
        checked, root=root, data_dir=None if data_dir is None else Path(data_dir), workers=workers_of(workers),
        command=shlex.join(["cosim.run", checked.study.name, *settings]), watch=watch or lines_on_stderr(),
        dask=dask,
    )
    write_report(root)
    return Run(root)


def _checked(study: object, settings: Sequence[str]) -> Study:
    if isinstance(study, str | Path):
        return read_study(str(study), settings)
    if isinstance(study, Mapping) and not settings:
        return check_study(dict(cast("Mapping[str, Any]", study)), where="cosim.run")
    raise StudyError(
        f"{study!r:.60} is no study" if not isinstance(study, Mapping) else "settings beside a table",
        where="cosim.run", remedy="Give a name of cosim.studies, a path, or a study's tables with all its settings",
    )
