"""Which configurations are tried: Optuna's samplers, where their records are kept, and coordinators that share them."""

from cosim.engine.search.search import Search, configuration_of, search_size
from cosim.engine.search.storage import DATABASE, database_errors, open_storage

__all__ = ["DATABASE", "Search", "configuration_of", "database_errors", "open_storage", "search_size"]
