"""Made-up architecture files."""

from __future__ import annotations

from pathlib import Path

HEAD = """
name = "small"
title = "Small"
task = "made up"
source = "own"
where = "here"
outputs = [{outputs}]
assumed = ["all of it: by hand, a test"]
layers = [{layers}]
[input]
channels = {channels}
steps = {steps}
rate_hz = 100.0
[sources.own]
title = "own"
authors = "own"
year = 2026
venue = "here"
read = "original"
"""


def written(folder: Path, layers: str, outputs: str, *, channels: int = 3, steps: int = 10) -> Path:
    path = folder / "small.toml"
    path.write_text(HEAD.format(layers=layers, outputs=outputs, channels=channels, steps=steps), encoding="utf-8")
    return path
