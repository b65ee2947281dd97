"""
Runs a part of a program in a process of its own.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from time import monotonic

from brxy.errors import SpawnFailed
from brxy.processes.launch import Launch, Launched
from brxy.processes.marks import MARKS

__all__ = ["LIMIT", "runApart"]

#: Seconds after which the process is killed.
LIMIT = 120.0

# It imports what this process would.
_CODE = "import sys; sys.path[:] = {path!r}; from {module} import main; main()"

# Bytes that are read at once: the capacity of a pipe.
_READ = 64 * 1024

# How much of what a process prints before it fails is worth showing, in characters.
_SHOWN = 500


def runApart(module: str, request: bytes) -> bytes:
    """
    Call C{main} of a module in a new process, and wait for its end.  To be called in a thread.

    @param request: what it can read from its standard input.
    @return: what it has written to its standard output.
    @raise SpawnFailed: it could not be started, or has failed.
    """
    launched = _start(module, request)
    data, errors, ended = _readBoth(launched.stdout, launched.stderr, monotonic() + LIMIT)
    if not ended:
        with suppress(ProcessLookupError):
            os.killpg(launched.pid, signal.SIGKILL)
    _, status = os.waitpid(launched.pid, 0)
    MARKS.reaped(launched.pid)
    os.close(launched.pidfd)
    if not ended:
        raise SpawnFailed(f"a process has not ended within {LIMIT:g} s")
    if status:
        code = os.waitstatus_to_exitcode(status)
        said = errors.decode(errors="replace").strip()[-_SHOWN:]
        raise SpawnFailed(f"a process has failed with status {code}: {said}")
    return data


def _start(module: str, request: bytes) -> Launched:
    code = _CODE.format(path=sys.path, module=module)
    try:
        stdin = os.memfd_create("request")
    except OSError as error:
        raise SpawnFailed(str(error.strerror)) from None
    try:
        os.write(stdin, request)
        os.lseek(stdin, 0, os.SEEK_SET)
        launch = Launch([sys.executable, "-c", code], os.environ, False, stdin)
    except SpawnFailed:
        os.close(stdin)
        raise
    return launch.perform()


def _readBoth(stdout: int, stderr: int, until: float) -> tuple[bytes, bytes, bool]:
    """
    @return: what is written to each of these pipes, and whether both were closed in time.
    """
    found: dict[int, list[bytes]] = {stdout: [], stderr: []}
    with DefaultSelector() as selector:
        for each in found:
            selector.register(each, EVENT_READ)
        while selector.get_map() and (left := until - monotonic()) > 0:
            for key, _ in selector.select(left):
                data = os.read(key.fd, _READ)
                found[key.fd].append(data)
                if not data:
                    selector.unregister(key.fd)
                    os.close(key.fd)
        late = [key.fd for key in selector.get_map().values()]
    for each in late:
        os.close(each)
    return b"".join(found[stdout]), b"".join(found[stderr]), not late
