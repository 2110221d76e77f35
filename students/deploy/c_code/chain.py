"""C text of an input chain: converter samples in, codes of a deployed graph out, one sample of every channel at a time.

Each stage is two functions: one that puts it at rest on a lasting sample, one that takes a sample and gives none, one
or several. States and numbers between stages have 32 bits; sums are taken in 64.
"""

from __future__ import annotations

from pathlib import Path

from energy_models.errors import StudentError
from students.deploy.c_code.chain_templates import CHECK, HEADER, SOURCE
from students.deploy.c_code.text import array, type_for
from students.deploy.input_chain import (
    LOGARITHM_BITS,
    MANTISSA_BITS,
    InputChain,
    Keep,
    Logarithm,
    Polyphase,
    Rectify,
    Reference,
    Root,
    Sections,
    Square,
    Stage,
)
from students.deploy.ranges import Integers

MOST_STATE_BITS = 32


def export_chain(chain: InputChain, folder: Path, *, name: str, samples: Integers) -> tuple[str, ...]:
    """Write a chain as C99 with test vectors, and return the names of the files.

    ``NAME_chain_reset(first)`` starts a recording, ``NAME_chain_push(sample, codes)`` takes a sample of every channel
    and returns how many codes of every channel it gave.

    Parameters
    ----------
    chain : InputChain
    folder : Path
        Exists.
    name : str
        Begins every file's and function's name.
    samples : ndarray of integers, shape (channels, samples)
        Of one recording: the test vectors.

    Raises
    ------
    CosimError
        A state wider than 32 bits, or samples that are none of the converter's.
    """
    if chain.state_bits > MOST_STATE_BITS:
        raise StudentError(
            f"a state of {chain.state_bits} bits", where="export_chain",
            remedy=f"Give the chain a state of at most {MOST_STATE_BITS} bits",
        )
    expected = chain.run(samples)
    lowest = -(2 ** (chain.bits - 1)) if chain.signed else 0
    text = [_stage(number, stage, chain.channels) for number, stage in enumerate(chain.stages)]
    highest = 2 ** (chain.output_bits - 1) - 1
    words = {
        "name": name, "NAME": name.upper(), "channels": chain.channels, "bits": chain.bits,
        "sample_type": type_for(lowest, 2 ** (chain.bits - chain.signed) - 1),
        "code_type": type_for(-highest - 1, highest), "most": most_codes(chain), "fraction": chain.fraction,
        "limit": 2 ** (chain.state_bits - 1) - 1, "stages": "\n".join(text), "rest": _rest(len(text)),
        "run": _run(len(text)), "shift": chain.output_shift, "low": -highest - 1, "high": highest,
        "samples": samples.shape[1], "codes": expected.shape[1],
    }  # fmt: skip
    vectors = array(words["sample_type"], f"{name}_samples", samples.T) + array(
        words["code_type"], f"{name}_chain_expected", expected.T
    )
    files = {
        f"{name}_chain.h": HEADER.format(**words), f"{name}_chain.c": SOURCE.format(**words),
        f"{name}_chain_check.c": CHECK.format(**words, vectors=vectors),
    }  # fmt: skip
    for file, content in files.items():
        (folder / file).write_text(content, encoding="ascii")
    return tuple(files)


def most_codes(chain: InputChain) -> int:
    """Return how many codes of a channel one sample gives at most."""
    most = 1
    for stage in chain.stages:
        if isinstance(stage, Polyphase):
            most *= -(-len(stage.taps) // stage.down)
    return most


def _stage(number: int, stage: Stage, channels: int) -> str:
    """Return the state and the two functions of a stage."""
    state, rest, body = _text(stage, number, channels)
    given = "int64_t x[CHANNELS], int64_t *y"
    lines = [
        *state,
        f"static void rest_{number}(const int64_t x[CHANNELS])", "{", *(f"    {line}" for line in rest or ["(void)x;"]),
        "}", "", f"static int stage_{number}(const {given})", "{", *(f"    {line}" for line in body), "}", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _text(stage: Stage, number: int, channels: int) -> tuple[list[str], list[str], list[str]]:
    each = "for (int c = 0; c < CHANNELS; c++)"
    match stage:
        case Reference():
            body = [
                "int64_t sum = 0;", f"{each} sum += x[c];",
                f"sum = rounded(sum * {stage.multiplier}, {stage.shift});", f"{each} y[c] = within(x[c] - sum);",
                "return 1;",
            ]  # fmt: skip
            return [], [], body
        case Sections():
            return _sections(stage, number)
        case Polyphase():
            return _polyphase(stage, number)
        case Keep():
            body = [f"const int kept = came_{number} == 0;",
                    f"came_{number} = came_{number} + 1 < {stage.factor} ? came_{number} + 1 : 0;",
                    f"if (kept) {each} y[c] = x[c];", "return kept;"]  # fmt: skip
            return [f"static int came_{number};", ""], ["(void)x;", f"came_{number} = 0;"], body
        case Root():
            return [], [], [f"{each} y[c] = within(root(x[c], {stage.fraction}));", "return 1;"]
        case Square():
            return [], [], [f"{each} y[c] = within(rounded(x[c] * x[c], {stage.shift}));", "return 1;"]
        case Rectify():
            return [], [], [f"{each} y[c] = x[c] < 0 ? -x[c] : x[c];", "return 1;"]
        case Logarithm():
            return _logarithm(stage, number)
    raise StudentError(
        f"the stage {type(stage).__name__} has no form in C", where="export_chain", remedy="Leave it out of the chain"
    )


def _sections(stage: Sections, number: int) -> tuple[list[str], list[str], list[str]]:
    rows, point = len(stage.coefficients), stage.point
    state = [
        array("int32_t", f"coefficients_{number}", stage.coefficients),
        f"static int32_t first_{number}[{rows} * CHANNELS], second_{number}[{rows} * CHANNELS];", "",
    ]  # fmt: skip
    at = f"const int at = row * CHANNELS + c; const int32_t *k = coefficients_{number} + 5 * row;"
    loop = ["for (int c = 0; c < CHANNELS; c++) {", "    int64_t value = x[c];",
            f"    for (int row = 0; row < {rows}; row++) {{", f"        {at}"]  # fmt: skip
    rest = [
        *loop,
        "        const int64_t output = "
        f"quotient(value, (int64_t)k[0] + k[1] + k[2], {1 << point} + (int64_t)k[3] + k[4]);",
        f"        second_{number}[at] = within(rounded(k[2] * value - k[4] * output, {point}));",
        f"        first_{number}[at] = within(rounded(k[1] * value - k[3] * output + second_{number}[at] * "
        f"INT64_C({1 << point}), {point}));",
        "        value = output;", "    }", "}",
    ]  # fmt: skip
    body = [
        *loop,
        f"        const int64_t output = rounded(k[0] * value + first_{number}[at] * INT64_C({1 << point}), {point});",
        f"        first_{number}[at] = within(rounded(k[1] * value - k[3] * output + second_{number}[at] * "
        f"INT64_C({1 << point}), {point}));",
        f"        second_{number}[at] = within(rounded(k[2] * value - k[4] * output, {point}));",
        "        value = output;", "    }", "    y[c] = within(value);", "}", "return 1;",
    ]  # fmt: skip
    return state, rest, body


def _polyphase(stage: Polyphase, number: int) -> tuple[list[str], list[str], list[str]]:
    up, reach = stage.taps.shape
    state = [
        array("int32_t", f"taps_{number}", stage.taps),
        f"static int32_t offset_{number}[CHANNELS], line_{number}[CHANNELS * {reach}];",
        f"static int phase_{number};", "",
    ]  # fmt: skip
    rest = [
        f"for (int c = 0; c < CHANNELS; c++) offset_{number}[c] = within(x[c]);",
        f"for (int i = 0; i < CHANNELS * {reach}; i++) line_{number}[i] = 0;", f"phase_{number} = 0;",
    ]  # fmt: skip
    body = [
        "int many = 0;", "for (int c = 0; c < CHANNELS; c++) {", f"    int32_t *line = line_{number} + c * {reach};",
        f"    for (int t = {reach - 1}; t > 0; t--) line[t] = line[t - 1];",
        f"    line[0] = within(x[c] - offset_{number}[c]);", "}",
        f"for (; phase_{number} < {up}; phase_{number} += {stage.down}, many++)",
        "    for (int c = 0; c < CHANNELS; c++) {", "        int64_t sum = 0;",
        f"        for (int t = 0; t < {reach}; t++)",
        f"            sum += (int64_t)taps_{number}[phase_{number} * {reach} + t] * line_{number}[c * {reach} + t];",
        f"        y[many * CHANNELS + c] = within(rounded(sum, {stage.point}) + offset_{number}[c]);", "    }",
        f"phase_{number} -= {up};", "return many;",
    ]  # fmt: skip
    return state, rest, body


def _logarithm(stage: Logarithm, number: int) -> tuple[list[str], list[str], list[str]]:
    state = [array("int32_t", f"logarithm_{number}", stage.entries)]
    body = [
        "for (int c = 0; c < CHANNELS; c++) {",
        f"    const int64_t value = x[c] > {stage.least} ? x[c] : {stage.least};", "    int place = 0;",
        "    while (value >> place > 1) place++;",
        f"    const int64_t more = place > {MANTISSA_BITS} ? rounded(value, place - {MANTISSA_BITS}) : "
        f"value << ({MANTISSA_BITS} - place);",
        f"    y[c] = place * {2**LOGARITHM_BITS} + logarithm_{number}[more - {2**MANTISSA_BITS}];", "}", "return 1;",
    ]  # fmt: skip
    return state, [], body


def _rest(stages: int) -> str:
    """Return the lines that put every stage at rest: on what the stage before makes of the first sample."""
    lines = list[str]()
    for number in range(stages):
        lines += [f"    rest_{number}(x);", f"    (void)stage_{number}(x, y);", f"    rest_{number}(x);",
                  "    for (int c = 0; c < CHANNELS; c++) x[c] = y[c];"]  # fmt: skip
    return "\n".join(lines)


def _run(stages: int) -> str:
    """Return the lines that run one stage inside the other: each sample that a stage gives goes to the next."""
    lines, depth = list[str](), 1
    for number in range(stages):
        pad = "    " * depth
        source = "x" if number == 0 else f"y{number - 1} + i{number - 1} * CHANNELS"
        lines += [f"{pad}static int64_t y{number}[MOST * CHANNELS];",
                  f"{pad}const int n{number} = stage_{number}({source}, y{number});",
                  f"{pad}for (int i{number} = 0; i{number} < n{number}; i{number}++) {{"]  # fmt: skip
        depth += 1
    last = "x" if stages == 0 else f"y{stages - 1} + i{stages - 1} * CHANNELS"
    lines.append("    " * depth + f"put({last}, codes + many++ * CHANNELS);")
    lines += ["    " * one + "}" for one in range(depth - 1, 0, -1)]
    return "\n".join(lines)
