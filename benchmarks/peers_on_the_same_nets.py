"""What NeuroBench, SpikingJelly and torch's FLOP counter say of nets whose products are known by brute force.

    python benchmarks/peers_on_the_same_nets.py

Per sample, batch of four. How to install the peers: ``benchmarks/README.md``. Exit status 1 where this project's counts
differ from the truth, or its NeuroBench row from NeuroBench.
"""

from __future__ import annotations

import sys

import torch
from peer_nets import SAMPLES, Case, Totals, cases
from peer_tools import (
    RULES,
    disagreement,
    flop_counter,
    installed,
    missing,
    neurobench_results,
    neurobench_text,
    number,
    ours,
    spikingjelly,
    view_results,
)

HEADINGS = (
    "net", "truth: full", "valid", "effective MAC + AC", "cosim", "NeuroBench Dense; MAC + AC", "its row here",
    "SpikingJelly MAC + SynOp", "torch FLOP/2",
)  # fmt: skip


def compared(found: Totals, truth: Totals, gaps: int) -> str:
    if gaps:
        return f"incomplete: {gaps} uncounted"
    wrong = [
        f"{rule} {' + '.join(number(n / SAMPLES) for n in one)}"
        for rule, one, right in zip(RULES, found, truth, strict=True)
        if one != right
    ]
    return ", ".join(wrong) or "equal"


def line(case: Case, absent: dict[str, str]) -> list[str]:
    with torch.no_grad():
        truth = case.truth()
    found, workload = ours(case)
    effective = " + ".join(number(n / SAMPLES) for n in truth[3])
    cells = [case.name, number(sum(truth[0]) / SAMPLES), number(sum(truth[1]) / SAMPLES), effective]
    cells.append(compared(found, truth, len(workload.uncounted)))
    if case.stored_bytes is not None:
        cells[0] += f", {case.stored_bytes} B stored"
        if workload.packed_bytes != case.stored_bytes:
            cells[-1] += f", {workload.packed_bytes} B stored"
    if absent["neurobench"]:
        cells += ["-", "-"]
    else:
        view = view_results(case.model, case.inputs, SAMPLES)
        results, said = neurobench_results(case.model, case.inputs, SAMPLES)
        same = "equal" if "SynapticOperations" in view else "absent"
        cells += [neurobench_text(results, said), disagreement(view, results, said) or same]
        if case.stored_bytes is not None:
            cells[-2] += f", {results['Footprint']} B"
    cells += ["-" if absent["spikingjelly"] else spikingjelly(case), flop_counter(case)]
    return cells


def main() -> int:
    torch.set_num_threads(1)
    absent = {"neurobench": missing("neurobench", "tqdm"), "spikingjelly": missing("spikingjelly", "loguru")}
    for peer, reason in absent.items():
        print(f"{peer} skipped, {reason}" if reason else installed(peer))
    print(installed("torch"), "\n")
    print("| " + " | ".join(HEADINGS) + " |\n|" + "---|" * len(HEADINGS))
    wrong = 0
    for case in cases():
        cells = line(case, absent)
        print("| " + " | ".join(cells) + " |", flush=True)
        wrong += cells[4] != "equal" or cells[6] not in ("equal", "absent", "-")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
