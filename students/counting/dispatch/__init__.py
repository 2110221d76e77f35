"""The dispatch mode that receives every tensor operation of a forward call and calls the rule that counts it."""

from students.counting.dispatch.labels import known_move, moved_values
from students.counting.dispatch.operands import BOOKKEEPING, Info, Pads, Rows, needs_multiplier, nonzero
from students.counting.dispatch.padded import surround, unpadded
from students.counting.dispatch.tracer import COMPLEX, ModuleContext, Tracer
from students.counting.dispatch.tracing import in_plain_memory, trace_call
from students.counting.dispatch.unfollowed import QUANTISED, rule_failed

__all__ = [
    "BOOKKEEPING",
    "COMPLEX",
    "QUANTISED",
    "Info",
    "ModuleContext",
    "Pads",
    "Rows",
    "Tracer",
    "in_plain_memory",
    "known_move",
    "moved_values",
    "needs_multiplier",
    "nonzero",
    "rule_failed",
    "surround",
    "trace_call",
    "unpadded",
]
