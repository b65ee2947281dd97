"""
The proxy of twisted.web: python -m benchmarks.http.twistedweb PORT ORIGIN_PORT
"""

from __future__ import annotations

import sys

from twisted.internet import epollreactor

__all__: list[str] = []


def _serve(port: int, origin: int) -> None:
    """
    Run the proxy until a signal ends it.
    """
    epollreactor.install()
    # These imports need the reactor that has just been chosen.
    from twisted.internet import reactor
    from twisted.web.proxy import ReverseProxyResource
    from twisted.web.server import Site

    resource = ReverseProxyResource("127.0.0.1", origin, b"")
    site = Site(resource)
    # Twisted's annotations don't agree that Site is a factory.
    reactor.listenTCP(port, site, backlog=4096, interface="127.0.0.1")  # type: ignore[arg-type]
    reactor.run()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
