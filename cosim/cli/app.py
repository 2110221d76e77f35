"""The command line: parse, call one public function, print.

Imports inside the commands are deferred on purpose, here and in the other ``cli_`` files only: ``--help`` and the
catalogues answer at once, without torch.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.catalogue import add_catalogue_commands
from cosim.cli.compare import add_compare_command
from cosim.cli.convert import add_convert_command
from cosim.cli.estimate import add_estimate_command
from cosim.cli.export import add_export_command
from cosim.cli.machines.calibrate import add_calibrate_command
from cosim.cli.machines.design import add_design_command
from cosim.cli.machines.scale import add_scale_command
from cosim.cli.new import add_new_command
from cosim.cli.output import Form, JsonOption, form_of, print_json, say, speak_in_any_encoding, tell
from cosim.cli.quantize import add_quantize_command
from cosim.cli.results import add_result_commands
from cosim.cli.workload import add_workload_command
from cosim.engine.executors.interrupts import EXIT_INTERRUPTED
from energy_models.errors import CosimError

if TYPE_CHECKING:
    from cosim.engine.executors.dask_cluster import DaskPlan
    from cosim.study.schema import Study

EXIT_FAILURE, EXIT_MISTAKE, EXIT_TERMINATED = 1, 2, 143

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Accuracy versus microwatts for brain-computer-interface decoders.",
)

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of recordings; default: the environment variable COSIM_DATA.")
]
Workers = Annotated[int, typer.Option(min=1, max=1024, help="Processes, one torch thread each.")]
ExecutorOption = Annotated[str, typer.Option("--executor", help="local: processes of this machine; dask: a cluster.")]
Scheduler = Annotated[str, typer.Option(help="Address of a Dask scheduler, such as tcp://host:8786.")]
Storage = Annotated[
    str | None, typer.Option(help="URL of a search that several coordinators share, such as postgresql+psycopg://.")
]
WarmStart = Annotated[
    Path | None, typer.Option("--warm-start", metavar="RUN", help="A run whose best configurations are tried first.")
]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait for another process that runs in this folder.")]
Cluster = Annotated[str, typer.Option(help="Batch system whose jobs are Dask workers: slurm, pbs, sge, lsf ...")]
Settings = Annotated[list[str], typer.Option("--set", help="Change the study file: section.key=value; repeatable.")]
Version = Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and exit.")]
Out = Annotated[Path | None, typer.Option(help="Folder of this run; default: runs/<study>.")]


@app.callback(invoke_without_command=True)
def _before(context: typer.Context, version: Version = False) -> None:
    """Answer what is asked of the program itself."""
    if version:
        import cosim

        tell(f"cosim {cosim.__version__}")
    elif context.invoked_subcommand is None:
        tell(context.get_help())
        raise SystemExit(EXIT_MISTAKE)


@app.command()
def run(
    study: Annotated[str, typer.Argument(help="A shipped study by name, or the path of a study file.")],
    *,
    data_dir: DataDir = None,
    out: Out = None,
    workers: Workers = 2,
    executor: ExecutorOption = "local",
    scheduler: Scheduler = "",
    cluster: Cluster = "",
    storage: Storage = None,
    warm_start: WarmStart = None,
    wait: Wait = 0.0,
    settings: Settings = [],  # noqa: B006  (typer copies it)
    as_json: JsonOption = False,
) -> None:
    """Run a study: every point that is not finished, then tables, verdicts and the page."""
    from cosim.engine.executors.interrupts import interrupts_held

    with interrupts_held():  # libraries swallow Ctrl-C while they are imported, and the run would go on
        from cosim.engine.executors.dask_cluster import dask_plan
        from cosim.study.check import read_study

        kept = [] if storage is None else [f"search.storage={storage}"]
        kept += [] if warm_start is None else [f"search.warm_start={warm_start.absolute()}"]
        checked = read_study(study, [*settings, *kept])
        dask = dask_plan(executor, scheduler, cluster)
    root = out or Path("runs") / checked.study.name
    _run(checked, root, data_dir=data_dir, workers=workers, dask=dask, command=_command(), form=form_of(as_json),
         wait_s=wait)  # fmt: skip


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run that was stopped.")],
    *,
    data_dir: DataDir = None,
    workers: Workers = 2,
    executor: ExecutorOption = "local",
    scheduler: Scheduler = "",
    cluster: Cluster = "",
    wait: Wait = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run that was stopped or killed; nothing finished is computed again."""
    from cosim.engine.executors.interrupts import interrupts_held

    with interrupts_held():
        from cosim.engine.executors.dask_cluster import dask_plan
        from cosim.engine.run_folder import load_plan
        from cosim.study.check import check_study
        from cosim.tables.archive import refuse_archive

        refuse_archive(folder)
        document, remembered, command = load_plan(folder)
        checked = check_study(document, where=str(folder))
        dask = dask_plan(executor, scheduler, cluster)
        data_dir = data_dir or remembered
    _run(checked, folder, data_dir=data_dir, workers=workers, dask=dask, command=command, form=form_of(as_json),
         wait_s=wait)  # fmt: skip


def _run(
    study: Study, root: Path, *, data_dir: Path | None, workers: int, dask: DaskPlan | None, command: str, form: Form,
    wait_s: float,
) -> None:
    from cosim.engine.executors.fork_server import PRELOAD, start_fork_server
    from cosim.engine.executors.interrupts import TerminatedError, interrupts_held, termination_heeded

    with interrupts_held():
        if dask is None:
            start_fork_server(PRELOAD)  # it imports what a worker needs while this process does
        from cosim.cli.run import run_with_progress

    try:
        with termination_heeded():
            outcome, page, answer = run_with_progress(
                study, root=root, data_dir=data_dir, workers=workers, command=command, dask=dask, wait_s=wait_s,
            )
    except KeyboardInterrupt as stop:
        say(f"What was finished is kept. Go on with: cosim resume {shlex.quote(str(root))}")
        if isinstance(stop, TerminatedError):
            raise SystemExit(EXIT_TERMINATED) from None
        raise
    for message in outcome.failures:
        say(f"Failed: {message}")
    if form == "json":
        print_json(
            {
                "answer": answer,
                "run": str(outcome.folder),
                "report": str(page),
                "points": outcome.points,
                "computed": outcome.computed,
                "failures": list(outcome.failures),
                "set_aside": list(outcome.set_aside),
                "seconds": {kind: found.seconds for kind, found in outcome.times.items()},
                "process_seconds": {kind: found.process_seconds for kind, found in outcome.times.items()},
            }
        )
    else:
        print(page)  # noqa: T201
    if outcome.failures:
        raise SystemExit(EXIT_FAILURE)


def _refuse_empty(arguments: Sequence[str]) -> None:
    """Refuse an empty argument: as a path it would be the current folder, and no command takes an empty text."""
    if "" not in arguments:
        return
    place = arguments.index("")
    raise CosimError(
        "an empty argument", where=f"behind {arguments[place - 1]!r}" if place else "cosim",
        remedy="Is a variable of the shell not set? Give a text, or leave the option out",
    )


def _command() -> str:
    return shlex.join(["cosim", *sys.argv[1:]])


add_result_commands(app)
add_estimate_command(app)
add_compare_command(app)
add_design_command(app)
add_workload_command(app)
add_quantize_command(app)
add_export_command(app)
add_convert_command(app)
add_calibrate_command(app)
add_scale_command(app)
add_catalogue_commands(app)
add_new_command(app)


def main() -> None:
    """Run the command line; a mistake the user can mend is one paragraph on stderr and exit code 2.

    Modules of one's own (``module:object``) are found in the current folder too, after everything installed; worker
    processes inherit the path.
    """
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())
    speak_in_any_encoding()
    try:
        try:
            _refuse_empty(sys.argv[1:])
            app()
        finally:
            sys.stdout.flush()  # here its failure can be told, at the end of the process no more
    except CosimError as error:
        say(f"Error: {error}")
        raise SystemExit(EXIT_MISTAKE) from None
    except OSError as error:
        from energy_models.quantities import no_room, write_failure

        if error.filename is not None:  # what a library could not open or write, wherever it did
            said = f"cannot be used ({error.strerror or error})"
            say(f"Error: {error.filename}: {said}. Name another one, or make it readable and writable")
            raise SystemExit(EXIT_MISTAKE) from None
        if isinstance(error, FileNotFoundError):  # of the standard library: no folder for temporary files
            say(f"Error: {error.strerror}. Free some space, or name a folder in the environment variable TMPDIR")
            raise SystemExit(EXIT_MISTAKE) from None
        if not no_room(error):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in its buffer fails again
        said = f"cannot be written ({write_failure(error)})"
        say(f"Error: standard output: {said}. Free some space, or send it elsewhere")
        raise SystemExit(EXIT_MISTAKE) from None
    except SystemExit as stop:
        if stop.code == EXIT_INTERRUPTED:  # all that the parser leaves of Ctrl-C
            say("Stopped.")
        raise
