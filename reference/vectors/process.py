"""A program at work: a line goes in, a line comes out, and it ends with all its children."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import IO, cast

from reference.errors import Failed
from reference.vectors.strict_json import LARGEST

CHUNK = 2**16
"""At most this many bytes are read or written at once."""

SHOWN = 100
"""At most this many characters of what it wrote are shown."""

BEAT = 0.1
"""While a program says nothing, it is looked for each time that this many seconds have passed."""

GRACE = 1.0
"""Seconds that it has to end by itself."""


def quoted(raw: bytes | bytearray) -> str:
    """Bytes for a message: on one line, and cut."""
    text = " ".join(raw.decode("utf-8", "replace").split())
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return f'"{text}"' if len(text) <= SHOWN else f'"{text[: SHOWN - 4]} ..."'


class Process:
    """One run of a command, in a session of its own.

    Its three pipes are served at once, so that it may write before it has read. tell: is given what it writes to its
    standard error.

    Raises:
        Failed: it cannot be started.
    """

    def __init__(self, command: Sequence[str], tell: Callable[[bytes], None]) -> None:
        pipe = subprocess.PIPE
        try:
            self.popen = subprocess.Popen(
                command, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise Failed(f"cannot be started ({getattr(error, 'strerror', None) or error})") from None
        streams = self.popen.stdin, self.popen.stdout, self.popen.stderr
        self.input, self.output, self.errors = cast("tuple[IO[bytes], IO[bytes], IO[bytes]]", streams)
        self.tell, self.rest, self.written, self.last = tell, memoryview(b""), bytearray(), b""
        self.greeted = self.ended = False
        self.code: int | None = None
        self.selector = selectors.DefaultSelector()
        for stream in (self.input, self.output, self.errors):
            os.set_blocking(stream.fileno(), False)
        self.selector.register(self.output, selectors.EVENT_READ)
        self.selector.register(self.errors, selectors.EVENT_READ)

    def exchange(self, line: bytes, seconds: float) -> bytes:
        """Write a line, and return the line that comes back. Only the first of all may come before it is asked for.

        Raises:
            Failed: nothing comes back in time, too much does, or the program ends.
        """
        self._serve(0)
        if self.written and self.greeted:
            raise Failed(f"wrote {quoted(self.written)} before it was asked")
        self.rest = memoryview(line + b"\n")
        self.selector.register(self.input, selectors.EVENT_WRITE)
        deadline = time.monotonic() + seconds
        while self.rest or b"\n" not in self.written:
            if self.output.closed:
                raise Failed(f"{self._death()} without an answer{self._last()}")
            if len(self.written) > LARGEST:
                raise Failed(f"wrote more than {LARGEST // 2**20} MiB for an answer{self._last()}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failed(f"gave no answer within {seconds:g} s{self._last()}")
            if not self._serve(min(left, BEAT)) and self.popen.poll() is not None:
                self._forget(self.output)  # which a child of it keeps open
        answer, _, more = self.written.partition(b"\n")
        if more:
            raise Failed(f"wrote more than one line for an answer{self._last()}")
        self.written.clear()
        self.greeted, self.last = True, b""
        return bytes(answer)

    def end(self, grace: float = 0) -> int | None:
        """End it and its children, after it had the time to do so itself; the exit code, where it did so."""
        if self.ended:
            return self.code
        self._forget(self.input)
        deadline = time.monotonic() + grace
        try:
            while (code := self.popen.poll()) is None and (left := deadline - time.monotonic()) > 0:
                self._serve(min(left, BEAT))
                time.sleep(0 if self.selector.get_map() else 0.005)
            self.code = code
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        for _ in range(LARGEST // CHUNK):
            if not self._serve(0):
                break
        for stream in (self.output, self.errors):
            self._forget(stream)
        self.selector.close()
        self.ended = True
        return self.code

    def _serve(self, seconds: float) -> bool:
        """Read and write what can be at once, or wait for that many seconds. Returns whether there was anything."""
        ready = self.selector.select(max(seconds, 0)) if self.selector.get_map() else []
        for key, _ in ready:
            if key.fileobj is self.input:
                self._write()
            elif not (chunk := os.read(key.fd, CHUNK)):
                self._forget(self.output if key.fileobj is self.output else self.errors)
            else:
                self.last = (self.last + chunk)[-4 * SHOWN :]
                if key.fileobj is self.errors:
                    self.tell(chunk)
                elif len(self.written) <= LARGEST:
                    self.written += chunk
        return bool(ready)

    def _write(self) -> None:
        try:
            self.rest = self.rest[os.write(self.input.fileno(), self.rest[:CHUNK]) :]
        except BrokenPipeError:
            self.rest = memoryview(b"")  # it reads no more; whether it answers is seen
        if not self.rest:
            self.selector.unregister(self.input)

    def _forget(self, stream: IO[bytes]) -> None:
        if not stream.closed:
            with contextlib.suppress(KeyError):  # the input is served now and then only
                self.selector.unregister(stream)
            stream.close()

    def _death(self) -> str:
        code = self.end(GRACE)
        if code is None:
            return "closed its standard output"
        if code >= 0:
            return f"ended with exit code {code}"
        name = next((one.name for one in signal.Signals if one == -code), f"signal {-code}")
        return f"was ended by {name}"

    def _last(self) -> str:
        lines = [line for line in self.last.splitlines() if line.strip()]
        return f"; it last wrote {quoted(lines[-1])}" if lines else ""
