"""
Tests of L{brxy.edge.clients.answering}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.clients.answering import Answers, DateLine, Reply
from brxy.edge.exchanges.refusals import NO_SUCH_APP
from brxy.test.support.memory.heads import get, response


class DateLineTests(SynchronousTestCase):
    """
    Tests of the Date that the edge writes.
    """

    def test_format(self) -> None:
        """
        It is an IMF-fixdate (RFC 9110 §5.6.7), and follows the clock of the machine, wherever
        that jumps.
        """
        now = [784111777.0]
        line = DateLine(lambda: now[0])
        self.assertEqual(line(), b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
        now[0] += 0.9
        self.assertEqual(line(), b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
        now[0] += 0.2
        self.assertEqual(line(), b"Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n")
        now[0] = 0.0
        self.assertEqual(line(), b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n")


class AnswersTests(SynchronousTestCase):
    """
    Tests of the answers that the edge writes.
    """

    def test_date(self) -> None:
        """
        Each of the edge's own answers has a Date (RFC 9110 §6.6.1).
        """
        for hsts in (None, 9):
            answers = Answers(hsts)
            for text in (
                answers.refuse(NO_SUCH_APP, None, keep=False),
                answers.reply(Reply(308, "elsewhere"), get(), keep=True),
            ):
                self.assertIn(b"date", [lower for lower, _, _ in response(text).fields])
