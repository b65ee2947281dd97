"""
Tests of the node's command line.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from brxy.apps.command import Surroundings
from brxy.interfaces import Address
from brxy.node.dial import EdgeTLS
from brxy.node.fields import FIELDS
from brxy.node.tap import Options
from brxy.processes.place import Place
from brxy.program.fields import ACTION
from brxy.test.support.loopback.papers import Papers
from brxy.test.support.memory.refusals import RefusalTests


def parse(*arguments: str, **environ: str) -> Any:
    """
    The options that these arguments make.
    """
    options = Options(environ)
    options.parseOptions(list(arguments))
    return options


class NodeOptionsTests(RefusalTests):
    """
    Tests of L{Options}.
    """

    def test_defaults(self) -> None:
        """
        Only the app must be given.
        """
        options = parse("--", "true")
        self.assertEqual((options["command"], options["tls"]), (("true",), None))
        for each in FIELDS:
            if each.kind is not ACTION:
                expected = [] if each.repeatable else each.value
                self.assertEqual(options[each.name], expected, each.name)

    _HANDED_OVER = {
        "BRXY_EDGE": "tcp:edge.example.net:9080",
        "ROUTE": "Example.com",
        "BRXY_CAPACITY": "3",
        "BRXY_MAX_CAPACITY": "30",
        "BRXY_SPEAKS_FIRST": "server",
        "BRXY_IDLE_TIMEOUT": "1.5",
        "BRXY_OLD_IDLE_TIMEOUT": "0",
        "BRXY_SEND_PROXY": "v2",
        "BRXY_TICKET": "t1",
        "BRXY_GENERATION": "123",
        "BRXY_TOKEN": "secret",
    }

    def test_environment(self) -> None:
        """
        Variables that an edge sets have an effect.
        """
        options = parse("--", "true", **self._HANDED_OVER)
        self.assertEqual(options["edge"], "tcp:edge.example.net:9080")
        self.assertEqual(options["route"], "example.com")
        self.assertEqual((options["capacity"], options["max-capacity"]), (3, 30))
        self.assertEqual(options["speaks-first"], "server")
        self.assertEqual((options["idle-timeout"], options["old-idle-timeout"]), (1.5, 0.0))
        self.assertEqual(options["send-proxy"], "v2")
        self.assertEqual((options["ticket"], options["generation"]), ("t1", 123))
        self.assertEqual(options["token"], "secret")

    def test_optionsFirst(self) -> None:
        """
        An option overrides its variable.
        """
        path = self.mktemp()
        Path(path).write_text("other\n")
        options = parse(
            *("--edge", "unix:/x", "--route", "B", "-c", "5", "--idle-timeout", "0"),
            *("--old-idle-timeout", "7", "--token-file", path, "--send-proxy", "v1"),
            *("--", "true"),
            **self._HANDED_OVER,
        )
        self.assertEqual((options["edge"], options["route"]), ("unix:/x", "b"))
        self.assertEqual(options["capacity"], 5)
        self.assertEqual((options["idle-timeout"], options["old-idle-timeout"]), (0.0, 7.0))
        self.assertEqual(options["token-file"], path)

    def test_tls(self) -> None:
        """
        With a CA the edge is dialled over TLS; its certificate must be for the host that is
        dialled, or the name that is given.
        """
        papers = Papers(self.mktemp())
        ca = ("--edge-tls-ca", papers.ca)
        certificate, key = papers.issue("web1")
        own = ("--edge-tls-cert", certificate, "--edge-tls-key", key)
        for arguments, expected in (
            ((*ca, "--edge", "tcp:e:9080"), EdgeTLS(papers.ca, "e")),
            ((*ca, "--edge", r"tcp:\:\:1:9080:timeout=5"), EdgeTLS(papers.ca, "::1")),
            ((*ca, "--edge", "tcp:host=e:port=1"), EdgeTLS(papers.ca, "e")),
            ((*ca, *own), EdgeTLS(papers.ca, "127.0.0.1", certificate, key)),
            ((*ca, "--edge", "unix:/x", "--edge-tls-name", "n"), EdgeTLS(papers.ca, "n")),
        ):
            self.assertEqual(parse(*arguments, "--", "true")["tls"], expected)
        options = parse(
            *(*ca, "--", "true"),
            BRXY_EDGE_TLS_CA="/not/this",
            BRXY_EDGE_TLS_NAME="n",
            BRXY_EDGE_TLS_CERT=certificate,
            BRXY_EDGE_TLS_KEY=key,
        )
        self.assertEqual(options["tls"], EdgeTLS(papers.ca, "n", certificate, key))

    def test_badTLS(self) -> None:
        """
        Files that can't be used, or don't go together, are reported.
        """
        papers = Papers(self.mktemp())
        certificate, key = papers.issue("web1")
        other = papers.issue("web2")[1]
        ca = ("--edge-tls-ca", papers.ca)
        cert = ("--edge-tls-cert", certificate)
        for arguments, why in (
            (("--edge-tls-ca", "/none"), "/none: No such file or directory"),
            (("--edge-tls-ca", key), f"{key}: there is no certificate in it"),
            ((*ca, *cert), "--edge-tls-cert and --edge-tls-key go together"),
            ((*ca, "--edge-tls-key", key), "--edge-tls-cert and --edge-tls-key go together"),
            ((*ca, *cert, "--edge-tls-key", other), f"{certificate}: "),
            ((*ca, "--edge-tls-name", "a b"), "--edge-tls-name: 'a b' is not a host name"),
            ((*ca, "--edge-tls-name", "\u00e4"), "--edge-tls-name: '\u00e4' is not a host name"),
            (("--edge-tls-name", "e"), "for TLS give --edge-tls-ca, too"),
            ((*cert, "--edge-tls-key", key), "for TLS give --edge-tls-ca, too"),
            (
                (*ca, "--edge", "unix:/x"),
                "give --edge-tls-name: 'unix:/x' does not say what the edge is called",
            ),
        ):
            line = self.refuse(partial(Options, {}), [*arguments, "--", "true"])
            self.assertTrue(line.startswith(why), (arguments, line))

    def test_empty(self) -> None:
        """
        An empty variable counts as none.
        """
        options = parse("--", "true", ROUTE="", BRXY_CAPACITY="", BRXY_EDGE="")
        self.assertEqual(dict(options), dict(parse("--", "true")))

    def test_app(self) -> None:
        """
        An app that runs already is given by its address.
        """
        self.assertEqual(parse("--app", "db:6379")["app"], Address("db", 6379))
        self.assertEqual(parse("--app", "[::1]:80")["app"], Address("::1", 80))

    def test_surroundings(self) -> None:
        """
        Variables may be repeated; a command is looked for in its own folder and PATH.
        """
        path = Path(self.mktemp()).absolute()
        path.mkdir()
        (path / "run").write_text("#!/bin/sh\n")
        (path / "run").chmod(0o700)
        (path / "env").write_text("C=3\n")
        both = ("--env", "A=1,2", "--env", "B=", "--env-file", str(path / "env"))
        options = parse(*both, "--cwd", str(path), "--", "./run")
        self.assertEqual(
            options.surroundings(),
            Surroundings({"C": "3"}, {"A": "1,2", "B": ""}, Place(str(path))),
        )
        parse("--env", f"PATH={path}", "--", "run")

    def test_command(self) -> None:
        """
        What follows -- is left as it is.
        """
        options = parse("--app-port", "1", "--", "sh", "-c", "a b", "--edge", "x")
        self.assertEqual(options["command"], ("sh", "-c", "a b", "--edge", "x"))
        self.assertEqual(options["app-port"], 1)

    def test_refused(self) -> None:
        """
        A bad option is reported in a line that names it.
        """
        app = "give the app's command after --, or --app HOST:PORT"
        for arguments, why in (
            ([], app),
            (["--app", "a:1", "--", "true"], app),
            (["--app", "a:1", "--cwd", "/"], "--cwd is for an app that the node starts: give a"),
            (["--app", "a:1", "--env", "A=1"], "--env is for an app that the node starts"),
            (["--app", "a"], "bad --app 'a': HOST:PORT is needed"),
            (["--app", ":1"], "bad --app ':1': HOST:PORT is needed"),
            (["--app", "a:65536"], "bad --app 'a:65536': HOST:PORT is needed"),
            (["--app", "a:0"], "bad --app 'a:0': HOST:PORT is needed"),
            (["--nonsense"], "option --nonsense not recognized"),
            (["--", "no-such-app"], "cannot run 'no-such-app': no such executable on PATH"),
            (["--", "/etc/passwd"], "cannot run '/etc/passwd': it is not an executable file"),
            (["--env", "A", "--", "true"], "bad --env 'A': NAME=VALUE is needed"),
            (["--env-file", "/no", "--", "true"], "bad --env-file '/no': No such file or"),
            (["--cwd", "/no", "--", "true"], "bad --cwd '/no': there is no such folder"),
            (["--user", "no-such", "--", "true"], "bad --user 'no-such': there is no such user"),
            (["--stop-signal", "X"], "bad --stop-signal 'X': the name of a signal is needed"),
            (["--edge", "", "--", "true"], "bad --edge '': it is not a client endpoint"),
            (["--edge", "a:1:2", "--", "true"], "bad --edge 'a:1:2': it is not a client endpoint"),
            (["--edge", "tcp:a", "--", "true"], "bad --edge 'tcp:a': it is not a client"),
            (["--edge", "ssl:a:1", "--", "true"], "bad --edge 'ssl:a:1': for TLS use --edge-tls-"),
            (["--edge", "tls:a:1", "--", "true"], "bad --edge 'tls:a:1': for TLS use --edge-tls-"),
            (["--route", "a b", "--", "true"], "bad --route 'a b': a host name or an IP address"),
            (["--capacity", "0"], "bad --capacity '0': auto or a whole number from 1 to 10000"),
            (["--max-capacity", "auto"], "bad --max-capacity 'auto': a whole number from 1 to"),
            (["--speaks-first", "app"], "bad --speaks-first 'app': client or server is needed"),
            (["--app-port", "65536"], "bad --app-port '65536': a whole number from 1 to 65535"),
            (["--app-port", "0"], "bad --app-port '0': a whole number from 1 to 65535"),
            (["--ready-path", "x"], "bad --ready-path 'x': a path that begins with /"),
            (["--ready-path", "/a b"], "bad --ready-path '/a b': a path that begins with /"),
            (["--stop-timeout", "x"], "bad --stop-timeout 'x': a number of seconds"),
            (["--drain-timeout", "-1"], "bad --drain-timeout '-1': a number of seconds"),
            (["--token-file", "/none", "--", "true"], "--token-file /none: No such file"),
        ):
            line = self.refuse(partial(Options, {}), arguments)
            self.assertTrue(line.startswith(why), (arguments, line))

    def test_inPlace(self) -> None:
        """
        C{inPlace} is false when twistd will change what a process inherits.
        """
        options = parse("--", "true")
        self.assertTrue(options.inPlace())
        plain = {"nodaemon": 1, "rundir": ".", "umask": None, "uid": None, "gid": None}
        for changes, in_place in (
            ({}, True),
            ({"nodaemon": 0}, False),
            ({"rundir": "/"}, False),
            ({"umask": 0}, False),
            ({"uid": 0}, False),
            ({"gid": 0}, False),
            ({"chroot": "/"}, False),
        ):
            options.parent = {**plain, "chroot": None, **changes}
            self.assertIs(options.inPlace(), in_place, changes)

    def test_badEnvironment(self) -> None:
        """
        So is a bad variable of the environment.
        """
        for variable, value in (
            ("BRXY_EDGE", "x"),
            ("ROUTE", "a b"),
            ("BRXY_CAPACITY", "0"),
            ("BRXY_MAX_CAPACITY", "0"),
            ("BRXY_SPEAKS_FIRST", "both"),
            ("BRXY_IDLE_TIMEOUT", "x"),
            ("BRXY_OLD_IDLE_TIMEOUT", "-1"),
            ("BRXY_SEND_PROXY", "v3"),
            ("BRXY_GENERATION", "1.5"),
        ):
            line = self.refuse(partial(Options, {variable: value}), ["--", "true"])
            self.assertTrue(line.startswith(f"bad {variable} {value!r}: "), line)
        for token in ("x" * 256, "a\n", "\u00e4"):
            line = self.refuse(partial(Options, {"BRXY_TOKEN": token}), ["--", "true"])
            self.assertEqual(line, "BRXY_TOKEN: it is not a token")
