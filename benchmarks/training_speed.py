"""Every bar of training speed, by one command; each part is a program of its own with options of its own.

    python benchmarks/training_speed.py [--part NAME ...]

Exits with 1 where a ratio of any part misses its bar.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = {
    "spiking": "spiking_step.py",
    "windows": "training_windows.py",
    "recurrent": "recurrent_step.py",
    "textbook": "eegnet_step.py",
    "demo": "demo_time.py",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    codes: dict[str, int] = {}
    for part in parser.parse_args().part:
        print(f"== {part} ({PARTS[part]})", flush=True)
        codes[part] = subprocess.run([sys.executable, str(HERE / PARTS[part])], check=False).returncode
    print("; ".join(f"{part}: {'met' if code == 0 else 'MISSED'}" for part, code in codes.items()))
    return 1 if any(codes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
