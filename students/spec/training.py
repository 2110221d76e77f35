"""Settings of the training loop."""

from __future__ import annotations

from pydantic import Field

from students.spec.frozen import LARGEST_OPTION, Frozen


class Training(Frozen):
    """The one training loop's settings: AdamW with cosine decay, early stopping on validation loss only.

    No epochs leave a network as it is, which is for trained weights of one's own.
    """

    epochs: int = Field(default=60, ge=0, le=LARGEST_OPTION)
    batch_size: int = Field(default=32, ge=1, le=LARGEST_OPTION)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    patience: int = Field(default=15, ge=1, le=LARGEST_OPTION)
    gradient_clip: float = Field(default=1.0, gt=0)


UNTRAINED = Training(epochs=0)
"""Of a network that is taken as it is."""
