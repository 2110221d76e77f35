"""Settings of the training loop."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from students.spec.frozen import LARGEST_OPTION, Frozen

Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SpikePrice(Frozen):
    """What a spiking student's events cost in its loss: ``weight * max(0, share - target)`` is added to it.

    The share is what the events of the batch cost over what they would cost if every neuron fired once in every step;
    of the costs only the proportions matter, such as joules. An event of value k costs k times one of value 1. With
    ``synaptic_operation = 0`` and ``event = 1`` the share is the mean rate, and `target` the rate aimed at.

    Parameters
    ----------
    weight : float
        0: nothing is added.
    synaptic_operation : float
        Of an event at each weight that it meets and that is not zero.
    neuron_update : float
        Of a neuron in each step in which it hears an event.
    event : float
        Of an event itself, whoever hears it.
    target : float
        Share up to which events are free.
    """

    weight: Cost
    synaptic_operation: Cost = 1.0
    neuron_update: Cost = 0.0
    event: Cost = 0.0
    target: Cost = 0.0

    @model_validator(mode="after")
    def _costs_something(self) -> Self:
        if not self.synaptic_operation + self.neuron_update + self.event > 0:
            raise ValueError("no cost is above zero; give 'synaptic_operation', 'neuron_update' or 'event'")
        return self


class Pruning(Frozen):
    """How many weights of each product are set to zero by magnitude while it is trained.

    Weights are kept from the epochs in which all is pruned. A quantised student starts from the float student's zeros,
    and keeps as many of its own where its training prunes too (``start = 0, end = 0``: from the first epoch on).

    Parameters
    ----------
    share : float
        Of the weights of each product, at the end.
    start, end : float
        Parts of the epochs after which pruning begins and is complete.
    """

    share: float = Field(gt=0, lt=1)
    start: float = Field(default=0.2, ge=0, le=1)
    end: float = Field(default=0.7, ge=0, le=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError("pruning ends before it starts")
        return self


class Training(Frozen):
    """The one training loop's settings: AdamW with cosine decay, early stopping on validation loss only.

    No epochs leave a network as it is, which is for trained weights of one's own. `spikes` puts a price on the events
    of a spiking student, `pruning` sets weights to zero.
    """

    epochs: int = Field(default=60, ge=0, le=LARGEST_OPTION)
    batch_size: int = Field(default=32, ge=1, le=LARGEST_OPTION)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    patience: int = Field(default=15, ge=1, le=LARGEST_OPTION)
    gradient_clip: float = Field(default=1.0, gt=0)
    spikes: SpikePrice | None = None
    pruning: Pruning | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_none(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the settings; without a price or pruning they are written, and hashed, as before there were these."""
        found: dict[str, Any] = written(self)
        return {name: value for name, value in found.items() if value is not None}


UNTRAINED = Training(epochs=0)
"""Of a network that is taken as it is."""
