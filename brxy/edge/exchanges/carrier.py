"""
Carrying one exchange from its client to a slot and back.

A carrier feeds L{brxy.edge.exchanges.table} with what happens, and performs the actions
that the table returns.  It is the relay between the client's connection and the slot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from brxy.edge.exchanges import refusals
from brxy.edge.exchanges.ends import Client, Dispatcher, SlotEnd
from brxy.edge.exchanges.refusals import Refusal
from brxy.edge.exchanges.table import OVER, PROBING, Action, Exchange, Input
from brxy.transport.relay import Relay

__all__ = ["Carrier"]

_MATCHED = Input.MATCHED


class Carrier(Relay):
    """
    One exchange on its way.

    @ivar exchange: its state.
    @cvar performers: what performs each action, in the order of L{Action}.
    """

    near: Client
    far: SlotEnd | None = None
    exchange: Exchange
    _dispatcher: Dispatcher
    _refusal: Refusal = refusals.LOST
    _keep_app = False
    performers: ClassVar[tuple[Callable[[Any], None], ...]]

    def __init_subclass__(cls) -> None:
        # Looked up once for each class instead of once for each action.
        performers: dict[Action, Callable[[Any], None]] = {
            Action.SEND: cls._send,
            Action.REQUEUE: cls._requeue,
            Action.WITHDRAW: cls._withdraw,
            Action.PASS_INTERIM: cls._passInterim,
            Action.ANSWER: cls._answer,
            Action.FAIL: cls._fail,
            Action.CUT: lambda carrier: carrier.near.reset(),
            Action.RELEASE: cls._release,
            Action.RESET: cls._reset,
            Action.NEXT: lambda carrier: carrier.near.next(),
            Action.LINGER: lambda carrier: carrier.near.linger(),
            Action.CLOSE: lambda carrier: carrier.near.close(),
            Action.WAIT: cls._wait,
            Action.DISCARD: cls._discard,
            Action.TAKEN: lambda carrier: carrier._dispatcher.taken(carrier.exchange),
        }
        cls.performers = tuple(performers[action] for action in Action)

    def _perform(self, event: Input) -> None:
        exchange = self.exchange
        performers = self.performers
        for action in exchange.step(event):
            performers[action](self)
        if exchange.progress is OVER:
            # Without this cycle both are freed at once, and not by the garbage collector.
            exchange.carrier = None
            # The slot that it had can take the next one.
            self._dispatcher.drain()

    # From the client

    def received(self, data: bytes) -> None:
        """
        Bytes of the request.  The client passes on at most C{exchange.room()} of them.
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

    # From the dispatcher

    def held(self) -> None:
        """
        No slot is free: the exchange waits.
        """

    def matched(self, slot: SlotEnd, event: Input = _MATCHED) -> None:
        """
        A slot takes the exchange; or tries whether its app does, if that is the input.
        """
        self.far = slot
        self._perform(event)

    def recall(self) -> None:
        """
        Another slot may take the exchange, unless the app has taken it up.
        """
        if self.far is not None and self.exchange.progress is PROBING:
            self.far.recall()

    def reject(self, refusal: Refusal) -> None:
        """
        No slot takes the exchange.
        """
        self._refusal = refusal
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
        event = self._loss()
        if event == Input.LOST:
            self._dispatcher.lost(self.exchange, reason)
        self._refusal = refusals.LOST
        self._perform(event)

    def _loss(self) -> Input:
        return self.exchange.loss()

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
        self._dispatcher.requeue(self.exchange)

    def _withdraw(self) -> None:
        self._dispatcher.cancel(self.exchange)

    def _wait(self) -> None:
        self._dispatcher.wait(self.exchange)

    def _discard(self) -> None:
        self._dispatcher.buffer.discard(self.exchange)

    def _fail(self) -> None:
        self.near.fail(self._refusal)

    def _release(self) -> None:
        far, self.far = self.far, None
        if far is not None:
            far.done(self._keep_app)
            if not far.instance.answered:
                self._dispatcher.answered(far.instance)

    def _reset(self) -> None:
        far, self.far = self.far, None
        if far is not None:
            far.reset()

    def _answer(self) -> None:
        raise NotImplementedError

    def _passInterim(self) -> None:
        raise NotImplementedError
