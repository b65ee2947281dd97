"""
The places that an app has for exchanges.

Pure: it only counts.
"""

from __future__ import annotations

__all__ = ["Capacity"]


class Capacity:
    """
    A number of places, shared by the slots to every edge of a node.

    Each edge has as many slots as there are places, and all of them pull while a place
    is left.  So more exchanges may be opened than there are places: the slot of an
    exchange that finds none refuses it, which costs the exchange no retry.

    @ivar left: the number of places that are free.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self.left = places

    def claim(self) -> bool:
        """
        Take a place for an exchange.

        @return: whether one was left.
        """
        if not self.left:
            return False
        self.left -= 1
        return True

    def release(self) -> None:
        """
        Give a place back.

        @raise RuntimeError: none was taken.
        """
        if self.left == self._places:
            raise RuntimeError("a place was released that was never claimed")
        self.left += 1
