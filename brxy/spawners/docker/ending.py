"""
Descriptions of how containers ended.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import Any

from brxy.spawners.api.errors import DaemonError
from brxy.spawners.docker.engine import Engine
from brxy.values.causes import LINES, cause
from brxy.values.text import oneLine

__all__ = ["exitReason", "lastLine", "startFailed", "unhealthy"]

# Lines of the log that are requested, to find one that is not empty; the length of the
# head of each piece, in bytes; and the numbers of the streams.
_TAIL = LINES
_HEAD = 8
_STDOUT, _STDERR = 1, 2

# The messages by which runc, and the init in a container, report a missing command.
_NO_COMMAND = re.compile(
    r'exec: "?(?P<a>[^":]+)"?: (?P<b>[^:]*)|exec (?P<c>\S+) failed: (?P<d>.*)'
)
_NOT_RUN = (126, 127)


def exitReason(status: int, line: str) -> str:
    """
    Describe how a container ended, in one line.

    @param status: its exit status, which is 128 + n after a signal n.
    @param line: the last line that it printed.
    """
    missing = _NO_COMMAND.search(line) if status in _NOT_RUN else None
    if missing:
        return f"can't run {missing['a'] or missing['c']!r} in the image: {_why(missing)}"
    if status > 128:
        try:
            return f"killed by {signal.Signals(status - 128).name}"
        except ValueError:
            pass
    return f"exit status {status}: {line}" if status and line else f"exit status {status}"


def startFailed(message: str) -> str:
    """
    Describe why a container could not be started, in one line.

    @param message: what the daemon reported.
    """
    missing = _NO_COMMAND.search(message)
    if missing:
        return f"can't run {missing['a'] or missing['c']!r}: {_why(missing)}"
    return message


def _why(missing: re.Match[str]) -> str:
    return (missing["b"] or missing["d"] or "").strip()


def unhealthy(health: Mapping[str, Any] | None) -> str:
    """
    Describe in one line why the HEALTHCHECK of an image has not succeeded.

    @param health: the state of the check, as the API has it; L{None} without a check.
    @return: C{""} if it has succeeded, or there is none.
    """
    status = (health or {}).get("Status") or "none"
    if health is None or status in ("none", "healthy"):
        return ""
    runs = health.get("Log") or []
    if not runs:
        return "the HEALTHCHECK of its image has not run yet"
    last = runs[-1]
    output = oneLine(last.get("Output") or "")
    described = f"exit status {last.get('ExitCode')}" + (f": {output}" if output else "")
    return f"the HEALTHCHECK of its image reports {status} ({described})"


async def lastLine(engine: Engine, path: str) -> str:
    """
    Fetch the last line of what a container or service printed that says why it failed.

    @param path: the path of its logs in the API.
    @return: the last line on standard error, or on standard output if there is
        none: it is not known which of two came later.  C{""} if there is no line,
        or if the logs can't be read.
    """
    try:
        data = await engine.read("GET", path, stdout=1, stderr=1, tail=_TAIL)
    except DaemonError:
        return ""
    texts = {_STDOUT: b"", _STDERR: b""}
    # Each piece has a head: the stream, three bytes that are 0, and the length.
    while len(data) >= _HEAD:
        end = _HEAD + int.from_bytes(data[4:_HEAD], "big")
        texts[_STDERR if data[0] == _STDERR else _STDOUT] += data[_HEAD:end]
        data = data[end:]
    for stream in (_STDERR, _STDOUT):
        text = texts[stream].decode("utf-8", "backslashreplace")
        line = cause(text.splitlines())
        if line:
            return oneLine(line)
    return ""
