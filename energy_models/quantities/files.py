"""Writing a file whole or not at all, and what a failure to write says."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from pathlib import Path

TEMPORARY = ".tmp"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ROOM_TEXT = re.compile(r"No space left|\d+ requested and \d+ written")  # numpy writes with C and loses the number


def no_room(error: BaseException | None) -> bool:
    """Return whether a disk, a quota or a size limit is exhausted, by an error or by one that it was raised from."""
    while error is not None:
        if isinstance(error, OSError) and (error.errno in _NO_ROOM or _NO_ROOM_TEXT.search(str(error))):
            return True
        error = error.__cause__
    return False


def write_failure(error: OSError) -> str:
    """Return in words why a file could not be written."""
    return error.strerror or (os.strerror(errno.ENOSPC) if no_room(error) else str(error))


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that readers see the old one or the new one, never a part.

    A link keeps pointing where it points. What is no plain file (a pipe, a device) is written to and never replaced.

    Parameters
    ----------
    path : Path
        Its folder must exist.
    content : str or bytes
        Text is written as UTF-8.

    Raises
    ------
    OSError
        When the folder or what is there cannot be written, or the disk is full.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    target = Path(os.path.realpath(path))  # unlike resolve, of a link to itself as well
    prefix = f".{os.getpid()}.{target.name}"[:64]
    handle, temporary = tempfile.mkstemp(prefix=prefix, suffix=TEMPORARY, dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # a temporary file is its owner's alone
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
