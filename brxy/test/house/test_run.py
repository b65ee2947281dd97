"""
Tests of what L{brxy.test.run} reports about a run.
"""

from __future__ import annotations

from io import StringIO

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestSuite

from brxy.test.run import CountingReporter, Options


class Sample(SynchronousTestCase):
    """
    A sample with one test of each kind.
    """

    def good(self) -> None:
        """
        This test passes.
        """

    def bad(self) -> None:
        self.fail("bad")

    def absent(self) -> None:
        """
        This test is skipped.
        """

    absent.skip = "needs luck: apt install luck"  # type: ignore[attr-defined]

    def later(self) -> None:
        self.fail("not yet")

    later.todo = "next year"  # type: ignore[attr-defined]

    def sooner(self) -> None:
        """
        This test passes unexpectedly.
        """

    sooner.todo = "next year"  # type: ignore[attr-defined]


class CountingReporterTests(SynchronousTestCase):
    """
    Tests of the end of the report, and of whether the run succeeded.
    """

    def report(self, *names: str, must_run_all: bool = False) -> tuple[bool, list[str]]:
        """
        @return: whether the run of these samples was a success, and the lines
            of the report after trial's own.
        """
        stream = StringIO()
        reporter = CountingReporter(stream, must_run_all=must_run_all)
        TestSuite([Sample(name) for name in names]).run(reporter)
        reporter.done()
        lines = stream.getvalue().splitlines()
        own = next(n for n, line in enumerate(lines) if line.startswith(("PASSED", "FAILED")))
        return reporter.wasSuccessful(), lines[own + 1 :]

    def test_passed(self) -> None:
        """
        When all tests pass, the report has only the counts.
        """
        self.assertEqual(self.report("good"), (True, ["1 passed, 0 failed, 0 skipped"]))

    def test_failed(self) -> None:
        """
        One failure fails the run.
        """
        expected = (False, ["1 passed, 1 failed, 0 skipped"])
        self.assertEqual(self.report("good", "bad"), expected)

    def test_skipped(self) -> None:
        """
        Skipped tests are reported with the way to run them, and fail nothing.
        """
        success, lines = self.report("good", "absent")
        self.assertTrue(success)
        self.assertIn("  1 x needs luck: apt install luck", lines)
        self.assertEqual(lines[-1], "1 passed, 0 failed, 1 skipped")

    def test_mustRunAll(self) -> None:
        """
        Where everything must run, skipped tests fail the run.
        """
        self.assertTrue(self.report("good", must_run_all=True)[0])
        success, lines = self.report("good", "absent", must_run_all=True)
        self.assertFalse(success)
        self.assertEqual(lines[-1], "1 passed, 0 failed, 1 skipped")

    def test_todo(self) -> None:
        """
        A test that is expected to fail counts as skipped, unless it passes.
        """
        success, lines = self.report("later")
        self.assertTrue(success)
        self.assertIn("  1 x known to fail: next year", lines)
        self.assertEqual(self.report("sooner"), (False, ["0 passed, 1 failed, 0 skipped"]))

    def test_todoOfWorkers(self) -> None:
        """
        A test that is expected to fail also counts as skipped when trial
        passes on the reason itself, as it does with -j.
        """
        reporter = CountingReporter(StringIO())
        reporter.addExpectedFailure(Sample("later"), Failure(ValueError()), "next year")
        reporter.addUnexpectedSuccess(Sample("sooner"), "next year")
        self.assertEqual([reason for _, reason in reporter.skips], ["known to fail: next year"])
        self.assertEqual([test.id() for test, _ in reporter.failures], [Sample("sooner").id()])

    def test_oneTestCountsOnce(self) -> None:
        """
        A test that passes, and whose clean-up fails, counts once, as failed.
        """
        stream = StringIO()
        reporter = CountingReporter(stream)
        test = Sample("good")
        test.run(reporter)
        reporter.addError(test, Failure(ValueError("unclean")))
        reporter.addError(test, Failure(ValueError("very unclean")))
        reporter.done()
        self.assertEqual(stream.getvalue().splitlines()[-1], "0 passed, 1 failed, 0 skipped")


class OptionsTests(SynchronousTestCase):
    """
    Tests of which tests run, and of the reporter.
    """

    def test_all(self) -> None:
        """
        All of brxy is tested unless modules are named.
        """
        options = Options()
        options.parseOptions(["-x"])
        self.assertEqual(options["tests"], ["brxy"])
        self.assertIsInstance(options["reporter"](StringIO()), CountingReporter)

    def test_named(self) -> None:
        """
        Only the named modules are tested.
        """
        options = Options()
        options.parseOptions(["brxy.test.house.test_run"])
        self.assertEqual(options["tests"], ["brxy.test.house.test_run"])
