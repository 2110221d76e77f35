"""Action counts times constants: from a workload, a machine and a site to an energy report."""

from energy_models.pricing.code_digest import model_digest
from energy_models.pricing.constants import SITE, given, rail_of, site_bands, with_made
from energy_models.pricing.cost_terms import CostTerms, Structure, cost_terms_of
from energy_models.pricing.estimation import (
    MachineEstimate,
    Surroundings,
    at_site,
    estimate,
    estimate_machine,
    surroundings,
)
from energy_models.pricing.regulator import regulated, regulator_loss, regulator_loss_w, regulator_paths
from energy_models.pricing.report import CAUSES, OUTSIDE_DECODER, Cause, EnergyReport, LayerEnergy, Reload
from energy_models.pricing.system import Decisions, RawSamples, bit_rate_terms, site_terms, waking_terms
from energy_models.pricing.terms import Array, Term, Terms, band, evaluate
from energy_models.pricing.vectorised import VectorisedEstimate, estimate_vectorised

__all__ = [
    "CAUSES", "OUTSIDE_DECODER", "SITE", "Array", "Cause", "CostTerms", "Decisions", "EnergyReport", "LayerEnergy",
    "MachineEstimate", "RawSamples", "Reload", "Structure", "Surroundings", "Term", "Terms", "VectorisedEstimate",
    "at_site", "band", "bit_rate_terms", "cost_terms_of", "estimate", "estimate_machine", "estimate_vectorised",
    "evaluate", "given", "model_digest", "rail_of", "regulated", "regulator_loss", "regulator_loss_w",
    "regulator_paths", "site_bands", "site_terms", "surroundings", "waking_terms", "with_made",
]
