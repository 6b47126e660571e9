"""How a sender is scheduled: before other programs, and in real time while it prints.

A late line is a blob on a part, and a line costs some 20 µs of CPU. So a print runs under SCHED_RR
where the system allows that (root, CAP_SYS_NICE or systemd's LimitRTPRIO); else the sender has a
nice value of -10 (LimitNICE); else it is a program like any other, which a busy computer may hold
up for longer than a planner lasts. What takes CPU without a line on the wire, as the check of a
file, never runs in real time. A sender that runs away loses real time: the kernel says when.
"""

import os
import resource
import signal
from contextlib import suppress

#: Wanted nice value.
NICE = -10
#: The lowest real-time priority: before all ordinary programs, behind what the kernel needs.
RT_PRIORITY = 1
#: So much CPU without a pause, in microseconds, is no printing.
_RUNAWAY_US = 300_000


class Priority:
    """The scheduling of this process."""

    def __init__(self) -> None:
        """Take the nice value; real time comes with `follow`."""
        self._real_time = self._wanted = False
        self._allowed = _may_be_real_time()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
        if self._allowed:
            signal.signal(signal.SIGXCPU, lambda *_: self._relax())

    def follow(self, printing: bool) -> None:
        """Be in real time while *printing*; cheap when nothing changes."""
        if printing is self._wanted:
            return
        self._wanted = printing
        if not printing:
            self._relax()
        elif self._allowed:
            with suppress(OSError):
                policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
                os.sched_setscheduler(0, policy, os.sched_param(RT_PRIORITY))
                self._real_time = True

    def _relax(self) -> None:
        """An ordinary program again; a runaway stays one until the next print."""
        if self._real_time:
            self._real_time = False
            with suppress(OSError):
                os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _may_be_real_time() -> bool:
    """Try it for a moment, with the limit that ends a runaway."""
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
        soft = _RUNAWAY_US if hard < 0 else min(_RUNAWAY_US, hard)
        resource.setrlimit(resource.RLIMIT_RTTIME, (soft, hard))
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(RT_PRIORITY))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except (OSError, ValueError):
        return False
    return True
