"""
Tests of the command C{brxy} with real processes.
"""

from __future__ import annotations

import json
import signal
from typing import Any

from brxy.test.support.processes.programs import ANYWHERE, DEMO, PYTHON, Program, ProgramTests

__all__ = ["AskingTests", "CheckTests", "DoingTests", "RunTests"]

_BRXY = (PYTHON, "-m", "brxy.ctl")


class BrxyTests(ProgramTests):
    """
    Base of tests of the command.
    """

    def brxy(self, *arguments: str) -> Program:
        """
        Start a command.
        """
        return self.start(*_BRXY, *arguments)


class RunTests(BrxyTests):
    """
    Tests of the commands that run programs.
    """

    async def _serves(self, address: str) -> None:
        answer = await self.get(address)
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("Hello from process", answer.body)

    async def test_run(self) -> None:
        """
        C{brxy run} prints nothing but its URL, where the app answers, and logs
        on standard error. Ctrl-C stops the edge and the app.
        """
        edge = self.brxy("run", "--", "python", DEMO)
        url = await self.said(edge, r"\Ahttp://127\.0\.0\.1:(\d+)\n")
        await self._serves(f"tcp:127.0.0.1:{url[1]}")
        self.assertEqual(len(self.running()), 2)
        edge.signal(signal.SIGINT)
        self.assertEqual(await self.ended(edge), -signal.SIGINT)
        await self.until(lambda: not self.running())
        self.assertEqual(edge.out, url[0])
        self.assertIn(": ready after ", edge.err)

    async def test_onScreen(self) -> None:
        """
        On a terminal the URL comes first, and the log follows as people read
        it. Ctrl-C is typed there.
        """
        screen = self.startOnScreen(*_BRXY, "run", "--", "python", DEMO, TERM="xterm")
        await self.until(lambda: "listening on http://127.0.0.1:" in screen.plain)
        self.assertRegex(screen.plain.lstrip(), r"\Ahttp://127\.0\.0\.1:\d+\r\n")
        screen.type("\x03")
        await self.until(lambda: screen.status is not None)
        self.assertEqual(screen.status, -signal.SIGINT)

    async def test_programs(self) -> None:
        """
        C{brxy edge} and C{brxy node} are the edge and the node.
        """
        node = f"{' '.join(_BRXY)} node -- python {DEMO}"
        ports = ("--port", ANYWHERE, "--node-port", ANYWHERE)
        edge = self.brxy("edge", *self.on, *ports, "--spawn", node)
        await self._serves(await self.address(edge))
        self.assertIn(" dialled in\n", edge.out)
        await self.stopped(edge)

    async def test_certificates(self) -> None:
        """
        C{brxy pki} makes certificates.
        """
        made = self.brxy("pki", "init", "ca")
        self.assertEqual((await self.ended(made), made.err), (0, ""))
        self.assertEqual(made.out, "ca/ca.pem ca/ca.key\n")
        wrong = self.brxy("pki", "issue", "nowhere", "edge.example.net")
        self.assertEqual(await self.ended(wrong), 1)
        self.assertIn("nowhere/ca.pem: No such file or directory", wrong.err)


class CheckTests(BrxyTests):
    """
    Tests of C{brxy check}.
    """

    async def test_check(self) -> None:
        """
        It prints each fault with its line, and says when there is none.
        """
        app = f'kind = "app"\ncommand = ["python", "{DEMO}"]\n'
        route = '[route."shop.example.com"]\n'
        spawn = f'[[route."shop.example.com".spawn]]\n{app}'
        (self.folder / "good.toml").write_text(f"{route}capacity = 3\n{spawn}")
        (self.folder / "bad.toml").write_text(f"{route}capasity = 3\nmax = -1\n{spawn}")
        good = self.brxy("check", "good.toml")
        self.assertEqual((await self.ended(good), good.err), (0, ""))
        self.assertEqual(good.out, "good.toml: no faults\n")
        bad = self.brxy("check", "bad.toml")
        self.assertEqual((await self.ended(bad), bad.out), (1, ""))
        self.assertRegex(
            bad.err,
            r"\Abad\.toml:2: capasity is not known; did you mean capacity\?\n"
            r"bad\.toml:3: bad max .*\n\Z",
        )
        listed = self.brxy("check", "bad.toml", "--json")
        self.assertEqual(await self.ended(listed), 1)
        self.assertEqual(len(json.loads(listed.out)["faults"]), 2)


class EdgeTests(BrxyTests):
    """
    Base of tests with a running edge.
    """

    async def asked(self, *arguments: str, status: int = 0) -> str:
        """
        @return: what a command prints.
        """
        program = self.brxy(*arguments, "--socket", "state")
        self.assertEqual(await self.ended(program), status, program.err)
        if status == 0:
            self.assertEqual(program.err, "")
        return program.out + program.err

    async def asJSON(self, *arguments: str) -> Any:
        """
        @return: what a command prints as JSON.
        """
        return json.loads(await self.asked(*arguments, "--json"))

    async def serving(self, *arguments: str) -> tuple[Program, str]:
        """
        Start an edge with an app for shop.example.com.

        @return: the edge, and where its clients connect.
        """
        app = f"app: route=shop.example.com -- python {DEMO}"
        edge = self.brxy(
            *("edge", *self.on, "--port", ANYWHERE, "--state-dir", "state", "--spawn", app),
            *arguments,
        )
        return edge, await self.address(edge)


class AskingTests(EdgeTests):
    """
    Tests of the commands that ask a running edge.
    """

    async def test_shown(self) -> None:
        """
        The edge, its routes, its instances and its events are shown to people
        and to programs alike.
        """
        edge, address = await self.serving()
        await self.get(address, host="shop.example.com")
        shown = await self.asked("status")
        self.assertIn(f"process {edge.pid}, brxy", shown)
        self.assertIn("1 of 100 instances: 1 ready\nsince its start: 1 request", shown)
        self.assertEqual((await self.asJSON("status"))["pid"], edge.pid)
        shown = await self.asked("routes", "*.example.com")
        self.assertRegex(shown, r"\AROUTE +STATE .*\nshop\.example\.com +ready .* 1 ready\n\Z")
        self.assertEqual(await self.asked("routes", "--names"), "shop.example.com\n")
        [route] = await self.asJSON("routes", "shop.example.com")
        self.assertEqual(route["state"], "ready")
        [instance] = await self.asJSON("instances")
        self.assertRegex(await self.asked("instances"), rf"\n{instance['ticket']} +shop")
        one = await self.asJSON("instances", instance["ticket"])
        self.assertEqual(one["ticket"], instance["ticket"])
        self.assertIn(": ready after ", await self.asked("events"))
        await self.stopped(edge)

    async def test_followed(self) -> None:
        """
        C{brxy events -f} prints what happens, as it happens, and ends with the
        edge.
        """
        edge, address = await self.serving()
        follower = self.brxy("events", "-f", "--route", "shop.example.com", "--socket", "state")
        await self.until(lambda: "listening on" in edge.out)
        await self.get(address, host="shop.example.com")
        await self.said(follower, r"\A\d\d:\d\d:\d\d info  shop\.example\.com: holding clients")
        await self.said(follower, ": ready after ")
        edge.signal(signal.SIGTERM)
        self.assertEqual((await self.ended(follower), follower.err), (0, ""))
        await self.ended(edge)

    async def test_printed(self) -> None:
        """
        C{brxy logs} prints what the app has printed, and with C{-f} what it
        prints from then on.
        """
        edge, address = await self.serving()
        follower = self.brxy("logs", "-f", "shop.example.com", "--socket", "state")
        await self.get(address, host="shop.example.com")
        printed = await self.said(follower, r"\A[0-9a-f]{16}\| demo: process \d+ listens on .*\n")
        self.assertTrue((await self.asked("logs", "shop.example.com")).startswith(printed[0]))
        [ticket, line] = printed[0].split("| ")
        shown = await self.asJSON("logs", "shop.example.com", "--lines", "1")
        self.assertEqual((shown["ticket"], shown["line"]), (ticket, line.strip()))
        self.assertEqual(await self.asked("logs", "other.example.com"), "")
        edge.signal(signal.SIGTERM)
        self.assertEqual((await self.ended(follower), follower.err), (0, ""))
        await self.ended(edge)

    async def test_certificates(self) -> None:
        """
        C{brxy certs} says which certificates there are, and when they expire.
        """
        made = self.brxy("pki", "init", "ca")
        await self.ended(made)
        made = self.brxy("pki", "issue", "ca", "shop.example.com", "--for", "clients")
        self.assertEqual((await self.ended(made), made.err), (0, ""))
        edge, _ = await self.serving("--tls-port", ANYWHERE, "--tls-certs", "ca/clients")
        shown = await self.asked("certs")
        self.assertRegex(
            shown,
            r"\AEXPIRES +IN +NAMES +FILE\n"
            r"\d{4}-\d\d-\d\d +729d 23h +shop\.example\.com, all others +ca/clients/shop.*\n\Z",
        )
        [certificate] = await self.asJSON("certs")
        self.assertEqual(certificate["names"], ["shop.example.com"])
        await self.stopped(edge)

    async def test_top(self) -> None:
        """
        C{brxy top} shows the routes on a screen of its own, draws them again
        as they change, and leaves the terminal as it was when q is typed.
        """
        edge, address = await self.serving()
        screen = self.startOnScreen(*_BRXY, "top", "--socket", "state", TERM="xterm")
        await self.until(lambda: "q quits" in screen.plain)
        await self.get(address, host="shop.example.com")
        await self.until(lambda: "shop.example.com  ready " in screen.plain)
        screen.type("q")
        await self.until(lambda: screen.status is not None)
        self.assertEqual(screen.status, 0)
        self.assertTrue(screen.shown.startswith("\x1b[?1049h"), screen.shown)
        self.assertTrue(screen.shown.endswith("\x1b[?1049l"), screen.shown)
        await self.stopped(edge)

    async def test_none(self) -> None:
        """
        Without an edge one line says so, and the exit status is 3; what the
        edge does not know is 4.
        """
        self.assertEqual(
            await self.asked("status", status=3),
            "brxy: no edge at state: No such file or directory\n",
        )
        edge, _ = await self.serving()
        self.assertEqual(
            await self.asked("instances", "nope", status=4),
            "brxy: there is no instance with this ticket\n",
        )
        await self.stopped(edge)


class DoingTests(EdgeTests):
    """
    Tests of the commands that have an edge do something.
    """

    async def test_woken(self) -> None:
        """
        C{brxy wake --wait} succeeds when an instance is ready, and fails if
        the app does not start.
        """
        bad = "app: route=bad.example.com -- false"
        hosts = ("--route", "shop.example.com", "--route", "bad.example.com")
        edge, _ = await self.serving(*hosts, "--spawn", bad)
        shown = await self.asked("wake", "shop.example.com", "--wait", "--min", "2")
        self.assertEqual(
            shown, "shop.example.com: ready; 0 held, 0 in flight; instances: 2 ready\n"
        )
        self.assertEqual(
            await self.asked("wake", "bad.example.com", "--wait", status=1),
            "brxy: exit status 1\n",
        )
        await self.asked("wake", "none.example.com", status=4)
        await self.asked("wake", "shop.example.com", "--for", "long", status=2)
        await self.stopped(edge)

    async def test_paused(self) -> None:
        """
        Of clients that come before, while and after a route is paused none is
        lost: they are held, and served when it is resumed.
        """
        edge, address = await self.serving("--route", "shop.example.com")
        await self.asked("wake", "shop.example.com", "--wait")
        answers = [self.get(address, host="shop.example.com") for _ in range(20)]
        shown = await self.asked("pause", "shop.example.com")
        self.assertIn("shop.example.com: paused; ", shown)
        self.assertIn(" 0 in flight; ", shown)
        answers += [self.get(address, host="shop.example.com") for _ in range(20)]
        while (await self.asJSON("routes", "shop.example.com"))[0]["held"] < 20:
            pass
        self.assertIn("shop.example.com: paused", await self.asked("status"))
        self.assertIn("; ", await self.asked("resume", "shop.example.com"))
        for answer in answers:
            self.assertEqual((await answer).status, 200)
        await self.stopped(edge)

    async def test_stopped(self) -> None:
        """
        Clients of a stopped route get the message, until it is resumed.
        """
        edge, address = await self.serving("--route", "shop.example.com")
        await self.asked("stop", "shop.example.com", "--message", "back at noon")
        answer = await self.get(address, host="shop.example.com")
        self.assertEqual(answer.status, 503)
        self.assertIn("back at noon", answer.body)
        await self.asked("resume", "shop.example.com")
        self.assertEqual((await self.get(address, host="shop.example.com")).status, 200)
        await self.stopped(edge)

    async def test_replaced(self) -> None:
        """
        C{brxy roll} returns when new instances have replaced the old ones,
        C{brxy drain} when there is none any more.
        """
        edge, address = await self.serving()
        await self.get(address, host="shop.example.com")
        [before] = await self.asJSON("instances")
        await self.asked("roll", "shop.example.com")
        [after] = await self.asJSON("instances")
        self.assertNotEqual(before["ticket"], after["ticket"])
        self.assertIn("; instances: none", await self.asked("drain", "shop.example.com"))
        await self.stopped(edge)

    async def test_reloaded(self) -> None:
        """
        C{brxy reload} has the edge read its files again, and says what it
        can't use.
        """
        edge, _ = await self.serving("--token-file", "token")
        self.assertEqual(await self.asked("reload"), "the files were read again\n")
        (self.folder / "token").unlink()
        self.assertEqual(
            await self.asked("reload", status=1),
            "brxy: --token-file token: No such file or directory\n",
        )
        await self.stopped(edge)
