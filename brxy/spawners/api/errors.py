"""
Why a daemon did not do what a spawner requested.

Pure: texts and numbers in, errors out.
"""

from __future__ import annotations

from brxy.errors import BrxyError
from brxy.values.text import oneLine

__all__ = ["DaemonError", "Refused", "Unreachable"]


class DaemonError(BrxyError):
    """
    A daemon did not do what was requested.

    @param message: the reason; it may be text of others.
    """

    def __init__(self, message: object) -> None:
        super().__init__(oneLine(message))


class Refused(DaemonError):
    """
    The daemon answered with an error.

    @ivar status: the HTTP status.
    @ivar retry_after: seconds after which the daemon takes the request again; L{None}:
        it does not say.
    """

    def __init__(self, message: object, status: int, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Unreachable(DaemonError):
    """
    There was no answer, or none that can be understood.

    @ivar sent: the daemon may have received the request, and have done what it says.
    """

    def __init__(self, message: object, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent
