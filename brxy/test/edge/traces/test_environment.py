"""
Tests of L{brxy.edge.traces.environment}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.traces.environment import Sampler, TraceSettings, readTraces

_P = "OTEL_EXPORTER_OTLP_"
_ENDPOINT = {f"{_P}ENDPOINT": "http://c:4318"}


class VariableTests(SynchronousTestCase):
    """
    Tests of L{readTraces}.
    """

    def read(self, **environ: str) -> TraceSettings | None:
        self.ignored: list[tuple[str, str]] = []
        return readTraces(environ, lambda *what: self.ignored.append(what))

    def traced(self, **environ: str) -> TraceSettings:
        found = self.read(**{**_ENDPOINT, **environ})
        assert found is not None
        return found

    def test_off(self) -> None:
        """
        Without an endpoint, or if the variables say so, there are no traces.
        """
        for environ in (
            {},
            {f"{_P}ENDPOINT": " "},
            {**_ENDPOINT, "OTEL_SDK_DISABLED": "True"},
            {**_ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
            {"OTEL_TRACES_SAMPLER": "always_on", "OTEL_SERVICE_NAME": "x"},
        ):
            self.assertIsNone(self.read(**environ), environ)
            self.assertEqual(self.ignored, [])

    def test_defaults(self) -> None:
        """
        The defaults are those of the specification.
        """
        self.assertEqual(
            self.traced(),
            TraceSettings("http://c:4318/v1/traces", resource={"service.name": "brxy"}),
        )
        self.assertEqual(self.ignored, [])

    def test_endpoints(self) -> None:
        """
        The endpoint of traces is taken as it is; the one of all signals gets the path.
        """
        for environ, expected in (
            ({f"{_P}ENDPOINT": "https://c/base/"}, "https://c/base/v1/traces"),
            ({**_ENDPOINT, f"{_P}TRACES_ENDPOINT": "http://t:1/x"}, "http://t:1/x"),
            ({"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318/v1/traces"),
        ):
            found = self.read(**environ)
            assert found is not None
            self.assertEqual(found.endpoint, expected)

    def test_samplers(self) -> None:
        """
        All samplers of the specification are known.
        """
        for name, argument, expected in (
            ("always_on", "", Sampler(1.0, False)),
            ("always_off", "0.5", Sampler(0.0, False)),
            ("traceidratio", "0.25", Sampler(0.25, False)),
            ("traceidratio", "", Sampler(1.0, False)),
            ("parentbased_always_on", "", Sampler(1.0, True)),
            ("parentbased_always_off", "", Sampler(0.0, True)),
            ("parentbased_traceidratio", "0.01", Sampler(0.01, True)),
        ):
            found = self.traced(OTEL_TRACES_SAMPLER=name, OTEL_TRACES_SAMPLER_ARG=argument)
            self.assertEqual(found.sampler, expected, name)
            self.assertEqual(self.ignored, [])

    def test_values(self) -> None:
        """
        All other variables.
        """
        found = self.traced(
            **{
                f"{_P}HEADERS": "api-key=a%20b, x-other = 1",
                f"{_P}TIMEOUT": "2500",
                f"{_P}CERTIFICATE": "/ca.pem",
                f"{_P}PROTOCOL": "http/json",
            },
            OTEL_SERVICE_NAME="front",
            OTEL_RESOURCE_ATTRIBUTES="service.name=not,deployment.environment=a%2Cb",
            OTEL_BSP_SCHEDULE_DELAY="100",
            OTEL_BSP_EXPORT_TIMEOUT="200",
            OTEL_BSP_MAX_QUEUE_SIZE="10",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="20",
        )
        self.assertEqual(found.headers, {"api-key": "a b", "x-other": "1"})
        self.assertEqual((found.timeout, found.delay, found.export_timeout), (2.5, 0.1, 0.2))
        self.assertEqual((found.queue, found.batch, found.certificate), (10, 10, "/ca.pem"))
        resource = {"service.name": "front", "deployment.environment": "a,b"}
        self.assertEqual(found.resource, resource)
        self.assertNotIn("a b", repr(found))

    def test_ofTraces(self) -> None:
        """
        A variable for traces goes before that of all signals.
        """
        found = self.traced(
            **{
                f"{_P}HEADERS": "a=1",
                f"{_P}TRACES_HEADERS": "b=2",
                f"{_P}TIMEOUT": "1000",
                f"{_P}TRACES_TIMEOUT": "2000",
            }
        )
        self.assertEqual((found.headers, found.timeout), ({"b": "2"}, 2.0))

    def test_ignored(self) -> None:
        """
        What can't be used is reported, and the default holds.
        """
        defaults = self.traced()
        for variable, values in {
            f"{_P}PROTOCOL": ["grpc"],
            f"{_P}HEADERS": ["secret", "=x", "a=%0A", "a b=1"],
            f"{_P}TIMEOUT": ["0", "-1", "x", "inf", "nan"],
            "OTEL_TRACES_EXPORTER": ["zipkin"],
            "OTEL_TRACES_SAMPLER": ["xray", "parentbased_"],
            "OTEL_RESOURCE_ATTRIBUTES": ["a"],
            "OTEL_BSP_MAX_QUEUE_SIZE": ["0", "-1", "1e3", "99999999"],
            "OTEL_BSP_SCHEDULE_DELAY": ["0", "soon"],
        }.items():
            for value in values:
                self.assertEqual(self.traced(**{variable: value}), defaults, value)
                self.assertEqual([each[0] for each in self.ignored], [variable], value)
                self.assertNotIn("secret", self.ignored[0][1])
        found = self.traced(OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="1.5")
        self.assertEqual(found.sampler, Sampler(1.0, False))
        self.assertEqual(
            self.ignored, [("OTEL_TRACES_SAMPLER_ARG", "a number from 0 to 1 is needed")]
        )

    def test_badEndpoint(self) -> None:
        """
        A URL that can't be used counts as none.
        """
        for value in (
            *("c:4318", "ftp://c", "http://", "http://u:secret@c", "http://c:0", "http://c:x"),
            *("http://c/ x", "http://[c"),
        ):
            self.assertIsNone(self.read(**{f"{_P}ENDPOINT": value}), value)
            (ignored,) = self.ignored
            self.assertNotIn("secret", ignored[1])
