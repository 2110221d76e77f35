"""Writes the page of predicted against measured to standard output."""

from __future__ import annotations

import sys

from energy_models.validation.collect import all_rows
from energy_models.validation.page import validation_page

if __name__ == "__main__":
    sys.stdout.write(validation_page(all_rows()))
