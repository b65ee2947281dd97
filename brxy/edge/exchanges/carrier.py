"""
Carrying one exchange from its client to a slot and back.

A carrier feeds L{brxy.edge.exchanges.table} with what happens and performs what that
decides.  It is the relay between the client's connection and the slot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.logger import Logger

from brxy.edge.exchanges.ends import Client, SlotEnd
from brxy.edge.exchanges.refusals import LOST, Refusal
from brxy.edge.exchanges.table import OVER, Exchange, Input
from brxy.transport.relay import Relay

if TYPE_CHECKING:
    from brxy.edge.dispatch import Dispatch

__all__ = ["Carrier"]

_MATCHED = Input.MATCHED

# The method for each action, in the order of Action.
_METHODS = (
    "_send",
    "_requeue",
    "_withdraw",
    "_passInterim",
    "_answer",
    "_fail",
    "_cut",
    "_release",
    "_reset",
    "_next",
    "_linger",
    "_close",
)


class Carrier(Relay):
    """
    One exchange on its way.

    @ivar exchange: its state.
    """

    _log = Logger()

    near: Client
    far: SlotEnd | None = None
    _brokerage: Dispatch
    exchange: Exchange
    _failure: Refusal = LOST
    _keep_app = False
    # What performs each action, in the order of Action.
    _methods: ClassVar[tuple[Callable[[Any], None], ...]]

    def __init_subclass__(cls) -> None:
        # Looked up once, and not with each action.
        cls._methods = tuple(getattr(cls, name) for name in _METHODS)

    def _perform(self, event: Input) -> None:
        exchange = self.exchange
        methods = self._methods
        for action in exchange.step(event):
            methods[action](self)
        if exchange.progress is OVER:
            # Without this cycle it is gone at once, and not when Python finds it.
            exchange.carrier = None
            # The slot that it had can take the next one.
            self._brokerage.drain()

    # From the client

    def received(self, data: bytes) -> None:
        """
        Bytes of the request.  The client gives no more than
        C{exchange.room()}.
        """
        exchange = self.exchange
        if exchange.copy is not None:
            exchange.keep(data)
        if self.far is not None:
            self.far.write(data)

    def clientEnded(self) -> None:
        """
        The client half-closed.
        """
        raise NotImplementedError

    def hangup(self) -> None:
        """
        The client is gone.
        """
        self._perform(Input.HANGUP)

    # From the brokerage

    def matched(self, slot: SlotEnd) -> None:
        """
        A slot takes the exchange.
        """
        self.far = slot
        self._perform(_MATCHED)

    def reject(self, refusal: Refusal) -> None:
        """
        No slot takes the exchange.
        """
        self._failure = refusal
        self._perform(Input.REJECTED)

    # From the slot

    def refused(self, reason: str) -> None:
        """
        No byte reached the app.
        """
        self.far = None
        self._perform(Input.REFUSED)

    def aborted(self, source: object, reason: str) -> None:
        """
        The slot or the app broke off; the slot has freed itself.
        """
        self.far = None
        self._lost(reason)

    def _lost(self, reason: str) -> None:
        event = self.exchange.loss()
        if event == Input.LOST:
            self._log.warn(
                "{route}: an exchange was lost: {why}", route=self.exchange.route, why=reason
            )
        self._failure = LOST
        self._perform(event)

    def finished(self) -> None:
        """
        Both directions of a tunnel have ended.
        """
        self._perform(Input.WHOLE)

    # Actions

    def _first(self) -> bytes:
        raise NotImplementedError

    def _send(self) -> None:
        far = self.far
        assert far is not None, "matched without a slot"
        exchange = self.exchange
        client = self.near.endpoints if far.wants_client else ""
        far.open(self, exchange.kind, exchange.once, client, self._first())
        # Opening may already have failed.
        if self.far is far and self.near.congested:
            far.pause()

    def _requeue(self) -> None:
        self._ended = None
        self._brokerage.requeue(self.exchange)

    def _withdraw(self) -> None:
        self._brokerage.cancel(self.exchange)

    def _fail(self) -> None:
        failure = self._failure
        self.near.fail(failure.status, failure.text, failure.retry_after)

    def _cut(self) -> None:
        self.near.reset()

    def _release(self) -> None:
        far, self.far = self.far, None
        if far is not None:
            far.done(self._keep_app)
            if not far.instance.answered:
                self._brokerage.answered(far.instance)

    def _reset(self) -> None:
        far, self.far = self.far, None
        if far is not None:
            far.reset()

    def _answer(self) -> None:
        raise NotImplementedError

    def _passInterim(self) -> None:
        raise NotImplementedError

    def _next(self) -> None:
        raise NotImplementedError

    def _linger(self) -> None:
        self.near.linger()

    def _close(self) -> None:
        self.near.close()
