"""`status.json`: what the agent is doing, for `bridge status` and for whoever watches the room.

Written all or nothing, every second; a file older than a few seconds means that no agent runs, or
that it cannot write.
"""

import shutil
import time
from pathlib import Path
from typing import Any

import msgspec

from bridge.control.lock import is_held
from schemas.printer import Live

STATUS_FILE = "status.json"
#: An older file is not what the agent that runs would say now.
STALE_S = 10.0
LOCK_FILE = "agent.lock"


class AgentStatus(msgspec.Struct, kw_only=True):
    """The process."""

    pid: int
    version: str
    started_at: str


class LinkStatus(msgspec.Struct, kw_only=True):
    """The link; ages in seconds, None: never. *clock_offset_s*: the API's wall clock less ours.

    *age_s*: since when it stands. *last_ack_s*: the API confirmed facts, *last_got_s*: we confirmed
    commands. *refused*: frames of the API that were not taken since this agent began. *inbox*: what
    it said and the journal has not got yet.
    """

    state: str
    epoch: int
    url: str
    last_heard_s: float | None = None
    last_ack_s: float | None = None
    last_got_s: float | None = None
    age_s: float | None = None
    refused: int = 0
    inbox: int = 0
    last_error: str | None = None
    clock_offset_s: int | None = None


class OutboxStatus(msgspec.Struct, kw_only=True):
    """Facts that wait for the API; *oldest* is the number of the first, None: none waits."""

    facts: int
    bytes: int
    oldest: int | None = None


class SpoolStatus(msgspec.Struct, kw_only=True):
    """Whole files in the spool."""

    files: int
    bytes: int


class SenderStatus(msgspec.Struct, kw_only=True):
    """One printer's sender; *adopted*: it was running before this agent.

    *printer_state* and *error* are what the printer reported last, None without a report;
    *commands* are journalled and have no outcome yet.
    """

    printer: int
    slug: str | None
    pid: int | None
    state: str
    port: str | None
    adopted: bool
    printer_state: str | None = None
    error: str | None = None
    firmware: str | None = None
    commands: int = 0
    #: what somebody who goes there should know, a sentence each
    notes: list[str] = []


class LeaseStatus(msgspec.Struct, kw_only=True):
    """A job that its printer may start while the room is cut off, within *left_s* seconds.

    *file*: it lies whole in the spool. *waits_for*: None: it starts now.
    """

    printer: int
    job: int
    file_name: str
    left_s: float
    file: bool
    waits_for: str | None


class SimulatorStatus(msgspec.Struct, kw_only=True):
    """One simulated printer."""

    name: str
    pid: int | None
    link: str


class Status(msgspec.Struct, kw_only=True):
    """Everything."""

    agent: AgentStatus
    link: LinkStatus
    outbox: OutboxStatus
    spool: SpoolStatus
    senders: list[SenderStatus] = []
    leases: list[LeaseStatus] = []
    simulators: list[SimulatorStatus] = []


def write(state_dir: Path, status: Status) -> None:
    """Replace the file. Raises `OSError`."""
    part = state_dir / f"{STATUS_FILE}.part"
    part.write_bytes(msgspec.json.encode(status))
    part.rename(state_dir / STATUS_FILE)


def read(state_dir: Path) -> Status | None:
    """What the agent wrote last; None when there is nothing readable."""
    try:
        return msgspec.json.decode((state_dir / STATUS_FILE).read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError):
        return None


def sender_pids(state_dir: Path) -> list[int]:
    """The processes of the senders that the agent has written down last."""
    known = read(state_dir)
    return [each.pid for each in known.senders if each.pid] if known is not None else []


def is_running(state_dir: Path) -> bool:
    """Whether an agent works on this state directory now."""
    return is_held(state_dir / LOCK_FILE)


def stale(state_dir: Path) -> str | None:
    """What to know of a file that a running agent has not written anew; None: it is fresh."""
    try:
        age_s = time.time() - (state_dir / STATUS_FILE).stat().st_mtime
        free_bytes = shutil.disk_usage(state_dir).free
    except OSError as error:
        return f"status.json cannot be looked at: {error}"
    if age_s < STALE_S:
        return None
    return (
        f"what follows is {age_s:.0f} s old: the agent hangs, or cannot write in {state_dir} "
        f"({free_bytes // 1024**2} MiB are free there); its log says which"
    )


def lines(status: Status, running: bool) -> list[str]:
    """The status for a person."""
    link = status.link
    heard, acked, got = map(_ago, (link.last_heard_s, link.last_ack_s, link.last_got_s))
    age = f" for {link.age_s:.0f} s" if link.age_s is not None else ""
    agent = f"process {status.agent.pid}" if running else "not running; this is its last word"
    text = [
        f"agent      {agent}, version {status.agent.version}, since {status.agent.started_at}",
        f"link       {link.state}{age} to {link.url}, heard {heard}",
        f"           facts acknowledged {acked}, commands confirmed {got}",
        f"inbox      {link.inbox} from the API wait for the journal",
        f"outbox     {status.outbox.facts} facts, {status.outbox.bytes} bytes",
        f"spool      {status.spool.files} files, {status.spool.bytes} bytes",
    ]
    if link.last_error:
        text.insert(3, f"           last error: {link.last_error}")
    if link.refused:
        text.append(f"refused    {link.refused} frames of the API; the log says which")
    if link.clock_offset_s is not None:
        text.append(f"clock      {_offset(link.clock_offset_s)} the API's")
    text += [_sender_line(sender) for sender in status.senders]
    names = {sender.printer: sender.slug for sender in status.senders}
    text += [_lease_line(lease, names.get(lease.printer)) for lease in status.leases]
    text += [f"simulator  {sim.name}: process {sim.pid or '-'}" for sim in status.simulators]
    return text


def _ago(age_s: float | None) -> str:
    return "never" if age_s is None else f"{age_s:.0f} s ago"


def _offset(offset_s: int) -> str:
    if offset_s == 0:
        return "that of"
    return f"{abs(offset_s)} s {'behind' if offset_s > 0 else 'ahead of'}"


def _sender_line(sender: SenderStatus) -> str:
    origin = "adopted" if sender.adopted else "started here"
    name: Any = sender.slug or sender.printer
    what = f"{sender.printer_state or 'unknown'}; sender {sender.state}"
    text = (
        f"printer    {name}: {what}, process {sender.pid or '-'} ({origin}), "
        f"port {sender.port or '-'}"
    )
    if sender.commands:
        text += f", {sender.commands} commands open"
    return "\n           ".join([text, *([sender.error] if sender.error else []), *sender.notes])


def _lease_line(lease: LeaseStatus, slug: str | None) -> str:
    file = "its file is here" if lease.file else "its file is not here yet"
    return (
        f"lease      {slug or lease.printer}: job {lease.job}, {lease.file_name}, {file}; alone "
        f"for {lease.left_s / 3600:.1f} h more; waits for {lease.waits_for or 'nothing'}"
    )


def notes_of(live: Live) -> list[str]:
    """What of *live* somebody who goes there should know."""
    notes = []
    if live.prompt is not None:
        notes.append(f"it asks: {live.prompt.text} [{', '.join(live.prompt.buttons)}]")
    if not live.position_known:
        notes.append("nobody knows where its head is: home it before anything else moves")
    if live.temps_stale:
        notes.append("its temperatures are old: it reports none")
    if live.stop_reach not in (None, "at_once"):
        notes.append("a remote stop may not act at once: have its power switch in reach")
    if live.heat_lease_s is not None:
        notes.append(f"heated without a job, for {live.heat_lease_s:.0f} s more")
    return notes
