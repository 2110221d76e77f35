"""Writes a quantised student for other tools: C99 in integers, or ONNX."""

from cosim.api.export.write import FORMATS, Exported, check_quantised, codes_for_tests, export, student_named

__all__ = ["FORMATS", "Exported", "check_quantised", "codes_for_tests", "export", "student_named"]
