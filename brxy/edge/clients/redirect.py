"""
Redirects requests that came over http to https.
"""

from __future__ import annotations

from brxy.edge.clients.answering import Reply
from brxy.http.messages import RequestHead
from brxy.values.routename import isAddressOrLocalhost

__all__ = ["Redirect"]

# Certificate authorities check here, over http, whether a name is ours (RFC 8555 §8.3).
_ACME = b"/.well-known/acme-challenge/"

_HTTPS = 443


class Redirect:
    """
    An L{Interceptor<brxy.edge.clients.answering.Interceptor>} that redirects to https.

    Requests for an address are left to the app: they come from monitors and the like, no
    certificate would be valid for the address, and no browser would remember that.  So are
    the challenges of certificate authorities.
    """

    def __init__(self, port: int) -> None:
        """
        @param port: the port that is served over TLS, as clients see it.
        """
        self._port = b"" if port == _HTTPS else b":%d" % port

    def __call__(self, head: RequestHead, scheme: bytes) -> Reply | None:
        """
        @return: a permanent redirect, or L{None}.
        """
        if scheme != b"http" or not head.host or isAddressOrLocalhost(head.host):
            return None
        if head.target.startswith(_ACME):
            return None
        target = head.target if head.target.startswith(b"/") else b"/"
        where = b"https://%b%b%b" % (head.host.encode("ascii"), self._port, target)
        return Reply(308, "this is served over https", b"Location: %b\r\n" % where)
