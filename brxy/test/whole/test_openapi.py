"""
Tests that C{doc/openapi.json} describes the admin API as it is.
"""

from __future__ import annotations

import json
import re
from typing import Any

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from brxy.test.support.loopback.admins import AdminBase
from brxy.test.support.loopback.peers import answer, webApp
from brxy.test.support.pages import ROOT

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

_NAMES = re.compile(r"the (?:fields|parameters) here are ([\w, ]*), not")


class OpenAPITests(AdminBase):
    """
    Tests of the document beside a running edge.
    """

    def setUp(self) -> None:
        super().setUp()
        path = ROOT / "doc" / "openapi.json"
        if not path.exists():
            raise SkipTest("needs doc/: run the tests in a checkout")
        self.document: dict[str, Any] = json.loads(path.read_text())

    def schema(self, path: str, method: str, status: int) -> Any:
        """
        @return: that of a JSON response.
        """
        response = self.document["paths"][path][method]["responses"][str(status)]
        return {
            **response["content"]["application/json"]["schema"],
            "components": self.document["components"],
        }

    async def check(
        self, path: str, method: str, status: int, query: str = "", **body: Any
    ) -> Any:
        """
        Send a request, and compare the response with the document.

        @return: the response.
        """
        target = path.replace("{host}", "default").replace("{ticket}", self.ticket) + query
        ask = self.curl(target) if method == "get" else self.post(target, **body)
        found, value = await ask
        self.assertEqual(found, status, value)
        Draft202012Validator(self.schema(path, method, status)).validate(value)
        return value

    ticket = "none"

    def test_valid(self) -> None:
        """
        It is a valid OpenAPI document, and describes everything.
        """
        validate(self.document)
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                self.assertTrue(operation["summary"], f"{method} {path}")
        for name, schema in self.document["components"]["schemas"].items():
            for field, described in schema.get("properties", {}).items():
                self.assertTrue(described["description"], f"{name}.{field}")

    def test_paths(self) -> None:
        """
        The document has the paths and methods that the server has, and says which of them
        need no token.
        """
        self.startEdge(**self.admin)
        served = {
            (each.pattern, each.method.lower(), each.is_open)
            for each in self.edge.parts.admin.endpoints
        }
        described = {
            (path, method, operation.get("security") == [])
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }
        self.assertEqual(described, served)

    async def test_inputs(self) -> None:
        """
        It has the parameters and the fields of bodies that the server knows.
        """
        self.launch(webApp(answer()), **self.admin)
        await self.ask(GET)
        [instance] = (await self.curl("/v1/instances"))[1]["instances"]
        self.ticket = instance["ticket"]
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                await self.checkInputs(path, method, operation)

    async def checkInputs(self, path: str, method: str, operation: dict[str, Any]) -> None:
        parameters = [each for each in operation["parameters"] if each["in"] == "query"]
        target = path.replace("{host}", "default").replace("{ticket}", self.ticket)
        if method == "post":
            content = operation["requestBody"]["content"]["application/json"]
            _, value = await self.post(target, nonsense=1)
            self.assertEqual(_names(value), set(content["schema"]["properties"]), path)
            _, value = await self.post(f"{target}?nonsense=1")
        elif path.startswith("/v1"):
            _, value = await self.curl(f"{target}?nonsense=1")
        else:
            return
        self.assertEqual(_names(value), {each["name"] for each in parameters}, path)

    async def test_responses(self) -> None:
        """
        Each response has exactly the fields that it describes.
        """
        self.launch(webApp(answer()), {"max_instances": 2}, **self.admin)
        await self.ask(GET)
        [instance] = (await self.check("/v1/instances", "get", 200))["instances"]
        self.ticket = instance["ticket"]
        for path, query in (
            ("/healthz", ""),
            ("/readyz", ""),
            ("/v1/status", ""),
            ("/v1/routes", ""),
            ("/v1/routes/{host}", ""),
            ("/v1/routes/{host}/logs", ""),
            ("/v1/instances/{ticket}", ""),
            ("/v1/events", "?follow=false"),
            ("/v1/timeline", ""),
            ("/v1/certs", ""),
            ("/v1/config", ""),
            ("/v1/config/diff", ""),
        ):
            await self.check(path, "get", 200, query)
        while not (await self.check("/v1/series", "get", 200))["points"]:
            await deferLater(self.reactor, 0.1)
        host = "/v1/routes/{host}"
        await self.check(f"{host}/wake", "post", 200, min=2)
        await self.check(f"{host}/wake", "post", 409, min=3)
        await self.check(f"{host}/wake", "post", 400, min="many")
        for verb in ("roll", "pause", "resume", "stop", "resume", "drain"):
            await self.check(f"{host}/{verb}", "post", 200)
        await self.check(f"{host}/pause", "post", 200, "?wait=false", max=9)
        await self.check(f"{host}/resume", "post", 200)
        for verb in ("retire", "kill"):
            await self.check(f"/v1/instances/{{ticket}}/{verb}", "post", 404)
            await self.ask(GET)
            self.ticket = (await self.curl("/v1/instances"))[1]["instances"][0]["ticket"]
            await self.check(f"/v1/instances/{{ticket}}/{verb}", "post", 200)
        await self.check("/v1/reload", "post", 200)
        await self.check("/v1/edge/drain", "post", 200)
        await self.check("/readyz", "get", 503)
        await self.check("/v1/edge/resume", "post", 200)


def _names(value: Any) -> set[str]:
    """
    @return: the names that an error lists.
    """
    match = _NAMES.match(value["error"])
    return set() if match is None else {each for each in match[1].split(", ") if each}
