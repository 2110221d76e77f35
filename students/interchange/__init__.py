"""Networks from files that other tools wrote, as modules that `students.counting.observe` counts."""

from __future__ import annotations

from students.interchange.files import example_shape as example_shape
from students.interchange.files import read_network as read_network
