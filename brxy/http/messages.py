"""
All of HTTP/1.x (RFC 9112) that concerns heads: they are read strictly, and written for the
other side, without any I/O.  For bodies, see L{brxy.http.body}.
"""

from brxy.http.fields import CHUNKED, MAX_FIELDS, MAX_HEAD, UNTIL_CLOSE, Field
from brxy.http.render import (
    forwardedLines,
    plainResponse,
    renderOldRequest,
    renderRequest,
    renderResponse,
    renderSecured,
)
from brxy.http.request import (
    MAX_TARGET,
    RequestHead,
    asSent,
    requestHead,
    withForwardedHost,
    withoutExpect,
    withPassed,
)
from brxy.http.response import ResponseHead, isSwitchAsked, responseHead

__all__ = [
    "CHUNKED",
    "MAX_FIELDS",
    "MAX_HEAD",
    "MAX_TARGET",
    "UNTIL_CLOSE",
    "Field",
    "RequestHead",
    "ResponseHead",
    "asSent",
    "forwardedLines",
    "isSwitchAsked",
    "plainResponse",
    "renderOldRequest",
    "renderRequest",
    "renderResponse",
    "renderSecured",
    "requestHead",
    "responseHead",
    "withForwardedHost",
    "withPassed",
    "withoutExpect",
]
