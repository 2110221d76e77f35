"""500 changed files of all kinds: each is read, or refused by one of our errors that names the file and a remedy."""

from __future__ import annotations

import pytest

from energy_models.errors import CosimError, DataError
from tests.robustness.fuzz import read_all, table, tasks, told
from tests.robustness.kinds import KINDS
from tests.robustness.outcomes import FAULTS, of_error
from tests.robustness.values import toml

SEED, INPUTS = 0, 500


def test_files_of_every_kind_end_in_a_result_or_in_our_errors(capsys: pytest.CaptureFixture[str]) -> None:
    endings = list(read_all(tasks(INPUTS), seed=SEED))
    with capsys.disabled():
        print(f"\n{table(endings)}")  # noqa: T201
    faults = [told(one, SEED) for one in endings if one.end in FAULTS]
    assert not faults, "\n".join(faults)
    assert len(endings) == INPUTS
    for kind in KINDS:
        ends = [one.end for one in endings if one.kind == kind.name]
        assert {"read", "refused"} <= set(ends), f"{kind.name}: {len(ends)} inputs, all {' or '.join(set(ends))}"


def test_an_input_depends_on_seed_kind_and_number_alone() -> None:
    chosen = [("workload", 3), ("workload", 8), ("calibration", 5)]
    first, second = (
        {(one.kind, one.number): (one.done, one.end) for one in read_all(given, seed=4)}
        for given in (chosen, reversed(chosen))
    )
    assert first == second


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (DataError("bad", where="x/own.npz", remedy="Save it again"), "refused"),
        (DataError("bad", where="own", remedy="Save it again"), "refused"),
        (DataError("bad", where="dataset 'arrays'", remedy="Save it again"), "unnamed"),
        (DataError("bad", where="own.npz"), "no remedy"),
    ],
)
def test_an_error_counts_as_refused_only_with_a_file_and_a_remedy(tmp_path, error: CosimError, end: str) -> None:
    (tmp_path / "own.npz").touch()
    assert of_error(error, tmp_path / "own.npz") == end


def test_documents_are_written_as_toml_has_them() -> None:
    import tomllib

    document = {"a b": [1, -0.5, {"c": "ä\n", "d": True}], "n": float("inf")}
    assert tomllib.loads(toml(document)) == document
