"""Charts for plotly, figures for print, and numbers as people read them: here alone joules become picojoules."""

from cosim.report.figures.bars import breakdown_chart, layers_chart
from cosim.report.figures.front import front_chart
from cosim.report.figures.numbers import band_text, duration_text, quantity_text, ratio_text, score_text
from cosim.report.figures.points import Point
from cosim.report.figures.printed import front_figure

__all__ = [
    "Point",
    "band_text",
    "breakdown_chart",
    "duration_text",
    "front_chart",
    "front_figure",
    "layers_chart",
    "quantity_text",
    "ratio_text",
    "score_text",
]
