"""
How those apps of C{apps.toml} are checked that hold sessions, by the clients
that people use. They need packages from PyPI and npm, and Chromium.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from app_checks import atOnce, expect, get, request
from app_runs import LIMIT, Run, until

_CHROMIUM = (
    "chromium",
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--no-first-run", "--remote-debugging-port=0"),
)

# Whether there was a button with this text, which is clicked.
_CLICK = """
[...document.querySelectorAll("button")].some(button => {
  const found = button.innerText.trim() === %s;
  if (found) button.click();
  return found;
})
"""


def _connect(url: str, **more: Any) -> Any:
    """
    Open a WebSocket.
    """
    from websockets.sync.client import connect

    return connect(url, proxy=None, open_timeout=LIMIT, max_size=2**26, **more)


class Page:
    """
    A page in Chromium.
    """

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._number = 0

    def evaluate(self, expression: str) -> Any:
        """
        @return: the value of an expression of JavaScript in the page.
        """
        self._number += 1
        params = {"expression": expression, "returnByValue": True}
        command = {"id": self._number, "method": "Runtime.evaluate", "params": params}
        self._socket.send(json.dumps(command))
        while True:
            message = json.loads(self._socket.recv(timeout=LIMIT))
            if message.get("id") == self._number:
                return message["result"]["result"].get("value")

    def shows(self, text: str) -> None:
        """
        Wait until a text is on the page.
        """
        script = "document.body ? document.body.innerText : ''"
        until(lambda: text in (self.evaluate(script) or ""), f"the page shows {text!r}")

    def click(self, text: str) -> None:
        """
        Click a button as soon as there is one with this text.
        """
        until(lambda: self.evaluate(_CLICK % json.dumps(text)), f"there is a button {text!r}")


@contextmanager
def chromium(url: str) -> Iterator[Page]:
    """
    Open a page in a browser without a window.
    """
    profile = Path(tempfile.mkdtemp())
    browser = subprocess.Popen(
        [*_CHROMIUM, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        where = profile / "DevToolsActivePort"
        until(lambda: where.exists() and where.read_text().count("\n") > 0, "Chromium starts")
        port = where.read_text().split()[0]
        new = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?{url}", method="PUT")
        with urllib.request.urlopen(new, timeout=LIMIT) as answer:
            target = json.load(answer)["webSocketDebuggerUrl"]
        with _connect(target) as socket:
            yield Page(socket)
    finally:
        browser.terminate()
        browser.wait(LIMIT)
        shutil.rmtree(profile, ignore_errors=True)


def checkStreamlit(run: Run) -> None:
    """
    The page of a session is drawn, and a click is counted in that session.
    """
    get(run)
    with chromium(f"http://localhost:{run.port}/") as page:
        page.shows("Clicks: 0")
        page.click("Count")
        page.shows("Clicks: 1")
        # The session keeps its instance, and other clients have room beside it.
        time.sleep(5)
        page.click("Count")
        page.shows("Clicks: 2")
        atOnce(run, lambda: get(run))


def checkGradio(run: Run) -> None:
    """
    Gradio's own client gets each part of a result.
    """
    get(run)
    from gradio_client import Client

    client = Client(f"http://localhost:{run.port}/", verbose=False)

    def greet() -> None:
        job = client.submit("you", api_name="/greet")
        expect(job.result(LIMIT) == "Hello you from Gradio", "another result")
        expect(job.outputs()[:2] == ["Hello", "Hello you"], str(job.outputs()))

    atOnce(run, greet)
    client.close()


def checkJupyter(run: Run) -> None:
    """
    A kernel computes, over its WebSocket.
    """
    headers = {"Authorization": "token secret"}
    response, text = request(run, "/api/kernels", "POST", "{}", headers)
    expect(response.status == 201, f"{response.status} {text[:200]}")
    kernel = json.loads(text)["id"]
    url = f"ws://localhost:{run.port}/api/kernels/{kernel}/channels"
    with _connect(url, additional_headers=headers) as socket:
        content = {"code": "print(6 * 7)", "silent": False, "store_history": False}
        content |= {"user_expressions": {}, "allow_stdin": False, "stop_on_error": True}
        message = {
            "header": {
                "msg_id": uuid4().hex,
                "session": uuid4().hex,
                "username": "a",
                "msg_type": "execute_request",
                "version": "5.3",
            },
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
            "buffers": [],
        }
        socket.send(json.dumps(message))
        received = ""
        while '"stream"' not in received:
            received = socket.recv(timeout=LIMIT)
        expect(json.loads(received)["content"]["text"] == "42\n", received)
        atOnce(run, lambda: request(run, "/api/kernels", headers=headers))


def checkSocketIO(run: Run) -> None:
    """
    socket.io's own client connects in each of its ways.
    """
    get(run)

    def echo(*transports: str) -> str:
        command = ["node", "client_socketio.js", f"http://localhost:{run.port}", *transports]
        done = subprocess.run(
            command,
            cwd=run.folder,
            env=run.environ(),
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        expect(done.returncode == 0, done.stderr)
        return done.stdout

    expect(echo("websocket") == "websocket: hello\n", "not over a WebSocket")
    expect(echo("polling", "websocket") == "websocket: hello\n", "no upgrade")
    expect(atOnce(run, lambda: echo("polling"))[-1] == "polling: hello\n", "not by polling")


def checkVite(run: Run) -> None:
    """
    A client is sent the update of a changed file, and a page changes.
    """
    get(run)
    token = re.search(r'wsToken = "([^"]+)"', get(run, "/@vite/client"))
    expect(token, "no token in vite's client")
    assert token is not None
    get(run, "/main.js")
    source = run.folder / "vite" / "main.js"
    text = source.read_text()
    url = f"ws://localhost:{run.port}/?token={token[1]}"
    with _connect(url, subprotocols=["vite-hmr"]) as socket:
        expect(json.loads(socket.recv(timeout=LIMIT))["type"] == "connected", "not connected")
        with chromium(f"http://localhost:{run.port}/") as page:
            page.shows("Hello from vite")
            source.write_text(text.replace("Hello from vite", "Changed"))
            expect(_next(socket.recv, "update"), "no update")
            page.shows("Changed")
        source.write_text(text)
    atOnce(run, lambda: get(run))


def _next(receive: Callable[..., Any], kind: str) -> Any:
    while True:
        message = json.loads(receive(timeout=LIMIT))
        if message["type"] == kind:
            return message


#: By the name of a check.
SESSIONS = {
    "streamlit": checkStreamlit,
    "gradio": checkGradio,
    "jupyter": checkJupyter,
    "socketio": checkSocketIO,
    "vite": checkVite,
}
