"""
Errors, by whose fault they are.

L{PeerError} and below: a peer sent what it must not; the connection is
closed with one logged line.  L{UsageError} and below: the command line or a file
demands something impossible; one line on stderr, exit status 1.
Anything else that is raised is a bug in brxy.
"""

import errno

#: What the kernel answers when descriptors, memory, processes or room on a disk have run out.
#: That may pass.
EXHAUSTED = frozenset(
    (
        errno.EAGAIN,
        errno.EDQUOT,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.ENOSPC,
    )
)


class BrxyError(Exception):
    """
    The base of every error that brxy raises on purpose.  C{str()} of it is one
    line that says what was wrong.
    """


class PeerError(BrxyError):
    """
    The other end of a connection broke the protocol.
    """


class SlotProtocolError(PeerError):
    """
    A frame of the slot protocol was unknown, too long or out of state.
    """


class BadRequest(PeerError):
    """
    A client's request can't be served.

    @ivar status: the HTTP status to answer with, such as 400, 414 or 431.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class FinalRecipient(BadRequest):
    """
    A client's request goes no further than to this proxy, by its Max-Forwards (RFC 9110
    §7.6.2): the answer is the proxy's own.
    """


class BadHello(PeerError):
    """
    What a client began with is no TLS, or none that can be passed on.
    """


class BadResponse(PeerError):
    """
    An app's response can't be passed on (the client gets a 502).
    """


class BadStart(PeerError):
    """
    What a client of PostgreSQL began with is no request for TLS, and no other first message.
    """


class BadProxyHeader(PeerError):
    """
    A connection does not begin with a PROXY header, as it must.
    """


class NodeRefused(PeerError):
    """
    A node's HELLO is not acceptable: a ticket that belongs to another
    instance, a wrong token, a name that is no route.
    """


class NodeEnded(NodeRefused):
    """
    A node's HELLO reports that its instance has ended.
    """


class UsageError(BrxyError):
    """
    Options, files or ports that can't be used as given.
    """


class BadSpawnSpec(UsageError):
    """
    A C{--spawn} string that can't be understood, or names no known spawner.
    """


class SpawnFailed(BrxyError):
    """
    A spawner could not start an instance at all, such as for a missing
    executable.
    """


class Unseen(BrxyError):
    """
    The sockets of an app can't be seen.  C{str()} says why.
    """
