"""
Waiters and slots for the tests of L{brxy.broker.broker}.
"""

from __future__ import annotations

from attrs import define, field

from brxy.broker.broker import Broker
from brxy.broker.offer import Offer
from brxy.scaler.instance import Instance

__all__ = ["FakeBroker", "FakeSlot", "FakeWaiter", "makeInstance"]


@define(eq=False)
class FakeWaiter:
    route: str = "r"
    number: int = 0
    deadline: float = 0.0
    held: bool = False
    address: str = ""


@define(eq=False)
class FakeSlot:
    instance: Instance
    offer: Offer = field(init=False)

    @offer.default
    def _offerOf(self) -> Offer:
        return self.instance.offer


FakeBroker = Broker[FakeWaiter, FakeSlot]


def makeInstance(ticket: str, generation: int = 1, route: str = "r", rank: int = 0) -> Instance:
    return Instance(ticket=ticket, route=route, capacity=10, generation=generation, rank=rank)
