"""Writes the page of accounts that disagree to standard output."""

from __future__ import annotations

import sys

from energy_models.accounts.page import accounts_page

if __name__ == "__main__":
    sys.stdout.write(accounts_page())
