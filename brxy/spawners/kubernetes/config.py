"""
Access to a Kubernetes cluster: from kubeconfig files, as C{kubectl} uses them, or from
what a Pod finds about its own cluster.

See U{https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/}.
"""

from __future__ import annotations

import base64
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

#: The folder with the service account of a Pod.
MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# Ways to authenticate that a kubeconfig can name and brxy does not support.
_UNKNOWN_WAYS = ("auth-provider", "username", "password", "as", "as-uid", "as-groups")


@frozen
class ClusterAccess:
    """
    A cluster, and the credentials to use there.

    @ivar server: the URL of the API.
    @ivar namespace: the default namespace; C{""}: not known.
    @ivar ca: the authorities to trust, PEM; L{None}: those that this machine trusts.
    @ivar verify: whether the certificate of the server is verified.
    @ivar server_name: the name in the certificate of the server; C{""}: that of the URL.
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
    Find the cluster as C{kubectl} does: by the file that is given, by C{KUBECONFIG}, by
    C{~/.kube/config}, or as the cluster that this process runs in.

    @param context: the context of the kubeconfig; L{None}: its current one.
    @raise BadSpawnSpec: there is no cluster, or its description can't be used.
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
        raise cluster.error(f"server {server!r} is not a URL")
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
    Read data that is in an entry itself, or in a file that it names.
    """
    inline, path = entry.data(f"{name}-data"), entry.path(name)
    if inline:
        return inline
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
    inline = {name: user.data(f"{name}-data") for name in ("client-certificate", "client-key")}
    # Read now, so that a missing file is reported when the edge starts.
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
        raise user.error("exec: interactiveMode: Always is not supported")
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
    Return the variable that such a program finds its cluster in.
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
