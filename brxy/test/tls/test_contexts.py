"""
Tests of L{brxy.tls.contexts}.
"""

from __future__ import annotations

import contextlib

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from brxy.pki import Authority
from brxy.tls.contexts import TLS_1_2, TLS_1_3, clientContext, parseIdentity, serverContext


class GroupTests(SynchronousTestCase):
    """
    Tests of the groups of L{serverContext}.
    """

    def setUp(self) -> None:
        issued = Authority.make().issue("localhost")
        identity = parseIdentity(issued.certificate, issued.key, "certificate", "key")
        self.context = serverContext(identity)

    def shake(self, version: int, curve: ec.EllipticCurve | None) -> str | None:
        """
        Shake hands in memory.

        @param version: the only version of the client.
        @param curve: its only group; L{None}: OpenSSL's own choice.
        @return: the group.
        """
        context = clientContext(minimum=version)
        context.set_max_proto_version(version)
        if curve is not None:
            context.set_tmp_ecdh(curve)
        client, server = SSL.Connection(context, None), SSL.Connection(self.context, None)
        client.set_connect_state()
        server.set_accept_state()
        for sender, receiver in ((client, server), (server, client)) * 4:
            with contextlib.suppress(SSL.WantReadError):
                sender.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                receiver.bio_write(sender.bio_read(1 << 16))
        return client.get_group_name()

    def test_accepted(self) -> None:
        """
        P-256 and P-384 are accepted.
        """
        self.assertEqual(self.shake(TLS_1_2, ec.SECP256R1()), "secp256r1")
        self.assertEqual(self.shake(TLS_1_3, ec.SECP256R1()), "secp256r1")
        # In TLS 1.2 it would be for the certificate too, which has P-256.
        self.assertEqual(self.shake(TLS_1_3, ec.SECP384R1()), "secp384r1")

    def test_refused(self) -> None:
        """
        P-521 is not.
        """
        self.assertRaises(SSL.Error, self.shake, TLS_1_3, ec.SECP521R1())

    def test_preferred(self) -> None:
        """
        A client that has the hybrid group gets it, and X25519 where that does not exist.
        """
        self.assertEqual(self.shake(TLS_1_2, None), "x25519")
        if SSL.OPENSSL_VERSION_NUMBER >= 0x30500000:
            self.assertEqual(self.shake(TLS_1_3, None), "X25519MLKEM768")
