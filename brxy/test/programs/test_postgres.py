"""
Tests of a real PostgreSQL: behind TLS, with its own client and with TLS at once; and of
cold starts.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
from functools import partial
from pathlib import Path

from twisted.internet.threads import deferToThread

from brxy.pki import Authority
from brxy.test.support.processes.programs import ANYWHERE, TWISTD, Program, ProgramTests

__all__ = ["ColdTests", "PostgresTests"]

_BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nowhere"))


def _why() -> str:
    if not (_BINARIES / "postgres").exists() or shutil.which("psql") is None:
        return "needs PostgreSQL: apt install postgresql"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "needs setpriv: PostgreSQL does not run as root"
    return ""


class _Tests(ProgramTests):
    """
    Base of tests of PostgreSQL, which an edge starts.
    """

    skip = _why() or None

    def setUp(self) -> None:
        super().setUp()
        authority = Authority.make()
        (self.folder / "ca.pem").write_bytes(authority.issued.certificate)
        issued = authority.issue("db.example", "localhost")
        (self.folder / "certs").mkdir()
        (self.folder / "certs" / "db.pem").write_bytes(issued.certificate + issued.key)
        # PostgreSQL has an own user, which can't look into the folder.
        self.data = self.folder / "data"
        self.data.mkdir()
        self.folder.chmod(0o755)
        self.user: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self.user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"]
            self.user += ["--clear-groups"]
            os.chown(self.data, user.pw_uid, user.pw_gid)
        options = ("-D", str(self.data), "-U", "me", "-A", "trust", "--no-sync")
        subprocess.run(
            [*self.user, str(_BINARIES / "initdb"), *options],
            check=True,
            capture_output=True,
            cwd="/",
        )
        for name, content in (("server.crt", issued.certificate), ("server.key", issued.key)):
            (self.data / name).write_bytes(content)
            (self.data / name).chmod(0o600)
            if self.user:
                shutil.chown(self.data / name, "postgres", "postgres")

    async def psql(self, port: int, options: str, *, gss: str = "disable") -> str:
        """
        @return: the output of psql, which asks whether the server's own connection is
            over TLS.
        """
        place = f"host=db.example hostaddr=127.0.0.1 port={port} user=me dbname=postgres"
        done = await deferToThread(
            subprocess.run,
            ["psql", "-XAtc", "SELECT 6*7", f"{place} gssencmode={gss} {options}"],
            cwd=self.folder,
            capture_output=True,
            timeout=60,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr


class PostgresTests(_Tests):
    """
    Tests of TLS before PostgreSQL.
    """

    async def serve(self, route: str, *options: str, app: str = "") -> tuple[Program, int]:
        """
        Start an edge before PostgreSQL.

        @param app: options of PostgreSQL.
        @return: the edge, and the port for clients.
        """
        server = f"{' '.join(self.user)} {_BINARIES}/postgres -D {self.data} -p {{port}}"
        settings = f"{app} -c unix_socket_directories= -c fsync=off"
        spawn = f"app: route={route} max=1 capacity=20 -- {server} {settings}"
        edge = self.start(TWISTD, "-n", "brxy-edge", *self.on, *options, "--spawn", spawn)
        factory = "SNIFactory" if "--sni-port" in options else r"TCPFactory \(TLS\)"
        return edge, int((await self.address(edge, factory)).rpartition(":")[2])

    async def direct(self, port: int, *protocols: str) -> tuple[str | None, bytes]:
        """
        Begin with TLS at once, as C{sslnegotiation=direct} does.

        @return: the protocol that was agreed on, and the type of the first message.
        """
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        context.set_alpn_protocols(protocols)

        def talk() -> tuple[str | None, bytes]:
            with (
                socket.create_connection(("127.0.0.1", port), 30) as sock,
                context.wrap_socket(sock, server_hostname="db.example") as client,
            ):
                body = b"\0\3\0\0user\0me\0database\0postgres\0\0"
                client.sendall((4 + len(body)).to_bytes(4) + body)
                return client.selected_alpn_protocol(), client.recv(1)

        return await deferToThread(talk)

    async def untilUp(self, port: int) -> None:
        """
        Wait until PostgreSQL has started: before that it refuses its clients.
        """
        while await self.psql(port, "sslmode=require") != "42\n":
            pass

    async def test_ended(self) -> None:
        """
        TLS ends at the edge: psql requests it, and other clients begin with it.
        """
        frontend = f"db=tls-postgres:{ANYWHERE}"
        edge, port = await self.serve(
            "db", "--tcp", frontend, "--tls-certs", "certs", app="-c ssl=off"
        )
        await self.untilUp(port)
        for mode in ("verify-full sslrootcert=ca.pem", "prefer"):
            self.assertEqual(await self.psql(port, f"sslmode={mode}"), "42\n")
        self.assertEqual(await self.psql(port, "sslmode=require", gss="prefer"), "42\n")
        self.assertIn("sslmode=require", await self.psql(port, "sslmode=disable"))
        self.assertEqual(await self.direct(port, "postgresql"), ("postgresql", b"R"))
        with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
            await self.direct(port, "h2")
        await self.cancel(port)
        await self.stopped(edge)

    async def cancel(self, port: int) -> None:
        """
        Ctrl-C in psql, which sends its request without TLS, ends a query.
        """
        client = self.start(
            "psql",
            "-Xc",
            "SELECT pg_sleep(90)",
            f"host=127.0.0.1 port={port} user=me dbname=postgres sslmode=require",
        )
        running = "SELECT 'n' || count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(90)'"
        place = f"host=127.0.0.1 port={port} user=me dbname=postgres sslmode=require"
        while True:
            asked = ["psql", "-XAtc", f"{running} AND pid <> pg_backend_pid()", place]
            done = await deferToThread(
                subprocess.run, asked, capture_output=True, timeout=60, check=True
            )
            if done.stdout == b"n1\n":
                break
        client.signal(signal.SIGINT)
        self.assertEqual(await self.ended(client), 1)
        self.assertIn("canceling statement due to user request", client.err)

    async def test_passed(self) -> None:
        """
        TLS is passed on undecrypted: PostgreSQL makes the handshake.
        """
        edge, port = await self.serve("db.example", "--sni-port", ANYWHERE, app="-c ssl=on")
        await self.untilUp(port)
        self.assertEqual(await self.psql(port, "sslmode=verify-full sslrootcert=ca.pem"), "42\n")
        self.assertEqual(await self.psql(port, "sslmode=require", gss="prefer"), "42\n")
        self.assertIn("sslmode=require", await self.psql(port, "sslmode=disable"))
        await self.stopped(edge)


class ColdTests(_Tests):
    """
    Tests of cold starts.  PostgreSQL accepts connections before it can serve them, and
    refuses its clients until it has recovered from how it ended the last time.
    """

    async def _check(self, ready: str) -> None:
        user = "user=postgres " if self.user else ""
        # The database ends without cleaning up, so that it has something to recover from.
        times = "idle-timeout=0.2 stop-signal=QUIT"
        spawn = (
            f"app: route=db max=1 capacity=20 {times} {user}{ready} -- {_BINARIES}/postgres "
            f"-D {self.data} -p {{port}} -c unix_socket_directories= -c fsync=off"
        )
        edge = self.start(
            TWISTD, "-n", "brxy-edge", *self.on, "--tcp", f"db={ANYWHERE}", "--spawn", spawn
        )
        port = int((await self.address(edge, "TCPFactory")).rpartition(":")[2])
        for _ in range(5):
            self.assertEqual(await self.psql(port, "sslmode=disable"), "42\n", edge.out)
            # Its instance has left by itself.
            begun = edge.out.count(": ordered\n")
            await self.until(partial(self._gone, edge, begun))
        await self.stopped(edge)

    def _gone(self, edge: Program, count: int) -> bool:
        return edge.out.count(": gone: ") == count

    async def test_command(self) -> None:
        """
        The first client of each start gets its answer after a command has found that the
        database accepts clients.
        """
        await self._check("ready-command='pg_isready -q -h {host} -p {port}'")

    async def test_log(self) -> None:
        """
        The first client of each start gets its answer after the database has printed that
        it accepts clients.
        """
        await self._check("ready-log='ready to accept connections'")
