"""The state of a training run in one safetensors file: written atomically between epochs, resumed bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.models.tensor_files import HASH, read_tensors, write_tensors
from students.training.optimiser import AdamW

SCHEMA = "cosim.checkpoint/3"


class CheckpointError(StudentError):
    """A checkpoint that this training run cannot go on from; without it the run starts again."""


@dataclass(slots=True)
class Progress:
    """How far a training run is: losses so far, the best epoch and its weights."""

    digest: str
    train_losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    best_epoch: int = -1
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.validation_losses)


@dataclass(frozen=True, slots=True)
class Trainer:
    """What a training run changes as it goes: weights, moments, and the generator of the batches' order.

    Parameters
    ----------
    model : nn.Module
        The student.
    method : nn.Module
        The loss module of the distillation method; its parameters never belong to the student.
    optimiser : AdamW
        Over the parameters of both.
    generator : torch.Generator
        On the CPU.
    device : torch.device
    """

    model: nn.Module
    method: nn.Module
    optimiser: AdamW
    generator: torch.Generator
    device: torch.device


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all weights and buffers, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def save_checkpoint(path: Path, trainer: Trainer, progress: Progress) -> None:
    """Write everything the next epoch depends on, torch's global generators (dropout) included."""
    tensors = {f"model/{name}": tensor for name, tensor in snapshot(trainer.model).items()}
    tensors |= {f"method/{name}": tensor for name, tensor in snapshot(trainer.method).items()}
    tensors |= {f"best/{name}": tensor for name, tensor in progress.best.items()}
    tensors |= {f"optimiser/{name}": moment.cpu() for name, moment in trainer.optimiser.moments().items()}
    tensors["random/order"] = trainer.generator.get_state()
    tensors["random/global"] = torch.get_rng_state()
    if trainer.device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state(trainer.device)
    written = {name: value for name, value in asdict(progress).items() if name != "best"}
    write_tensors(path, tensors, {"schema": SCHEMA, "progress": json.dumps(written)})


def load_checkpoint(path: Path, trainer: Trainer, digest: str) -> Progress:
    """Return the progress of a run and put its state into the trainer and torch's global generator.

    Raises
    ------
    CheckpointError
        An unreadable or damaged file, or one of another student, other examples or another schema; the trainer is as
        it was.
    """
    try:
        tensors, metadata = read_tensors(path)
    except StudentError as error:
        raise CheckpointError(error.what, where=error.where, remedy=error.remedy) from error
    if metadata.get("schema") != SCHEMA or HASH not in metadata:
        raise CheckpointError(
            f"schema {metadata.get('schema')!r} where {SCHEMA!r} with its hash is read", where=str(path),
            remedy="Delete the file",
        )
    progress = Progress(**json.loads(metadata["progress"]))
    if progress.digest != digest:
        raise CheckpointError(
            "the checkpoint belongs to another student or to other examples", where=str(path),
            remedy="Delete it, or give this training run a checkpoint file of its own",
        )
    trainer.model.load_state_dict(_under(tensors, "model/"))
    trainer.method.load_state_dict(_under(tensors, "method/"))
    progress.best = _under(tensors, "best/")
    trainer.optimiser.load_moments(_under(tensors, "optimiser/"))
    trainer.generator.set_state(tensors["random/order"])
    torch.set_rng_state(tensors["random/global"])
    if trainer.device.type == "cuda" and "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"], trainer.device)
    return progress


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
