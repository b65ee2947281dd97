"""
Carrying one HTTP request whose response is compressed on its way.
"""

from __future__ import annotations

from typing import ClassVar

from brxy.edge.exchanges.handled import RecordedHandledHTTP
from brxy.edge.exchanges.table import OVER, Input
from brxy.errors import BadResponse
from brxy.http.body import framingFor
from brxy.http.coding import Gzip, offered, zipped
from brxy.http.messages import ResponseHead

__all__ = ["MOST", "GzipHTTP"]

#: Bodies that are compressed at once: each takes 256 KiB of memory.  Others go on as they are.
MOST = 256


class GzipHTTP(RecordedHandledHTTP):
    """
    A carrier that compresses the response if the client, the app and its type allow that.

    @cvar count: the bodies that are being compressed in this process.
    """

    count: ClassVar[int] = 0
    _gzip: Gzip | None = None
    # The head of the final response as the client gets it.
    _shown: ResponseHead | None = None

    def _readBody(self, response: ResponseHead, data: bytes) -> None:
        assert self.asked is not None, "a request that is not handled"
        head, is_coded = offered(self.asked, response, GzipHTTP.count < MOST)
        self._shown = self._handling.response(head)
        if not is_coded:
            super()._readBody(response, data)
            return
        length = response.length
        if 0 <= length <= len(data) and self.exchange.complete:
            self._keepApp(data[length:])
            head, packed = zipped(head, data[:length])
            self._shown = self._handling.response(head)
            self._begin(Input.ANSWERED, packed)
            return
        body = framingFor(length, response.fields, decode=True, error=BadResponse)
        out, rest = body.feed(data)
        self._body = body
        self._gzip = gzip = Gzip()
        GzipHTTP.count += 1
        self._begin(Input.HEAD, gzip.part(out))
        if body.done:
            self._whole(rest)

    def _passBody(self, data: bytes) -> None:
        gzip, body = self._gzip, self._body
        if gzip is None or body is None:
            super()._passBody(data)
            return
        out, rest = body.feed(data)
        self._write(gzip.part(out))
        if body.done:
            self._whole(rest)

    def _whole(self, rest: bytes) -> None:
        if self._gzip is not None:
            self._write(self._gzip.end())
        super()._whole(rest)

    def _write(self, packed: bytes) -> None:
        if packed:
            self._record.bytes_out += len(packed)
            self.near.write(packed)

    def _answer(self) -> None:
        response = self._response
        if self._shown is not None:
            self._response = self._shown
        super()._answer()
        self._response = response

    def _perform(self, event: Input) -> None:
        super()._perform(event)
        if self._gzip is not None and self.exchange.progress is OVER:
            self._gzip = None
            GzipHTTP.count -= 1
