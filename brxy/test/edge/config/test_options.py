"""
Tests of the edge's command line.
"""

from __future__ import annotations

import os
import sys
from io import StringIO
from typing import Any

from twisted.scripts._twistd_unix import ServerOptions

from brxy.edge.config.options import Options
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
        Nothing needs to be given.
        """
        self.assertEqual(
            dict(parse()),
            {
                "ports": ["tcp:8080"],
                "frontends": [],
                "node_ports": [],
                "allowed": [],
                "spawns": [],
                "routes": [],
                "proxy_trust": [],
                "forwarded_trust": [],
                "default-route": "default",
                "default-route-for-all": 0,
                "capacity": 1,
                "max-instances": 10,
                "max-total": 100,
                "hold-timeout": 60.0,
                "max-connections": None,
                "max-connections-per-address": 0,
                "max-held": 1000,
                "max-held-total": None,
                "max-held-per-address": 0,
                "max-routes": 10_000,
                "wake-burst": 20,
                "wake-rate": 6,
                "max-body": 0,
                "max-requests": 0,
                "head-timeout": 15.0,
                "keep-alive-timeout": 75.0,
                "body-timeout": 30.0,
                "write-timeout": 60.0,
                "tunnel-timeout": 0.0,
                "start-timeout": 50.0,
                "response-timeout": None,
                "retries": 3,
                "drain-timeout": 30.0,
                "idle-timeout": 300.0,
                "old-idle-timeout": 10.0,
                "state-dir": None,
                "token-file": None,
                "node-tls-cert": None,
                "node-tls-key": None,
                "node-tls-ca": None,
                "insecure-node-port": 0,
                "tls_ports": [],
                "tls_frontends": [],
                "tls-certs": None,
                "sni_ports": [],
                "hsts": None,
                "https-redirect": None,
                "transport": "epoll",
            },
        )

    def test_ports(self) -> None:
        """
        A port is a number or an endpoint, and there may be several.
        """
        options = parse("-p", "80", "--port", "unix:/x", "--port", r"tcp:81:interface=\:\:1")
        self.assertEqual(options["ports"], ["tcp:80", "unix:/x", r"tcp:81:interface=\:\:1"])
        options = parse("--node-port", "tcp:1", "--node-port", "unix:/y")
        self.assertEqual(options["node_ports"], ["tcp:1", "unix:/y"])

    def test_tls(self) -> None:
        """
        TLS has ports of its own, and needs certificates where it ends here.
        """
        options = parse(
            *("--tls-port", "443", "--tls-port", "unix:/x", "--tls-certs", "/c"),
            *("--tcp", "a=tls:1", "--tcp", "b=tls:unix:/y", "--tcp", "c=2"),
        )
        self.assertEqual((options["tls_ports"], options["ports"]), (["tcp:443", "unix:/x"], []))
        self.assertEqual(options["tls_frontends"], [("a", "tcp:1"), ("b", "unix:/y")])
        self.assertEqual(options["frontends"], [("c", "tcp:2")])
        options = parse("--sni-port", "443", "--hsts", "60", "--https-redirect", "443")
        self.assertEqual((options["sni_ports"], options["ports"]), (["tcp:443"], []))
        self.assertEqual((options["hsts"], options["https-redirect"]), (60, 443))

    def test_frontends(self) -> None:
        """
        A TCP frontend has a name; with one, HTTP needs no port.
        """
        options = parse("--tcp", "Redis=6379", "--tcp", r"b=unix:/a\=b")
        self.assertEqual(options["frontends"], [("redis", "tcp:6379"), ("b", r"unix:/a\=b")])
        self.assertEqual(options["ports"], [])

    def test_routes(self) -> None:
        """
        Routes are written as hosts are.
        """
        options = parse("--route", "Example.COM.", "--route", "b:80", "--default-route", "C")
        self.assertEqual(options["routes"], ["example.com", "b"])
        self.assertEqual(options["default-route"], "c")

    def test_command(self) -> None:
        """
        What follows -- is one more spawn, taken as it is.
        """
        options = parse("--spawn", "app: -- x", "--", "python", "-m", "a b", "--port", "1")
        command = SpawnSpec("process", {}, ("python", "-m", "a b", "--port", "1"))
        self.assertEqual(options["spawns"], ["app: -- x", command])
        self.assertEqual(options["ports"], ["tcp:8080"])

    def test_nodeAllow(self) -> None:
        """
        Who may be a node of which routes: names as they are in certificates,
        routes as hosts are written.
        """
        given = parse(*("--node-allow", "Web1=Shop.example.com"), *("--node-allow", "token=*"))
        self.assertEqual(given["allowed"], [("Web1", "shop.example.com"), ("token", None)])
        given = parse("--node-allow", "a=*.Example.com")
        self.assertEqual(given["allowed"], [("a", "*.example.com")])

    def test_pidfile(self) -> None:
        """
        In the foreground there is no pidfile but one that is asked for.
        """
        pidfiles = []
        for arguments in (["-n"], ["-n", "--pidfile=x"], [], ["--pidfile=x"]):
            options = ServerOptions()
            options.parseOptions([*arguments, "brxy-edge"])
            pidfiles.append(os.path.basename(options["pidfile"]))
        self.assertEqual(pidfiles, ["", "x", "twistd.pid", "x"])

    def test_helpSpawners(self) -> None:
        """
        What spawners there are is told on standard output; that is a success.
        """
        out = StringIO()
        self.patch(sys, "stdout", out)
        error = self.assertRaises(SystemExit, parse, "--help-spawners")
        self.assertEqual(error.code, 0)
        for line in ("app: runs the app on", "process: runs", "Keys of every spawner:", "  max= "):
            self.assertIn(f"\n{line}", out.getvalue())

    def test_refused(self) -> None:
        """
        What can't be is told in a line that names it.
        """
        whole, seconds = "a whole number, 0 or more, is needed", "a number of seconds"
        for arguments, why in (
            (["--nonsense"], "option --nonsense not recognized"),
            (["--capacity"], "option --capacity requires argument"),
            (["--port", "ssl:1:a:b"], "'ssl:1:a:b': for TLS give --tls-port, or --node-tls-cert"),
            (["--default-route-for-all=1"], "option --default-route-for-all must not have"),
            (["-c", "0"], "bad --capacity '0': a whole number from 1 to 10000 is needed"),
            (["--capacity", "10001"], "bad --capacity '10001': a whole number from 1"),
            (["--max-instances", "-1"], f"bad --max-instances '-1': {whole}"),
            (["--max-total", "1.5"], f"bad --max-total '1.5': {whole}"),
            (["--max-held", ""], f"bad --max-held '': {whole}"),
            (["--retries", "x"], f"bad --retries 'x': {whole}"),
            (["--hold-timeout", "-1"], f"bad --hold-timeout '-1': {seconds}"),
            (["--start-timeout", "nan"], f"bad --start-timeout 'nan': {seconds}"),
            (["--response-timeout", "inf"], f"bad --response-timeout 'inf': {seconds}"),
            (["--drain-timeout", "1s"], f"bad --drain-timeout '1s': {seconds}"),
            (["--idle-timeout", ""], f"bad --idle-timeout '': {seconds}"),
            (["--old-idle-timeout", "x"], f"bad --old-idle-timeout 'x': {seconds}"),
            (["--port", ""], "'' is no server endpoint"),
            (["--port", "80a"], "'80a' is no server endpoint"),
            (["--port", "tcp"], "'tcp' is no server endpoint"),
            (["--port", "tcp:x"], "'tcp:x' is no server endpoint"),
            (["--node-port", "no:1"], "'no:1' is no server endpoint"),
            (["--tcp", "foo"], "--tcp 'foo' is not NAME=ENDPOINT"),
            (["--tcp", "a b=80"], "'a b' is no name that a route can have"),
            (["--tcp", "=80"], "'' is no name that a route can have"),
            (["--tcp", "a="], "'' is no server endpoint"),
            (["--proxy-trust", "10.0.0.1/8"], "bad --proxy-trust '10.0.0.1/8': 10.0.0.1/8 has"),
            (["--forwarded-trust", "lb"], "bad --forwarded-trust 'lb': 'lb' does not appear to"),
            (["--route", "a b"], "'a b' is no name that a route can have"),
            (["--default-route", "-"], "'-' is no name that a route can have"),
            (["--node-allow", "web1"], "--node-allow 'web1' is not NAME=ROUTE"),
            (["--node-allow", "=a"], "--node-allow '=a' is not NAME=ROUTE"),
            (["--node-allow", "a b=a"], "--node-allow 'a b=a' is not NAME=ROUTE"),
            (["--node-allow", "a=b c"], "bad --node-allow 'a=b c': a host name, or one with *."),
        ):
            line = self.refuse(Options, arguments)
            self.assertTrue(line.startswith(why), (arguments, line))
