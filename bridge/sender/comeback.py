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
from bridge.gcode import continuation
from bridge.gcode.continuation import REGAINED, Plan, agenda_of, skip
from bridge.gcode.dialects import by_firmware, by_name
from bridge.gcode.errands import QUESTIONS, Agenda
from bridge.gcode.greeting import Outcome
from bridge.gcode.happenings import Identified
from bridge.gcode.prepare import HostPause, Prepared
from bridge.gcode.printer import Printer
from bridge.gcode.regain import Regain, Waits
from bridge.gcode.run import JobFacts, Run
from bridge.sender.facts import unfinished
from bridge.sender.jobfile import JobFile
from bridge.sender.linejournal import LineJournal, Standing
from bridge.sender.memory import Kept
from schemas.printer import PrinterState

_S = PrinterState
#: Batches of the file that are read again before the port is looked at.
_SLICE = 16
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def host_boot() -> str:
    """Which life of this machine it is: monotonic times of another one mean nothing.

    Read once, and early: in the middle of a print there may be no descriptor left for it.
    """
    return _BOOT_ID.read_text("ascii").strip()


#: These may last: nothing of the job is printed any more, or before a person says so.
_LASTING = frozenset({_S.PAUSING, _S.PAUSED, _S.CANCELLING})
#: Behind the last of their errands these are over.
_NEXT = {_S.STARTING: _S.PRINTING, _S.PAUSING: _S.PAUSED, _S.RESUMING: _S.PRINTING}
_WHY = {
    Waits.MACHINE: "it heats, homes or moves, and answers behind that",
    Waits.PERSON: (
        "it waits for a person at the printer, and answers when he is done; "
        "M108 in the terminal ends such a wait too"
    ),
}


def keepsake(printer: Printer, job: JobFile, device: str, baud: int) -> Kept:
    """What a later life needs to take up the running print of *job*, on the port *device*."""
    run, status = printer.bound(), printer.link.status
    return Kept(
        grant=run.facts.grant,
        job=run.facts.job,
        file_name=run.facts.file_name,
        path=job.path,
        size_bytes=job.size_bytes,
        identity=job.identity,
        estimate_s=run.facts.estimate_s,
        tool=run.facts.tool,
        config=printer.config,
        device=device,
        baud=baud,
        firmware=status.firmware or "",
        uuid=status.fields.get("UUID"),
        machine=status.fields.get("MACHINE_TYPE"),
        capabilities=status.capabilities,
        host_boot=host_boot(),
        begun=run.begun,
        agenda=agenda_of(printer),
    )


def problem_of(kept: Kept | None, standing: Standing | None, now: float) -> str | None:
    """Why the print cannot even be tried to be taken up, None if it can."""
    if kept is None or standing is None:
        return "nothing was left to go on with"
    if kept.host_boot != host_boot():
        return "this computer has restarted meanwhile"
    dialect = by_name(kept.config.dialect) or by_firmware(kept.firmware)
    if not dialect.tells_count or not re.search(dialect.pattern, kept.firmware, re.IGNORECASE):
        return f"nobody has seen that {kept.firmware or 'this firmware'} tells its line count"
    stands = state_of(kept, standing) not in _LASTING
    if stands and now - standing.beat_at > kept.config.resume_limit_s:
        return f"the print has stood for {now - standing.beat_at:.0f} s"
    if standing.highest <= 0:
        return "no line of it had been sent"
    return None


def state_of(kept: Kept, standing: Standing) -> PrinterState:
    """What the printer was at: a newer agenda counts, though not a byte of it has left."""
    newer = kept.agenda is not None and kept.agenda.serial > standing.serial
    return kept.agenda.state if newer and kept.agenda is not None else standing.state


def planned(kept: Kept, standing: Standing, number: int) -> Plan | str:
    """How the print goes on behind line *number*, or why it cannot by itself."""
    ordinal, owns = standing.ordinal_of(number), standing.owns_of(number)
    if ordinal is None:
        return f"nobody knows which line of the file number {number} was"
    agenda, state = kept.agenda, state_of(kept, standing)
    if agenda is None:
        is_paused, scripted = kept.paused is not None, bool(kept.config.scripts.get("before_print"))
        objection = standing.objection(number, scripted=scripted, paused=is_paused)
        return objection or Plan(_S.PAUSED if state is _S.PAUSED else _S.PRINTING, ordinal)
    if agenda.serial < standing.serial:  # the disk was full
        if state is not _S.PRINTING:
            return f"the printer was {state.value}, and nothing of that could be written down"
        return Plan(state, ordinal, owns or 0)
    if owns is None:
        return f"nobody knows what of its scripts number {number} was"
    return _settled(state, agenda, ordinal, owns)


def _settled(state: PrinterState, agenda: Agenda, ordinal: int, owns: int) -> Plan | str:
    left = agenda.left(owns)
    if state in (_S.PRINTING, _S.PAUSED):
        left = tuple(errand for errand in left if errand.token not in QUESTIONS)
        state = agenda.state if left else state  # an acknowledgement was taken for granted
    if state not in REGAINED:
        state = agenda.state
    if not left:
        state = _NEXT.get(state, state)
    if state not in REGAINED:
        return f"the printer was {state.value}"
    return Plan(state, ordinal, owns, left)


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
        self._asking = Regain(
            now,
            lowest=standing.lowest,
            highest=standing.highest,
            word=f"gantry-{os.urandom(4).hex()}",
            uuid=kept.uuid or None,
        )
        #: job lines that are printed for certain
        self.ordinal = standing.ordinal_of(standing.lowest) or 0
        #: how it goes on, None before that is known
        self.plan: Plan | None = None
        #: somebody has begun to read the file again up to there
        self.located = False
        self.reason = ""
        self._told = Waits.NOT
        self._gap_s = 0.0
        self._lifts = False  # it stood so long that the nozzle is lifted off the part first

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
        continuation.reopen(
            printer,
            facts,
            self._asking,
            known,
            lossless=lossless,
            begun=kept.begun,
            agenda=kept.agenda,
        )
        printer.bound().printed_s = self._standing.printed_s
        if state_of(kept, self._standing) is _S.CANCELLING:
            self._asking.break_waits()

    def step(self, printer: Printer) -> bool:
        """Whether it is known how it goes on. False with a `reason`: it does not."""
        asking = self._asking
        if asking.waits is not self._told and asking.outcome is Outcome.WAITING:
            self._told = asking.waits
            continuation.tell(printer, _WHY[asking.waits])
        if asking.outcome is Outcome.SILENT:
            self.reason = asking.reason
        elif asking.outcome is Outcome.ANSWERED and self.plan is None:
            plan = planned(self.kept, self._standing, asking.number)
            if isinstance(plan, str):
                self.reason = plan
            else:
                self.plan, self.ordinal = plan, plan.ordinal
        return self.plan is not None and not self.reason

    def go_on(self, printer: Printer, journal: LineJournal, now: float) -> None:
        """The file was read again up to `ordinal`: take the print up."""
        plan, agenda = self.plan, self.kept.agenda
        assert plan is not None
        config = self.kept.config
        rests_since = max(self._standing.beat_at, self._asking.human_at)
        self._gap_s = max(0.0, now - rests_since)
        is_wished = printer.bound().ending and plan.state is not _S.CANCELLING
        if is_wished:  # while it was taken up
            plan = Plan(_S.CANCELLING, plan.ordinal, plan.owns)
        self._lifts = plan.state is _S.PRINTING and self._gap_s > config.resume_lift_s
        if self._lifts:
            plan = Plan(_S.RESUMING, plan.ordinal, plan.owns)
        self.plan = plan
        continuation.go_on(printer, self._asking.number, plan, now)
        journal.begin(printer, plan.ordinal)
        if self._lifts:
            continuation.lift_off(printer, now)
        elif agenda is None and plan.state is _S.PAUSED and self.kept.paused is not None:
            continuation.paused_before(printer, self.kept.paused, now)
        else:
            known = None if is_wished else agenda
            continuation.take_up(printer, plan, known or agenda_of(printer), now)

    def lost(self, run: Run) -> str:
        """What is told when it does not go on."""
        if run.ending:
            return unfinished(run.reason, self.reason)
        return f"the print cannot go on by itself: {self.reason}"

    @property
    def text(self) -> str:
        """What a person is told when it goes on."""
        assert self.plan is not None
        lifted = ", the nozzle was lifted off the part: look at it" if self._lifts else ""
        if self._lifts or self.plan.state in (_S.PRINTING, _S.STARTING):
            return (
                f"resumed at line {self.ordinal + 1} of the file's commands, "
                f"gap {self._gap_s:.1f} s{lifted}"
            )
        return (
            f"{self.plan.state.value} behind line {self.ordinal} of the file's commands, as it was"
        )


def read_on(printer: Printer, job: JobFile, ready: deque[Prepared], ordinal: int) -> bool:
    """Read a slice of the file up to job line *ordinal* again; True when all of it is read.

    What lies behind stays in *ready*.
    """
    run = printer.bound()
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
