"""
Carrying one exchange from its client to a slot and back.

A carrier feeds L{brxy.edge.exchanges.table} with what happens and performs what that
decides.  It is the relay between the client's connection and the slot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from twisted.logger import Logger

from brxy.edge.exchanges.table import OVER, Exchange, Input
from brxy.scaler.instance import Instance
from brxy.transport.relay import End, Relay
from brxy.wire.frames import KIND_TCP

if TYPE_CHECKING:
    from brxy.edge.dispatch import Brokerage

__all__ = ["Carrier", "Client", "SlotEnd", "TCPCarrier"]

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


class SlotEnd(End, Protocol):
    """
    A slot as a carrier uses it: an end that exchanges are opened on.

    @ivar wants_client: each exchange shall tell who its client is.
    """

    instance: Instance
    wants_client: bool

    def open(self, relay: Relay, kind: int, once: bool, client: str, first: bytes) -> None: ...

    def done(self, keep: bool) -> None: ...


class Client(End, Protocol):
    """
    A client's connection as a carrier uses it.

    @ivar client: the address of who asks, as text.
    @ivar endpoints: see L{brxy.edge.clients.peer.endpointsText}.
    """

    client: str

    @property
    def endpoints(self) -> str: ...

    def fail(self, status: int, text: str, retry_after: int | None) -> None: ...

    def accepted(self) -> None: ...

    def next(self, keep: bool) -> None: ...

    def linger(self) -> None: ...

    def close(self) -> None: ...


class Carrier(Relay):
    """
    One exchange on its way.

    @ivar exchange: its state.
    """

    _log = Logger()

    near: Client
    far: SlotEnd | None = None
    _brokerage: Brokerage
    exchange: Exchange
    _failure: tuple[int, str, int | None] = (502, "", None)
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

    def reject(self, status: int, text: str, retry_after: int | None) -> None:
        """
        No slot takes it.
        """
        self._failure = (status, text, retry_after)
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
        self._failure = (502, "the app broke off before its response was complete", None)
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
        self.near.fail(*self._failure)

    def _cut(self) -> None:
        self.near.reset()

    def _release(self) -> None:
        far, self.far = self.far, None
        if far is not None:
            far.done(self._keep_app)
            # What is missing counts from here: one more may have been taken.
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


class TCPCarrier(Carrier):
    """
    A whole TCP connection as one exchange.
    """

    def __init__(self, client: Client, brokerage: Brokerage, route: str) -> None:
        self.near = client
        self._brokerage = brokerage
        self.exchange = Exchange(route, KIND_TCP, False, brokerage.retries, self)

    def _first(self) -> bytes:
        return b"".join(self.exchange.copy or ())

    def _send(self) -> None:
        super()._send()
        if self.exchange.complete and self.far is not None:
            self.ended(self.near)

    def clientEnded(self) -> None:
        """
        The client half-closed.  One that has sent nothing yet, and waits for
        nobody, is gone.
        """
        exchange = self.exchange
        exchange.complete = True
        if self.far is not None:
            self.ended(self.near)
        elif not exchange.copy:
            self.hangup()

    def accepted(self) -> None:
        """
        The app is there: from now on bytes pass both ways.
        """
        self._perform(Input.SWITCHED)
        self.exchange.forget()
        self.near.accepted()
