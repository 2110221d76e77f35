"""Exported C code on an emulated Cortex-M: bit-exact or not, and how many instructions each layer takes."""

from students.deploy.emulator.boards import BOARDS, Board
from students.deploy.emulator.run import Emulated, LayerInstructions, check_board, emulate
from students.deploy.emulator.tools import absent_tools

__all__ = ["BOARDS", "Board", "Emulated", "LayerInstructions", "absent_tools", "check_board", "emulate"]
