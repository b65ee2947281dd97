"""
HTTP/1.x at the edge (RFC 9112), without any I/O: heads are read strictly, and
written for the other side.  Bodies are L{brxy.edge.framing}'s.
"""

from brxy.edge.fields import CHUNKED, MAX_FIELDS, MAX_HEAD, UNTIL_CLOSE, Field
from brxy.edge.render import (
    forwardedLines,
    plainResponse,
    renderRequest,
    renderResponse,
    renderSecured,
)
from brxy.edge.request import MAX_TARGET, RequestHead, requestHead, withForwardedHost
from brxy.edge.response import ResponseHead, isSwitchAsked, responseHead

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
