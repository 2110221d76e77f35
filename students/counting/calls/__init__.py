"""One tensor operation: its arguments by name, and the signature under which its work repeats."""

from students.counting.calls.call import Call, Rule, by_shape, even_when_silent, moving, repeating, sizing, tensors_of
from students.counting.calls.signature import MARK, Operation, draws, is_unfollowed

__all__ = [
    "MARK",
    "Call",
    "Operation",
    "Rule",
    "by_shape",
    "draws",
    "even_when_silent",
    "is_unfollowed",
    "moving",
    "repeating",
    "sizing",
    "tensors_of",
]
