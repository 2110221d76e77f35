"""Distillation of a routed mixture of a teacher's layers: features, their spectra, and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.training.distillation.losses import blend, outputs_distance, scaled_mse
from students.training.distillation.method import LossInputs, LossSetting, Method, Needs, TaughtOptions
from students.training.distillation.router import Router, RouterKind, entropy_shortfall
from students.training.distillation.spectra import magnitude_distance, phase_distance
from students.training.distillation.token_rows import Channels, token_shape, tokens
from students.training.examples import OUTPUTS


class DLinkOptions(TaughtOptions):
    """Which layers are routed to which module, and what each part of the loss weighs.

    Parameters
    ----------
    student : str
        Name of the module of the student that mimics; what follows it compresses.
    layers : list of str
        Names of the teacher's layers, among its targets; of one shape.
    weight : float
        Of everything but the labels' loss, which has ``1 - weight``.
    first_epochs : int
        Epochs that mimic alone, before labels and outputs count.
    student_channels, teacher_channels : {'first', 'last'}
        Where the tensors have their channels behind the batch; the other axes are positions, in time.
    outputs, mimic, spectral : float
        Weights of the distance of the outputs, of the features, and of their spectra.
    phase : float
        Of phases, beside magnitudes.
    temperature : float
        Of classes.
    router : {'input', 'static', 'uniform', 'last'}
    router_hidden : int
    router_temperature : float
    entropy_floor : float
        Share of the largest entropy that the gates keep.
    """

    student: str = Field(min_length=1)
    layers: Annotated[list[str], Field(min_length=1, max_length=100)]
    first_epochs: int = Field(default=0, ge=0)
    student_channels: Channels = "first"
    teacher_channels: Channels = "first"
    outputs: float = Field(default=1.0, ge=0)
    mimic: float = Field(default=1.0, ge=0)
    spectral: float = Field(default=0.1, ge=0)
    phase: float = Field(default=0.1, ge=0)
    temperature: float = Field(default=4.0, gt=0)
    router: RouterKind = "input"
    router_hidden: int = Field(default=16, ge=1, le=4096)
    router_temperature: float = Field(default=1.0, gt=0)
    entropy_floor: float = Field(default=0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _probes_whole_examples(self) -> Self:
        if self.mixup:
            raise ValueError("the router's probe learns the label of each example, and a mixture has none; leave "
                             "'mixup' out")  # fmt: skip
        return self


class DLinkLoss(nn.Module):
    """``(1 - w) task + w (outputs D + mimic MSE(Z, H) + spectral (L_mag + phase L_ph)) + probe + shortfall``.

    H is the router's mixture of the teacher's layers, averaged to the student's positions; Z a linear map of the
    student's module to the teacher's channels, at every position: the student mimics at the teacher's width, and its
    own layers behind that module compress; the map is dropped. D is the distance of `kl`; L_mag and L_ph are those of
    `distillation.spectra`, along positions. The probe is the labels' loss of a linear read-out of H (of its mean over
    positions, or, in a regression, along them), and with the entropy's shortfall it trains the router alone.
    In the first epochs the labels' loss and D are left out.

    Read of DLink (arXiv 2604.15016, abstracts of versions 1 and 2): an input-conditioned router over the teacher's
    layers, mimic-then-compress, alignment of magnitude and phase spectra; teacher and router serve in training only.
    All equations, weights and the regression form are our derivation.
    """

    scale: Tensor | None

    def __init__(self, options: DLinkOptions, setting: LossSetting) -> None:
        super().__init__()
        self.options = options
        self.warmup_steps, self.steps = setting.warmup_steps, setting.shape.steps
        self.positions, mine = token_shape(setting.student[options.student], options.student_channels)
        _, width = token_shape(setting.teacher[options.layers[0]], options.teacher_channels)
        self.mimic = nn.Linear(mine, width)
        self.router = Router(
            options.router, len(options.layers), width, options.router_hidden, options.router_temperature
        )
        self.probe = nn.Linear(width, setting.shape.outputs)
        self.distance = outputs_distance(setting.scale, setting.warmup_steps, options.temperature)
        self.register_buffer("scale", setting.scale, persistent=False)

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape ()."""
        layers = [tokens(batch.teacher[name], self.options.teacher_channels) for name in self.options.layers]
        mixture, gates = self.router(torch.stack(layers, dim=1))
        routing = self._probe(mixture, batch.targets) + entropy_shortfall(gates, self.options.entropy_floor)
        alike = self._alike(batch.student[self.options.student], mixture)
        if batch.epoch < self.options.first_epochs:
            return alike + routing
        outputs = self.options.outputs * self.distance(batch.outputs, batch.teacher[OUTPUTS])
        return blend(batch.task, outputs + alike, self.options.weight) + routing

    def _alike(self, student: Tensor, mixture: Tensor) -> Tensor:
        """Return the distance of the student's features from the mixture, and of their spectra."""
        found = self.mimic(tokens(student, self.options.student_channels)).transpose(1, 2)
        wanted = functional.adaptive_avg_pool1d(mixture.transpose(1, 2), self.positions)
        distance = self.options.mimic * functional.mse_loss(found, wanted)
        if not self.options.spectral:
            return distance
        spectrum = magnitude_distance(found, wanted) + self.options.phase * phase_distance(found, wanted)
        return distance + self.options.spectral * spectrum

    def _probe(self, mixture: Tensor, targets: Tensor) -> Tensor:
        """Return the labels' loss of the read-out of the mixture; 0 without labels."""
        labelled = mixture[: len(targets)]
        if not len(targets):
            return labelled.sum()
        if self.scale is None:
            return functional.cross_entropy(self.probe(labelled.mean(dim=1)), targets)
        track = self.probe(labelled).transpose(1, 2)
        read = functional.interpolate(track, size=self.steps, mode="linear").transpose(1, 2)[:, self.warmup_steps :]
        wanted = targets[:, self.warmup_steps :]
        return scaled_mse(read, torch.where(wanted.isnan(), read.detach(), wanted), self.scale)


def _needs(options: DLinkOptions) -> Needs:
    layers = dict.fromkeys(options.layers, options.student)
    return Needs({**layers, OUTPUTS: OUTPUTS}, (options.student,), options.first_epochs, options.view)


def _make(options: DLinkOptions, setting: LossSetting) -> nn.Module:
    shapes = {name: setting.teacher[name] for name in options.layers}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise StudentError(f"layers of several shapes: {listed}", where="options of dlink: layers",
                           remedy="Name layers of one shape")  # fmt: skip
    _check(options, setting.student)
    return DLinkLoss(options, setting)


def _check(options: DLinkOptions, student: Mapping[str, tuple[int, ...]]) -> None:
    positions, _ = token_shape(student[options.student], options.student_channels)
    if options.spectral and positions < 2:
        raise StudentError(
            f"{options.student!r} has one position, and no spectrum", where="options of dlink: spectral",
            remedy="Name a module that keeps time, or write spectral = 0",
        )


METHOD = Method(
    title="Routed mixture of the teacher's layers, and its spectrum",
    reference="DLink 2026, arXiv 2604.15016",
    options=DLinkOptions,
    needs=_needs,
    make=_make,
    check=_check,
)
