"""What a distillation method is: the tensors it reads, by name, and the loss module it makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.spec import Shape
from students.training.examples import OUTPUTS
from students.training.views import Mixup, Noise, UnitDrop, View


class MethodOptions(BaseModel):
    """Base of every method's options: frozen; unknown names and infinite numbers are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class WeightedOptions(MethodOptions):
    """Options of a method whose loss is ``(1 - weight) task + weight distance``; weight 0 is training from labels."""

    weight: float = Field(default=0.5, ge=0, le=1)


class TaughtOptions(WeightedOptions):
    """Options of a method that learns from a teacher: what the student sees, which the teacher is asked about.

    Parameters
    ----------
    weight : float
    noise : float
        White noise on the inputs, relative to each channel's deviation in the batch; 0: none.
    mixup : float
        Mixtures of two examples with a share from Beta(mixup, mixup); 0: none.
    unit_drop : float
        Probability that a channel of an example is silent; 0: none. One of the three may be given.
    unlabelled : {'taught', 'left_out'}
        Whether the teacher's answers on unlabelled examples are learned from; ``left_out``: those on labelled ones
        alone, which are repeated, so that as many gradient steps are taken.
    """

    noise: float = Field(default=0.0, ge=0)
    mixup: float = Field(default=0.0, ge=0)
    unit_drop: float = Field(default=0.0, ge=0, lt=1)
    unlabelled: Literal["taught", "left_out"] = "taught"

    @model_validator(mode="after")
    def _one_view(self) -> Self:
        if sum(value > 0 for value in (self.noise, self.mixup, self.unit_drop)) > 1:
            raise ValueError("give one of 'noise', 'mixup' and 'unit_drop'")
        return self

    @property
    def view(self) -> View | None:
        """What each batch's inputs are replaced by; None where they stay as they are."""
        if self.noise:
            return Noise(self.noise)
        if self.mixup:
            return Mixup(self.mixup)
        return UnitDrop(self.unit_drop) if self.unit_drop else None


@dataclass(frozen=True, slots=True)
class Needs:
    """What a method reads, and when the labels count.

    Parameters
    ----------
    teacher : mapping of str to str
        Names of the teacher's targets; empty for a method that needs no teacher. The value says what stands for each
        where a float student teaches its own quantised form: ``outputs``, or the name of a module of the student.
    student : tuple of str
        Names of the student's modules whose outputs are read, as `torch.nn.Module.named_modules` gives them; the
        student's outputs are always there.
    first_epochs : int
        Epochs at the start that train without the labels' loss; validation neither chooses weights nor stops the
        training in them.
    view : callable or None
        What each batch's inputs are replaced by in training; None: the student sees them as they are.
    """

    teacher: Mapping[str, str]
    student: tuple[str, ...] = ()
    first_epochs: int = 0
    view: View | None = None


def stand_in(teacher: str, student: str) -> str:
    """Return what a float student that teaches its own quantised form gives for a teacher's tensor.

    Parameters
    ----------
    teacher : str
        Name of the teacher's target.
    student : str
        Name of the module of the student that learns from it.
    """
    return OUTPUTS if teacher == OUTPUTS else student


@dataclass(frozen=True, slots=True)
class LossSetting:
    """What a method knows when it makes its loss module.

    Parameters
    ----------
    shape : Shape
        The student's.
    epochs : int
        Of the whole training.
    scale : Tensor or None, shape (outputs,)
        Regression: standard deviation of each axis of the training targets; None for classification.
    warmup_steps : int
        First steps of each segment that no loss counts (regression).
    student, teacher : mapping of str to tuple of int
        Shapes of the tensors needed, without the batch axis.
    labels : Tensor
        Of the labelled examples, as `students.training.Examples` holds them; those of a regression may hold nan.
    targets : mapping of str to sequence of Tensor
        The teacher's tensors over all training examples, one part after the other, the labelled part first; they may
        be mapped from a file.
    examples : int
        Labelled and unlabelled ones.
    """

    shape: Shape
    epochs: int
    scale: Tensor | None
    warmup_steps: int
    student: Mapping[str, tuple[int, ...]]
    teacher: Mapping[str, tuple[int, ...]]
    labels: Tensor
    targets: Mapping[str, Sequence[Tensor]]
    examples: int


def refuse_regression(setting: LossSetting, what: str, *, where: str, remedy: str) -> None:
    """Refuse a method, or one of its options, that is for classes.

    Parameters
    ----------
    setting : LossSetting
    what : str
        What a regression does not have.
    where, remedy : str
        Of the error.

    Raises
    ------
    StudentError
        The task is a regression.
    """
    if setting.scale is not None:
        raise StudentError(f"{what}, in a regression", where=where, remedy=remedy)


@dataclass(frozen=True, slots=True)
class LossInputs:
    """What a loss module reads of one batch, whose labelled rows come first.

    Parameters
    ----------
    epoch : int
        From 0.
    task : Tensor, shape ()
        The loss against the labels; zero where no example of the batch has a label.
    outputs : Tensor
        The student's logits ``(batch, outputs)`` or trajectories ``(batch, steps, outputs)``.
    student, teacher : mapping of str to Tensor
        The tensors needed, by name, one row per example.
    targets : Tensor
        Labels of the first rows; where a view mixes two examples, of the first of them.
    rows : Tensor of int64, shape (batch,)
        Number of each example, below `LossSetting.examples`: the same in every epoch.
    """

    epoch: int
    task: Tensor
    outputs: Tensor
    student: Mapping[str, Tensor]
    teacher: Mapping[str, Tensor]
    targets: Tensor
    rows: Tensor


Options = TypeVar("Options", bound=MethodOptions)


@dataclass(frozen=True, slots=True)
class Method(Generic[Options]):
    """A distillation method: one object, named by an entry point of the group ``students.methods``.

    Parameters
    ----------
    title : str
        What people read.
    reference : str
        Where the method comes from.
    options : type
        Subclass of `MethodOptions`.
    needs : callable
        From options to `Needs`.
    make : callable
        From options and `LossSetting` to a module whose ``forward(LossInputs)`` returns the loss to minimise, a
        scalar. The module's parameters are trained and checkpointed with the student and never belong to it. It may
        have ``figures``, a mapping of names to numbers about itself, which are kept with the trained student.
    check : callable
        From options and the shapes of the student's modules, without the batch axis, to nothing; raises a
        `StudentError` where they do not go together. Studies ask before anything is computed.
    """

    title: str
    reference: str
    options: type[Options]
    needs: Callable[[Options], Needs]
    make: Callable[[Options, LossSetting], nn.Module]
    check: Callable[[Options, Mapping[str, tuple[int, ...]]], None] = lambda options, student: None
