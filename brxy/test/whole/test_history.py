"""
Tests of what the admin API of a running edge shows of the last ten minutes.
"""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutput

from brxy.test.support.loopback.admins import AdminBase
from brxy.test.support.loopback.peers import answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class HistoryTests(AdminBase):
    """
    Tests of the series, of the timeline, and of the last starts.
    """

    async def points(self, count: int) -> list[dict[str, Any]]:
        """
        @return: the points, when there are as many as this.
        """
        while len(points := (await self.curl("/v1/series"))[1]["points"]) < count:
            await deferLater(self.reactor, 0.1)
        return list(points)

    async def test_series(self) -> None:
        """
        The series has all requests by how they began, and can be read in parts.
        """
        self.launch(webApp(answer()), **self.admin)
        for _ in range(3):
            await self.ask(GET)
        points = await self.points(2)
        starts = {
            name: round(sum(each["requests"][name] * each["seconds"] for each in points), 1)
            for name in ("warm", "queued", "cold")
        }
        self.assertEqual(starts, {"warm": 2.0, "queued": 0.0, "cold": 1.0})
        self.assertEqual(points[-1]["instances"]["ready"], 1)
        self.assertEqual([each["hold"]["p50"] for each in points].count(None), len(points) - 1)
        self.assertEqual({each["app"] for each in points}, {None})
        _, found = await self.curl(f"/v1/series?since={points[0]['time']}")
        self.assertEqual(found["points"][: len(points) - 1], points[1:])
        for query in ("since=x", "since=nan", "follow=yes", "after=1"):
            self.assertEqual((await self.curl(f"/v1/series?{query}"))[0], 400, query)

    async def test_live(self) -> None:
        """
        A stream has the points that are kept and those that come, with the instances that
        have changed, and how long the app takes.
        """
        self.launch(webApp(answer()), **self.admin)
        [first, *_] = await self.points(1)
        live = getProcessOutput(
            "curl",
            ["-sSN", "--unix-socket", self.socket, "http://localhost/v1/series?follow=true"],
            dict(os.environ),
            reactor=self.reactor,
        )
        await self.until(lambda: self.edge.parts.dispatch.records.active)
        await self.ask(GET)
        count = len(await self.points(2))
        await self.ask(GET)
        await self.points(count + 2)
        await self.edge.stopService()
        lines = (await live).split(b"\n")
        sent = [json.loads(each[6:]) for each in lines if each.startswith(b"data: ")]
        self.assertEqual(sent[0]["point"], first)
        [life] = [each for message in sent for each in message["instances"]]
        self.assertEqual(life["state"], "ready")
        taken = [each["point"]["app"]["p50"] for each in sent if each["point"]["app"]]
        self.assertTrue(any(taken), taken)
        self.assertIn(f"id: {first['time']}".encode(), lines)
        self.assertFalse(self.edge.parts.dispatch.records.active)

    async def test_lives(self) -> None:
        """
        The timeline and the last starts have each instance with its phases.
        """
        self.launch(webApp(answer()), **self.admin)
        await self.ask(GET)
        await self.post("/v1/routes/default/drain")
        await self.ask(GET)
        first, second = (await self.curl("/v1/timeline"))[1]["instances"]
        self.assertEqual((first["state"], first["end"]), ("gone", "retired"))
        self.assertEqual((second["state"], second["outcome"]), ("ready", "ready"))
        self.assertLessEqual(first["ordered_at"], first["ready_at"])
        self.assertLessEqual(first["gone_at"], second["ordered_at"])
        for each in (first, second):
            self.assertApproximates(
                sum(each["phases"].values()), each["ready_at"] - each["ordered_at"], 0.01
            )
        _, route = await self.curl("/v1/routes/default")
        self.assertEqual(route["starts"], [second, first])
        self.assertEqual((await self.curl("/v1/timeline?host=x"))[1]["instances"], [])


class NodeHistoryTests(HistoryTests):
    """
    The same with instances behind nodes.
    """

    spawner_type = NodeSpawner
