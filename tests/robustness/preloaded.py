"""Libraries that readers import late, imported once for all processes."""

import mne
import onnx
import torch

import cosim.datasets.mne_file
import students.quantize

torch.set_num_threads(1)
__all__ = ["cosim", "mne", "onnx", "students", "torch"]
