"""
Events of the access log.
"""

from __future__ import annotations

from attrs import frozen

from brxy.edge.events import Event

__all__ = ["AccessLogDropped", "AccessLogFailed"]


@frozen
class AccessLogDropped(Event):
    """
    Lines of the access log could not be written in time.
    """

    count: int


@frozen
class AccessLogFailed(Event):
    """
    The access log can't be written.
    """

    reason: str
