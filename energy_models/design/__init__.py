"""Machines sized to networks: free choices, laws to constants, very many priced at once, the best of them."""

from energy_models.design.choices import KIB, Choices
from energy_models.design.draws import WinShares, win_shares
from energy_models.design.grid import Clock, MachinePrices, Task, price_machines, price_tasks
from energy_models.design.machine import DESIGNED_STYLES, DesignedStyle, Machine
from energy_models.design.profile import machine_profile
from energy_models.design.search import Design, Designed, Watch, search

__all__ = [
    "DESIGNED_STYLES", "KIB", "Choices", "Clock", "Design", "Designed", "DesignedStyle", "Machine", "MachinePrices",
    "Task", "Watch", "WinShares", "machine_profile", "price_machines", "price_tasks", "search", "win_shares",
]
