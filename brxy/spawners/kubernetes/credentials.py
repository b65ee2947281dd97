"""
Credentials for the Kubernetes API: tokens, certificates, and programs that print them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred, DeferredLock

from brxy.errors import SpawnFailed
from brxy.processes.child import Child, Ended
from brxy.processes.pipes import MAX_LINE
from brxy.spawners.api.errors import Unreachable
from brxy.values.text import oneLine

__all__ = ["API_VERSIONS", "Credential", "Credentials", "ExecCredentials", "FileCredentials"]

#: Versions of the protocol of programs that print credentials.
API_VERSIONS = (
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
)

# Seconds for such a program, less than for the request that needs it; and how much it
# may print, in bytes.
_EXEC_TIMEOUT = 15.0
_MAX_OUTPUT = 2**20

# A credential is not used any more this many seconds before it expires.
_MARGIN = 5.0


@frozen
class Credential:
    """
    The credential of a request.

    @ivar token: for C{Authorization: Bearer}; C{""}: none.
    @ivar certificate: the client's certificate, PEM; C{b""}: none.
    @ivar key: the key of the certificate, PEM.
    """

    token: str = field(default="", repr=False)
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)


class Credentials(Protocol):
    """
    A source of credentials.
    """

    async def get(self) -> Credential:
        """
        @return: the credential for the next request.
        @raise Unreachable: there is none.
        """

    def refused(self) -> bool:
        """
        The API refused a credential (401).

        @return: whether another attempt may have a better one.
        """


@frozen
class FileCredentials:
    """
    Credentials from a configuration and files.  Files are read for every request, so
    that they may be replaced at any time.

    @ivar given: the credentials in the configuration itself.
    """

    given: Credential = Credential()
    token_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def read(self) -> Credential:
        """
        Read the credentials now.

        @raise Unreachable: a file can't be read.
        """
        token = self.given.token
        if self.token_file is not None:
            token = _read(self.token_file).decode("ascii", "replace").strip()
        certificate, key = self.given.certificate, self.given.key
        if self.certificate_file is not None:
            certificate = _read(self.certificate_file)
        if self.key_file is not None:
            key = _read(self.key_file)
        return Credential(token, certificate, key)

    async def get(self) -> Credential:
        """
        See L{Credentials}.
        """
        return self.read()

    def refused(self) -> bool:
        """
        See L{Credentials}.
        """
        return False


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreachable(f"{path}: {error.strerror or error}", sent=False) from None


class ExecCredentials:
    """
    Credentials from a program, by the protocol C{client.authentication.k8s.io}; kept
    until they expire.

    @param argv: the program and its arguments.
    @param environment: all of its environment.
    @param hint: what the message says when there is no such program.
    @param wallClock: the time, in seconds since the epoch.
    @param timeout: seconds for the program.
    """

    def __init__(
        self,
        reactor: Any,
        argv: Sequence[str],
        environment: Mapping[str, str],
        api_version: str,
        hint: str,
        wallClock: Callable[[], float],
        timeout: float = _EXEC_TIMEOUT,
    ) -> None:
        self._reactor = reactor
        self._argv = argv
        self._environment = environment
        self._api_version = api_version
        self._hint = hint
        self._wallClock = wallClock
        self._timeout = timeout
        self._turn = DeferredLock()
        self._kept: Credential | None = None
        self._expires: float | None = None

    async def get(self) -> Credential:
        """
        See L{Credentials}.
        """
        # The program runs once for all requests that need it at the same time.
        return await self._turn.run(lambda: Deferred.fromCoroutine(self._get()))

    async def _get(self) -> Credential:
        due = self._expires is not None and self._wallClock() > self._expires - _MARGIN
        if self._kept is None or due:
            status = self._status(await self._output())
            self._expires = _expiry(status.get("expirationTimestamp"))
            self._kept = _credential(status)
        return self._kept

    def refused(self) -> bool:
        """
        See L{Credentials}.
        """
        self._kept = None
        return True

    async def _output(self) -> bytes:
        output, complaint = bytearray(), bytearray()

        def take(descriptor: int, line: bytes) -> None:
            if descriptor == 2:
                complaint[:] = line
            elif len(output) < _MAX_OUTPUT:
                # Long lines come in pieces.
                output.extend(line if len(line) == MAX_LINE else line + b"\n")

        try:
            child = Child(self._reactor, self._argv, self._environment, take, die_with_parent=True)
            child.start()
        except SpawnFailed as error:
            raise self._error(" ".join(filter(None, [f"{error}.", self._hint]))) from None
        limit = self._reactor.callLater(self._timeout, child.kill)
        try:
            ended: Ended = await child.ended
        finally:
            in_time = limit.active()
            child.kill()
            if in_time:
                limit.cancel()
        if not in_time:
            raise self._error(f"it did not end within {self._timeout:g} s")
        if ended.status != 0:
            # Standard output may have a credential, which must not go into the log.
            raise self._error(evolve(ended, last_line=oneLine(complaint)).describe())
        return bytes(output)

    def _status(self, output: bytes) -> Mapping[str, Any]:
        try:
            answer = json.loads(output)
            kind, version = answer["kind"], answer["apiVersion"]
            if kind != "ExecCredential" or version != self._api_version:
                raise self._error(f"it printed {oneLine(kind)} of {oneLine(version)}")
            status = answer["status"]
            if not isinstance(status, dict):
                raise ValueError
            return status
        except (ValueError, KeyError, TypeError):
            raise self._error("it printed no ExecCredential with a status") from None

    def _error(self, what: str) -> Unreachable:
        name = self._argv[0]
        return Unreachable(f"no credentials from {name!r}: {oneLine(what)}", sent=False)


def _expiry(text: Any) -> float | None:
    """
    @param text: a time in the form of RFC 3339.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        # A time that can't be read: the credential is used once.
        return 0.0


def _credential(status: Mapping[str, Any]) -> Credential:
    return Credential(
        str(status.get("token") or ""),
        str(status.get("clientCertificateData") or "").encode(),
        str(status.get("clientKeyData") or "").encode(),
    )
