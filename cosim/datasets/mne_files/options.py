"""The options of `mne_file`: which files, channels and cues, and how windows are cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cosim.datasets.mne_files.continuous import ELECTRODES

MIN_CLASSES = 2


def _texts(given: object) -> object:
    """Return texts separated by commas, or a list of them, as a tuple."""
    parts: Sequence[object] = given.split(",") if isinstance(given, str) else cast(Sequence[object], given)
    if not isinstance(parts, list | tuple):
        return given
    stripped = (part.strip() if isinstance(part, str) else part for part in parts)
    return tuple(part for part in stripped if part != "")


def _classes(given: object) -> object:
    """Return a table of classes: from a list of events, one class each, or from a table of lists."""
    if isinstance(given, Mapping):
        table = cast(Mapping[object, object], given)
        return {str(name): (texts,) if isinstance(texts, str | int) else texts for name, texts in table.items()}
    found = _texts(given)
    return {str(text): (text,) for text in cast(tuple[object, ...], found)} if isinstance(found, tuple) else given


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Classes = Annotated[dict[str, tuple[str | int, ...]], BeforeValidator(_classes)]


class Options(BaseModel):
    """Files, channels, cues and cutting. A list may also be written as one text with commas.

    Parameters
    ----------
    files : list of str
        Paths, relative to the data folder or absolute; ``*`` stands for any part of a name. Each file is one run.
    classes : list of str, or table of lists
        Annotation texts or event codes that are the classes, in the order of the outputs; or several events a class:
        ``{ left = ["T1", "769"], right = ["T2", "770"] }``.
    cut : {'cues', 'intervals', 'sliding'}
        ``cues``: one window after each event, from `start_s` to `stop_s`. ``intervals``: windows of `length_s`, one
        `step_s` apart, wholly inside annotations that have a duration. ``sliding``: windows of `length_s`, one
        `step_s` apart, all over the recording; a window has the class whose annotations hold more than half of it, or
        else the class `background`.
    events : {'annotations', 'stimulus', 'file', 'bids'}
        Where cues come from; ``file``: an MNE event file beside each recording, ``<stem>-eve.fif``; ``bids``: a table
        ``<stem>_events.tsv`` beside it, in the place of the file's own annotations.
    stimulus_channel, stimulus_mask : str, int
        Its name where there are several; the bits of its codes that count (all, of BDF files the lower 16).
    start_s, stop_s : float
        Window after the cue [s].
    length_s, step_s : float
        Length of windows that follow no cue, and the distance of their begins [s]; the length itself where left out.
    background : str
        Name of the class of sliding windows outside of the annotations; none: they are left out.
    channels, kinds : list of str
        Channels by name, in this order; or else every channel of these kinds, in the words of MNE-Python.
    differing_channels : {'refuse', 'common'}
        Files with other channels than the first one are refused, or only what all have is kept. Their order may differ.
    bad_channels, bad_intervals : {'drop', 'keep'}
        What is done with channels that a file marks as bad (in all files), and with windows that touch an annotation
        whose text begins with ``bad`` or pass a join of two recordings (``edge``, ``boundary``, ``New Segment``).
    subject, session, run : str or list of str
        A label for all files, or one for each; a file's own name is its run where none is given.
    path_pattern : str
        Labels as they stand in the paths, such as ``sub-{subject}/ses-{session}/*_run-{run}_eeg``.
    source_bits : int
        Width of the converter that made the recording [bits].
    stream : str
        Which of several in one file: the name of a stream (XDF), or the path of a series (NWB).
    markers : list of str
        Where annotations come from, if not from all there are: names of marker streams (XDF), or tables of intervals
        (NWB; ``trials`` if left out).
    event_column : str
        Column of the table of events that holds the texts of the classes (BIDS: ``trial_type``, or else ``value``).
    cue_column : str
        Column of a table of intervals that holds the times of cues, if not their begin (NWB).
    rate_hz : float
        Sampling rate of a file that states none, such as a table of text [Hz].
    irregular : {'refuse', 'resample'}
        What is done with samples that come at no constant rate; ``resample``: they are read linearly between, at
        `rate_hz`.
    unit : {'file', 'V', 'mV', 'uV', 'nV', 'as stored'}
        ``file``: the unit each file states; amplitudes no electrode gives are then refused. Another: what MNE-Python
        returns, in volts where the file states no unit, is in this unit instead; ``as stored``: in no known unit, so
        that only files are compared with each other.
    reference, direction, low_hz, high_hz, order, decimate, resample_hz
        Preprocessing; edges left out are not filtered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: Texts
    classes: Classes
    cut: Literal["cues", "intervals", "sliding"] = "cues"
    events: Literal["annotations", "stimulus", "file", "bids"] = "annotations"
    stimulus_channel: str = ""
    stimulus_mask: int | None = Field(default=None, ge=1)
    start_s: float | None = None
    stop_s: float | None = None
    length_s: float | None = Field(default=None, gt=0)
    step_s: float | None = Field(default=None, gt=0)
    background: str = ""
    channels: Texts = ()
    kinds: Texts = ELECTRODES
    differing_channels: Literal["refuse", "common"] = "refuse"
    bad_channels: Literal["drop", "keep"] = "drop"
    bad_intervals: Literal["drop", "keep"] = "drop"
    subject: Texts = ()
    session: Texts = ()
    run: Texts = ()
    path_pattern: str = ""
    source_bits: int = Field(ge=1, le=32)
    stream: str = ""
    markers: Texts = ()
    event_column: str = ""
    cue_column: str = ""
    rate_hz: float | None = Field(default=None, gt=0)
    irregular: Literal["refuse", "resample"] = "refuse"
    unit: Literal["file", "V", "mV", "uV", "nV", "as stored"] = "file"
    reference: Literal["average", "none"] = "none"
    direction: Literal["causal", "acausal"] = "causal"
    low_hz: float | None = Field(default=None, gt=0)
    high_hz: float | None = Field(default=None, gt=0)
    order: int = Field(default=4, ge=1, le=8)
    decimate: int = Field(default=1, ge=1)
    resample_hz: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _goes_together(self) -> Options:
        """Raise a `ValueError` where options are missing for the way of cutting, or mean nothing in it."""
        cues = self.cut == "cues"
        needed = ("start_s", "stop_s") if cues else ("length_s",)
        if absent := [name for name in needed if getattr(self, name) is None]:
            raise ValueError(f"cut = {self.cut!r} needs {' and '.join(absent)}")
        idle = ("length_s", "step_s", "background") if cues else ("start_s", "stop_s")
        idle = (*idle, "background") if self.cut == "intervals" else idle
        if idle := [name for name in idle if getattr(self, name) not in {None, ""}]:
            raise ValueError(f"cut = {self.cut!r} has no use for {', '.join(idle)}")
        if not cues and self.events not in {"annotations", "bids"}:
            raise ValueError(f"cut = {self.cut!r} takes intervals from annotations, not from {self.events!r}")
        if self.irregular == "resample" and self.rate_hz is None:
            raise ValueError("irregular = 'resample' needs rate_hz")
        named = [text for texts in self.texts.values() for text in texts]
        if again := sorted({text for text in named if named.count(text) > 1}):
            raise ValueError(f"event {', '.join(again)} stands in two classes")
        return self

    @property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """The events of every class that has some, as texts."""
        return {name: tuple(map(str, texts)) for name, texts in self.classes.items()}

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of the outputs, the background last."""
        return (*self.classes, *((self.background,) if self.background else ()))

    @property
    def window_s(self) -> tuple[float, float]:
        """Begin and end of a window after the place it is put at [s]."""
        return (self.start_s or 0.0, self.stop_s or 0.0) if self.cut == "cues" else (0.0, self.length_s or 0.0)
