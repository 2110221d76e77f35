"""Integer forms of networks made of torch's own layers: their graph is traced, each layer replaced by name."""

from students.quantize.adopt.adopted import adopted, float_twin
from students.quantize.adopt.parts import IntegerParts

__all__ = ["IntegerParts", "adopted", "float_twin"]
