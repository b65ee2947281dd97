"""
Tests of the edge's command line.
"""

from __future__ import annotations

import os
import sys
from io import StringIO
from typing import Any

from twisted.scripts._twistd_unix import ServerOptions

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.kinds import Frontend
from brxy.edge.config.options import Options
from brxy.program.fields import ACTION
from brxy.spawners.spec import SpawnSpec
from brxy.test.support.memory.refusals import RefusalTests


def parse(*arguments: str) -> Any:
    """
    The options that these arguments make.
    """
    options = Options()
    options.parseOptions(list(arguments))
    return options


class EdgeOptionsTests(RefusalTests):
    """
    Tests of L{Options}.
    """

    def test_defaults(self) -> None:
        """
        Nothing needs to be given: then each value is the default of its setting, and
        clients have one port.
        """
        options = parse()
        self.assertEqual(options["port"], ["tcp:8080"])
        for each in FIELDS:
            if each.name != "port" and each.kind is not ACTION:
                expected = [] if each.repeatable else each.value
                self.assertEqual(options[each.name], expected, each.name)

    def test_ports(self) -> None:
        """
        A port is a number or an endpoint, and there may be several.
        """
        options = parse("-p", "80", "--port", "unix:/x", "--port", r"tcp:81:interface=\:\:1")
        self.assertEqual(options["port"], ["tcp:80", "unix:/x", r"tcp:81:interface=\:\:1"])
        options = parse("--node-port", "tcp:1", "--node-port", "unix:/y")
        self.assertEqual(options["node-port"], ["tcp:1", "unix:/y"])

    def test_alpn(self) -> None:
        """
        A TCP frontend over TLS has the protocols of its C{alpn=}.
        """
        options = Options({})
        given = (
            ("a=tls:1", "tcp:1", (), False),
            ("a=tls:1:alpn=h2", "tcp:1", ["h2"], False),
            (
                r"a=tls:tcp:1:alpn=h2,http/1.1:interface=\:\:1",
                r"tcp:1:interface=\:\:1",
                ["h2", "http/1.1"],
                False,
            ),
            (r"a=tls:unix:/x\:alpn\=y", r"unix:/x\:alpn\=y", (), False),
            ("a=tls-postgres:2", "tcp:2", ("postgresql",), True),
            ("a=tls-postgres:unix:/y:alpn=x", "unix:/y", ["x"], True),
        )
        arguments = [part for each in given for part in ("--tcp", each[0])]
        options.parseOptions([*arguments, "--tls-certs", "/c"])
        found = [(each.endpoint, each.alpn, each.postgres) for each in options["tcp"]]
        self.assertEqual(found, [each[1:] for each in given])

    def test_tls(self) -> None:
        """
        Clients over TLS have ports of their own, and need certificates where TLS ends at the
        edge.
        """
        options = parse(
            *("--tls-port", "443", "--tls-port", "unix:/x", "--tls-certs", "/c"),
            *("--tcp", "a=tls:1", "--tcp", "b=tls:unix:/y", "--tcp", "c=2"),
        )
        self.assertEqual((options["tls-port"], options["port"]), (["tcp:443", "unix:/x"], []))
        self.assertEqual(
            options["tcp"],
            [
                Frontend("a", "tcp:1", True),
                Frontend("b", "unix:/y", True),
                Frontend("c", "tcp:2", False),
            ],
        )
        options = parse("--sni-port", "443", "--hsts", "60", "--https-redirect", "443")
        self.assertEqual((options["sni-port"], options["port"]), (["tcp:443"], []))
        self.assertEqual((options["hsts"], options["https-redirect"]), (60, 443))

    def test_frontends(self) -> None:
        """
        A TCP frontend has a name; with one, HTTP needs no port.
        """
        options = parse("--tcp", "Redis=6379", "--tcp", r"b=unix:/a\=b")
        redis, other = options["tcp"]
        self.assertEqual(redis, Frontend("redis", "tcp:6379", False))
        self.assertEqual(other, Frontend("b", r"unix:/a\=b", False))
        self.assertEqual(options["port"], [])

    def test_routes(self) -> None:
        """
        Routes are written as hosts are.
        """
        options = parse("--route", "Example.COM.", "--route", "b:80", "--default-route", "C")
        self.assertEqual(options["route"], ["example.com", "b"])
        self.assertEqual(options["default-route"], "c")

    def test_command(self) -> None:
        """
        What follows -- is one more spawn, taken as it is.
        """
        options = parse("--spawn", "app: -- x", "--", "python", "-m", "a b", "--port", "1")
        command = SpawnSpec("process", {}, ("python", "-m", "a b", "--port", "1"))
        self.assertEqual(options["spawn"], ["app: -- x", command])
        self.assertEqual(options["port"], ["tcp:8080"])

    def test_nodeAllow(self) -> None:
        """
        Names are written as they are in certificates, and routes as hosts are.
        """
        given = parse(*("--node-allow", "Web1=Shop.example.com"), *("--node-allow", "token=*"))
        self.assertEqual(given["node-allow"], [("Web1", "shop.example.com"), ("token", None)])
        given = parse("--node-allow", "a=*.Example.com")
        self.assertEqual(given["node-allow"], [("a", "*.example.com")])

    def test_pidfile(self) -> None:
        """
        In the foreground no pidfile is written unless one is requested.
        """
        pidfiles = []
        for arguments in (["-n"], ["-n", "--pidfile=x"], [], ["--pidfile=x"]):
            options = ServerOptions()
            options.parseOptions([*arguments, "brxy-edge"])
            pidfiles.append(os.path.basename(options["pidfile"]))
        self.assertEqual(pidfiles, ["", "x", "twistd.pid", "x"])

    def test_helpSpawners(self) -> None:
        """
        All spawners are printed on standard output, and the exit status is 0.
        """
        out = StringIO()
        self.patch(sys, "stdout", out)
        error = self.assertRaises(SystemExit, parse, "--help-spawners")
        self.assertEqual(error.code, 0)
        for line in ("app: runs the app on", "process: runs", "Keys of every spawner:", "  max= "):
            self.assertIn(f"\n{line}", out.getvalue())

    def test_refused(self) -> None:
        """
        A bad option is reported in a line that names it.
        """
        whole, seconds = "a whole number, 0 or more, is needed", "a number of seconds"
        host, endpoint = "a host name or an IP address is needed", "it is not a server endpoint: "
        for arguments, why in (
            (["--nonsense"], "option --nonsense not recognized"),
            (["--watch"], "--watch needs --config"),
            (["--capacity"], "option --capacity requires argument"),
            (
                ["--tcp", "a=1:alpn=h2"],
                "bad --tcp 'a=1:alpn=h2': alpn= is for TLS only: use tls:ENDPOINT",
            ),
            (
                ["--tcp", "a=tls:1:alpn="],
                "bad --tcp 'a=tls:1:alpn=': alpn= needs the names of protocols",
            ),
            (["--port", "ssl:1:a:b"], "bad --port 'ssl:1:a:b': for TLS use --tls-port"),
            (["--default-route-for-all=1"], "option --default-route-for-all must not have"),
            (["-c", "0"], "bad --capacity '0': auto or a whole number from 1 to 10000 is needed"),
            (["--capacity", "10001"], "bad --capacity '10001': auto or a whole number"),
            (["--max-capacity", "0"], "bad --max-capacity '0': a whole number from 1 to 10000"),
            (["--max-instances", "-1"], f"bad --max-instances '-1': {whole}"),
            (["--max-total", "1.5"], f"bad --max-total '1.5': {whole}"),
            (["--max-held", ""], f"bad --max-held '': {whole}"),
            (["--retries", "x"], f"bad --retries 'x': {whole}"),
            (["--hold-timeout", "-1"], f"bad --hold-timeout '-1': {seconds}"),
            (["--start-timeout", "nan"], f"bad --start-timeout 'nan': {seconds}"),
            (["--response-timeout", "inf"], f"bad --response-timeout 'inf': {seconds}"),
            (["--drain-timeout", "1 s"], f"bad --drain-timeout '1 s': {seconds}"),
            (["--idle-timeout", ""], f"bad --idle-timeout '': {seconds}"),
            (["--old-idle-timeout", "x"], f"bad --old-idle-timeout 'x': {seconds}"),
            (["--port", ""], f"bad --port '': {endpoint}"),
            (["--port", "80a"], f"bad --port '80a': {endpoint}"),
            (["--port", "tcp"], f"bad --port 'tcp': {endpoint}"),
            (["--port", "tcp:x"], f"bad --port 'tcp:x': {endpoint}"),
            (["--node-port", "no:1:2"], f"bad --node-port 'no:1:2': {endpoint}"),
            (["--tcp", "foo"], "bad --tcp 'foo': NAME=ENDPOINT is needed"),
            (["--tcp", "a b=80"], f"bad --tcp 'a b=80': {host}"),
            (["--tcp", "=80"], f"bad --tcp '=80': {host}"),
            (["--tcp", "a="], f"bad --tcp 'a=': {endpoint}"),
            (["--proxy-trust", "10.0.0.1/8"], "bad --proxy-trust '10.0.0.1/8': 10.0.0.1/8 has"),
            (["--forwarded-trust", "lb"], "bad --forwarded-trust 'lb': 'lb' does not appear to"),
            (["--route", "a b"], f"bad --route 'a b': {host}"),
            (["--default-route", "-"], f"bad --default-route '-': {host}"),
            (["--node-allow", "web1"], "bad --node-allow 'web1': NAME=ROUTE is needed"),
            (["--node-allow", "=a"], "bad --node-allow '=a': NAME=ROUTE is needed"),
            (["--node-allow", "a b=a"], "bad --node-allow 'a b=a': NAME=ROUTE is needed"),
            (["--node-allow", "a=b c"], "bad --node-allow 'a=b c': a host name, or one with *."),
        ):
            line = self.refuse(Options, arguments)
            self.assertTrue(line.startswith(why), (arguments, line))
