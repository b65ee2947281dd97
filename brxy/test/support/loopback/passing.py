"""
One request and its response on their way through an edge, as both ends see them.
"""

from __future__ import annotations

from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.peers import App, Message, Peer, answer, webApp

__all__ = ["PassingTests", "request"]


def request(fields: bytes = b"", line: bytes = b"GET / HTTP/1.1", body: bytes = b"") -> bytes:
    """
    @return: a request for the host C{a}.

    @param fields: further field lines.
    @param body: its body, which gets a Content-Length.
    """
    if body:
        fields += b"Content-Length: %d\r\n" % len(body)
    return b"%b\r\nHost: a\r\n%b\r\n%b" % (line, fields, body)


class PassingTests(EdgeTests):
    """
    Base of tests of what is passed on.

    @ivar app: the app, which records its requests.
    @ivar reply: what the app answers.
    """

    app: App
    reply = answer()

    async def passed(
        self, data: bytes, reply: bytes | None = None, method: bytes = b"GET"
    ) -> tuple[Message, Message]:
        """
        Send a request, which the app answers.

        @return: the request as the app has received it, and the response as the client has.
        """
        if reply is not None:
            self.reply = reply
        self.front()
        before = len(self.app.requests)
        received = await self.ask(data, method)
        [sent] = self.app.requests[before:]
        return sent, received

    def front(self) -> None:
        """
        Start an edge before an app that answers with C{reply}, unless there is one.
        """
        if not hasattr(self, "app"):

            async def respond(request: Message, peer: Peer) -> None:
                peer.write(self.reply)

            self.app = webApp(respond)
            self.launch(self.app)
