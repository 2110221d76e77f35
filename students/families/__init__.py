"""One file per architecture: a `Family` that declares its tasks, forms, spiking, options and how it is built."""

from students.families.family import WINDOWS, WINDOWS_AND_STEPS, Family, FamilyOptions, Mode
from students.families.own_class import is_own_class
from students.families.registry import check_form, deployment_mode, family_names, load_family, parse_options

__all__ = [
    "WINDOWS",
    "WINDOWS_AND_STEPS",
    "Family",
    "FamilyOptions",
    "Mode",
    "check_form",
    "deployment_mode",
    "family_names",
    "is_own_class",
    "load_family",
    "parse_options",
]
