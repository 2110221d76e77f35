"""Which form a kernel runs in, how that is recorded, and functions that cannot be kept on disk."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from energy_models.errors import StudentError
from students.kernels import choice, choose, compiled, kernels_taken, using_kernels

HERE = torch.ones(2)


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(choice.VARIABLE, raising=False)


def test_numba_runs_float32_on_the_cpu_and_torch_everything_else() -> None:
    assert choose("k", HERE, None, nn.Parameter(HERE)) == "numba"
    others = [HERE.double(), HERE.half(), HERE.to("meta"), HERE.as_subclass(type("Mine", (torch.Tensor,), {}))]
    assert [choose("k", HERE, other) for other in others] == ["torch"] * 4


def test_a_traced_graph_is_made_of_torch_operations() -> None:
    seen = []

    def traced(signal: torch.Tensor) -> torch.Tensor:
        seen.append(choose("k", signal))
        return signal + 1

    torch.jit.trace(traced, HERE, check_trace=False)
    assert seen == ["torch"]


def test_the_environment_and_a_block_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choice.VARIABLE, "torch")
    assert choose("k", HERE) == "torch"
    with using_kernels("numba"):
        assert choose("k", HERE) == "numba"
    assert choose("k", HERE) == "torch"
    monkeypatch.setenv(choice.VARIABLE, "cuda")
    with pytest.raises(StudentError, match="COSIM_KERNELS: there are no kernels 'cuda'"):
        choose("k", HERE)


def test_a_block_notes_what_ran_in_a_block_within_it() -> None:
    with kernels_taken() as around:
        choose("outer", HERE)
        with kernels_taken() as within:
            choose("inner", HERE)
    assert within.paths == {"inner": {"numba"}}
    assert around.paths == {"outer": {"numba"}, "inner": {"numba"}}


def test_what_ran_is_recorded_within_a_block_only() -> None:
    choose("before", HERE)
    with kernels_taken() as taken:
        choose("lif", HERE)
        choose("lif", HERE.double())
        choose("gru", HERE.double())
        choose("pool", HERE)
    choose("after", HERE)
    assert taken.paths == {"lif": {"numba", "torch"}, "gru": {"torch"}, "pool": {"numba"}}
    numba, plain = taken.summary().split("; ")
    assert numba.startswith("numba ")
    assert numba.endswith(": lif, pool")
    assert plain == "torch: gru, lif"


def test_without_numba_torch_runs_and_the_record_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "numba_missing", lambda: "numba cannot be imported (gone)")
    with kernels_taken() as taken:
        assert choose("lif", HERE) == "torch"
    assert taken.summary() == "torch: lif; numba cannot be imported (gone)"
    monkeypatch.setenv(choice.VARIABLE, "numba")
    with pytest.raises(StudentError, match="cannot be imported"):
        choose("lif", HERE)


def test_a_function_that_no_folder_can_keep_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_uncached", [])
    names: dict[str, object] = {}
    exec("def twice(x):\n    return x + x\n", names)  # noqa: S102  a function without a file
    run = compiled.compiled("float32(float32)")(names["twice"])
    assert run(1.5) == 3.0
    assert len(compiled.uncached()) == 1
    assert "cannot cache" in compiled.uncached()[0]


def test_the_package_loads_without_numba() -> None:
    code = "import sys, students.training, students.neurons, cosim; print('numba' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
