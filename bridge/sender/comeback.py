"""A print of an earlier life of this sender, taken up exactly where that one died (serial 11).

The file is read again from its beginning, in slices, while the firmware is asked for its count: so
everything that depends on the lines before (modes, layers, times) comes about as it did the first
time, and no second way to it exists.
"""

import os
import re
from collections import deque
from functools import cache
from pathlib import Path

from bridge.errors import JobFileError
from bridge.gcode.continuation import go_on, reopen, skip
from bridge.gcode.dialects import by_firmware, by_name
from bridge.gcode.greeting import Outcome
from bridge.gcode.happenings import Identified
from bridge.gcode.prepare import HostPause, Prepared
from bridge.gcode.printer import Printer
from bridge.gcode.regain import Regain
from bridge.gcode.run import JobFacts
from bridge.sender.jobfile import JobFile
from bridge.sender.linejournal import LineJournal, Standing
from bridge.sender.memory import Kept
from schemas.printer import PrinterEvent, PrinterState

#: Batches of the file that are read again before the port is looked at.
_SLICE = 16
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def host_boot() -> str:
    """Which life of this machine it is: monotonic times of another one mean nothing.

    Read once, and early: in the middle of a print there may be no descriptor left for it.
    """
    return _BOOT_ID.read_text("ascii").strip()


def problem_of(kept: Kept | None, standing: Standing | None, now: float) -> str | None:
    """Why the print cannot even be tried to be taken up, None if it can."""
    if kept is None or standing is None:
        return "nothing was left to go on with"
    if kept.host_boot != host_boot():
        return "this computer has restarted meanwhile"
    dialect = by_name(kept.config.dialect) or by_firmware(kept.firmware)
    if not dialect.tells_count or not re.search(dialect.pattern, kept.firmware, re.IGNORECASE):
        return f"nobody has seen that {kept.firmware or 'this firmware'} tells its line count"
    stands = standing.state is not PrinterState.PAUSED  # a pause may last
    if stands and now - standing.beat_at > kept.config.resume_limit_s:
        return f"the print has stood for {now - standing.beat_at:.0f} s"
    if standing.highest <= 0:
        return "no line of it had been sent"
    return None


def open_again(kept: Kept) -> JobFile:
    """The file that was printed, known by its inode. Raises `JobFileError` for another one."""
    job = JobFile(kept.path, None, kept.config.profile)
    if job.identity != kept.identity:
        job.close()
        raise JobFileError(kept.path, f"{kept.path} is not the file that was printed")
    job.trust()
    return job


class Comeback:
    """One print on its way back. `step` after every answer, `read_on` while there is time."""

    def __init__(self, kept: Kept, standing: Standing, now: float) -> None:
        self.kept = kept
        self._standing = standing
        self._scripted = bool(kept.config.scripts.get("before_print"))
        self._asking = Regain(
            now,
            lowest=standing.lowest,
            highest=standing.highest,
            word=f"gantry-{os.urandom(4).hex()}",
        )
        #: job lines that are printed for certain
        self.ordinal = standing.ordinal_of(standing.lowest) or 0
        #: the pause it is in, None while it prints
        self.paused = kept.paused if standing.state is PrinterState.PAUSED else None
        if self.paused is not None:  # everything sent before the pause was acknowledged
            self.ordinal = standing.ordinal_of(standing.acked) or 0
        self.reason = ""
        self.gap_s = 0.0
        #: it stood so long that the nozzle is lifted off the part first
        self.lifts = False

    def begin(self, printer: Printer, *, lossless: bool) -> None:
        """The port is open."""
        kept = self.kept
        facts = JobFacts(
            grant=kept.grant,
            job=kept.job,
            file_name=kept.file_name,
            size_bytes=kept.size_bytes,
            estimate_s=kept.estimate_s,
            tool=kept.tool,
        )
        known = Identified(kept.firmware, kept.uuid, kept.machine, kept.capabilities)
        paused = self.paused is not None
        reopen(printer, facts, self._asking, known, lossless=lossless, paused=paused)
        assert printer.run is not None
        printer.run.printed_s = self._standing.printed_s

    def step(self, printer: Printer, journal: LineJournal, now: float) -> bool:
        """Whether the printer prints again. False with a `reason`: it will not."""
        match self._asking.outcome:
            case Outcome.WAITING:
                return False
            case Outcome.SILENT:
                self.reason = self._asking.reason
                return False
        number = self._asking.number
        paused = self.paused is not None
        objection = self._standing.objection(number, scripted=self._scripted, paused=paused)
        if objection is not None:
            self.reason = objection
            return False
        self.ordinal = self._standing.ordinal_of(number) or 0
        self.gap_s = max(0.0, now - self._standing.beat_at)
        self.lifts = not paused and self.gap_s > self.kept.config.resume_lift_s
        event = PrinterEvent.REGAIN_LIFTED if self.lifts else PrinterEvent.REGAIN
        event = PrinterEvent.REGAIN_PAUSED if paused else event
        go_on(printer, number, self.ordinal, now, event=event)
        journal.begin(printer, self.ordinal)
        return True

    @property
    def text(self) -> str:
        """What a person is told when it goes on."""
        if self.paused is not None:
            return f"paused behind line {self.ordinal} of the file's commands, as it was"
        lifted = ", the nozzle was lifted off the part: look at it" if self.lifts else ""
        return (
            f"resumed at line {self.ordinal + 1} of the file's commands, gap {self.gap_s:.1f} s"
            f"{lifted}"
        )


def read_on(printer: Printer, job: JobFile, ready: deque[Prepared], ordinal: int) -> bool:
    """Read a slice of the file up to job line *ordinal* again; True when all of it is read.

    What lies behind stays in *ready*.
    """
    run = printer.run
    assert run is not None
    for _ in range(_SLICE):
        while ready:
            size = 0 if isinstance(ready[0], HostPause) else len(ready[0].texts)
            if run.fed == ordinal or run.fed + size > ordinal:
                return True
            skip(printer, ready.popleft(), ordinal)
        batch = job.next_lines()
        if batch is None:
            return True
        ready.extend(batch)
    return False
