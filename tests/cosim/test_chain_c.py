"""The input chain as C, compiled with every warning an error: bit-exact, and in front of a decoder."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from test_integer_band_power import MEASURES, operations
from test_integer_preprocessing import CHAINS, RATE_HZ, samples

from cosim.preprocessing import Operation, Resample, SquareRoot, Widths, integer_chain
from energy_models.errors import DataError, StudentError
from students.deploy import decide, execute, lower
from students.deploy.c_code import export_c, export_chain
from students.deploy.input_chain import InputChain
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.spec import Shape, StudentSpec, parse_form

GCC = shutil.which("gcc")
FLAGS = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all"]  # fmt: skip
compiled = pytest.mark.skipif(GCC is None, reason="gcc is not installed")
EVERY: dict[str, tuple[Operation, ...]] = {
    **CHAINS, **{measure: operations(measure) for measure in MEASURES}, "faster": (Resample(640.0),), "nothing": (),
}  # fmt: skip


def chain_of(given: tuple[Operation, ...], step: float = 0.1) -> InputChain:
    return integer_chain(given, rate_hz=RATE_HZ, channels=4, converter="signed", step=step, widths=Widths(12))


def ran(folder: Path, *files: str) -> str:
    assert GCC is not None
    command = [GCC, *FLAGS, *(str(folder / file) for file in files), "-o", str(folder / "check")]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    found = subprocess.run([str(folder / "check")], capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@compiled
@pytest.mark.parametrize("name", EVERY)
def test_every_code_is_that_of_the_reference(tmp_path: Path, name: str) -> None:
    given = samples(4, 400, 3)
    given[:, 200:203] = np.array([[-2048], [2047], [0], [1]])
    chain = chain_of(EVERY[name])
    files = export_chain(chain, tmp_path, name="front", samples=given)
    assert files == ("front_chain.h", "front_chain.c", "front_chain_check.c")
    many = chain.run(given).size
    assert many > 60
    assert ran(tmp_path, "front_chain.c", "front_chain_check.c") == f"0 of {many} codes differ\n"


@compiled
def test_roots_of_counts(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(5, (4, 300))
    chain = integer_chain(
        (SquareRoot(),), rate_hz=20.0, channels=4, converter="unsigned", step=1.0, widths=Widths(8)
    )
    export_chain(chain, tmp_path, name="front", samples=counts)
    assert ran(tmp_path, "front_chain.c", "front_chain_check.c") == "0 of 1200 codes differ\n"


MAIN = """#include <stdio.h>
#include "front_chain.h"
#include "front_stream.h"

static const front_sample_t samples[] = {%s};

int main(void)
{
    front_chain_code_t codes[FRONT_CHAIN_MOST * FRONT_CHAIN_CHANNELS];
    front_output_t outputs[FRONT_OUTPUTS];
    front_chain_reset(samples);
    front_forget();
    for (int t = 0; t < %d; t++) {
        const int many = front_chain_push(samples + t * FRONT_CHAIN_CHANNELS, codes);
        for (int i = 0; i < many; i++) {
            front_push(codes + i * FRONT_CHAIN_CHANNELS);
            if (front_missing() == 0) {
                front_decide(outputs);
                printf("%%d %%ld ", front_class(outputs), (long)outputs[0]);
            }
        }
    }
    return 0;
}
"""


@compiled
def test_samples_in_decision_out(tmp_path: Path) -> None:
    """Every decision of every window, of the C code and of the two integer references one behind the other."""
    given, chain = samples(4, 360, 5), chain_of(CHAINS["decimated"])
    shape = Shape(task="classification", channels=4, steps=96, outputs=3, step_rate_hz=128.0)
    spec = StudentSpec(family="eegnet", options={"temporal_filters": 3}, shape=shape, seed=1)
    codes = chain.codes(np.zeros(4), np.full(4, 25.0))
    whole = chain.run(given)
    windows = np.stack([whole[:, start : start + 96] for start in range(whole.shape[1] - 95)])
    inputs = torch.from_numpy(codes.values_of(windows)).float()
    model = quantised_from_float(spec.model_copy(update={"form": parse_form("w4a4")}), build(spec).eval(), inputs)
    graph = lower(model.eval(), shape, codes=codes)
    export_c(graph, tmp_path, name="front", vectors=windows[:2])
    export_chain(chain, tmp_path, name="front", samples=given)
    (tmp_path / "main.c").write_text(MAIN % (", ".join(map(str, given.T.ravel().tolist())), given.shape[1]))
    said = ran(tmp_path, "front.c", "front_stream.c", "front_chain.c", "main.c")
    logits = execute(graph, windows)[graph.nodes[-1].name][:, 0]
    wanted = np.stack([decide(graph, windows), logits], axis=1).ravel().tolist()
    assert [int(one) for one in said.split()] == wanted
    assert len(set(logits.tolist())) > 10


def test_what_is_no_sample_and_too_wide_a_state_are_refused(tmp_path: Path) -> None:
    chain = chain_of(CHAINS["band-pass"])
    with pytest.raises(DataError, match="where the converter has 12 bits"):
        export_chain(chain, tmp_path, name="front", samples=np.full((4, 9), 4000))
    wide = integer_chain(
        CHAINS["band-pass"], rate_hz=RATE_HZ, channels=4, converter="signed", step=0.1, widths=Widths(12, state_bits=40)
    )
    with pytest.raises(StudentError, match="a state of 40 bits"):
        export_chain(wide, tmp_path, name="front", samples=samples(4, 20))
    assert not list(tmp_path.iterdir())
