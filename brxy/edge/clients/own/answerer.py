"""
The answers of the edge's own to HTTP/1 clients.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress

from brxy.edge.clients.answering import Interceptor, Reply
from brxy.edge.clients.bodies import BodyReader
from brxy.edge.clients.listener import HTTPListener
from brxy.edge.exchanges import refusals
from brxy.edge.exchanges.refusals import Refusal
from brxy.edge.routing.handling import Handling
from brxy.errors import BadRequest
from brxy.http.messages import RequestHead

__all__ = ["Answerer"]


class Answerer(BodyReader):
    """
    The part of L{brxy.edge.clients.http1.HTTPClient} that answers requests without an app.

    @ivar scheme: by which the client connected, as far as we know: a trusted proxy may
        name another scheme than its own.
    """

    def __init__(self, listener: HTTPListener, peer: IAddress | None = None) -> None:
        super().__init__(listener, peer)
        self.scheme = listener.scheme
        self._head: RequestHead | None = None
        # The connection is kept after the current request.
        self._keep = False

    def next(self) -> None:
        """
        See L{brxy.edge.exchanges.ends.Client}.
        """
        raise NotImplementedError

    def findRoute(self, head: RequestHead) -> tuple[str, Handling | None] | None:
        """
        Find the route of a request for which not only its host counts.  If there is none, the
        request is answered.
        """
        listener = self.listener
        try:
            found = listener.find(head)
        except BadRequest as error:
            self.refuse(Refusal(error.status, str(error)))
            return None
        if found is None and (
            listener.health is None or not self._isIntercepted(head, listener.health)
        ):
            self.refuse(refusals.NO_SUCH_APP)
        return found

    def isAnswered(self, head: RequestHead, handling: Handling | None) -> bool:
        """
        Answer in place of an app, if an interceptor or the route does.
        """
        if any(self._isIntercepted(head, each) for each in self.listener.interceptors):
            return True
        return handling is not None and self._isRedirected(head, handling)

    def _isIntercepted(self, head: RequestHead, interceptor: Interceptor) -> bool:
        reply = interceptor(head, self.scheme)
        if reply is not None:
            self._reply(reply, head)
        return reply is not None

    def _isRedirected(self, head: RequestHead, handling: Handling) -> bool:
        try:
            location = handling.redirect(head, self.scheme)
        except BadRequest as error:
            self.refuse(Refusal(error.status, str(error)))
            return True
        if location:
            lines = b"Location: %b\r\n%b" % (location, handling.own)
            self._reply(Reply(handling.settings.redirect_code, "this is elsewhere", lines), head)
        return bool(location)

    def _reply(self, reply: Reply, head: RequestHead) -> None:
        self._keep = head.length == 0 and self.mayKeep()
        added = self.listener.record(self, head, reply.status, "")
        self.conclude(self.listener.answers.reply(reply, head, self._keep, added))

    def refuse(self, refusal: Refusal) -> None:
        """
        Answer without an exchange.  A body is not read, so that no request can follow it.
        """
        head = self._head
        self._keep = head is not None and head.length == 0 and self.mayKeep()
        added = self.listener.record(self, head, refusal.status, refusal.text)
        self.conclude(self.listener.refuse(refusal, head, self._keep, added))

    def mayKeep(self) -> bool:
        """
        Whether the connection is kept behind an answer.
        """
        return self._keep and not self._dispatcher.leaving

    def conclude(self, answer: bytes) -> None:
        """
        Answer, and go on with the next request if the connection is kept.
        """
        self.write(answer)
        if self._keep:
            self.next()
        else:
            self.exchangeOver()
            self.linger()
