"""A dataset's recordings and index in the array store, and the manifest from which it is opened again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.array_store import ArrayStore
from cosim.datasets.recordings import Channel, Read, Recording, Recordings, samples_digest
from cosim.datasets.types import Dataset
from cosim.datasets.windows import Windows

PACK_BYTES = 64 << 20  # short trials share one file, so that thousands of them are not thousands of files

Manifest = Mapping[str, Any]  # JSON


@dataclass(frozen=True, slots=True)
class OpenedArrays:
    """What a manifest names: the windows, and everything that has one entry per example."""

    windows: Windows
    target_values: NDArray[Any]
    target_mask: NDArray[np.bool_] | None
    groups: dict[str, NDArray[np.str_]]


def store_arrays(dataset: Dataset, store: ArrayStore) -> Manifest:
    """Write a dataset's recordings and index into the store, each unless it is there, and return their names.

    Recordings are read one after the other; no more than one of them, or a few short ones, is in memory.

    Raises
    ------
    DataError
        If a recording cannot be read or used, or the store cannot be written.
    """
    windows = dataset.windows
    sets = {id(channels): number for number, channels in enumerate(windows.recordings.channel_sets())}
    recordings: list[dict[str, Any]] = []
    for pack in _packs(windows.recordings):
        digest = store.put(np.concatenate([samples.ravel() for _, samples in pack]))
        offset = 0
        for one, samples in pack:
            recordings.append({
                "name": one.name, "channels": sets[id(one.channels)], "rate_hz": one.rate_hz, "steps": one.steps,
                "groups": dict(one.groups), "first_step": one.first_step, "cut_from": one.cut_from, "array": digest,
                "offset": offset, "digest": samples_digest(one, samples.T),
            })  # fmt: skip
            offset += samples.size
    arrays: dict[str, NDArray[Any]] = {
        "recording": windows.recording, "starts": windows.starts, "target_values": dataset.target_values,
    }  # fmt: skip
    if dataset.target_mask is not None:
        arrays["target_mask"] = dataset.target_mask
    return {
        "channel_sets": [[dataclasses.asdict(one) for one in own] for own in windows.recordings.channel_sets()],
        "recordings": recordings,
        "steps": windows.steps,
        "index": {name: store.put(np.asarray(array)) for name, array in arrays.items()},
        "groups": {name: store.put(np.asarray(labels, dtype=np.str_)) for name, labels in dataset.groups.items()},
    }


def _packs(recordings: Recordings) -> Iterator[list[tuple[Recording, NDArray[np.float32]]]]:
    """Yield recordings with their samples, shape (steps, channels), as many together as one file should hold."""
    pack: list[tuple[Recording, NDArray[np.float32]]] = []
    size = 0
    for one in recordings:
        samples = np.ascontiguousarray(np.asarray(one.read(0, one.steps), dtype=np.float32).T)
        if pack and size + samples.nbytes > PACK_BYTES:
            yield pack
            pack, size = [], 0
        pack.append((one, samples))
        size += samples.nbytes
    yield pack


def open_arrays(manifest: Manifest, store: ArrayStore) -> OpenedArrays:
    """Return what a manifest names, its recordings mapped from the disk.

    Raises
    ------
    DataError
        If an array is not there, damaged or cut short.
    """
    channel_sets = cast(list[list[Mapping[str, Any]]], manifest["channel_sets"])
    sets: list[tuple[Channel, ...]] = [tuple(_channel(one) for one in own) for own in channel_sets]
    mapped = cache(store.map)
    recordings = tuple(
        Recording(
            name=one["name"], channels=sets[int(one["channels"])], rate_hz=one["rate_hz"], steps=one["steps"],
            groups=one["groups"], first_step=one["first_step"], cut_from=one["cut_from"], digest=one["digest"],
            read=_reader(mapped(one["array"]), one["offset"], one["steps"], len(sets[int(one["channels"])])),
        )
        for one in cast(list[Mapping[str, Any]], manifest["recordings"])
    )  # fmt: skip
    index = {name: np.array(store.map(digest)) for name, digest in manifest["index"].items()}
    windows = Windows(Recordings(recordings), index["recording"], index["starts"], manifest["steps"])
    groups = {name: np.array(store.map(digest)) for name, digest in manifest["groups"].items()}
    return OpenedArrays(windows, index["target_values"], index.get("target_mask"), groups)


def _channel(facts: Mapping[str, Any]) -> Channel:
    place = cast(list[float] | None, facts["position_m"])
    position_m = None if place is None else (place[0], place[1], place[2])
    return Channel(str(facts["name"]), str(facts["kind"]), str(facts["unit"]), position_m)


def _reader(pack: NDArray[np.float32], offset: int, steps: int, channels: int) -> Read:
    """Return what reads one recording out of a mapped array of several."""
    whole = pack[offset : offset + steps * channels].reshape(steps, channels)
    return lambda start, stop: whole[start:stop].T
