"""
What is known of one probe.
"""

from __future__ import annotations

from brxy.uptake.backends import Backend

__all__ = ["Probe"]


class Probe:
    """
    An exchange of which the app has one byte.

    @ivar began: when it began.
    @ivar held: since when the byte waits to be sent.
    @ivar accepted: when the app was first seen to have accepted its connection.
    @ivar lost: when its connection was first not found.
    @ivar shared: several listeners share the app's address, if that is known.
    @ivar looks: how many times it was looked at.
    """

    def __init__(self, backend: Backend, began: float) -> None:
        self.backend = backend
        self.began = began
        self.held: float | None = None
        self.accepted: float | None = None
        self.lost: float | None = None
        self.shared: bool | None = None
        self.looks = 0
