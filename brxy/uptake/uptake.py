"""
Finds out whether an app takes an exchange up, and takes back what it does not.

The app gets the first byte of a probe.  The kernel shows whether the app has accepted the
connection and read that byte: then the app is at work on it, and gets the rest.  Otherwise the
connection is reset.  To an app, one byte is no request, so a probe that was taken back ran
nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brxy.uptake.audit import Audit
from brxy.uptake.backends import Backend, Backends, Diag, Ends
from brxy.uptake.estimate import Estimate
from brxy.uptake.probe import Probe
from brxy.uptake.sockdiag import Queue, Seen
from brxy.uptake.timing import Timers, Timing

__all__ = ["BOUND", "LOOKS", "SILENCE", "UNREAD_LIMIT", "Uptake"]

# The pauses between looks at a probe (seconds); the last one repeats.  Most apps take an
# exchange up within some tenths of a millisecond.
LOOKS = (0.0,) * 8 + (0.001, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05)

# A probe that was accepted and is not read within this (seconds) is one too many: the app has
# accepted more than it works on.
UNREAD_LIMIT = 0.01

# A probe that the app does not accept is taken back after this (seconds).
BOUND = 1.0

# A client that sends nothing for this long (seconds) may be waiting for the server to speak.
SILENCE = 0.1

# A connection of ours that can't be found for this long (seconds) can't be seen.
UNSEEN_LIMIT = 0.05

# After this (seconds) without an answer, an app that serves one connection at a time may be
# waiting on an idle one.
IDLE_LIMIT = 0.004

# When to count what the app is at work on, after it has got the rest of a probe (seconds), and
# again if it has more than that; the pause doubles each time.
PROOF_PAUSE = 0.0005

# After an exchange that found no place, which should not have come, its slot may pull again
# (seconds).
NO_PLACE_PAUSE = 0.1

# What an app does that can't be probed.
EARLY = "it answers before it has a whole request"

# An app that closes this many probes in a row can't be probed.
CLOSES = 3


class Uptake:
    """
    What one app takes up; all its backends share it.

    @ivar estimate: the capacity.
    @ivar backends: the connections to the app.
    @ivar audit: looks at what the app has whole.
    @ivar timing: limits the capacity of an app that takes exchanges up and lets them wait.
    @param most: the capacity never exceeds this.
    @param diag: shows the app's sockets.
    @param changed: called when the capacity of the app, or the number of exchanges to pull,
        may have changed.
    @param unknown: called with the reason if the capacity can't be learned; it is 1 then.
    @param server_first: the app speaks first, so that a probe is taken up when it is accepted.
    @param stopped: whether the app is stopped, as by SIGSTOP: then nothing is learned.
    """

    def __init__(
        self,
        clock: Any,
        most: int,
        diag: Diag,
        *,
        changed: Callable[[], None],
        unknown: Callable[[str], None],
        server_first: bool = False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.estimate = Estimate(most, clock.seconds())
        self.backends = Backends(diag)
        self.audit = Audit(clock, self.estimate, self.backends, stopped, changed)
        self._clock = clock
        self._timers = timers = Timers(clock)
        self.timing = Timing(clock, self.estimate, self.audit, most, timers, changed)
        self._diag = diag
        self._changed = changed
        self._unknown = unknown
        self._server_first = server_first
        self._stopped = stopped
        self._probe: Probe | None = None
        self._app: tuple[str, int] | None = None
        self._closes = 0

    def stop(self) -> None:
        """
        Leave no timer and no socket behind.
        """
        self._timers.stop()
        self.audit.stop()
        self._diag.close()

    # The probe

    def probe(self, backend: Backend) -> bool:
        """
        An exchange begins that does not fit into the capacity.

        @return: whether it may be a probe; L{ready} follows when its connection is up.
        """
        if not self.estimate.probe():
            # Its slot pulls no longer, and another one may have to: in a while, since what came
            # may come again.  It may be from another edge than the one with the places.
            self._timers.after(NO_PLACE_PAUSE, "place", self._changed)
            return False
        self._probe = Probe(backend, self._clock.seconds())
        # The app may not even take the connection.
        self._timers.after(BOUND, "look", self._look)
        return True

    def ready(self) -> None:
        """
        The connection of the probe is up, or its client has sent something at last.
        """
        probe = self._probe
        assert probe is not None, "bytes of no probe"
        if probe.held is None:
            probe.held = self._clock.seconds()
            probe.looks = 0
            self._send(probe, probe.held)

    def _send(self, probe: Probe, held: float) -> None:
        """
        Send the byte as soon as the app has begun to read all that it has whole: what reads the
        byte may read one of these next, and work on that.

        @param held: since when it waits for that.
        """
        estimate, now = self.estimate, self._clock.seconds()
        if self._server_first or estimate.hasReadAll() or not self.backends.isBehind():
            probe.held = None
            probe.began, probe.looks = now, 0
            probe.backend.sendByte()
        elif now - held > UNREAD_LIMIT and not self._stopped():
            self._turnAway(probe)
            return
        self._lookAgain(probe)

    def _lookAgain(self, probe: Probe) -> None:
        pause = LOOKS[min(probe.looks, len(LOOKS) - 1)]
        probe.looks += 1
        self._timers.after(pause, "look", self._look)

    def _look(self) -> None:
        probe = self._probe
        if probe is None:
            return
        ends = probe.backend.ends
        if ends is None:
            self._refuse(probe)
            return
        if probe.held is not None:
            self._send(probe, probe.held)
            return
        self._app = ends[0]
        now = self._clock.seconds()
        seen = self._diag.look(*ends)
        if seen is None and self._isLost(probe, ends, now):
            self._giveUp("its connections can't be seen")
        elif seen is not None and self._isTakenUp(probe, seen, now):
            self._takenUp(probe)
        elif self._isTooLong(probe, seen, now):
            self._turnAway(probe)
        else:
            self.estimate.waits = seen is None or not seen.accepted
            if self.estimate.waits and now - probe.began > IDLE_LIMIT:
                self.backends.closeIdle()
            self._lookAgain(probe)

    def _isLost(self, probe: Probe, ends: Ends, now: float) -> bool:
        if self._diag.knows(*ends):
            return False
        # The app may have reset it just now, which its slot learns before the next look.
        if probe.lost is None:
            probe.lost = now
        return now - probe.lost > UNSEEN_LIMIT

    def _isTakenUp(self, probe: Probe, seen: Seen, now: float) -> bool:
        if not seen.accepted:
            return False
        if not probe.backend.sent:
            return self._server_first or now - probe.began > SILENCE
        # Bytes that are still on their way are not in the app's queue either.
        return self._server_first or (not seen.unread and probe.backend.isSent())

    def _isTooLong(self, probe: Probe, seen: Seen | None, now: float) -> bool:
        if seen is not None and seen.accepted and probe.backend.sent:
            if probe.accepted is None:
                probe.accepted = now
            late = now - probe.accepted > UNREAD_LIMIT
        else:
            waited = now - probe.began
            # With several listeners, it may be in the queue of one that is busy.
            late = waited > BOUND or (waited > UNREAD_LIMIT and self._isShared(probe))
        return late and not self._stopped()

    def _isShared(self, probe: Probe) -> bool:
        if probe.shared is None:
            queue = self._queue()
            probe.shared = queue is not None and queue.listeners > 1
        return probe.shared

    def _takenUp(self, probe: Probe) -> None:
        self._probe = None
        self._closes = 0
        self.estimate.takenUp()
        probe.backend.takenUp()
        self._pause()
        # When answers have been read that the app sent before it took the probe up.
        self._timers.after(PROOF_PAUSE, "proof", lambda: self._prove(PROOF_PAUSE))
        self._changed()

    def _prove(self, pause: float) -> None:
        """
        Count the exchanges that the app is at work on.  If it has not begun to read all that
        it has, count again: it may have got one just before, or not be up to speed yet.
        """
        estimate = self.estimate
        at_work, _ = self.backends.survey()
        if at_work == estimate.working:
            estimate.readAll()
        if estimate.prove(at_work):
            self._changed()
        if at_work < estimate.working and estimate.working > estimate.capacity:
            self._timers.after(pause, "proof", lambda: self._prove(2 * pause))

    def promote(self) -> None:
        """
        An exchange is over, and its place goes to the probe.
        """
        probe, self._probe = self._probe, None
        assert probe is not None, "a place for no probe"
        # An app that serves one connection at a time waits on the last one, if that is kept.
        self.backends.closeIdle()
        probe.backend.takenUp()
        self._pause()
        # When the slot of the exchange that is over is free.
        self._timers.after(0.0, "change", self._changed)

    def recall(self) -> None:
        """
        The probe is wanted elsewhere.
        """
        if self._probe is not None:
            self._refuse(self._probe)

    def over(self) -> None:
        """
        The probe is over, and was not taken up.  The app may still have its connection in the
        accept queue: there is no other probe before that is gone.
        """
        self._probe = None
        self.estimate.refused()
        self._pause()
        # When the slot of the probe is free again.
        self._timers.after(0.0, "change", self._changed)

    def answered(self, fresh: bool) -> bool:
        """
        The app sends something, and has at most one byte of the probe.

        @param fresh: the connection was made for the probe.
        @return: whether the app has taken the probe up, since it speaks first.
        """
        probe = self._probe
        assert probe is not None, "an answer to no probe"
        if not fresh:
            # What comes on a kept connection may have to do with the last exchange.
            self._refuse(probe)
        elif self._server_first or not probe.backend.sent:
            self._takenUp(probe)
            return True
        else:
            self._giveUp(EARLY)
        return False

    def answeredTakenUp(self, backend: Backend, reset: bool) -> None:
        """
        The app begins to answer an exchange that was a probe until it was taken up.  If it has
        read nothing of the rest, it was looked at between its reading the byte and its answer.

        @param reset: the app has reset the connection with all of the rest unread.
        """
        ends = backend.ends
        if ends is None or self._server_first:
            return
        seen = self._diag.look(*ends)
        if reset if seen is None else seen.unread >= backend.sent - 1:
            self._giveUp(EARLY)

    def closed(self, fresh: bool) -> None:
        """
        The app has closed the connection of a probe.

        @param fresh: the connection was made for the probe.
        """
        # The kernel closes them if the app ends.  There is no listener then.
        self._closes += fresh and self._queue() is not None
        if self._closes >= CLOSES:
            self._giveUp("it closes connections before it has a whole request")
        else:
            self.recall()

    def _turnAway(self, probe: Probe) -> None:
        self.estimate.turned_away += 1
        self._refuse(probe)

    def _refuse(self, probe: Probe) -> None:
        self.over()
        probe.backend.takeBack()

    def _giveUp(self, reason: str) -> None:
        if self.estimate.fix():
            self._unknown(reason)
            self._timers.after(0.0, "change", self._changed)
        self.recall()

    def _queue(self) -> Queue | None:
        return None if self._app is None else self._diag.queue(self._app)

    def _pause(self) -> None:
        self._timers.after(self.estimate.pause, "pause", self._pauseOver)

    def _pauseOver(self) -> None:
        if not self.estimate.paused:
            return
        queue = self._queue()
        if self.estimate.pauseOver(queue is not None and queue.waiting >= queue.listeners):
            self._changed()
        else:
            self._pause()
