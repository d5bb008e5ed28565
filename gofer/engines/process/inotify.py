"""Learning at once that a file has grown, by Linux's inotify."""

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

_MODIFY: Final = 0x0000_0002
_EVENT: Final = struct.Struct("iIII")  # watch, mask, cookie, length of the name after it
_READ_BYTES: Final = 64 * 1024
_NONE: Final = -1


class FileChanges:
    """Tells listeners of changed files. Made and used on the event loop; no call of it waits for the disk."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = int(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._listeners: dict[int, set[Callable[[], None]]] = {}
        if self._fd >= 0:
            asyncio.get_running_loop().add_reader(self._fd, self._on_events)

    def listen(self, path: Path, listener: Callable[[], None]) -> int:
        """Call the listener whenever the file changes; give a number for `leave`, negative where that can't be had.

        The file must have been opened just now, so that its path is in memory.
        """
        if self._fd < 0:
            return _NONE
        watch = int(self._libc.inotify_add_watch(self._fd, os.fsencode(path), _MODIFY))  # the same for the same file
        if watch >= 0:
            self._listeners.setdefault(watch, set()).add(listener)
        return watch

    def leave(self, watch: int, listener: Callable[[], None]) -> None:
        """Call the listener no more."""
        listeners = self._listeners.get(watch)
        if listeners is None:
            return
        listeners.discard(listener)
        if not listeners:
            del self._listeners[watch]
            if self._fd >= 0:
                self._libc.inotify_rm_watch(self._fd, watch)  # fails where the file is gone, and the watch with it

    def close(self) -> None:
        """Watch nothing any more."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = _NONE

    def _on_events(self) -> None:
        events = os.read(self._fd, _READ_BYTES)
        position = 0
        while position < len(events):
            watch, _, _, name_bytes = _EVENT.unpack_from(events, position)
            position += _EVENT.size + name_bytes
            self._tell(watch)

    def _tell(self, watch: int) -> None:
        # A negative number means that events were dropped: any file may have changed.
        told = [self._listeners.get(watch, set())] if watch >= 0 else list(self._listeners.values())
        for listener in [each for listeners in told for each in listeners]:
            listener()
