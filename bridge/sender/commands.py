"""An owner's commands on one device: each is answered once, and again when its id comes again."""

from collections import OrderedDict
from collections.abc import Callable

from bridge.control.messages import (
    Cancel,
    Card,
    CardWrite,
    Command,
    Configure,
    Connect,
    Disconnect,
    Gcode,
    Outcome,
    Pause,
    Quit,
    RemoteStop,
    ResetStop,
    Resume,
    SetTargets,
    Start,
    Verdict,
)
from bridge.errors import BridgeError, GateRefusal, JobFileError
from bridge.gcode.cardwrite import CardJob
from bridge.gcode.run import JobFacts
from bridge.sender.cardfile import CardFile
from bridge.sender.device import Device
from bridge.sender.jobfile import JobFile
from bridge.sender.lifecycle import Lifecycle
from schemas.commands import CARD_PRINT, EXPIRED
from schemas.gcode import scripts
from schemas.gcode.policy import Origin
from schemas.printer import ACTIVE, CONNECTED, PrinterConfig, PrinterState, Profile

_S = PrinterState

#: Answers that are kept for repeated ids, and grants that are never started again.
_MAX_KEPT = 512
_TOO_LATE = "its deadline passed before its sender could read it"
#: A reset that is older comes at the latest so long behind a stop: its life, and a silent link.
_RESET_LATE_S = 120.0
_ULID_LETTERS, _TIME = 26, 10
_STOPPED_SINCE = "the printer was stopped after this reset was asked for; reset it again"
#: What is done while a file goes to the printer's card.
_IN_TRANSFER = (Cancel, Connect, Disconnect)
_TRANSFERS = "a file is being sent to its card; cancel that first"
_IN_TURN = "if the machine does not stop now, use its power switch"
_NOT_SENT = (
    "M112 was not sent, the printer's port is not open: use its power switch; nothing is sent to "
    "it until the stop is reset"
)
#: What a person is told with a stop that was sent, by what the firmware can do.
_STOP_TEXTS = {
    "at_once": "the firmware obeys M112 at once",
    "in_turn": f"this firmware obeys M112 when it has done what it is at: {_IN_TURN}",
    "unknown": f"nobody knows whether this firmware obeys M112 at once: {_IN_TURN}",
}


class Rejected(BridgeError):
    """The command is not possible here and now; nothing of it has reached the printer."""

    def __init__(self, code: str, reason: str, verdict: Verdict = Verdict.REJECTED) -> None:
        super().__init__(reason)
        self.code = code
        self.verdict = verdict


class Commands:
    """The commands of one printer. *answer* is called with every outcome, also late ones."""

    def __init__(
        self,
        device: Device,
        lifecycle: Lifecycle,
        answer: Callable[[Outcome], None],
    ) -> None:
        self.plugged_at: str | None = None
        self.autoconnect = False
        self._asked = False  # a person did, for the connection that is being made
        self._device = device
        self._lifecycle = lifecycle
        self._answer = answer
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self._open: set[str] = set()
        self._connecting: list[str] = []
        self._note = ""  # the code of what is done
        self.last_stop = ""  # the id of the newest, and when it came
        self._last_stop_at = float("-inf")
        self._grants: OrderedDict[str, None] = OrderedDict()

    def handle(self, command: Command, now: float) -> None:
        """Do *command*; a repeated id is answered with the stored outcome and does nothing."""
        known = self._outcomes.get(command.id)
        if known is not None:
            self._answer(known)
            return
        if command.id in self._open:
            return
        self._open.add(command.id)
        try:
            finished = self._do(command, now)
        except Rejected as error:
            self._finish(command.id, error.verdict, error.code, str(error))
        except JobFileError as error:
            self._finish(command.id, Verdict.FAILED, "file_unavailable", str(error))
        except GateRefusal as error:
            self._finish(command.id, Verdict.REJECTED, error.code, str(error))
        except BridgeError as error:
            self._finish(command.id, Verdict.REJECTED, "not_possible", str(error))
        else:
            if finished:
                code, self._note = self._note, ""
                self._finish(command.id, Verdict.DONE, code, _STOP_TEXTS.get(code, ""))

    def order_done(self, token: str) -> None:
        """The lines of command *token* are acknowledged."""
        self._finish(token, Verdict.DONE)

    def order_lost(self, token: str, reason: str) -> None:
        """The lines of command *token* will not be acknowledged."""
        self._finish(token, Verdict.FAILED, "not_sent", reason)

    def state_moved(self, state: PrinterState, reason: str) -> None:
        """Answer who waits for a connection."""
        waiting = self._connecting
        if state in CONNECTED:
            self._connecting = []
            for token in waiting:
                self._finish(token, Verdict.DONE)
        elif state in (_S.ERROR, _S.OFFLINE, _S.HALTED):
            self._connecting = []
            for token in waiting:
                self._finish(token, Verdict.FAILED, "connect_failed", reason)

    def was_asked(self) -> bool:
        """Whether a person has asked for the connection that has just been made; once."""
        asked, self._asked = self._asked, False
        return asked

    def stopped_by(self, stop: str, now: float) -> None:
        """The stop with this id is known, from here or from an earlier life."""
        if not _is_older(stop, self.last_stop):
            self.last_stop, self._last_stop_at = stop, now

    def used(self, grant: str) -> None:
        """The attempt *grant* has been started, here or in an earlier life."""
        self._grants[grant] = None
        if len(self._grants) > _MAX_KEPT:
            self._grants.popitem(last=False)

    # Private: what each command does. True: done already; False: its answer comes later.

    def _do(self, command: Command, now: float) -> bool:
        if isinstance(command, Configure | Quit | RemoteStop | ResetStop):
            return self._do_always(command, now)
        if command.before_ms is not None and now * 1000 >= command.before_ms:
            raise Rejected(EXPIRED, _TOO_LATE)
        if self._device.printer.state is _S.HALTED:
            raise Rejected("stopped", "the printer is stopped; reset the stop first")
        if self._device.printer.state is _S.TRANSFERRING and not isinstance(command, _IN_TRANSFER):
            raise Rejected("printer_busy", _TRANSFERS)
        if isinstance(command, Start):
            return self._start(command)
        if isinstance(command, CardWrite):
            return self._write_card(command)
        if isinstance(command, Pause | Resume | Cancel):
            return self._steer(command, now)
        return self._do_idle(command, now)

    def _do_always(self, command: Configure | Quit | RemoteStop | ResetStop, now: float) -> bool:
        match command:
            case Configure(config=config, device=port, autoconnect=autoconnect):
                _check_scripts(config)
                self._device.printer.configure(config)
                self.plugged_at = port
                self.autoconnect = autoconnect and config.enabled
                if not config.enabled and self._device.printer.state not in ACTIVE:
                    self._device.close(now)
            case Quit(drain=drain):
                self._lifecycle.end(now, drain=drain)
            case RemoteStop(id=stop):
                self.stopped_by(stop, now)
                self._stop(now)
            case ResetStop():
                self._reset(command, now)
        return True

    def _do_idle(
        self, command: Connect | Disconnect | Gcode | SetTargets | Card, now: float
    ) -> bool:
        printer = self._device.printer
        match command:
            case Connect(id=token):
                return self._connect(token, now)
            case Disconnect():
                if printer.state in ACTIVE:
                    raise Rejected("printer_busy", "a job is running")
                self.autoconnect = False
                self._device.close(now)
                return True
            case Gcode(id=token, lines=lines, admin=admin):
                printer.order(lines, token, Origin.ADMIN if admin else Origin.TERMINAL)
            case Card(id=token, action=action, name=name):
                printer.card_print.do(action, name, token)
            case SetTargets(id=token, targets_c=targets_c):
                profile = printer.config.profile
                lines = [_target_line(*item, profile) for item in targets_c.items()]
                printer.order(lines, token)
                printer.lease.renew(now)
        return False

    def _stop(self, now: float) -> None:
        """M112 if there is a port, and the latch in any case; says what that can do."""
        device = self._device
        if device.port is None and device.printer.state is not _S.HALTED:
            device.stop("stopped remotely", now)
            raise Rejected("not_sent", _NOT_SENT, Verdict.FAILED)
        reach = device.printer.stop_reach
        device.stop("stopped remotely", now)
        self._note = reach.value

    def _reset(self, command: ResetStop, now: float) -> None:
        """Release the latch; a stop that overtook the reset on its way is not undone (M10)."""
        if command.before_ms is not None and now * 1000 >= command.before_ms:
            raise Rejected(EXPIRED, _TOO_LATE)
        is_late = now - self._last_stop_at < _RESET_LATE_S
        if is_late and _is_older(command.id, self.last_stop):
            raise Rejected("stopped", _STOPPED_SINCE)
        if self._device.printer.state is not _S.HALTED:
            raise Rejected("not_stopped", "the printer is not stopped")
        self._device.printer.reset()

    def _connect(self, token: str, now: float) -> bool:
        state = self._device.printer.state
        if state in CONNECTED:
            return True
        self._connecting.append(token)
        self._asked = True
        self.autoconnect = self._device.printer.config.enabled
        if state is not _S.CONNECTING:
            printer = self._device.printer
            printer.stopping.mended(printer.link.stream.dialect.revives)
            self._device.open(self.plugged_at, now)
        if self._device.printer.state is _S.ERROR:
            self.state_moved(_S.ERROR, self._device.printer.error or "")
        return False

    def _start(self, command: Start) -> bool:
        job, printer = command.job, self._device.printer
        if job.grant in self._grants:
            raise Rejected("grant_used", f"the grant {job.grant} was started before")
        if self._lifecycle.ending:
            raise Rejected("ending", "this sender is on its way out")
        _need_operational(printer.state)
        file = JobFile(job.path, job.sha256, printer.config.profile)
        _check_size(file, job.size_bytes)
        self.used(job.grant)
        facts = JobFacts(
            grant=job.grant,
            job=job.job,
            file_name=job.file_name,
            size_bytes=file.size_bytes,
            tool=printer.modal_now().tool,
        )
        self._device.start(facts, file)
        return True

    def _write_card(self, command: CardWrite) -> bool:
        printer = self._device.printer
        if self._lifecycle.ending:
            raise Rejected("ending", "this sender is on its way out")
        _need_operational(printer.state)
        file = CardFile(command.path, command.sha256, printer.config.profile)
        _check_size(file, command.size_bytes)
        job = CardJob(
            name=command.name, size_bytes=file.size_bytes, token=command.id, then=command.then
        )
        try:
            self._device.card.start(job, file)
        except BridgeError:
            file.close()
            raise
        return False

    def _steer(self, command: Pause | Resume | Cancel, now: float) -> bool:
        printer = self._device.printer
        run = printer.run
        with_card = printer.card_print.active or printer.card_write.job is not None
        running = run.facts.grant if run else CARD_PRINT if with_card else None
        if running != command.grant:
            raise Rejected("wrong_job", _not_running(command.grant))
        match command:
            case Pause():
                if printer.state not in (_S.PAUSING, _S.PAUSED):
                    printer.pause(now)
            case Resume():
                printer.resume(now)
            case Cancel():
                if printer.state is not _S.CANCELLING:
                    printer.cancel(now)
        return True

    def _finish(self, token: str, verdict: Verdict, code: str = "", reason: str = "") -> None:
        if token not in self._open:
            return
        self._open.discard(token)
        outcome = Outcome(id=token, verdict=verdict, code=code, reason=reason)
        self._outcomes[token] = outcome
        if len(self._outcomes) > _MAX_KEPT:
            self._outcomes.popitem(last=False)
        self._answer(outcome)


def _need_operational(state: PrinterState) -> None:
    if state is not _S.OPERATIONAL:
        code = "printer_busy" if state in ACTIVE else "printer_not_operational"
        raise Rejected(code, f"the printer is {state.value}")


def _check_size(file: JobFile, size_bytes: int) -> None:
    if file.size_bytes != size_bytes:
        file.close()
        text = f"{file.path} has {file.size_bytes} bytes, {size_bytes} were promised"
        raise JobFileError(file.path, text)


def _not_running(grant: str) -> str:
    if grant == CARD_PRINT:
        return "nothing is printed from the printer's card or sent to it"
    return f"the printer is not printing {grant}"


def _target_line(heater: str, target_c: float, profile: Profile) -> str:
    tool = heater.removeprefix("tool")
    if heater == "bed" and profile.heated_bed:
        return f"M140 S{target_c:g}"
    if heater == "chamber" and profile.heated_chamber:
        return f"M141 S{target_c:g}"
    if tool == "0" and profile.extruders == 1:
        return f"M104 S{target_c:g}"
    if tool.isdecimal() and int(tool) < profile.extruders:
        return f"M104 T{int(tool)} S{target_c:g}"
    raise Rejected("unknown_heater", f"this printer has no heater called {heater}")


def _check_scripts(config: PrinterConfig) -> None:
    """Every line of a script goes through the gate before it can ever be needed."""
    try:
        scripts.check(config.scripts, config.profile)
    except scripts.ScriptError as error:
        raise Rejected("limit_exceeded", str(error)) from None


def _is_older(command: str, other: str) -> bool:
    """By the times in their ids, where both are ULIDs (link contract, Frame)."""
    return len(command) == len(other) == _ULID_LETTERS and command[:_TIME] < other[:_TIME]
