"""
Tests of the metrics of an edge that runs as users run it, with a real app and traffic.
"""

from __future__ import annotations

import json
import re
import signal
from shutil import which
from typing import Any
from urllib.parse import quote

from prometheus_client.parser import text_string_to_metric_families as parse
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from brxy import __version__
from brxy.edge.metrics.exposition import OPEN_METRICS, PROMETHEUS
from brxy.edge.metrics.metric import OTHER
from brxy.test.edge.metrics.test_exposition import Samples, samples
from brxy.test.house.metricspage import queries
from brxy.test.support.processes.programs import ANYWHERE, Answer, Program, ProgramTests

SHOP = "shop.example.com"


class ScrapeTests(ProgramTests):
    """
    Tests of C{GET /metrics}.
    """

    async def launch(self, *arguments: str) -> Program:
        """
        Start an edge with an app that takes one request at a time.
        """
        spawn = f"app: route={SHOP} capacity=1 max=1 -- {self.gate()}"
        edge = self.edge("--metrics", "--state-dir", "state", "--spawn", spawn, *arguments)
        self.address_of_edge = await self.address(edge)
        self.admin = f"unix:{self.folder}/state/admin.sock"
        await self.listening(self.admin)
        return edge

    async def scrape(self, accept: str = "*/*") -> Answer:
        # Without chunks.
        request = f"GET /metrics HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
        answer = await self.talk(self.admin, request.encode())
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    async def values(self) -> Samples:
        return samples((await self.scrape()).body, PROMETHEUS)

    def of(self, found: Samples, name: str, **labels: str) -> float | None:
        return found.get((name, tuple(sorted(labels.items()))))

    async def test_traffic(self) -> None:
        """
        Cold, warm and held requests are counted, and the instance that serves them.
        """
        edge = await self.launch()
        cold = await self.get(self.address_of_edge, "/env", SHOP)
        warm = await self.get(self.address_of_edge, "/env", SHOP)
        running = self.get(self.address_of_edge, "/", SHOP)
        await self.said(edge, "asked /")
        queued = self.get(self.address_of_edge, "/env", SHOP)
        while self.of(found := await self.values(), "brxy_held", route=SHOP) != 1:
            pass
        self.assertEqual(self.of(found, "brxy_in_flight", route=SHOP), 1)
        self.openGate()
        answers = [cold, warm, *await gatherResults([running, queued])]
        answers.append(await self.get(self.address_of_edge, "/", "made-up.example.com"))
        self.assertEqual([each.status for each in answers], [200, 200, 200, 200, 404])
        found = await self.values()
        self.checkRequests(found)
        self.checkInstances(found)

    def checkRequests(self, found: Samples) -> None:
        for start, number in (("cold", 1), ("warm", 2), ("queued", 1)):
            for name, labels in (
                ("brxy_requests_total", {"code": "2xx"}),
                ("brxy_request_duration_seconds_count", {}),
            ):
                values = {"route": SHOP, "start": start, **labels}
                self.assertEqual(self.of(found, name, **values), number, (name, start))
        none = {"route": OTHER, "code": "4xx", "start": "warm"}
        self.assertEqual(self.of(found, "brxy_requests_total", **none), 1)
        held = {"route": SHOP, "outcome": "served"}
        self.assertEqual(self.of(found, "brxy_hold_seconds_count", **held), 2)
        for outcome, number in (("accepted", 4), ("refused", 0), ("lost", 0)):
            offers = self.of(found, "brxy_offers_total", route=SHOP, outcome=outcome)
            self.assertEqual(offers, number, outcome)
        for reason in ("refused", "full", "lost"):
            self.assertEqual(self.of(found, "brxy_retries_total", route=SHOP, reason=reason), 0)

    def checkInstances(self, found: Samples) -> None:
        own = {"route": SHOP, "spawner": "app"}
        for state, number in (("ordered", 0), ("connected", 0), ("ready", 1), ("draining", 0)):
            self.assertEqual(self.of(found, "brxy_instances", state=state, **own), number)
        self.assertEqual(self.of(found, "brxy_starts_total", outcome="ready", **own), 1)
        for phase in ("order", "boot", "ready", "total"):
            count = self.of(found, "brxy_start_seconds_count", phase=phase, **own)
            self.assertEqual(count, 1, phase)
        self.assertEqual(self.of(found, "brxy_breaker_open", **own), 0)
        self.assertEqual(self.of(found, "brxy_capacity", route=SHOP), 1)
        self.assertEqual(self.of(found, "brxy_held", route=SHOP), 0)
        seconds = self.of(found, "brxy_instance_seconds_total", **own)
        self.assertGreater(seconds or 0, 0)
        self.assertGreater(self.of(found, "process_resident_memory_bytes") or 0, 10**7)
        self.assertFalse([each for each in found if "made-up" in str(each)])

    async def test_formats(self) -> None:
        """
        Each client gets the format that it prefers, and reads the same names.
        """
        edge = await self.launch()
        self.openGate()
        await self.get(self.address_of_edge, "/", SHOP)
        texts = {}
        for form, accept in (
            (PROMETHEUS, "text/plain"),
            (OPEN_METRICS, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
        ):
            answer = await self.scrape(accept)
            self.assertIn(f"Content-Type: {form.content_type}\r\n", answer.head)
            texts[form] = answer.body
        names = [set(samples(text, form)) for form, text in texts.items()]
        self.assertEqual(*names)
        version = next(labels for name, labels in names[0] if name == "brxy_build_info")
        self.assertIn(("version", __version__), version)
        await self.stopped(edge)

    async def test_board(self) -> None:
        """
        Every metric of the dashboard for Grafana is in a scrape of an edge with traffic, with
        the labels by which the dashboard asks for it.
        """
        file = self.folder / "brxy.toml"
        file.write_text("")
        edge = await self.launch("--retries", "0", "--config", str(file))
        file.write_text("nonsense = 1\n")
        edge.signal(signal.SIGHUP)
        await self.said(edge, "keeping what was read before")
        self.openGate()
        for path in ("/", "/env", "/exit"):
            await self.get(self.address_of_edge, path, SHOP)
        await self.said(edge, ": gone: ")
        found: dict[str, set[str]] = {}
        for family in parse((await self.scrape()).body):
            for each in family.samples:
                found.setdefault(each.name, {"job"}).update(each.labels)
        for metric, panel, query in queries():
            names = re.findall(rf"\b{metric.name}(?:_bucket|_sum|_count)?\b", query)
            self.assertTrue(names, panel.title)
            labels = {
                label.strip()
                for part in re.findall(r"by \(([^)]*)\)", query)
                for label in part.split(",")
            }
            labels |= set(re.findall(r"(\w+)=~?\"", query))
            for name in names:
                self.assertIn(name, found, panel.title)
                self.assertLessEqual(labels, found[name], panel.title)

    async def test_off(self) -> None:
        """
        Without the option nothing is counted.
        """
        edge = self.edge("--state-dir", "state", "--spawn", f"app: -- {self.gate()}")
        await self.address(edge)
        answer = await self.get(f"unix:{self.folder}/state/admin.sock", "/metrics")
        self.assertEqual(answer.status, 404)
        self.assertIn("--metrics", answer.body)


class PrometheusTests(ProgramTests):
    """
    Tests with a real Prometheus.
    """

    def setUp(self) -> None:
        super().setUp()
        if which("prometheus") is None:
            raise SkipTest("needs prometheus")

    async def launch(self) -> str:
        """
        Start an edge with an app, and a Prometheus that reads its metrics.

        @return: the address of Prometheus.
        """
        spawn = f"app: route={SHOP} -- {self.gate()}"
        admin = ("--admin", ANYWHERE, "--admin-token-file", "token")
        edge = self.edge("--metrics", *admin, "--retries", "0", "--spawn", spawn)
        address = await self.address(edge)
        self.openGate()
        for path in ("/", "/env", "/exit"):
            await self.get(address, path, SHOP)
        found = await self.said(edge, r"admin API on http://(\S+?)/?\n")
        scraped = {
            "job_name": "brxy",
            "scrape_interval": "1s",
            "authorization": {"credentials_file": "token"},
            "static_configs": [{"targets": [found[1]]}],
        }
        # JSON is YAML, too.
        (self.folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scraped]}))
        prometheus = self.start(
            "prometheus",
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--web.listen-address=127.0.0.1:0",
        )
        ready = "Server is ready"
        await self.until(lambda: ready in prometheus.err or prometheus.status is not None)
        [port] = re.findall(r'"Listening on" address=127\.0\.0\.1:(\d+)', prometheus.err)
        return f"tcp:127.0.0.1:{port}"

    async def query(self, address: str, query: str) -> list[Any]:
        """
        @return: what Prometheus answers: the value of each series.
        """
        # Without chunks.
        request = f"GET /api/v1/query?query={quote(query)} HTTP/1.0\r\nHost: localhost\r\n\r\n"
        answer = json.loads((await self.talk(address, request.encode())).body)
        self.assertEqual(answer["status"], "success", answer)
        found: list[Any] = answer["data"]["result"]
        return found

    async def test_board(self) -> None:
        """
        Prometheus reads the metrics, and has an answer to every query of the dashboard.
        """
        address = await self.launch()
        # A rate needs several values.
        while not await self.query(address, 'count_over_time(up{job="brxy"}[1m]) >= 3'):
            await deferLater(self.reactor, 0.2)
        self.assertTrue(await self.query(address, 'min_over_time(up{job="brxy"}[1m]) == 1'))
        for _, panel, query in queries():
            for name, value in (("$__rate_interval", "1m"), ("$job", "brxy"), ("$route", ".*")):
                query = query.replace(name, value)
            found = await self.query(address, query)
            if not query.endswith("> 0"):
                self.assertTrue(found, panel.title)
