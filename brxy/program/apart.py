"""
Runs a part of a program in a process of its own.
"""

from __future__ import annotations

import os
import sys
from selectors import EVENT_READ, DefaultSelector

from brxy.errors import SpawnFailed
from brxy.processes.launch import Launch, Launched
from brxy.processes.marks import MARKS

__all__ = ["runApart"]

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
    data, errors = _readBoth(launched.stdout, launched.stderr)
    _, status = os.waitpid(launched.pid, 0)
    MARKS.reaped(launched.pid)
    os.close(launched.pidfd)
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


def _readBoth(*descriptors: int) -> list[bytes]:
    """
    @return: what is written to each of these pipes, until all are closed.
    """
    found: dict[int, list[bytes]] = {each: [] for each in descriptors}
    with DefaultSelector() as selector:
        for each in descriptors:
            selector.register(each, EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, _READ)
                found[key.fd].append(data)
                if not data:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return [b"".join(each) for each in found.values()]
