"""
Events of the files with the output of apps.
"""

from __future__ import annotations

from attrs import frozen

from brxy.edge.events import RouteEvent

__all__ = ["OutputLost"]


@frozen
class OutputLost(RouteEvent):
    """
    Lines of the output of a route's instances could not be written.
    """

    count: int
    reason: str
