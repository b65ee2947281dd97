"""
How an app is run: what a node's options and the keys of C{app:} have in common.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from attrs import frozen

from brxy.apps.command import Surroundings
from brxy.processes.place import Place, User

__all__ = ["AppSettings", "commandLine", "pattern"]


@frozen(kw_only=True)
class AppSettings:
    """
    How an app is run, besides its command.

    @ivar port: where it listens; L{None}: on a free port.
    @ivar env: additions to its environment; placeholders in values are replaced.
    @ivar env_file: further additions, which C{env} overrides.
    @ivar cwd: its working directory; L{None}: that of this process.
    @ivar user: the user it runs as; L{None}: the user of this process.
    @ivar ready_path: what must be answered before the app is ready.
    @ivar ready_command: a command that must succeed before the app is ready.
    @ivar ready_log: what must be found in a line that the app prints before it is ready.
    @ivar send_proxy: the version of the PROXY protocol that it expects; L{None} if it
        does not.
    @ivar stop_signal: the signal that has it end.
    @ivar stop_timeout: seconds between the stop signal and SIGKILL.
    """

    port: int | None = None
    env: Mapping[str, str] | None = None
    env_file: Mapping[str, str] | None = None
    cwd: str | None = None
    user: User | None = None
    ready_path: str | None = None
    ready_command: Sequence[str] | None = None
    ready_log: re.Pattern[str] | None = None
    send_proxy: str | None = None
    stop_signal: str = "TERM"
    stop_timeout: float = 10.0

    @property
    def surroundings(self) -> Surroundings:
        """
        The environment, folder and user of the app.
        """
        return Surroundings(self.env_file or {}, self.env or {}, Place(self.cwd, self.user))


def commandLine(given: str | Sequence[str]) -> Sequence[str]:
    """
    Convert a command: a text, which is split into words as a shell does, or its words.

    @raise ValueError: it can't be split, or has no word.
    """
    try:
        words = shlex.split(given) if isinstance(given, str) else list(given)
    except ValueError as error:
        raise ValueError(str(error).lower()) from None
    if not words:
        raise ValueError("a command is needed")
    return words


def pattern(text: str) -> re.Pattern[str]:
    """
    Convert a regular expression.

    @raise ValueError: it is none.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"it is not a regular expression: {error}") from None
