"""Descriptions of students: what their digests depend on."""

from __future__ import annotations

from students.spec import Scalar, Shape, StudentSpec

SHAPE = Shape(task="classification", channels=4, steps=64, outputs=2, step_rate_hz=64)


def digest(options: dict[str, Scalar], seed: int = 0) -> str:
    return StudentSpec(family="eegnet", options=options, shape=SHAPE, seed=seed).digest


def test_digest_does_not_depend_on_the_order_of_options() -> None:
    assert digest({"depth": 2, "pool_1": 4}) == digest({"pool_1": 4, "depth": 2})


def test_digest_depends_on_everything_else() -> None:
    assert len({digest({"depth": 2}), digest({"depth": 3}), digest({"pool_1": 2}), digest({"depth": 2}, seed=1)}) == 4
