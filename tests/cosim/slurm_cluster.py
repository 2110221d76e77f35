"""A SLURM cluster of one node of the tests' own, on private ports, where its programs are installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "sinfo", "squeue")
BESIDE_THE_PATH = "/usr/sbin:/sbin"  # where Debian's daemons are
CORES = 4  # more than some machines have: jobs of the tests wait for nothing
DEADLINE_SECONDS = 60
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=4000
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
QUEUE = """
jobqueue:
  slurm:
    {{cores: 1, processes: 1, memory: 1GB, walltime: "00:10:00", queue: main, death-timeout: 30,
     log-directory: {place}/logs, local-directory: {place}/local, scheduler-options: {{host: 127.0.0.1}}}}
"""


@contextmanager
def slurm() -> Generator[dict[str, str]]:
    """Yield the environment in which SLURM's commands and dask-jobqueue find a cluster, or skip with the reason."""
    path = f"{os.environ['PATH']}:{BESIDE_THE_PATH}"
    programs = {name: shutil.which(name, path=path) or "" for name in PROGRAMS}
    absent = [name for name, found in programs.items() if not found]
    if absent:
        pytest.skip(f"SLURM's programs are not installed: {', '.join(absent)}")
    if os.geteuid():
        pytest.skip("SLURM's daemons run as root here")
    pytest.importorskip("dask_jobqueue", reason="the extra cosim[cluster] is not installed")
    place = Path(tempfile.mkdtemp(prefix="slurm", dir="/tmp"))
    place.chmod(0o755)  # munge refuses a socket that others could not reach
    try:
        with ExitStack() as running:
            environment = _configured(place)
            _started(running, programs, place, environment)
            _await_idle(programs["sinfo"], place, environment)
            yield environment
            subprocess.run([programs["scancel"], "--user=root"], env=environment, check=True)
            await_no_jobs(environment)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def jobs(environment: dict[str, str]) -> list[str]:
    """Return the numbers of the jobs that wait or run."""
    asked = ["squeue", "--noheader", "--format=%i"]
    return subprocess.run(asked, capture_output=True, text=True, env=environment, check=True).stdout.split()


def await_no_jobs(environment: dict[str, str]) -> None:
    """Wait until cancelled jobs are gone; SLURM shows them as completing for a while."""
    end = time.monotonic() + DEADLINE_SECONDS
    while left := jobs(environment):
        assert time.monotonic() < end, f"jobs were left: {left}"
        time.sleep(0.1)


def _configured(place: Path) -> dict[str, str]:
    """Write what SLURM and dask-jobqueue read, and return the environment that names it."""
    host = socket.gethostname().partition(".")[0]
    ports = _free_ports(2)
    for name in ("state", "spool", "logs", "local"):
        (place / name).mkdir()
    (place / "slurm.conf").write_text(
        CONFIGURATION.format(place=place, host=host, cores=CORES, control_port=ports[0], node_port=ports[1])
    )
    (place / "jobqueue.yaml").write_text(QUEUE.format(place=place))
    key = place / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    return {**os.environ, "SLURM_CONF": str(place / "slurm.conf"), "DASK_CONFIG": str(place / "jobqueue.yaml")}


def _free_ports(number: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _started(running: ExitStack, programs: dict[str, str], place: Path, environment: dict[str, str]) -> None:
    """Start the three daemons; they are ended with the stack, the last one first."""
    munge = ("--foreground", "--force", f"--key-file={place}/munge.key", f"--socket={place}/munge.socket",
             f"--pid-file={place}/munge.pid", f"--log-file={place}/munge.log",
             f"--seed-file={place}/munge.seed")  # fmt: skip
    for name, options in (("munged", munge), ("slurmctld", ("-D",)), ("slurmd", ("-D",))):
        log = running.enter_context((place / f"{name}.log").open("w"))
        process = subprocess.Popen([programs[name], *options], stdout=log, stderr=log, env=environment, cwd=place)
        running.callback(_end, process)
        if name == "munged":
            _await((place / "munge.socket").exists, place)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_idle(sinfo: str, place: Path, environment: dict[str, str]) -> None:
    def idle() -> bool:
        asked = subprocess.run([sinfo, "-h", "-o", "%T"], capture_output=True, text=True, env=environment, check=False)
        return asked.stdout.strip() == "idle"

    _await(idle, place)


def _await(true: Callable[[], bool], place: Path) -> None:
    """Wait for something, or skip the test with what the daemons said: this machine cannot run them."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not true():
        if time.monotonic() > end:
            said = [f"{log.name}: {log.read_text()[-300:]}" for log in sorted(place.glob("*.log"))]
            pytest.skip("SLURM does not start here: " + "; ".join(said))
        time.sleep(0.1)
