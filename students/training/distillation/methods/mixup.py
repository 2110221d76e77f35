"""Mixup: a control without a teacher, for what mixed inputs do by themselves.

Inputs ``s x_i + (1 - s) x_j`` with the loss ``s task(y_i) + (1 - s) task(y_j)``, s from Beta(alpha, alpha), one share a
batch. Zhang et al. 2018 (arXiv 1710.09412), section 2. The loss is that of the paper's mixed labels: cross-entropy is
linear in them, and the mean square error against a mixed trajectory has the same gradient (ours).
"""

from __future__ import annotations

from pydantic import Field

from students.training.distillation.labels_only import LabelsOnly
from students.training.distillation.method import Method, MethodOptions, Needs
from students.training.views import Mixup


class MixupOptions(MethodOptions):
    """Both parameters of the beta distribution of the share of an example in its mixture."""

    alpha: float = Field(default=0.2, gt=0)


METHOD = Method(
    title="Mixup (control)",
    reference="Zhang, Cisse, Dauphin and Lopez-Paz 2018, arXiv 1710.09412, section 2",
    options=MixupOptions,
    needs=lambda options: Needs({}, view=Mixup(options.alpha)),
    make=lambda options, setting: LabelsOnly(),
)
