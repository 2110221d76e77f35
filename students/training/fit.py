"""The one training loop: AdamW with cosine decay, early stopping on validation loss, resumable, decided by its seed."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.kernels.memory import keep_freed_memory
from students.layers.grid import direct_evaluation
from students.spec import StudentSpec, Training
from students.training.checkpoint import Progress, Trainer, load_checkpoint, save_checkpoint, snapshot
from students.training.distillation.method import LossInputs
from students.training.distillation.prepare import Distillation, needs_of, prepare_distillation
from students.training.examples import (
    Ask,
    Batch,
    Examples,
    TrainingSet,
    Unlabelled,
    check_asked,
    check_examples,
    check_unlabelled,
)
from students.training.objective import Objective, prepare
from students.training.optimiser import optimiser_over, set_rate
from students.training.predict import forward_with, predict
from students.training.pruning import full_epoch, keep, prune, pruned_share
from students.training.spike_price import EventMeter, Reading
from students.training.views import Viewed

EVALUATION_BATCH = 256
CHECKPOINT_SECONDS = 30.0
"""Training that a killed process may lose beside the epoch it was in [s]; writing each epoch was a tenth of a fit."""


@dataclass(frozen=True, slots=True)
class FitResult:
    """The losses of a training run; the model is left with the weights of `best_epoch`.

    Parameters
    ----------
    train_losses, validation_losses : tuple of float
        One per epoch; validation is the task's loss, with the price of events (`Training.spikes`) and without the
        teacher's part.
    best_epoch : int
        Epoch of the lowest validation loss, from 0.
    stopped : {'patience', 'epochs'}
    figures : mapping of str to float
        What the distillation method says of itself (`Method.make`).
    """

    train_losses: tuple[float, ...]
    validation_losses: tuple[float, ...]
    best_epoch: int
    stopped: Literal["patience", "epochs"]
    figures: Mapping[str, float] = field(default_factory=dict[str, float])

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
    unlabelled: Unlabelled | None = None,
    ask: Ask | None = None,
    checkpoint: Path | None = None,
    checkpoint_every_s: float = CHECKPOINT_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    report: Callable[[int, float], None] | None = None,
    device: torch.device | str = "cpu",
) -> FitResult:
    """Train the model in place and return its losses, epoch by epoch.

    On the CPU, the same model, examples and spec give the same weights bit for bit on the same machine and thread
    count, whether or not the run was interrupted and resumed from `checkpoint`. Torch's global generator is left as it
    was, and the model is left on the CPU.

    Parameters
    ----------
    model : nn.Module
        As `students.models.build.build` returns it, or with weights to start from.
    train, validation : Examples
        Validation decides when to stop and which weights to keep, nothing else.
    spec : StudentSpec
        Its method decides which of the teacher's targets are read.
    unlabelled : Unlabelled or None
        Further training examples, without labels, mixed into the batches.
    ask : callable or None
        The teacher as a function of a student's inputs: where a method's view changes the inputs, its targets are asked
        for what the student sees. None: those of the inputs as they are, mixed as the view mixes examples.
    checkpoint : Path or None
        File to resume from where it exists, and to write while training goes on and at its end.
    checkpoint_every_s : float
        It is written after an epoch that ends so long after the last writing, or the beginning [s]; 0: after each.
    clock : callable
        Tells the time [s], from any zero.
    report : callable or None
        Called with the epoch (from 0) and its validation loss after each epoch, once a checkpoint due is written.
    device : torch.device or str
        Where the model and each batch are computed; examples stay where they are.

    Raises
    ------
    StudentError
        No epochs, examples that do not fit the spec or are not finite, a class without a training example, a method
        that does not fit student or teacher, or a loss that is not finite.
    CheckpointError
        A damaged or foreign checkpoint.
    """
    if spec.training.epochs == 0:
        raise StudentError("there is no epoch to train in", where="fit", remedy="Give the spec one epoch or more")
    needs = needs_of(spec)
    check_examples("train", train, spec)
    check_examples("validation", validation, spec)
    if unlabelled is not None:
        check_unlabelled(unlabelled, spec)
    examples = TrainingSet(train, unlabelled, tuple(needs.teacher))
    asked = ask if needs.view is not None and needs.teacher else None
    if asked is not None:
        check_asked(asked, examples, spec)
    _check_batch_norm(model, len(examples), spec.training)
    objective = prepare(model, train, spec)
    distillation = prepare_distillation(model, examples, spec, objective, needs)
    trainer = _trainer(model, distillation.loss, spec, torch.device(device))
    run = _Run(examples, validation, objective, distillation, asked, _meter(model, train, spec.training))
    progress = Progress(_digest(examples, validation, spec, "" if asked is None else "asked"))
    keep_freed_memory()
    with torch.random.fork_rng(devices=_cuda_devices(trainer.device)):
        torch.manual_seed(spec.seed)
        if checkpoint is not None and checkpoint.exists():
            progress = load_checkpoint(checkpoint, trainer, progress.digest)
        written_s = clock()
        while not _has_ended(progress, spec.training):
            _epoch(trainer, progress, run)
            is_due = clock() - written_s >= checkpoint_every_s or _has_ended(progress, spec.training)
            if checkpoint is not None and is_due:
                save_checkpoint(checkpoint, trainer, progress)
                written_s = clock()
            if report is not None:
                report(progress.epoch - 1, progress.validation_losses[-1])
    model.cpu().load_state_dict(progress.best)
    model.eval()
    stopped = "patience" if _out_of_patience(progress, spec.training) else "epochs"
    losses = tuple(progress.train_losses), tuple(progress.validation_losses)
    return FitResult(*losses, progress.best_epoch, stopped, getattr(distillation.loss, "figures", {}))


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same over the epochs of a fit."""

    examples: TrainingSet
    validation: Examples
    objective: Objective
    distillation: Distillation
    ask: Ask | None
    meter: EventMeter | None


def _epoch(trainer: Trainer, progress: Progress, run: _Run) -> None:
    """Train for one epoch, validate, and keep the weights if they are the best so far."""
    settings = run.objective.spec.training
    batches = _batches(len(run.examples), settings.batch_size, trainer.generator)
    parameters = [*trainer.model.parameters(), *trainer.method.parameters()]
    trainer.model.train()
    trainer.method.train()
    pruned, first = _pruned(trainer.model, settings, progress.epoch)
    total = 0.0
    for index, batch in enumerate(batches):
        set_rate(trainer.optimiser, settings, progress.epoch + index / len(batches))
        loss = _loss(trainer, run, batch, progress.epoch)
        value = _finite(loss.item(), "training", progress.epoch)
        trainer.optimiser.clear_gradients()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, settings.gradient_clip)
        trainer.optimiser.step()
        keep(pruned)
        total += value * len(batch)
    loss = _finite(_validation_loss(trainer, run), "validation", progress.epoch)
    is_best = progress.best_epoch < 0 or loss < progress.validation_losses[progress.best_epoch]
    if is_best and progress.epoch >= max(run.distillation.needs.first_epochs, first):
        progress.best_epoch, progress.best = progress.epoch, snapshot(trainer.model)
    progress.train_losses.append(total / len(run.examples))
    progress.validation_losses.append(loss)


def _pruned(model: nn.Module, settings: Training, epoch: int) -> tuple[dict[nn.Parameter, Tensor], int]:
    """Return what keeps weights at zero in an epoch, and the first epoch that may be kept."""
    plan = settings.pruning
    if plan is None:
        return {}, 0
    return prune(model, pruned_share(plan, epoch, settings.epochs)), full_epoch(plan, settings.epochs)


def _validation_loss(trainer: Trainer, run: _Run) -> float:
    """Return the task's loss on the validation part, with the price of events where they have one."""
    with direct_evaluation(), _reading(run) as events:
        outputs = predict(trainer.model, run.validation.inputs, EVALUATION_BATCH, device=trainer.device)
    loss = run.objective.task(outputs, run.validation.targets).item()
    return loss if run.meter is None or events is None else loss + run.meter.penalty(events).item()


def _meter(model: nn.Module, train: Examples, settings: Training) -> EventMeter | None:
    """Return what listens to the student's events; None where they have no price."""
    price = settings.spikes
    return None if price is None or not price.weight else EventMeter(model, train.inputs[:2], price)


def _reading(run: _Run) -> AbstractContextManager[Reading | None]:
    return nullcontext() if run.meter is None else run.meter.reading()


def _loss(trainer: Trainer, run: _Run, indices: Tensor, epoch: int) -> Tensor:
    """Return the loss of one batch, shape ()."""
    batch, needs = run.examples.batch(indices, trainer.device), run.distillation.needs
    labelled = len(batch.targets)
    seen = Viewed(batch.inputs) if needs.view is None else needs.view(batch.inputs, labelled)
    with _reading(run) as events:
        outputs, tensors = forward_with(trainer.model, seen.inputs, needs.student)
    task = _task(run.objective, seen, outputs[:labelled], batch.targets)
    teacher = _targets(run, seen, batch)
    loss = trainer.method(LossInputs(epoch, task, outputs, tensors, teacher, batch.targets, batch.rows))
    if loss.ndim:
        raise StudentError(
            f"the method's loss of a batch has shape {tuple(loss.shape)}", where="fit",
            remedy="Return a scalar from its loss module, such as the mean over the batch",
        )
    return loss if run.meter is None or events is None else loss + run.meter.penalty(events)


def _targets(run: _Run, seen: Viewed, batch: Batch) -> dict[str, Tensor]:
    """Return the teacher's targets of a batch, of what the student sees where the teacher can be asked."""
    if run.ask is None:
        return {name: seen.mixed(rows) for name, rows in batch.teacher.items()}
    given = run.ask(seen.inputs)
    return {name: given[name].to(rows.device) for name, rows in batch.teacher.items()}


def _task(objective: Objective, seen: Viewed, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the loss against the labels, of a mixture against those of both examples; 0 without labels."""
    if not len(targets):
        return outputs.sum()  # of no number: 0, with a gradient of 0
    own = objective.task(outputs, targets)
    if seen.partner is None:
        return own
    return seen.share * own + (1 - seen.share) * objective.task(outputs, targets[seen.partner[: len(targets)]])


def _check_batch_norm(model: nn.Module, examples: int, settings: Training) -> None:
    if min(examples, settings.batch_size) < 2 and any(isinstance(m, nn.BatchNorm1d) for m in model.modules()):
        raise StudentError(
            "a batch norm cannot learn from one example at a time", where="fit",
            remedy="Use a batch_size of two or more, and as many training examples",
        )


def _trainer(model: nn.Module, method: nn.Module, spec: StudentSpec, device: torch.device) -> Trainer:
    """Return student and loss module on the device, with an optimiser over both."""
    model.to(device)
    method.to(device)
    named = [*model.named_parameters(), *method.named_parameters()]
    optimiser = optimiser_over(named, spec.training, device)
    return Trainer(model, method, optimiser, torch.Generator().manual_seed(spec.seed), device)


def _cuda_devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []


def _batches(count: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """Return shuffled batches; a last batch of one example joins the one before it (batch norm needs two)."""
    batches = list(torch.randperm(count, generator=generator).split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        last = batches.pop()
        batches[-1] = torch.cat([batches[-1], last])
    return batches


def _has_ended(progress: Progress, settings: Training) -> bool:
    return progress.epoch >= settings.epochs or _out_of_patience(progress, settings)


def _out_of_patience(progress: Progress, settings: Training) -> bool:
    return progress.best_epoch >= 0 and progress.epoch - 1 - progress.best_epoch >= settings.patience


def _finite(loss: float, part: str, epoch: int) -> float:
    if not math.isfinite(loss):
        raise StudentError(
            f"the {part} loss is {loss} in epoch {epoch}", where="fit",
            remedy="Lower the learning rate, or check the recordings for values that are not finite",
        )
    return loss


def _digest(examples: TrainingSet, validation: Examples, spec: StudentSpec, targets: str) -> str:
    """Return a hash of everything a training run starts from but the initial weights; `targets` says whose they are."""
    hasher = hashlib.blake2b((spec.digest + targets).encode(), digest_size=16)
    tensors = [validation.inputs, validation.targets]
    for part in examples.parts:
        labels = [part.targets] if isinstance(part, Examples) else []
        tensors += [part.inputs, *labels, *(part.teacher[name] for name in examples.teacher_names)]
    for tensor in tensors:
        hasher.update(repr(tuple(tensor.shape)).encode())
        hasher.update(tensor.detach().contiguous().numpy().data)
    return hasher.hexdigest()
