"""The picture of the rooms shows every room that the import contracts state."""

from __future__ import annotations

from architecture_picture import NOTES, PICTURE, read_floors


def test_every_room_is_in_the_picture_with_a_few_words() -> None:
    rooms = [room for one in read_floors() for floor in one.floors for room in floor]
    assert len(rooms) > 25
    assert set(rooms) == set(NOTES)
    text = PICTURE.read_text(encoding="utf-8")
    missing = [room for room in rooms if f">{room}<" not in text or NOTES[room] not in text]
    assert not missing, "run docs/make/architecture_picture.py"
