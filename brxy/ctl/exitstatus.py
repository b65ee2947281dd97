"""
The exit statuses of C{brxy}, for scripts.
"""

from __future__ import annotations

__all__ = ["DONE", "FAILED", "MEANINGS", "NOT_FOUND", "NO_EDGE", "USAGE", "Failure"]

DONE, FAILED, USAGE, NO_EDGE, NOT_FOUND = 0, 1, 2, 3, 4

#: What each of them means, for the manual.
MEANINGS = {
    DONE: "what the command says was done",
    FAILED: "the edge could not do it, or a check found errors",
    USAGE: "the command line is wrong",
    NO_EDGE: "no edge answers, or it does not let this user in",
    NOT_FOUND: "the edge has no such route or instance",
}


class Failure(Exception):
    """
    A command failed; C{str()} of it is one line that says why.

    @ivar status: the exit status.
    """

    def __init__(self, reason: str, status: int = FAILED) -> None:
        super().__init__(reason)
        self.status = status
