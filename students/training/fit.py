"""The one training loop: AdamW with cosine decay, early stopping on validation loss, resumable, decided by its seed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.layers.grid import LEARNED_THRESHOLD
from students.spec import StudentSpec, Training
from students.training.checkpoint import Progress, Trainer, load_checkpoint, save_checkpoint, snapshot
from students.training.objective import Examples, Objective, check_examples, prepare

__all__ = ["Examples", "FitResult", "fit", "predict"]

EVALUATION_BATCH = 256


@dataclass(frozen=True, slots=True)
class FitResult:
    """The course of a training run; the model is left with the weights of `best_epoch`.

    Parameters
    ----------
    train_losses, validation_losses : tuple of float
        One per epoch; validation is the task's loss alone, without the teacher's part.
    best_epoch : int
        Epoch of the lowest validation loss, from 0.
    stopped : {'patience', 'epochs'}
    """

    train_losses: tuple[float, ...]
    validation_losses: tuple[float, ...]
    best_epoch: int
    stopped: Literal["patience", "epochs"]

    @property
    def validation_loss(self) -> float:
        """Validation loss of the weights kept."""
        return self.validation_losses[self.best_epoch]


def fit(
    model: nn.Module,
    train: Examples,
    validation: Examples,
    spec: StudentSpec,
    *,
    checkpoint: Path | None = None,
    report: Callable[[int, float], None] | None = None,
) -> FitResult:
    """Train the model in place and return the course of its losses.

    The same model, examples and spec give the same weights bit for bit on the same machine and thread count, whether
    or not the run was interrupted and resumed from `checkpoint`. Torch's global generator is left as it was.

    Parameters
    ----------
    model : nn.Module
        As `students.models.build.build` returns it, or with weights to start from.
    train, validation : Examples
        Validation decides when to stop and which weights to keep, nothing else.
    spec : StudentSpec
    checkpoint : Path or None
        File to resume from where it exists, and to write after each epoch.
    report : callable or None
        Called with the epoch (from 0) and its validation loss after each epoch, once the checkpoint is written.

    Raises
    ------
    StudentError
        Examples that do not fit the spec or are not finite, a class without a training example, a missing teacher, a
        loss that is not finite, or a foreign checkpoint.
    """
    check_examples("train", train, spec)
    check_examples("validation", validation, spec)
    if min(len(train), spec.training.batch_size) < 2 and any(isinstance(m, nn.BatchNorm1d) for m in model.modules()):
        raise StudentError(
            "a batch norm cannot learn from one example at a time", where="fit",
            remedy="Use a batch_size of two or more, and as many training examples",
        )
    objective = prepare(model, train, spec)
    generator = torch.Generator().manual_seed(spec.seed)
    trainer = Trainer(model, _optimiser(model, spec.training), generator)
    digest = _digest(train, validation, spec)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        progress = Progress(digest)
        if checkpoint is not None and checkpoint.exists():
            progress = load_checkpoint(checkpoint, trainer, digest)
        while progress.epoch < spec.training.epochs and not _out_of_patience(progress, spec.training):
            _epoch(trainer, progress, train, validation, objective)
            if checkpoint is not None:
                save_checkpoint(checkpoint, trainer, progress)
            if report is not None:
                report(progress.epoch - 1, progress.validation_losses[-1])
    model.load_state_dict(progress.best)
    model.eval()
    stopped = "patience" if _out_of_patience(progress, spec.training) else "epochs"
    return FitResult(tuple(progress.train_losses), tuple(progress.validation_losses), progress.best_epoch, stopped)


def predict(model: nn.Module, inputs: Tensor, batch_size: int = 64) -> Tensor:
    """Return logits ``(examples, outputs)``, or estimates ``(examples, steps, outputs)``, of the deployed form.

    Inputs are ``(examples, channels, steps)``; a regression takes any number of steps, so one long stretch is one
    example. The model is left in evaluation mode.

    Raises
    ------
    StudentError
        Inputs that are not finite, whose predictions would be no predictions.
    """
    if unusable := inputs.numel() - int(torch.isfinite(inputs).sum()):
        raise StudentError(
            f"{unusable} of the inputs are not finite", where="predict",
            remedy="Drop or repair the recordings that hold NaN or infinity",
        )
    model.eval()
    with torch.inference_mode():
        outputs = torch.cat([model(batch) for batch in inputs.split(batch_size)])
    return outputs.clone()


def _epoch(
    trainer: Trainer, progress: Progress, train: Examples, validation: Examples, objective: Objective
) -> None:
    """Train for one epoch, validate, and keep the weights if they are the best so far."""
    settings = objective.spec.training
    batches = _batches(len(train), settings.batch_size, trainer.generator)
    trainer.model.train()
    total = 0.0
    for index, batch in enumerate(batches):
        _set_rate(trainer.optimiser, settings, progress.epoch + index / len(batches))
        teacher = train.teacher[batch] if _distils(objective.spec) and train.teacher is not None else None
        loss = objective.total(trainer.model(train.inputs[batch]), train.targets[batch], teacher)
        value = _finite(loss.item(), "training", progress.epoch)
        trainer.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trainer.model.parameters(), settings.gradient_clip)
        trainer.optimiser.step()
        total += value * len(batch)
    outputs = predict(trainer.model, validation.inputs, EVALUATION_BATCH)
    loss = _finite(objective.task(outputs, validation.targets).item(), "validation", progress.epoch)
    if progress.best_epoch < 0 or loss < progress.validation_losses[progress.best_epoch]:
        progress.best_epoch, progress.best = progress.epoch, snapshot(trainer.model)
    progress.train_losses.append(total / len(train))
    progress.validation_losses.append(loss)


def _batches(count: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """Return shuffled batches; a last batch of one example joins the one before it (batch norm needs two)."""
    batches = list(torch.randperm(count, generator=generator).split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        last = batches.pop()
        batches[-1] = torch.cat([batches[-1], last])
    return batches


def _optimiser(model: nn.Module, settings: Training) -> torch.optim.Optimizer:
    """Return AdamW (arXiv 1711.05101) whose decay spares biases, norms, scales and neuron constants."""
    decayed, spared = list[nn.Parameter](), list[nn.Parameter]()
    for name, parameter in model.named_parameters():
        # A threshold per channel has a weight's dimensions; as a logarithm, decay would draw it towards one.
        is_weight = parameter.ndim > 1 and not name.endswith(LEARNED_THRESHOLD)
        (decayed if is_weight else spared).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=settings.learning_rate)


def _set_rate(optimiser: torch.optim.Optimizer, settings: Training, epochs_done: float) -> None:
    """Set the rate to ``lr (1 + cos(pi epochs_done / epochs)) / 2`` (arXiv 1608.03983, without restarts)."""
    for group in optimiser.param_groups:
        group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * epochs_done / settings.epochs)) / 2


def _out_of_patience(progress: Progress, settings: Training) -> bool:
    return progress.epoch - 1 - progress.best_epoch >= settings.patience


def _distils(spec: StudentSpec) -> bool:
    return spec.distillation.method != "none"


def _finite(loss: float, part: str, epoch: int) -> float:
    if not math.isfinite(loss):
        raise StudentError(
            f"the {part} loss is {loss} in epoch {epoch}", where="fit",
            remedy="Lower the learning rate, or check the recordings for values that are not finite",
        )
    return loss


def _digest(train: Examples, validation: Examples, spec: StudentSpec) -> str:
    """Return a hash of everything a training run starts from but the initial weights."""
    hasher = hashlib.blake2b(spec.digest.encode(), digest_size=16)
    for examples in (train, validation):
        for tensor in (examples.inputs, examples.targets, examples.teacher):
            hasher.update(b"none" if tensor is None else tensor.detach().contiguous().numpy().data)
    return hasher.hexdigest()
