"""A way between two processes whose connections a test cuts, as a network does that fails and comes back."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

CHUNK_BYTES = 65536


class Way:
    """Passes on what is sent to `address`, a TCP address of this machine as Dask writes them."""

    def __init__(self, to: str) -> None:
        host, _, port = to.removeprefix("tcp://").rpartition(":")
        self._to = (host, int(port))
        self._ends: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._open, daemon=True).start()

    def cut(self) -> int:
        """Break off every connection and return how many ends there were; new ones may be opened."""
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):  # one that its owner has closed
                end.shutdown(socket.SHUT_RDWR)
        return len(ends)

    def close(self) -> None:
        self._door.close()
        self.cut()

    def _open(self) -> None:
        while True:
            try:
                came = self._door.accept()[0]
                left = socket.create_connection(self._to)
            except OSError:  # closed, or nobody is there any more
                return
            self._ends += [came, left]
            for source, target in ((came, left), (left, came)):
                threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(CHUNK_BYTES):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def way(to: str) -> Generator[Way]:
    """Yield a way to an address."""
    one = Way(to)
    try:
        yield one
    finally:
        one.close()
