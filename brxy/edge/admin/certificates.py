"""
The part of the admin API that shows the certificates for clients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brxy.edge.admin.messages import Request, Response, asJSON
from brxy.edge.admin.queries import checkQuery
from brxy.edge.admin.table import Endpoint
from brxy.edge.clients.certificates import CertificateStore, Listed

__all__ = ["Certificates"]


class Certificates:
    """
    The handlers.
    """

    def __init__(self, store: CertificateStore | None) -> None:
        self._store = store

    def endpoints(self) -> Sequence[Endpoint]:
        """
        What answers which request.
        """
        return [Endpoint("GET", "/v1/certs", self.certificates)]

    def certificates(self, request: Request) -> Response:
        """
        The certificates that are in use.
        """
        checkQuery(request, ())
        found = [] if self._store is None else self._store.listed()
        return asJSON({"certificates": [_view(each) for each in found]})


def _view(certificate: Listed) -> dict[str, Any]:
    return {
        "file": certificate.where,
        "names": list(certificate.names),
        "default": certificate.is_default,
        "not_before": certificate.begin.isoformat(),
        "not_after": certificate.end.isoformat(),
    }
