"""Whether a file is as long as what describes it says, for the formats whose length MNE-Python takes from the file."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path
from typing import Any

from cosim.datasets.array_files import check_mat
from cosim.datasets.array_files.extras import reader_package
from cosim.datasets.array_files.hdf5 import check_hdf5, is_hdf5
from cosim.datasets.mne_files import edf_header
from energy_models.errors import DataError

BRAINVISION_BYTES = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}
PERSYST_BYTES = {"0": 2, "7": 4}
FIF_TAG = struct.Struct(">iIii")
"""Kind, type, size [bytes] and place of the next one: 0 for the one that follows, -1 for none."""
SECTION = re.compile(r"^\[(.+)\]\s*$", re.MULTILINE)


def check_promised(path: Path) -> None:
    """Raise a `DataError` where a recording is cut short, by its header, its markers or a sample that is not whole.

    EDF, BDF and GDF state their number of records. BrainVision and Persyst keep samples in a file of their own, whose
    length need not be stated: it must hold whole samples, and every marker must lie inside of it. The parts of a FIF
    file name their successors, which must not lead back, as those of an EEGLAB file hold each other. Formats that
    are not named here state their length where MNE-Python reads it, which a look at the last sample puts to the test.
    """
    match path.suffix.lower():
        case ".edf" | ".bdf" | ".gdf":
            edf_header.check_length(path)
        case ".vhdr" | ".ahdr":
            _check_brainvision(path)
        case ".lay":
            _check_persyst(path)
        case ".set":
            _check_eeglab(path)
        case ".fif" | ".gz":
            check_fif(path)
        case _:
            pass


def _check_eeglab(path: Path) -> None:
    """Check what an EEGLAB file claims to hold: MATLAB's version 5, or 7.3, which needs packages of its own."""
    if not is_hdf5(path):
        check_mat(path)
        return
    reader_package("pymatreader", path)
    with reader_package("h5py", path).File(path, "r") as file:
        check_hdf5(file, path)


def check_fif(path: Path) -> None:
    """Raise a `DataError` where the parts of a FIF file do not follow each other: MNE-Python would read without end.

    Parameters
    ----------
    path : Path
    """
    place = 0
    opened: Any = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as file:
        while len(head := file.read(FIF_TAG.size)) == FIF_TAG.size:
            _, _, size, following = FIF_TAG.unpack(head)
            if following < 0:
                return
            after = following or place + FIF_TAG.size + size
            if size < 0 or after <= place:
                raise DataError(f"the part at byte {place} states {size} bytes and leads to byte {after}",
                                where=str(path), remedy=edf_header.CUT_OFF)
            place = after
            file.seek(place)


def _text(path: Path) -> str:
    """Return a text file; bytes that are no UTF-8 stand in comments and names only."""
    return path.read_text(encoding="utf-8", errors="replace")


def _entries(text: str, section: str) -> dict[str, str]:
    """Return the entries of one section of an INI file, their names in lower case."""
    parts = SECTION.split(text)
    lines = [line for name, body in zip(parts[1::2], parts[2::2], strict=True) if name.lower() == section.lower()
             for line in body.splitlines() if "=" in line and not line.startswith(";")]
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def _beside(path: Path, named: str) -> Path:
    """Return the file that a header names, which must lie beside it."""
    found = path.with_name(re.split(r"[/\\]", named.replace("$b", path.stem))[-1])
    if not found.is_file():
        raise DataError(f"the header names the file {found.name}, which is not there", where=str(path),
                        remedy="Copy all files of the recording, under the names they were written with.")
    return found


def _check(samples_path: Path, frame_bytes: int, last: int, stated: int) -> None:
    """Raise a `DataError` where samples are missing.

    Parameters
    ----------
    samples_path : Path
    frame_bytes : int
        Bytes of one sample of all channels.
    last : int
        The last sample that a marker names, counted from 0; -1: none.
    stated : int
        How many samples there are by the header; 0: it does not say.
    """
    size = samples_path.stat().st_size
    frames, rest = divmod(size, frame_bytes)
    if stated and size < stated * frame_bytes:
        said = f"its header promises {stated * frame_bytes} bytes, {size} are there"
    elif rest and not stated:
        said = f"its {size} bytes are no whole number of samples of {frame_bytes} bytes"
    elif last > frames:  # one at the end of the last sample is right
        said = f"a marker stands at sample {last}, but only {frames} samples are there"
    else:
        return
    raise DataError(f"the file is truncated: {said}", where=str(samples_path), remedy=edf_header.CUT_OFF)


def _check_brainvision(path: Path) -> None:
    """Check a BrainVision header (``.vhdr``) against its samples and markers."""
    text = _text(path)
    common, binary = _entries(text, "Common Infos"), _entries(text, "Binary Infos")
    samples_path = _beside(path, common["datafile"])
    if common.get("dataformat", "BINARY").upper() != "BINARY":
        return
    last = -1
    if marker := common.get("markerfile"):
        places = [value.split(",") for value in _entries(_text(_beside(path, marker)), "Marker Infos").values()]
        last = max((int(place[2]) - 1 for place in places if len(place) > 2), default=-1)
    frame_bytes = int(common["numberofchannels"]) * BRAINVISION_BYTES[binary["binaryformat"].upper()]
    _check(samples_path, frame_bytes, last, int(common.get("datapoints", "0") or "0"))


def _check_persyst(path: Path) -> None:
    """Check a Persyst header (``.lay``) against its samples, comments and times."""
    text = _text(path)
    info = _entries(text, "FileInfo")
    samples_path = _beside(path, info["file"])
    rate_hz = float(info["samplingrate"])
    timed = [int(sample) for sample in _entries(text, "SampleTimes") if sample.isdigit()]
    parts = SECTION.split(text)
    comments = [line.split(",") for name, body in zip(parts[1::2], parts[2::2], strict=True)
                if name.lower() == "comments" for line in body.splitlines() if line.count(",") >= 4]
    onsets = [int(float(comment[0]) * rate_hz) for comment in comments]
    frame_bytes = int(info["waveformcount"]) * PERSYST_BYTES[info["datatype"]]
    _check(samples_path, frame_bytes, max([-1, *timed, *onsets]), 0)
