"""A deployed graph as self-contained C99: no floats, no allocation, test vectors and a memory map beside it."""

from students.deploy.c_code.chain import export_chain
from students.deploy.c_code.files import LAYERS_FILE, MEMORY_FILE, CExport, export_c
from students.deploy.c_code.text import Weights

__all__ = ["LAYERS_FILE", "MEMORY_FILE", "CExport", "Weights", "export_c", "export_chain"]
