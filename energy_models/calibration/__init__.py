"""Board measurements to a profile, with the error of networks and chips that were held out."""

from energy_models.calibration.beyond import library_spread, power_spread, used_beyond
from energy_models.calibration.board import calibrate
from energy_models.calibration.coverage import Coverage, band_without, coverage
from energy_models.calibration.crossval import (
    CrossValidation,
    HeldOut,
    around,
    from_one_network,
    leave_one_out,
    of_an_unknown_library,
)
from energy_models.calibration.document import calibration_document
from energy_models.calibration.fit import power_at
from energy_models.calibration.instructions import (
    Instructions,
    InstructionTable,
    instruction_terms,
    plain_c99,
    predicted_instructions,
)
from energy_models.calibration.profile_file import calibrated_profile, table_source, toml_text
from energy_models.calibration.table import PRODUCT_KINDS, BoardRow, read_board_table, shipped_rows

__all__ = [
    "PRODUCT_KINDS", "BoardRow", "Coverage", "CrossValidation", "HeldOut", "InstructionTable", "Instructions", "around",
    "band_without", "calibrate", "calibrated_profile", "calibration_document", "coverage", "from_one_network",
    "instruction_terms", "leave_one_out", "library_spread", "of_an_unknown_library", "plain_c99", "power_at",
    "power_spread", "predicted_instructions", "read_board_table", "shipped_rows", "table_source", "toml_text",
    "used_beyond",
]
