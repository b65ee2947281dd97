"""
Where a Kubernetes cluster is and who we are there: from kubeconfig files as
C{kubectl} has them, or from what a Pod finds about its own cluster.

See U{https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/}.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from brxy.errors import BadSpawnSpec
from brxy.spawners.kubernetes.credentials import (
    API_VERSIONS,
    Credential,
    Credentials,
    ExecCredentials,
    FileCredentials,
)
from brxy.spawners.kubernetes.files import Entry, loadKubeconfig

__all__ = ["MOUNTED", "ClusterAccess", "findAccess"]

#: Where a Pod finds its service account.
MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# What a user of a kubeconfig can have, and we can't.
_UNKNOWN_WAYS = ("auth-provider", "username", "password", "as", "as-uid", "as-groups")


@frozen
class ClusterAccess:
    """
    A cluster, and who we are there.

    @ivar server: a URL.
    @ivar namespace: where things are unless somebody says otherwise; C{""}:
        that is not known.
    @ivar ca: whom to trust, PEM; L{None}: whom this machine trusts.
    @ivar verify: the server has to show that it is the right one.
    @ivar server_name: the name in its certificate; C{""}: that of the URL.
    """

    server: str
    credentials: Credentials
    namespace: str = ""
    ca: bytes | None = field(default=None, repr=False)
    verify: bool = True
    server_name: str = ""


def findAccess(
    reactor: Any,
    environ: Mapping[str, str],
    kubeconfig: str | None = None,
    context: str | None = None,
    mounted: Path = MOUNTED,
) -> ClusterAccess:
    """
    Find the cluster as C{kubectl} does: by the file that is named, by
    C{KUBECONFIG}, by C{~/.kube/config}, or as the one that we run in.

    @param context: which of a kubeconfig's; L{None}: its current one.
    @raise BadSpawnSpec: there is none, or what is said about it can't be used.
    """
    home = Path(environ.get("HOME") or "/") / ".kube" / "config"
    if kubeconfig:
        paths = [Path(kubeconfig)]
    elif environ.get("KUBECONFIG"):
        named = [Path(each) for each in environ["KUBECONFIG"].split(":") if each]
        paths = [each for each in named if each.exists()] or named[:1]
    elif home.exists() or context:
        paths = [home]
    elif environ.get("KUBERNETES_SERVICE_HOST"):
        return _inCluster(environ, mounted)
    else:
        raise BadSpawnSpec(
            f"kubernetes: no cluster: no kubeconfig=, no KUBECONFIG, no {home}, and not in a Pod"
        )
    return _fromFiles(reactor, environ, paths, context)


def _inCluster(environ: Mapping[str, str], mounted: Path) -> ClusterAccess:
    host = environ["KUBERNETES_SERVICE_HOST"]
    port = environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        ca = (mounted / "ca.crt").read_bytes()
        namespace = (mounted / "namespace").read_text().strip()
        (mounted / "token").read_bytes()
    except OSError as error:
        raise BadSpawnSpec(
            f"kubernetes: the service account of this Pod: {error.filename}: {error.strerror}"
        ) from None
    return ClusterAccess(
        f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        FileCredentials(token_file=mounted / "token"),
        namespace,
        ca,
    )


def _fromFiles(
    reactor: Any, environ: Mapping[str, str], paths: list[Path], context: str | None
) -> ClusterAccess:
    config = loadKubeconfig(paths)
    name = context or config.current
    if not name:
        raise BadSpawnSpec(f"kubernetes: {config.named}: no current-context; give context=")
    chosen = config.entry("context", name)
    cluster = config.entry("cluster", chosen.text("cluster"))
    server = cluster.text("server")
    if urlsplit(server).scheme not in ("http", "https") or not urlsplit(server).hostname:
        raise cluster.error(f"server {server!r} is no URL")
    if cluster.value.get("proxy-url"):
        raise cluster.error("proxy-url is not supported")
    user = chosen.text("user")
    given = config.entry("user", user) if user else Entry("user", "", {}, Path())
    return ClusterAccess(
        server.rstrip("/"),
        _credentials(reactor, environ, given, cluster),
        chosen.text("namespace"),
        _data(cluster, "certificate-authority"),
        cluster.value.get("insecure-skip-tls-verify") is not True,
        cluster.text("tls-server-name"),
    )


def _data(entry: Entry, name: str) -> bytes | None:
    """
    What stands in an entry itself, or in a file that it names.
    """
    encoded, path = entry.text(f"{name}-data"), entry.path(name)
    if encoded:
        try:
            return base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise entry.error(f"{name}-data is no base64") from None
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise entry.error(f"{name} {path}: {error.strerror}") from None


def _credentials(
    reactor: Any, environ: Mapping[str, str], user: Entry, cluster: Entry
) -> Credentials:
    for each in _UNKNOWN_WAYS:
        if user.value.get(each):
            raise user.error(f"{each} is not supported")
    if user.value.get("exec"):
        return _program(reactor, environ, user, cluster)
    inline = {name: user.text(f"{name}-data") for name in ("client-certificate", "client-key")}
    # Looked at now, so that what is missing is said at the start.
    certificate, key = _data(user, "client-certificate"), _data(user, "client-key")
    if bool(certificate) != bool(key):
        raise user.error("client-certificate and client-key belong together")
    token_file = user.path("tokenFile")
    if token_file is not None and not token_file.exists():
        raise user.error(f"tokenFile {token_file}: No such file or directory")
    return FileCredentials(
        Credential(user.text("token"), certificate or b"", key or b""),
        token_file,
        None if inline["client-certificate"] else user.path("client-certificate"),
        None if inline["client-key"] else user.path("client-key"),
    )


def _program(
    reactor: Any, environ: Mapping[str, str], user: Entry, cluster: Entry
) -> ExecCredentials:
    given = user.within("exec")
    version = given.text("apiVersion")
    if version not in API_VERSIONS:
        raise user.error(f"exec: apiVersion must be {' or '.join(API_VERSIONS)}, not {version!r}")
    if given.text("interactiveMode") == "Always":
        raise user.error("exec: interactiveMode: Always, but an edge has nobody to ask")
    command = given.text("command")
    if not command:
        raise user.error("exec: has no command")
    arguments = given.value.get("args") or []
    variables = given.value.get("env") or []
    try:
        extra = {str(each["name"]): str(each["value"]) for each in variables}
        argv = [str(user.folder / command) if "/" in command else command, *map(str, arguments)]
    except (TypeError, KeyError):
        raise user.error("exec: args must be a list, env one of name: and value:") from None
    info = _execInfo(version, cluster if given.value.get("provideClusterInfo") else None)
    environment = {**environ, **extra, "KUBERNETES_EXEC_INFO": info}
    hint = given.text("installHint")
    return ExecCredentials(reactor, argv, environment, version, hint, time.time)


def _execInfo(version: str, cluster: Entry | None) -> str:
    """
    What such a program is told about us.
    """
    spec: dict[str, Any] = {"interactive": False}
    if cluster is not None:
        ca = _data(cluster, "certificate-authority")
        spec["cluster"] = {
            "server": cluster.text("server"),
            "tls-server-name": cluster.text("tls-server-name"),
            "insecure-skip-tls-verify": cluster.value.get("insecure-skip-tls-verify") is True,
            "certificate-authority-data": base64.b64encode(ca or b"").decode(),
        }
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec})
