"""
Tests of L{brxy.edge.metrics.exposition}.
"""

from __future__ import annotations

import subprocess
import sys
from shutil import which

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parseOpenMetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parsePrometheus
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from brxy.edge.metrics.exposition import OPEN_METRICS, PROMETHEUS, Format, Renderer, chosen
from brxy.edge.metrics.metric import COUNTER, GAUGE, HISTOGRAM, INFO, SECONDS, Metric
from brxy.edge.metrics.series import Distribution, Family, Labels
from brxy.edge.metrics.table import METRICS

NASTY = 'a"b\\c\nd{}%s\0'

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str, form: Format) -> Samples:
    """
    @return: the values in a text, as another parser reads them.
    """
    parse = parseOpenMetrics if form.is_open else parsePrometheus
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value
        for family in parse(text)
        for each in family.samples
    }


def exampleOf(metric: Metric) -> Family:
    """
    @return: a metric with one series.
    """
    labels: Labels = tuple(f"{name} of an example" for name in metric.labels)
    if metric.kind != HISTOGRAM:
        return metric, {labels: 1}
    found = Distribution(metric.buckets)
    found.observe(0.3)
    return metric, {labels: found}


class RenderTests(SynchronousTestCase):
    """
    Tests of L{Renderer}, against the parsers of Prometheus' own client.
    """

    def text(self, form: Format, *families: Family) -> str:
        return b"".join(Renderer().render(families, form)).decode()

    def test_numbers(self) -> None:
        """
        Counters and gauges with any labels and values are read as they are.
        """
        counter = Metric(name="x_total", kind=COUNTER, help='A "b" \\ c.', labels=("a", "b"))
        gauge = Metric(name="y", kind=GAUGE, help="G.")
        values: dict[Labels, float] = {(NASTY, ""): 3, ("é", "x"): 0.1, ("", ""): 10**18}
        for form in (PROMETHEUS, OPEN_METRICS):
            text = self.text(form, (counter, values), (gauge, {(): 1e-9}))
            expected: Samples = {
                ("x_total", (("a", a), ("b", b))): float(value) for (a, b), value in values.items()
            }
            self.assertEqual(samples(text, form), {**expected, ("y", ()): 1e-9})

    def test_help(self) -> None:
        """
        The help is read as it is.
        """
        metric = Metric(name="x_total", kind=COUNTER, help='A "b" \\ c.')
        for form, parse in ((PROMETHEUS, parsePrometheus), (OPEN_METRICS, parseOpenMetrics)):
            [family] = parse(self.text(form, (metric, {(): 1})))
            self.assertEqual((family.name, family.type), ("x", "counter"))
            self.assertEqual(family.documentation, metric.help)

    def test_histogram(self) -> None:
        """
        The buckets of a histogram count all values up to their limit, the limit included.
        """
        metric = Metric(name="t", kind=HISTOGRAM, help="T.", labels=("a",), buckets=(0.5, 1.0))
        found = Distribution(metric.buckets)
        for value in (0.25, 0.5, 0.75, 2.0):
            found.observe(value)
        for form in (PROMETHEUS, OPEN_METRICS):
            read = samples(self.text(form, (metric, {(NASTY,): found})), form)
            own = ("a", NASTY)
            self.assertEqual(
                read,
                {
                    ("t_bucket", (own, ("le", "0.5"))): 2,
                    ("t_bucket", (own, ("le", "1.0"))): 3,
                    ("t_bucket", (own, ("le", "+Inf"))): 4,
                    ("t_sum", (own,)): 3.5,
                    ("t_count", (own,)): 4,
                },
            )

    def test_exemplars(self) -> None:
        """
        OpenMetrics has the trace of the last value in a bucket that has one; Prometheus' own
        format has no such thing.
        """
        metric = Metric(name="t", kind=HISTOGRAM, help="T.", labels=("a",), buckets=(0.5, 1.0))
        found = Distribution(metric.buckets)
        for value, trace_id in ((0.25, "a" * 32), (0.75, ""), (0.375, "b" * 32), (7.0, "c" * 32)):
            found.observe(value)
            if trace_id:
                found.exemplify(value, trace_id, 1796073458.8125)
        [family] = parseOpenMetrics(self.text(OPEN_METRICS, (metric, {("x",): found})))
        read = {
            each.labels["le"]: each.exemplar
            and (each.exemplar.labels, each.exemplar.value, float(each.exemplar.timestamp))
            for each in family.samples
            if each.name == "t_bucket"
        }
        moment = 1796073458.812
        self.assertEqual(
            read,
            {
                "0.5": ({"trace_id": "b" * 32}, 0.375, moment),
                "1.0": None,
                "+Inf": ({"trace_id": "c" * 32}, 7.0, moment),
            },
        )
        self.assertNotIn("trace_id", self.text(PROMETHEUS, (metric, {("x",): found})))

    def test_alone(self) -> None:
        """
        A histogram needs no labels.
        """
        metric = Metric(name="t", kind=HISTOGRAM, help="T.", buckets=(0.5,))
        found = Distribution(metric.buckets)
        found.observe(0.25)
        for form in (PROMETHEUS, OPEN_METRICS):
            read = samples(self.text(form, (metric, {(): found})), form)
            self.assertEqual(read["t_bucket", (("le", "0.5"),)], 1)
            self.assertEqual((read["t_sum", ()], read["t_count", ()]), (0.25, 1))

    def test_info(self) -> None:
        """
        An info is one to OpenMetrics, and a gauge to Prometheus.
        """
        metric = Metric(name="x_info", kind=INFO, help="I.", labels=("v",))
        for form, parse, kind in (
            (PROMETHEUS, parsePrometheus, "gauge"),
            (OPEN_METRICS, parseOpenMetrics, "info"),
        ):
            text = self.text(form, (metric, {("1",): 1}))
            self.assertEqual([each.type for each in parse(text)], [kind])
            self.assertEqual(samples(text, form), {("x_info", (("v", "1"),)): 1})

    def test_pieces(self) -> None:
        """
        New series may come between two pieces; they have their turn in the next scrape.
        """
        metric = Metric(name="x_total", kind=COUNTER, help="X.", labels=("a",))
        values: dict[Labels, float] = {(str(number),): number for number in range(1000)}
        renderer = Renderer()
        for expected in (1000, 1001):
            text = b""
            for piece in renderer.render([(metric, values)], PROMETHEUS):
                text += piece
                if b"{" in piece:
                    values["new",] = 1
            self.assertEqual(len(samples(text.decode(), PROMETHEUS)), expected)

    def test_short(self) -> None:
        """
        No piece is long: of many series, each has few.
        """
        counter = Metric(name="x_total", kind=COUNTER, help="X.", labels=("a",))
        histogram = Metric(name="t", kind=HISTOGRAM, help="T.", labels=("a",), buckets=SECONDS)
        names: list[Labels] = [(str(number),) for number in range(1000)]
        families: list[Family] = [
            (counter, dict.fromkeys(names, 1.0)),
            (histogram, {each: Distribution(SECONDS) for each in names}),
        ]
        pieces = list(Renderer().render(families, PROMETHEUS))
        lines = (len(SECONDS) + 3) * 50
        self.assertLessEqual(max(each.count(b"\n") for each in pieces), lines)
        self.assertEqual(len(pieces), 2 * 21)

    def test_unchanged(self) -> None:
        """
        What has not changed is not rendered once more: counted in calls of functions.
        """
        counter = Metric(name="x_total", kind=COUNTER, help="X.", labels=("a",))
        names: list[Labels] = [(str(number),) for number in range(1000)]
        values = dict.fromkeys(names, 1.0)
        renderer = Renderer()
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        found = []
        for changed in (None, None, ("7",)):
            if changed is not None:
                values[changed] = 2.0
            sys.setprofile(count)
            try:
                text = b"".join(renderer.render([(counter, values)], PROMETHEUS)).decode()
            finally:
                sys.setprofile(None)
            self.assertEqual(len(samples(text, PROMETHEUS)), 1000)
            found.append(calls)
            calls = 0
        first, same, one = found
        self.assertGreater(first, 1000)
        self.assertLess(same, 100)
        self.assertLess(one, 250)
        self.assertEqual(samples(text, PROMETHEUS)["x_total", (("a", "7"),)], 2)

    def test_again(self) -> None:
        """
        A renderer that has rendered the same series before gives their new values.
        """
        histogram = Metric(name="t", kind=HISTOGRAM, help="T.", labels=("a",), buckets=(1.0,))
        counter = Metric(name="x_total", kind=COUNTER, help="X.", labels=("a",))
        found, other = Distribution(histogram.buckets), Distribution(histogram.buckets)
        renderer = Renderer()
        for count in (1, 2, 3):
            found.observe(0.5)
            families: list[Family] = [
                (histogram, {("b",): found, ("c",): other}),
                (counter, {("b",): count}),
            ]
            for form in (PROMETHEUS, OPEN_METRICS):
                text = b"".join(renderer.render(families, form)).decode()
                read = samples(text, form)
                self.assertEqual(read["t_bucket", (("a", "b"), ("le", "1.0"))], count)
                self.assertEqual(read["t_sum", (("a", "b"),)], count / 2)
                self.assertEqual(read["t_count", (("a", "c"),)], 0)
                self.assertEqual(read["x_total", (("a", "b"),)], count)


class TableTests(SynchronousTestCase):
    """
    Tests of the table of metrics.
    """

    def test_names(self) -> None:
        """
        No name occurs twice, and each label with fixed values is one of its metric.
        """
        names = [each.name for each in METRICS]
        self.assertEqual(len(set(names)), len(names))
        for each in METRICS:
            self.assertLessEqual(set(each.values), set(each.labels), each.name)
            self.assertNotIn("instance", each.labels)
            self.assertNotIn("ticket", each.labels)
            self.assertRegex(each.help, r"^[A-Z][^.]*\.$", each.name)
            self.assertEqual(bool(each.buckets), each.kind == HISTOGRAM, each.name)
            self.assertTrue(each.panels, each.name)

    def test_promtool(self) -> None:
        """
        Prometheus' own linter has nothing to say of any metric.
        """
        if which("promtool") is None:
            raise SkipTest("needs promtool")
        text = b"".join(Renderer().render(map(exampleOf, METRICS), PROMETHEUS)).decode()
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=text, text=True, capture_output=True
        )
        self.assertEqual((checked.stdout, checked.stderr, checked.returncode), ("", "", 0))


class ChosenTests(SynchronousTestCase):
    """
    Tests of L{chosen}.
    """

    def test_openMetrics(self) -> None:
        """
        Prometheus prefers OpenMetrics.
        """
        for accept in (
            "application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
            "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ):
            self.assertIs(chosen(accept), OPEN_METRICS, accept)

    def test_prometheus(self) -> None:
        """
        All others get the older format.
        """
        for accept in (
            "",
            "*/*",
            "text/html,*/*;q=0.8",
            "text/plain;version=0.0.4",
            "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.5",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=x",
            "application/openmetrics-text;version=9.0.0",
            ";;;,,=",
        ):
            self.assertIs(chosen(accept), PROMETHEUS, accept)
