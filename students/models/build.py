"""From a student's description to an untrained network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from energy_models.errors import StudentError
from students.families import Family, FamilyOptions, Mode, check_form, deployment_mode, load_family, parse_options
from students.layers import FloatLayers, Layers
from students.spec import Quantised, StudentSpec

if TYPE_CHECKING:
    from students.quantize import QuantLayers
    from students.quantize.width_plan import Product


def build(spec: StudentSpec, *, device: torch.device | str = "cpu") -> nn.Module:
    """Return the untrained student, its initial weights decided by the seed; the global generator is left as it was.

    Parameters
    ----------
    spec : StudentSpec
    device : torch.device or str
        Where the weights are put; they are drawn on the CPU, so that they are the same everywhere.

    Raises
    ------
    StudentError
        Unknown family or options, a task or form the family does not offer, lengths that do not fit, or a family
        of one's own that builds no module.
    """
    family = load_family(spec.family)
    deployment_mode(family, spec.shape)
    check_form(family, spec.form)
    options = parse_options(spec.family, family, spec.options)
    network = _built(family, options, spec)
    if not isinstance(network, nn.Module):
        raise StudentError(
            f"the family built a {type(network).__name__}", where=f"family {spec.family!r}",
            remedy="Let its build return a torch.nn.Module",
        )
    return network.to(device)


def complete(spec: StudentSpec) -> StudentSpec:
    """Return the description with the family's defaults written out, so that its digest names them."""
    options = parse_options(spec.family, load_family(spec.family), spec.options)
    return spec.model_copy(update={"options": options.model_dump(exclude_none=True)})


def mode(spec: StudentSpec) -> Mode:
    """Return ``window`` where one decode takes a whole window, ``stream`` where it takes one new step."""
    return deployment_mode(load_family(spec.family), spec.shape)


def parameter_count(model: nn.Module) -> int:
    """Return the number of learned scalars."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def products_of(spec: StudentSpec) -> tuple[Product, ...]:
    """Return the products of a student of quantised form (paths in it, kinds, places); CosimError as `build` raises."""
    layers, network = _plain_build(spec)
    return layers.plan.products(network)


def signal_readers(spec: StudentSpec) -> dict[str, tuple[str, ...]]:
    """Return the products whose activation width each signal of a student of quantised form has, by signals' paths."""
    layers, network = _plain_build(spec)
    return layers.plan.readers(network)


def _plain_build(spec: StudentSpec) -> tuple[QuantLayers, nn.Module]:
    """Return a quantised student without widths of single layers, and what made it."""
    # Deferred: Brevitas takes seconds to import.
    from students.quantize import QuantLayers

    family, form = load_family(spec.family), spec.form
    if not isinstance(form, Quantised):
        raise StudentError(f"the form {form}", where="widths of layers", remedy="Give a form such as w8a8")
    layers = QuantLayers(form.model_copy(update={"overrides": ()}))
    return layers, _seeded(family, parse_options(spec.family, family, spec.options), spec, layers)


def _built(family: Family[Any], options: FamilyOptions, spec: StudentSpec) -> nn.Module:
    """Return the family's network; built twice where a form has widths for layers by name."""
    if not isinstance(spec.form, Quantised):
        return _seeded(family, options, spec, FloatLayers())
    # Deferred: Brevitas takes seconds to import, and float students do not need it.
    from students.quantize import QuantLayers

    layers = QuantLayers(spec.form)
    network = _seeded(family, options, spec, layers)
    if not spec.form.overrides or not layers.plan.made:  # an adopted network knows the names of its layers
        return network
    return _seeded(family, options, spec, QuantLayers(spec.form, layers.plan.named(network)))


def _seeded(family: Family[Any], options: FamilyOptions, spec: StudentSpec, layers: Layers) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        return family.build(options, spec.shape, layers)
