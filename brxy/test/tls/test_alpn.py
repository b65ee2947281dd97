"""
Tests of L{brxy.tls.alpn}.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from brxy.pki import Authority
from brxy.tls.alpn import ALPN, NO_ALPN
from brxy.tls.contexts import TLS_1_2, clientContext, parseIdentity, serverContext


class ALPNTests(SynchronousTestCase):
    """
    Tests of L{ALPN}, with handshakes in memory.
    """

    def setUp(self) -> None:
        issued = Authority.make().issue("localhost")
        self.identity = parseIdentity(issued.certificate, issued.key, "certificate", "key")

    def agree(self, alpn: ALPN, offered: Sequence[bytes]) -> bytes:
        """
        Shake hands.

        @return: the protocol that was agreed on; C{b""} if none was.
        """
        context = clientContext(minimum=TLS_1_2)
        if offered:
            context.set_alpn_protos(list(offered))
        client = SSL.Connection(context, None)
        server = SSL.Connection(serverContext(self.identity, alpn=alpn), None)
        client.set_connect_state()
        server.set_accept_state()
        refused = None
        for sender, receiver in ((client, server), (server, client)) * 4:
            try:
                sender.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                # Its alert must still reach the client.
                if sender is client:
                    raise
                refused = error
            with contextlib.suppress(SSL.WantReadError):
                receiver.bio_write(sender.bio_read(1 << 16))
        self.assertIsNone(refused)
        self.assertEqual(client.get_alpn_proto_negotiated(), server.get_alpn_proto_negotiated())
        return client.get_alpn_proto_negotiated()

    def test_none(self) -> None:
        """
        Without protocols the server does not answer to ALPN.
        """
        for offered in ((), (b"http/1.1",), (b"postgresql", b"h2")):
            self.assertEqual(self.agree(NO_ALPN, offered), b"")

    def test_preferred(self) -> None:
        """
        The server's first protocol that the client offers is chosen.
        """
        for strict in (False, True):
            alpn = ALPN([b"h2", b"http/1.1"], strict)
            self.assertEqual(self.agree(alpn, (b"http/1.1", b"h2")), b"h2")
            self.assertEqual(self.agree(alpn, (b"http/1.1", b"x")), b"http/1.1")
            self.assertEqual(self.agree(alpn, ()), b"")

    def test_others(self) -> None:
        """
        A client that offers others only is refused by an alert, if that is wanted.
        """
        self.assertEqual(self.agree(ALPN([b"http/1.1"]), (b"h2",)), b"")
        with self.assertRaisesRegex(SSL.Error, "no application protocol"):
            self.agree(ALPN([b"postgresql"], strict=True), (b"h2",))
