"""The form of a student: float32, small integers, or spikes converted from another form; one text for each.

    float32                     as trained, 32-bit floats
    w4a4                        4-bit weights, 4-bit activations, trained with the rounding in the loop
    w2a8s6                      and 6-bit neuron states
    ternary, binary             weights in {-1, 0, 1} or {-1, 1} times a scale, 8-bit activations
    ternary-a4, binary-a4s6     with other activations and states
    w2a4 edge=8                 weights of the first and last product (as the others where not said)
    w4a4 in=12                  the raw input's grid, of which the widths say nothing (8 bits where not said)
    w8a8 conv=w4a4              other widths for a layer, or for every layer of a kind; goes before ``edge``
    w8a8 scale=power_of_two     scales that are powers of two, learned as such
    w8a8 per=tensor             one scale for all weights of a product (one a channel where not said)
    ptq w4a4                    rounded after training and its biases corrected, not trained again
    gptq w4a4                   the same, each weight rounded with regard to those before it
    spikes15, spikes15 w8a8     a float or a quantised network run as spikes in 15 time steps

``ternary a4`` is read as ``ternary-a4``, and ``w4a4 ptq`` as ``ptq w4a4``.

``str(form)`` prints, `parse_form` reads; two texts of one meaning give equal forms and print alike. ``w2`` is the
uniform grid of two bits, ``ternary`` the quantiser with a dead zone: the integers are alike, the training is not.
A layer's own activation width is that of the signal it reads; the raw input keeps ``in``.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, ValidationInfo, field_validator

from energy_models.errors import StudentError
from students.spec.frozen import Frozen

Weight = int | Literal["ternary", "binary"]
LayerKind = Literal["conv", "depthwise", "linear", "recurrent"]
LAYER_KINDS: tuple[LayerKind, ...] = ("conv", "depthwise", "linear", "recurrent")

INPUT_BITS = COARSE_ACTIVATION_BITS = 8
"""Widths where a text says nothing: the input, activations beside coarse weights [bits]."""

COARSE_BITS = {"ternary": 2, "binary": 1}
"""Stored widths of coarse weights [bits]."""

BITS = {"weight": (2, 16), "activation": (1, 16), "state": (2, 32), "edge": (2, 16), "input": (1, 32)}
"""Least and greatest width that can be written [bits]."""

_WIDTHS = re.compile(r"(?:w([0-9]+)(?=a)|(ternary|binary)(?:-(?=[as]))?)(?:a([0-9]+))?(?:s([0-9]+))?")
_BESIDE_COARSE = re.compile(r"(?:a[0-9]+)(?:s[0-9]+)?")
_CONVERTED = re.compile(r"spikes([0-9]+)")
_LAYER = re.compile(r"\w[\w.]*")
_SETTINGS = {"edge": "edge_bits", "in": "input_bits", "scale": "scale", "per": "per"}
_AFTER_TRAINING = ("ptq", "gptq")
_OTHERWISE = {"input": "in", "inputs": "in", "edges": "edge", "first": "edge", "last": "edge", "scales": "scale"}
"""Names that people give settings."""

_IN_WIDTHS = {"state": "s8", "states": "s8", "weight": "w4a8", "weights": "w4a8", "activation": "w8a4",
              "activations": "w8a4", "bits": "w8a8"}  # fmt: skip
"""Names that people give what the widths say, and how it is written there."""

_SETTING_EXAMPLES = "edge=8, in=8, scale=power_of_two, per=tensor"
_EXAMPLES = (
    "write float32, w8a8, w4a4 edge=8 in=8, w8a8 conv=w4a4, ternary, ptq w4a4 "
    "and the like; spikes are made by cosim convert"
)


def _possible(value: Weight | None, info: ValidationInfo) -> Weight | None:
    """Refuse a width that no grid has."""
    kind = str(info.field_name).removesuffix("_bits")
    least, most = BITS[kind]
    if isinstance(value, int) and not least <= value <= most:
        raise ValueError(f"{value} {kind} bits, where a grid has {least} to {most}")
    return value


class LayerBits(Frozen):
    """Widths of one layer.

    Parameters
    ----------
    weight : int, 'ternary' or 'binary'
        Width of a uniform grid [bits], or the quantiser of coarse weights.
    activation_bits : int
        Of the signal that the layer reads.
    state_bits : int or None
        Of the membranes of spiking neurons; None: they stay in float. Recurrent cells have fixed ones.
    """

    weight: Weight
    activation_bits: int
    state_bits: int | None = None

    _in_range = field_validator("weight", "activation_bits", "state_bits")(_possible)

    @property
    def weight_bits(self) -> int:
        """Stored width of a weight [bits]."""
        return bits_of_weight(self.weight)

    def __str__(self) -> str:
        return _widths(self.weight, self.activation_bits, self.state_bits)


class Float32(Frozen):
    """Weights, activations and states in 32-bit floats."""

    kind: Literal["float32"] = "float32"

    def __str__(self) -> str:
        return "float32"


class Quantised(Frozen):
    """Products of integers.

    Parameters
    ----------
    weight : int, 'ternary' or 'binary'
        As in `LayerBits`, and so `activation_bits` and `state_bits`.
    activation_bits : int
    state_bits : int or None
    edge_bits : int or None
        Weights of the first and the last product; None: as those of all others.
    input_bits : int
        The raw input's grid, whatever the other widths are.
    overrides : tuple of (str, LayerBits)
        Widths of layers by their name or kind (`LAYER_KINDS`); a name goes before a kind, both before `edge_bits`.
        Kept sorted, without those that change nothing.
    scale : {'float', 'power_of_two'}
    per : {'channel', 'tensor'}
        What has a weight scale of its own; the last product has one scale in any case.
    training : {'qat', 'ptq', 'gptq'}
        Quantisation-aware training, or rounding after training alone: to the nearest, or by GPTQ.
    """

    kind: Literal["quantised"] = "quantised"
    weight: Weight
    activation_bits: int
    state_bits: int | None = None
    edge_bits: int | None = None
    input_bits: int = INPUT_BITS
    overrides: tuple[tuple[str, LayerBits], ...] = ()
    scale: Literal["float", "power_of_two"] = "float"
    per: Literal["channel", "tensor"] = "channel"
    training: Literal["qat", "ptq", "gptq"] = "qat"

    _in_range = field_validator("weight", "activation_bits", "state_bits", "edge_bits", "input_bits")(_possible)

    @field_validator("edge_bits")
    @classmethod
    def _apart(cls, edge_bits: int | None, info: ValidationInfo) -> int | None:
        return None if edge_bits == info.data.get("weight") else edge_bits

    @field_validator("overrides")
    @classmethod
    def _sorted(
        cls, overrides: tuple[tuple[str, LayerBits], ...], info: ValidationInfo
    ) -> tuple[tuple[str, LayerBits], ...]:
        for name, _ in overrides:
            if not _LAYER.fullmatch(name) or name in _SETTINGS:
                raise ValueError(f"{name!r} is neither a layer's name nor a kind of layer ({', '.join(LAYER_KINDS)})")
        if len(dict(overrides)) < len(overrides):
            raise ValueError("a layer is given twice")
        base = {name: info.data.get(name) for name in LayerBits.model_fields}
        if info.data.get("edge_bits") is None:
            overrides = _changing(LayerBits.model_construct(**base), overrides)
        return tuple(sorted(overrides, key=lambda override: override[0]))

    @property
    def weight_bits(self) -> int:
        """Stored width of an inner weight [bits]."""
        return bits_of_weight(self.weight)

    @property
    def edge_weight(self) -> Weight:
        """Weights of the first and the last product, where nothing is said of them by name or kind."""
        return self.weight if self.edge_bits is None else self.edge_bits

    @property
    def all_widths(self) -> tuple[set[int], set[int]]:
        """Widths that weights can have, and those that signals in front of products can have [bits]."""
        layers = [bits for _, bits in self.overrides]
        weights = {self.weight_bits, bits_of_weight(self.edge_weight), *(bits.weight_bits for bits in layers)}
        return weights, {self.activation_bits, self.input_bits, *(bits.activation_bits for bits in layers)}

    def __str__(self) -> str:
        words = [self.training] if self.training in _AFTER_TRAINING else []
        words.append(_widths(self.weight, self.activation_bits, self.state_bits))
        words += [f"edge={self.edge_bits}"] if self.edge_bits is not None else []
        words += [f"in={self.input_bits}"] if self.input_bits != INPUT_BITS else []
        words += [f"scale={self.scale}"] if self.scale != "float" else []
        words += [f"per={self.per}"] if self.per != "channel" else []
        return " ".join([*words, *(f"{layer}={bits}" for layer, bits in self.overrides)])


class Converted(Frozen):
    """A network of another form, run as spikes.

    Parameters
    ----------
    source : Float32 or Quantised
    timesteps : int
        Steps in which one activation is presented.
    """

    kind: Literal["converted"] = "converted"
    source: Annotated[Float32 | Quantised, Field(discriminator="kind")] = Float32()
    timesteps: int = Field(ge=1)

    def __str__(self) -> str:
        return f"spikes{self.timesteps}" + ("" if isinstance(self.source, Float32) else f" {self.source}")


Form = Float32 | Quantised | Converted


def bits_of_weight(weight: Weight) -> int:
    """Return the stored width of a weight [bits]."""
    return COARSE_BITS[weight] if isinstance(weight, str) else weight


def parse_form(text: str) -> Form:
    """Return the form that a text names.

    Raises
    ------
    StudentError
        A text that names none, or widths that no grid has.
    """
    try:
        return _parsed(text)
    except ValueError as error:
        raise StudentError(str(error), where="form", remedy=f"For a form {_EXAMPLES}") from error


def _read(value: object) -> object:
    """Return the form of a text; a form is left as it is."""
    if isinstance(value, Float32 | Quantised | Converted):
        return value
    if not isinstance(value, str):
        raise ValueError(f"should be a text; {_EXAMPLES}")
    try:
        return _parsed(value)
    except ValueError as error:
        raise ValueError(f"{error}; {_EXAMPLES}") from error


WrittenForm = Annotated[
    Annotated[Form, Field(discriminator="kind")], BeforeValidator(_read), PlainSerializer(str, return_type=str)
]
"""A form as a field of a description: given as a form or as its text, written as its text."""


def _parsed(text: str) -> Form:
    try:
        return _form(text.split())
    except ValidationError as error:
        reasons = "; ".join(dict.fromkeys(_reason(one["loc"], str(one["msg"])) for one in error.errors()))
        raise ValueError(f"form '{text}' is impossible: {reasons}") from error
    except ValueError as error:
        raise ValueError(f"unknown form '{text}': {error}") from error


def _reason(place: tuple[int | str, ...], message: str) -> str:
    """Return a problem of a form in its own words; one of a setting's value names the setting as it is written."""
    own = message.removeprefix("Value error, ")
    if own != message:
        return own
    fields = {field: text for text, field in _SETTINGS.items()} | {"timesteps": "time steps"}
    name = next((text for field, text in fields.items() if field in place), "")
    told = own.removeprefix("Input ").removesuffix(", unable to parse string as an integer")
    return f"{name} {told}" if name else own


def _form(words: list[str]) -> Form:
    if words == ["float32"]:
        return Float32()
    if words and (match := _CONVERTED.fullmatch(words[0])):
        source = _form(words[1:]) if words[1:] else Float32()
        if isinstance(source, Converted):
            raise ValueError("spikes are made from a float or a quantised network")
        return Converted(source=source, timesteps=int(match[1]))
    how = [word for word in words if word in _AFTER_TRAINING]
    widths, *settings = [word for word in words if word not in how] or [""]
    if len(how) > 1:
        raise ValueError("ptq and gptq exclude each other" if len(set(how)) > 1 else f"'{how[0]}' is given twice")
    if settings and widths in COARSE_BITS and _BESIDE_COARSE.fullmatch(settings[0]):  # ternary a4
        widths, *settings = f"{widths}-{settings[0]}", *settings[1:]
    if "=" in widths:
        raise ValueError(f"'{widths}' names no widths: write the widths first, then the settings, blanks between")
    if not widths:
        raise ValueError(f"{how[0] if how else 'it'} says nothing of widths: write them, such as w4a4")
    bits = _layer_bits(widths)
    given = [word.partition("=") for word in settings]
    for word, (name, equals, value) in zip(settings, given, strict=True):
        if not (name and equals and value):
            raise ValueError(f"'{word}' is no setting: after the widths come settings of the shape name=value"
                             f"{_hint_of_word(word, widths)}")  # fmt: skip
    if again := next((name for name, _, _ in given if sum(one[0] == name for one in given) > 1), ""):
        raise ValueError(f"'{again}' is given twice")
    layers = [(name, _bits_of_layer(name, value)) for name, _, value in given if name not in _SETTINGS]
    values = {_SETTINGS[name]: value for name, _, value in given if name in _SETTINGS}
    return Quantised.model_validate({**dict(bits), "overrides": layers, "training": how[0] if how else "qat", **values})


def _bits_of_layer(name: str, value: str) -> LayerBits:
    """Return the widths given to a layer, or say what a name that is no layer's may stand for."""
    if _WIDTHS.fullmatch(value):
        return _layer_bits(value)
    small = name.lower()
    known = small if small in _SETTINGS else _OTHERWISE.get(small)
    hint = f"; write {known}={value}" if known else ""
    if small in _IN_WIDTHS:
        hint = f"; the widths say it, such as {_IN_WIDTHS[small]}"
    raise ValueError(f"'{name}={value}' is neither a setting ({_SETTING_EXAMPLES}) nor widths of a layer "
                     f"({name}=w4a4){hint}{_hint(value)}")  # fmt: skip


def _hint_of_word(word: str, widths: str) -> str:
    """Return what a word without a value may stand for."""
    if re.fullmatch(r"s[0-9]+", word):
        return f"; bits of states belong to the widths, '{widths}{word}'"
    return ""


def _layer_bits(text: str) -> LayerBits:
    match = _WIDTHS.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' names no widths{_hint(text)}")
    bits, coarse, activation, state = match.groups()
    values = {"weight": coarse or int(bits), "activation_bits": activation or COARSE_ACTIVATION_BITS}
    return LayerBits.model_validate(values if state is None else {**values, "state_bits": state})


def _hint(text: str) -> str:
    """Return what is wrong with the spelling of widths, where a small change makes them right."""
    if not text.isascii():
        return ": widths are of the letters and digits of ASCII"
    small = text.lower()
    plain = re.sub(r"[-_/,;:]", "", small)
    swapped = re.sub(r"^(a[0-9]+)(w[0-9]+)", r"\2\1", plain)
    for found, why in ((small, "in small letters"), (plain, "without separators"), (swapped, "weights first")):
        if found != text and _WIDTHS.fullmatch(found):
            return f": write them {why}, '{found}'"
    return ""


def _widths(weight: Weight, activation_bits: int, state_bits: int | None) -> str:
    """Return the widths of one layer as text."""
    state = "" if state_bits is None else f"s{state_bits}"
    if isinstance(weight, int):
        return f"w{weight}a{activation_bits}{state}"
    activation = "" if activation_bits == COARSE_ACTIVATION_BITS else f"a{activation_bits}"
    return f"{weight}-{activation}{state}" if activation or state else weight


def _changing(base: LayerBits, overrides: tuple[tuple[str, LayerBits], ...]) -> tuple[tuple[str, LayerBits], ...]:
    """Return the overrides that give some layer other widths, where first and last weights are as wide as the others.

    A layer's name may undo what its kind says, so it stays as long as a kind says anything.
    """
    kinds_differ = any(name in LAYER_KINDS and bits != base for name, bits in overrides)
    return tuple(
        (name, bits) for name, bits in overrides if bits != base or (name not in LAYER_KINDS and kinds_differ)
    )
