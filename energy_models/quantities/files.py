"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


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
    data = content.encode("utf-8") if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    target = path.resolve()
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}"[:64], suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # a temporary file is its owner's alone
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
