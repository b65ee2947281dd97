"""
C{python -m brxy.test.run}: trial, and a last line that says what came of it.

Takes trial's own arguments; runs all of brxy's tests when none is named.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from functools import partial
from typing import Any

from twisted.python.failure import Failure
from twisted.scripts import trial
from twisted.trial.reporter import TreeReporter


class CountingReporter(TreeReporter):
    """
    Adds to trial's report which tests were left out and why, and the line
    C{N passed, N failed, N skipped}, alone and last.

    A test counts once, whatever went wrong around it, and a module that can't
    be imported counts as failed.  A C{todo} test that fails is left out, one
    that doesn't has failed.  With C{must_run_all} a test left out makes the
    run fail.
    """

    def __init__(self, *args: Any, must_run_all: bool = False, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._succeeded: set[str] = set()
        self._must_run_all = must_run_all

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self._succeeded.add(test.id())

    # With -j trial hands over the reason itself as todo, and its own reporters
    # fall over that.
    def addExpectedFailure(self, test: Any, error: Any, todo: Any = None) -> None:
        self.addSkip(test, f"known to fail: {getattr(todo, 'reason', todo)}")

    def addUnexpectedSuccess(self, test: Any, todo: Any = None) -> None:
        self.addFailure(test, Failure(AssertionError("is todo, and succeeds")))

    def wasSuccessful(self) -> bool:
        return bool(super().wasSuccessful()) and not (self._must_run_all and self.skips)

    def done(self) -> None:
        super().done()
        failed = {case.id() for case, _ in (*self.failures, *self.errors)}
        skipped = {case.id(): str(reason) for case, reason in self.skips}
        if skipped:
            self._writeln("\nLeft out:")
            for reason, number in sorted(Counter(skipped.values()).items()):
                self._writeln("  %d x %s", number, reason)
            if self._must_run_all:
                self._writeln("BRXY_TEST_ALL=1 makes that a failure.")
        counts = len(self._succeeded - failed), len(failed), len(skipped.keys() - failed)
        self._writeln("%d passed, %d failed, %d skipped", *counts)


class Options(trial.Options):
    """
    Trial's options, with our reporter, and all of brxy as what is tested.
    """

    def parseArgs(self, *tests: str) -> None:
        super().parseArgs(*(tests or ["brxy"]))

    def postOptions(self) -> None:
        super().postOptions()
        must_run_all = os.environ.get("BRXY_TEST_ALL") == "1"
        self["reporter"] = partial(CountingReporter, must_run_all=must_run_all)


def main() -> None:
    """
    Run trial in a scratch directory that is gone afterwards.

    @raise SystemExit: always; the status is 0 if all went well.
    """
    # Trial takes reporters from plugins only, and twistd's plugin is no place
    # for one; these options are where it would put what it found.
    trial.Options = Options  # type: ignore[misc]
    with tempfile.TemporaryDirectory(prefix="brxy-test-") as scratch:
        sys.argv[1:1] = ["--temp-directory", os.path.join(scratch, "trial")]
        trial.run()


if __name__ == "__main__":
    main()
