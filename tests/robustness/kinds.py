"""The one table of what is fuzzed: a reader is added by an entry here."""

from __future__ import annotations

from tests.robustness.arrays import ARRAYS
from tests.robustness.documents import DOCUMENTS
from tests.robustness.kind import Kind
from tests.robustness.networks import NETWORKS
from tests.robustness.recordings import RECORDINGS
from tests.robustness.runs import RUNS
from tests.robustness.streams import STREAMS
from tests.robustness.trained import TRAINED

KINDS: tuple[Kind, ...] = (*DOCUMENTS, *TRAINED, *ARRAYS, *RECORDINGS, *STREAMS, *NETWORKS, *RUNS)
