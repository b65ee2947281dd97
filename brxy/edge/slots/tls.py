"""
TLS on the node port.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from brxy.edge.config.settings import NodeTLSFiles
from brxy.tls.certificates import readCertificates, trust
from brxy.tls.contexts import TLS_1_3, readIdentity, serverContext

__all__ = ["NodeTLS"]


@implementer(IOpenSSLServerConnectionCreator)
class NodeTLS:
    """
    The edge's side of TLS handshakes with nodes.

    @raise UsageError: a file can't be used.
    """

    def __init__(self, files: NodeTLSFiles) -> None:
        self._files = files
        self._context = self._read()

    def _read(self) -> SSL.Context:
        files = self._files
        identity = readIdentity(Path(files.certificate), Path(files.key))
        context = serverContext(identity, minimum=TLS_1_3)
        # Nodes never resume a session, and making tickets takes time.
        context.set_options(SSL.OP_NO_TICKET)
        if files.ca is not None:
            trust(context, readCertificates(Path(files.ca)))
        return context

    def reload(self) -> None:
        """
        Read the files again, for nodes that connect from now on.

        @raise UsageError: one of them can't be used; nothing is changed.
        """
        self._context = self._read()

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        See L{IOpenSSLServerConnectionCreator}.
        """
        return SSL.Connection(self._context, None)
