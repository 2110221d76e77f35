"""Pictures as SVG text, and numbers as people read them: here alone joules become picojoules."""

from cosim.report.figures.bars import breakdown_figure
from cosim.report.figures.front import Point, front_svg
from cosim.report.figures.numbers import band_text, duration_text, quantity_text, ratio_text, score_text
from cosim.report.figures.panels import front_figure

__all__ = [
    "Point",
    "band_text",
    "breakdown_figure",
    "duration_text",
    "front_figure",
    "front_svg",
    "quantity_text",
    "ratio_text",
    "score_text",
]
