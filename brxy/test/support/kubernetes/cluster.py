"""
A Kubernetes API server for tests: real HTTPS, and real processes in its Pods.

It implements the parts of
U{https://kubernetes.io/docs/reference/kubernetes-api/} that a spawner and
C{kubectl} use.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer

from brxy.pki import Authority
from brxy.processes.ports import PORTS
from brxy.test.support.kubernetes.discovery import DISCOVERY
from brxy.test.support.kubernetes.kubelet import Kubelet
from brxy.test.support.kubernetes.store import APIError, Object, PodStore, Watcher
from brxy.tls.alpn import ALPN
from brxy.tls.contexts import Identity, serverContext

__all__ = ["TOKEN", "Cluster"]

#: The token that a client without a certificate must send.
TOKEN = "a-token-of-the-tests"


@implementer(IOpenSSLContextFactory)
class _ContextFactory:
    """
    Server contexts with a certificate. They accept clients without a
    certificate, and clients with one from the same CA.
    """

    def __init__(self, authority: Authority) -> None:
        issued = authority.issue("localhost", "127.0.0.1")
        chain = x509.load_pem_x509_certificates(issued.certificate)
        identity = Identity(chain, serialization.load_pem_private_key(issued.key, None), "")
        # Go's clients offer h2, and fail without an answer to it.
        self._context = serverContext(identity, alpn=ALPN([b"http/1.1"]))
        store = self._context.get_cert_store()
        assert store is not None
        trusted = x509.load_pem_x509_certificate(authority.issued.certificate)
        store.add_cert(crypto.X509.from_cryptography(trusted))
        self._context.set_verify(SSL.VERIFY_PEER, lambda *arguments: bool(arguments[-1]))

    def getContext(self) -> SSL.Context:
        return self._context


class Cluster(Resource):
    """
    One cluster, on loopback.

    @ivar asked: the method, path and body of every request.
    @ivar refuses: called with method and path; an L{APIError} that it returns
        is the answer.
    @ivar tokens: the tokens that are accepted.
    @ivar silent: a request to create a Pod gets no answer.
    @ivar watched: how many watches there were.
    """

    isLeaf = True

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self.authority = Authority.make()
        self.store = PodStore()
        self.kubelet = Kubelet(reactor, self.store)
        self.asked: list[tuple[str, str, Any]] = []
        self.refuses: Callable[[str, str], APIError | None] = lambda method, path: None
        self.tokens = {TOKEN}
        self.silent = False
        self.watched = 0
        self._reactor = reactor
        self._port: Any = None
        # While the server is stopped no outgoing connection of another process can take this
        # port.
        self._number = PORTS.take()
        self._streams: set[Request] = set()

    def start(self) -> None:
        """
        Listen.
        """
        site = Site(self)
        site.noisy = False
        context = _ContextFactory(self.authority)
        self._port = self._reactor.listenSSL(self._number, site, context, interface="127.0.0.1")

    async def stop(self) -> None:
        """
        Stop listening, and end everything.
        """
        await self.cut()
        await self.kubelet.stop()
        PORTS.release(self._number)

    async def cut(self) -> None:
        """
        Stop listening and break all connections; Pods keep running.
        """
        if self._port is not None:
            port, self._port = self._port, None
            await port.stopListening()
        self.cutWatches()

    def cutWatches(self) -> None:
        """
        Break the connections of all watches.
        """
        for request in list(self._streams):
            transport: Any = request.transport
            transport.abortConnection()

    def back(self) -> None:
        """
        Listen again.
        """
        self.start()

    @property
    def url(self) -> str:
        """
        The server's URL.
        """
        return f"https://127.0.0.1:{self._number}"

    def config(self, user: Object | None = None, **cluster: Any) -> Object:
        """
        @return: a kubeconfig.
        """
        ca = base64.b64encode(self.authority.issued.certificate).decode()
        there = {"server": self.url, "certificate-authority-data": ca, **cluster}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "here", "user": "me"}}],
            "clusters": [{"name": "here", "cluster": there}],
            "users": [{"name": "me", "user": user or {"token": TOKEN}}],
        }

    def writeConfig(self, path: Path, user: Object | None = None, **cluster: Any) -> str:
        """
        Write a kubeconfig.

        @return: the path.
        """
        path.write_text(json.dumps(self.config(user, **cluster)))
        return str(path)

    @property
    def pods(self) -> list[Object]:
        """
        The existing Pods.
        """
        return list(self.store.pods.values())

    # HTTP

    def render(self, request: Request) -> Any:
        """
        See L{Resource}.
        """
        method, path = request.method.decode(), request.path.decode()
        try:
            content: Any = request.content
            body = json.loads(content.read() or b"null")
            self.asked.append((method, path, body))
            self._authenticate(request)
            refused = self.refuses(method, path)
            if refused is not None:
                raise refused
            query = {k.decode(): v[-1].decode() for k, v in request.args.items()}
            return self._answer(request, method, path.strip("/").split("/"), query, body)
        except APIError as error:
            if error.retry_after:
                request.setHeader("Retry-After", str(error.retry_after))
            return _json(request, error.status, error.code)

    def _authenticate(self, request: Request) -> None:
        bearer = request.getHeader("Authorization") or ""
        transport: Any = request.transport
        if transport.getPeerCertificate() is not None:
            return
        if bearer.removeprefix("Bearer ") not in self.tokens:
            raise APIError(401, "Unauthorized", "Unauthorized")

    def _answer(
        self, request: Request, method: str, path: list[str], query: Mapping[str, str], body: Any
    ) -> Any:
        match path:
            case ["api", "v1", "namespaces", namespace, "pods"]:
                return self._collection(request, method, namespace, query, body)
            case ["api", "v1", "namespaces", namespace, "pods", name]:
                pod = self.store.get(namespace, name)
                if method == "DELETE":
                    self._delete(pod, query, body or {})
                return _json(request, pod)
            case ["api", "v1", "namespaces", namespace, "pods", name, "log"]:
                lines = self.kubelet.log(self.store.get(namespace, name)["metadata"]["uid"])
                kept = lines[-int(query.get("tailLines", "0")) :]
                request.setHeader("Content-Type", "text/plain")
                return "".join(f"{line}\n" for line in kept).encode()
        found = DISCOVERY.get("/" + "/".join(path))
        if found is None or method != "GET":
            raise APIError(404, "NotFound", "the server could not find the requested resource")
        return _json(request, found)

    def _collection(
        self,
        request: Request,
        method: str,
        namespace: str,
        query: Mapping[str, str],
        body: Any,
    ) -> Any:
        matches = _selector(namespace, query)
        if method == "POST":
            pod = self.store.create(namespace, body)
            self.kubelet.run(pod)
            if self.silent:
                return NOT_DONE_YET
            return _json(request, pod, 201)
        if query.get("watch") in ("1", "true"):
            return self._watch(request, matches, query)
        metadata = {"resourceVersion": str(self.store.version)}
        items = self.store.matching(matches)
        return _json(
            request,
            {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items},
        )

    def _delete(self, pod: Object, query: Mapping[str, str], options: Mapping[str, Any]) -> None:
        wanted = (options.get("preconditions") or {}).get("uid", pod["metadata"]["uid"])
        if wanted != pod["metadata"]["uid"]:
            text = "the UID in the precondition does not match the UID in record"
            raise APIError(409, "Conflict", text)
        grace = options.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
        if grace is None:
            grace = pod["spec"]["terminationGracePeriodSeconds"]
        self.kubelet.delete(pod, int(grace))

    def _watch(
        self, request: Request, matches: Callable[[Object], bool], query: Mapping[str, str]
    ) -> int:
        def send(kind: str, object_: Object) -> None:
            line = json.dumps({"type": kind, "object": object_}) + "\n"
            # In two chunks, as a proxy in between may send it.
            request.write(line[:20].encode())
            request.write(line[20:].encode())

        def over(_: Any) -> None:
            self._streams.discard(request)
            self.store.watchers.discard(watcher)
            if limit.active():
                limit.cancel()

        self.watched += 1
        watcher = Watcher(matches, send)
        request.setHeader("Content-Type", "application/json")
        seconds = float(query.get("timeoutSeconds", "300"))
        limit = self._reactor.callLater(seconds, request.finish)
        request.notifyFinish().addBoth(over)
        self._streams.add(request)
        try:
            self.store.watch(query.get("resourceVersion", ""), watcher)
        except APIError as error:
            send("ERROR", error.status)
            request.finish()
        else:
            self._bookmark(send, query)
        return NOT_DONE_YET

    def _bookmark(self, send: Callable[[str, Object], None], query: Mapping[str, str]) -> None:
        if query.get("allowWatchBookmarks") == "true":
            version = {"resourceVersion": str(self.store.version)}
            send("BOOKMARK", {"kind": "Pod", "apiVersion": "v1", "metadata": version})


def _json(request: Request, answer: Any, code: int = 200) -> bytes:
    request.setResponseCode(code)
    request.setHeader("Content-Type", "application/json")
    return json.dumps(answer).encode()


def _selector(namespace: str, query: Mapping[str, str]) -> Callable[[Object], bool]:
    labels = [each.split("=") for each in query.get("labelSelector", "").split(",") if each]
    fields = [each.split("=") for each in query.get("fieldSelector", "").split(",") if each]

    def matches(pod: Object) -> bool:
        metadata = pod["metadata"]
        return (
            metadata["namespace"] == namespace
            and all(metadata.get("labels", {}).get(e[0]) == e[-1] for e in labels)
            and all(metadata.get(e[0].removeprefix("metadata.")) == e[-1] for e in fields)
        )

    return matches
