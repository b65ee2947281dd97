"""
The origin behind all proxies: an nginx with one worker.

C{python -m benchmarks.http.origin PORT FOLDER} becomes one, so that brxy can
spawn it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.http.load import BULK_PATH, FRESH_PATH

__all__ = ["BULK_SIZE", "COMMON", "nginxCommand", "originCommand"]

# Several such responses are finished in each window.
BULK_SIZE = 32 << 20

# Far more connections than a load has at once.
_CONNECTIONS = 12_000

# One process, and no limits that a load would reach.
COMMON = """\
daemon off;
master_process off;
worker_processes 1;
pid {folder}/{name}.pid;
error_log stderr crit;
events {{ worker_connections {connections}; }}
"""

_HTTP = """\
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_body_buffer_size 64k;
    client_body_temp_path {folder}/{name}-body;
    proxy_temp_path {folder}/{name}-proxy;
    fastcgi_temp_path {folder}/{name}-fastcgi;
    uwsgi_temp_path {folder}/{name}-uwsgi;
    scgi_temp_path {folder}/{name}-scgi;
    {rest}
}}
"""

_ORIGIN = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        default_type text/plain;
        location / {{ return 200 "hello\\n"; }}
        location = {fresh} {{ add_header X-Number $arg_n; return 200 "hello\n"; }}
        location = {bulk} {{ alias {folder}/bulk; }}
    }}
"""


def nginxCommand(folder: Path, name: str, rest: str, connections: int = _CONNECTIONS) -> list[str]:
    """
    @return: the command of an nginx.

    @param folder: the folder for its files.
    @param rest: the individual part of its C{http} section.
    @param connections: to clients and origins, at most.
    """
    config = folder / f"{name}.conf"
    text = (COMMON + _HTTP).format(folder=folder, name=name, rest=rest, connections=connections)
    config.write_text(text)
    return ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(config)]


def originCommand(folder: Path, port: int) -> list[str]:
    """
    @return: the command of an origin at this port.
    """
    bulk = folder / "bulk"
    if not bulk.exists():
        with bulk.open("wb") as file:
            file.truncate(BULK_SIZE)
    rest = _ORIGIN.format(port=port, bulk=BULK_PATH, fresh=FRESH_PATH, folder=folder)
    return nginxCommand(folder, f"origin-{port}", rest)


if __name__ == "__main__":
    command = originCommand(Path(sys.argv[2]), int(sys.argv[1]))
    os.execvp(command[0], command)
