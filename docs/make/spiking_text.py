"""What ``docs/spiking.md`` says around its tables."""

from __future__ import annotations

HEAD = """# Spiking decoders on recordings

What spiking networks buy on recordings of motor cortex, of seizures and of SSVEP, and what they do not. Made by

    python benchmarks/spiking.py            # every part, two seeds; --seeds 5 adds three, --part NAME runs one
    python benchmarks/spiking.py --reprice  # this page from the archived runs, at today's prices

(the recordings are not part of the project; scores and workloads are in `docs/results/spiking`).
"""
FINDINGS = """
## What it says
"""
BARS = """
## Bars

"""
BREAK_EVEN = """
## Where spiking breaks even
"""
TAIL = ""
NOT_RUN = """
## Not run

"""
