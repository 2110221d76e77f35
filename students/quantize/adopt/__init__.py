"""Integer forms of networks made of torch's own layers: their graph is traced, each layer replaced by name."""

from students.quantize.adopt.adopted import adopted, float_twin

__all__ = ["adopted", "float_twin"]
