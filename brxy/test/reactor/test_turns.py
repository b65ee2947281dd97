"""
Tests for L{brxy.reactor.turns}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.reactor.turns import TurnQueue
from brxy.test.support.memory.clocks import Turns


class PaceTests(SynchronousTestCase):
    """
    Tests for L{TurnQueue}.
    """

    def setUp(self) -> None:
        self.clock = Turns()
        self.done: list[int] = []
        self.turns: TurnQueue[int] = TurnQueue(self.clock, self.done.append)

    def test_first(self) -> None:
        """
        The first item is processed at once, and so is one that is added in a
        later turn.
        """
        self.turns.add(1)
        self.assertEqual(self.done, [1])
        self.clock.turn()
        self.turns.add(2)
        self.assertEqual(self.done, [1, 2])

    def test_one(self) -> None:
        """
        Of many items one is processed in each turn, in their order.
        """
        for number in range(4):
            self.turns.add(number)
        steps = [list(self.done)]
        for _ in range(4):
            self.clock.turn()
            steps.append(list(self.done))
        self.assertEqual(steps, [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3]])
        self.clock.turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_shared(self) -> None:
        """
        All queues of a reactor share its turns, even if they hold equal items.
        """
        other: TurnQueue[int] = TurnQueue(self.clock, lambda number: self.done.append(-number))
        for number in (1, 2, 3):
            self.turns.add(number)
            other.add(number)
        self.assertEqual(self.done, [1])
        self.turns.stop()
        for _ in range(4):
            self.clock.turn()
        self.assertEqual(self.done, [1, -1, -2, -3])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_within(self) -> None:
        """
        Items that are added while an item is processed wait for their turn.
        """
        self.turns = TurnQueue(self.clock, self.again)
        self.turns.add(3)
        self.assertEqual(self.done, [3])
        self.clock.turn()
        self.assertEqual(self.done, [3, 2])

    def again(self, number: int) -> None:
        self.done.append(number)
        if number:
            self.turns.add(number - 1)

    def test_dropped(self) -> None:
        """
        A dropped item is not processed, unless it already was.
        """
        for number in range(3):
            self.turns.add(number)
        self.assertEqual([self.turns.drop(number) for number in (0, 1, 1)], [False, True, False])
        self.clock.turn()
        self.assertEqual(self.done, [0, 2])

    def test_stopped(self) -> None:
        """
        A stopped queue processes nothing more, and leaves no timer behind.
        """
        for number in range(3):
            self.turns.add(number)
        self.turns.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.done, [0])
