"""
How a node dials the edge, and what it shows: read from its files each time, so
that they may be replaced while it runs.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from brxy.errors import UsageError
from brxy.tokenfile import readToken

__all__ = ["Dialer"]


@implementer(IStreamClientEndpoint)
class Dialer:
    """
    The edge, as an endpoint.

    @param endpoint: where it is.
    @param token: what lets us in; C{""} if nothing does.
    @param token_file: what has the token instead.
    @ivar token: as it was when we last dialled.
    """

    def __init__(
        self, endpoint: IStreamClientEndpoint, token: str, token_file: str | None = None
    ) -> None:
        self._endpoint = endpoint
        self._token_file = token_file
        self.token = token

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint}.  Fails with L{UsageError} when a file
        can't be used.
        """
        try:
            if self._token_file is not None:
                self.token = readToken(self._token_file)
        except UsageError as error:
            return fail(error)
        return self._endpoint.connect(protocolFactory)
