"""What every input code of spiking networks must do."""

from __future__ import annotations

import torch
from torch import nn

from cosim.testing.contract import require
from students.neurons.encoders import ENCODERS, TunedEncoder, load_encoder

BATCH, CHANNELS, STEPS, RATE_HZ = 3, 4, 8, 64.0


def check_encoder(name: str) -> None:
    """Check an input code on spike counts: its shape, finite numbers, independence of the batch, no look ahead.

    Parameters
    ----------
    name : str
        A registered encoder, or ``module:object``; with settings behind a space, or without: those of its example.

    Raises
    ------
    ContractError
        Which promise is broken.
    CosimError
        If there is no such encoder.
    """
    where = f"encoder {name!r}"
    found = ENCODERS.load(name.partition(" ")[0])
    text = f"{name} {found.example}" if isinstance(found, TunedEncoder) and " " not in name else name
    code = load_encoder(text, RATE_HZ).make(nn.Identity).eval()
    counts = torch.randint(0, 4, (BATCH, CHANNELS, STEPS), generator=torch.Generator().manual_seed(0)).float()
    given = counts.clone()
    coded = code(counts)
    require(bool(torch.equal(counts, given)), "it changes the counts it is given", where=where,
            remedy="Use no operation in place")  # fmt: skip
    require(coded.ndim == 3 and coded.shape[0] == BATCH and coded.shape[2] == STEPS,
            f"it maps {tuple(counts.shape)} to {tuple(coded.shape)}", where=where,
            remedy="Return (batch, channels, steps) with as many examples and steps")  # fmt: skip
    require(bool(torch.isfinite(coded).all()), "it gives numbers that are not finite", where=where,
            remedy="Bound what it computes")  # fmt: skip
    require(bool(torch.equal(code(counts[:1]), coded[:1])), "a code depends on the other examples", where=where,
            remedy="Use no statistics of the batch, and no chance in evaluation mode")  # fmt: skip
    later = counts.clone()
    later[..., STEPS // 2 :] += 1
    past = code(later)[..., : STEPS // 2]
    require(bool(torch.equal(past, coded[..., : STEPS // 2])), "a code depends on later steps", where=where,
            remedy="Encode each step from itself and those before it")  # fmt: skip
