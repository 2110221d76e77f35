"""What the demo takes of a processor, beside commit 14d5cc8.

    python benchmarks/demo_time.py [--rounds N]

The earlier commit is checked out into a temporary work tree; the two run `demo` with one worker, one after the other,
each into a new folder. Counted is the time of every process of a run, the pool's included (Linux). Exits with 1 where
the least time here is more than 0.7 of the earlier least.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from earlier_tree import ROOT, earlier_tree

HERE = Path(__file__).resolve()
EARLIER = "14d5cc8"
MOST_OF_EARLIER = 0.7
ADOPT_ORPHANS = 36
"""``PR_SET_CHILD_SUBREAPER`` of prctl(2): processes whose parent is gone become children of this one."""

RUN = """
import sys
sys.argv = ["cosim", "run", "demo", "--workers", "1", "--out", sys.argv[1]]
try:
    from cosim.cli.start import main
except ImportError:
    from cosim.cli import main
if __name__ == "__main__":
    main()
"""


def timed(folder: str) -> None:
    """Run the demo of the packages on the path; print the time of all its processes [s]."""
    ctypes.CDLL(None).prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
    script = Path(folder) / "run_demo.py"
    script.write_text(RUN, encoding="utf-8")
    subprocess.run([sys.executable, str(script), str(Path(folder) / "run")], check=True, capture_output=True)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(used.ru_utime + used.ru_stime)


def seconds(tree: Path) -> float:
    """Return what one demo takes with the sources of a tree [s]."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE), "--timed", folder]
        done = subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def measure(rounds: int) -> dict[str, list[float]]:
    """Return the times of each turn [s], the trees taking turns."""
    times: dict[str, list[float]] = {EARLIER: [], "now": []}
    with earlier_tree(EARLIER) as tree:
        for turn in range(rounds):
            for name, sources in {EARLIER: tree, "now": ROOT}.items():
                times[name].append(seconds(sources))
                print(f"turn {turn + 1}  {name:<8}{times[name][-1]:7.1f} s", flush=True)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timed", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.timed:
        timed(options.timed)
        return 0
    times = measure(options.rounds)
    share = min(times["now"]) / min(times[EARLIER])
    print(f"least: {EARLIER} {min(times[EARLIER]):.1f} s, now {min(times['now']):.1f} s: {share:.2f} of it "
          f"(bar {MOST_OF_EARLIER})")  # fmt: skip
    return 0 if share <= MOST_OF_EARLIER else 1


if __name__ == "__main__":
    sys.exit(main())
