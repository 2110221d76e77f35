"""From a trained float student to a quantised one with the same weights, ready to be fitted."""

from __future__ import annotations

from torch import Tensor, fx, nn

from energy_models.errors import StudentError
from students.layers.grid import LEARNED_THRESHOLD
from students.models.build import build
from students.quantize import (
    INTEGER_PRODUCTS,
    SIGNAL_GRIDS,
    calibrate,
    float_twin,
    load_float_weights,
    round_after_training,
    signal_samples,
)
from students.quantize.neurons import IntegerNeurons
from students.spec import Quantised, StudentSpec


def quantised_from_float(spec: StudentSpec, float_model: nn.Module, calibration: Tensor) -> nn.Module:
    """Return the quantised student with a float student's weights and calibrated grids, ready to be fitted.

    In a form that is rounded after training (``ptq``, ``gptq``) it is finished.

    Parameters
    ----------
    spec : StudentSpec
        With a quantised form; otherwise the float student's.
    float_model : nn.Module
        Trained; not changed. The quantised student is put on its device.
    calibration : Tensor, shape (examples, channels, steps)
        Training examples, on which the ranges of signals are read.

    Raises
    ------
    StudentError
        A form that is not quantised, another network, an unusable calibration set, or a family with no integer form.
    """
    if not isinstance(spec.form, Quantised):
        raise StudentError(
            f"a quantised student needs a quantised form, found {spec.form}", where="spec",
            remedy="Give the spec a form such as w4a4",
        )
    wanted = (spec.shape.channels, spec.shape.steps)
    if calibration.ndim != 3 or tuple(calibration.shape[1:]) != wanted:
        raise StudentError(
            f"a calibration set of shape {tuple(calibration.shape)}, expected (examples, {wanted[0]}, {wanted[1]})",
            where="quantised_from_float", remedy="Hand over some of the training examples",
        )
    device = next(float_model.parameters()).device
    model = build(spec, device=device)
    if isinstance(model, fx.GraphModule):  # a network of one's own: its float form has no places for quantisers
        float_model = float_twin(float_model, spec.shape)
    load_float_weights(model, float_model, LEARNED_THRESHOLD)
    grids = {name: module for name, module in model.named_modules() if isinstance(module, SIGNAL_GRIDS)}
    # The grid inside a pool reads what the float pool puts out.
    listened = {name: name.removesuffix(".grid") for name in grids}
    samples = signal_samples(float_model, set(listened.values()), calibration.to(device))
    for name, module in grids.items():
        calibrate(module.act_quant, samples[listened[name]])
    for module in model.modules():
        if isinstance(module, IntegerNeurons):
            module.start_from_threshold()
        if isinstance(module, INTEGER_PRODUCTS):
            calibrate(module.weight_quant, module.weight.detach().flatten(1))
    if spec.form.training != "qat":
        round_after_training(model, float_model, calibration.to(device), spec.form.training)
    return model
