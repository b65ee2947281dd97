"""
HTTP/1.x at the edge (RFC 9112), without any I/O: heads are read strictly, and
written for the other side.  Bodies are L{brxy.http.body}'s.
"""

from brxy.http.fields import CHUNKED, MAX_FIELDS, MAX_HEAD, UNTIL_CLOSE, Field
from brxy.http.render import (
    forwardedLines,
    plainResponse,
    renderRequest,
    renderResponse,
    renderSecured,
)
from brxy.http.request import MAX_TARGET, RequestHead, requestHead, withForwardedHost
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
    "forwardedLines",
    "isSwitchAsked",
    "plainResponse",
    "renderRequest",
    "renderResponse",
    "renderSecured",
    "requestHead",
    "responseHead",
    "withForwardedHost",
]
