"""Work recorded per layer and decode, call by call, and summed over all calls."""

from students.counting.records.carried import Carried, carried_states, made_from
from students.counting.records.integers import (
    BIAS_BITS,
    FLOAT_ACCUMULATOR_BITS,
    MULTIPLIER_BITS,
    Constants,
    codes_of_average,
    on_different_grids,
    product_format,
    reader,
    result_codes,
    signal_accumulator_bits,
    table_codes,
)
from students.counting.records.measure import Fan, Measure, event_units, fanned_out, nonzero_sums
from students.counting.records.parameter_names import ParameterNames, same_numbers
from students.counting.records.recorded_call import CallRecorder, Key, RecordedCall
from students.counting.records.stored import ReadContext, Stored
from students.counting.records.totals import total_products
from students.counting.records.trace import PIECES, PLACE, Trace, called_from
from students.counting.records.work import When, Work, state_layer
from students.counting.records.work_recorder import WorkRecorder

__all__ = [
    "BIAS_BITS",
    "FLOAT_ACCUMULATOR_BITS",
    "MULTIPLIER_BITS",
    "PIECES",
    "PLACE",
    "CallRecorder",
    "Carried",
    "Constants",
    "Fan",
    "Key",
    "Measure",
    "ParameterNames",
    "ReadContext",
    "RecordedCall",
    "Stored",
    "Trace",
    "When",
    "Work",
    "WorkRecorder",
    "called_from",
    "carried_states",
    "codes_of_average",
    "event_units",
    "fanned_out",
    "made_from",
    "nonzero_sums",
    "on_different_grids",
    "product_format",
    "reader",
    "result_codes",
    "same_numbers",
    "signal_accumulator_bits",
    "state_layer",
    "table_codes",
    "total_products",
]
