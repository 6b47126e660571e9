"""What the core reports as facts for the agent; each fits a batch of facts."""

import msgspec

from bridge.control.messages import AttemptChanged, CardSeen, CardWritten, Firmware
from bridge.gcode import happenings
from bridge.gcode.happenings import AttemptMoved, CardListed, Identified
from bridge.sender.memory import Running
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import Quality

#: Of the list as it goes to the API; damaged names are all of what takes six bytes there for one.
MAX_CARD_BYTES = 16 * 1024


def card_seen(listed: CardListed) -> CardSeen:
    """*listed* as a fact of bounded size: names beyond that are counted."""
    files, room = [], MAX_CARD_BYTES
    for file in listed.files:
        room -= len(msgspec.json.encode(file)) + 1
        if room < 0:
            break
        files.append(file)
    unlisted = listed.unlisted + len(listed.files) - len(files)
    return CardSeen(present=listed.present, files=files, unlisted=unlisted)


def card_written(written: happenings.CardWritten) -> CardWritten:
    """*written* as a fact."""
    return CardWritten(name=written.name, time_s=written.time_s, reason=written.reason)


def attempt_changed(moved: AttemptMoved, quality: Quality) -> AttemptChanged:
    """*moved* as a fact, with the quality of its lines so far."""
    return AttemptChanged(
        grant=moved.grant,
        job=moved.job,
        event=moved.event,
        state=moved.state,
        reason=moved.reason,
        progress=moved.progress,
        quality=quality,
    )


def lost(running: Running, problem: str) -> AttemptChanged:
    """How the attempt *running* ends when its sender has died and *problem* forbids to go on.

    One that was cancelled, or had failed, ends as that: its last script is all that is missing.
    """
    agenda = running.kept.agenda if running.kept is not None else None
    reason = f"the sender died while it printed, and the print cannot go on: {problem}"
    event = AttemptEvent.INTERRUPTED
    if agenda is not None and agenda.outcome is not AttemptEvent.COMPLETED:
        event = agenda.outcome
        reason = unfinished(agenda.reason, problem)
    state = AttemptState(event.value)
    return AttemptChanged(
        grant=running.grant, job=running.job, event=event, state=state, reason=reason
    )


def unfinished(reason: str, problem: str) -> str:
    """Why a print ended, *reason*, and why its last script has not run to its end."""
    told = f"{reason}; " if reason else ""
    return f"{told}its last script could not be finished: {problem}"


def firmware(identified: Identified) -> Firmware:
    """*identified* as a fact."""
    return Firmware(
        name=identified.name,
        uuid=identified.uuid,
        machine=identified.machine,
        capabilities=identified.capabilities,
        fields=identified.fields,
    )
