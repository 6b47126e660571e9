"""A command on its way: from the link to the journal, from there to the sender's words. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.agent.commands import STOP_WAIT_MS, CommandRow
from bridge.control.messages import (
    Cancel,
    Card,
    CardWrite,
    Connect,
    Disconnect,
    Gcode,
    JobSpec,
    Pause,
    RemoteStop,
    ResetStop,
    Resume,
    SetTargets,
    Start,
    Timed,
    ToSender,
)
from schemas import link
from schemas.commands import (
    ARGS,
    VERBS,
    Args,
    CardArgs,
    CardWriteArgs,
    CommandState,
    Expect,
    GcodeArgs,
    NoArgs,
    StartArgs,
    TemperatureArgs,
    Verb,
)
from schemas.facts import CommandFact

_decoders: dict[Verb, msgspec.json.Decoder[Args]] = {
    verb: msgspec.json.Decoder(ARGS.get(verb, NoArgs)) for verb in Verb
}


BAD_ARGUMENTS = "bad_arguments"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that this version cannot take: it is answered and not kept."""

    id: str
    seq: int
    code: str
    reason: str

    def fact(self) -> CommandFact:
        """What the API is told."""
        state = CommandState.REJECTED
        return CommandFact(id=self.id, state=state, code=self.code, reason=self.reason)


class _Stored(msgspec.Struct, kw_only=True):
    id: str
    seq: int
    printer: int
    verb: Verb
    args: msgspec.Raw
    expect: Expect
    deadline_ms: int | None
    state: CommandState
    sender_boot: str | None


_stored_decoder = msgspec.json.Decoder(_Stored)


def pack(row: CommandRow) -> bytes:
    """*row* as the journal keeps it."""
    return msgspec.json.encode(row)


def unpack(data: bytes) -> CommandRow:
    """What `pack` made. Raises `msgspec.DecodeError`."""
    stored = _stored_decoder.decode(data)
    return CommandRow(
        id=stored.id,
        seq=stored.seq,
        printer=stored.printer,
        verb=stored.verb,
        args=_decoders[stored.verb].decode(stored.args),
        expect=stored.expect,
        deadline_ms=stored.deadline_ms,
        state=stored.state,
        sender_boot=stored.sender_boot,
    )


def row_of(command: link.Cmd, now_ms: int) -> CommandRow | Refusal:
    """The journal row of *command*, or why this version cannot take it.

    The deadline runs on the agent's clock from receipt, *now_ms*.
    """
    if command.verb not in VERBS:
        reason = f"this bridge does not know how to {command.verb[:40]}; install a newer one"
        return Refusal(command.id, command.seq, "unsupported", reason)
    verb = Verb(command.verb)
    try:
        args = _decoders[verb].decode(command.args)
    except msgspec.DecodeError as error:
        return Refusal(command.id, command.seq, BAD_ARGUMENTS, f"{verb}: {error}")
    ttl_ms = command.ttl_left_ms
    return CommandRow(
        id=command.id,
        seq=command.seq,
        printer=command.printer,
        verb=verb,
        args=args,
        expect=command.expect,
        deadline_ms=None if ttl_ms is None else now_ms + ttl_ms,
    )


def stop_row(stop: link.RemoteStop, now_ms: int) -> CommandRow:
    """The journal row of a stop that came on its own lane; it has no number."""
    return CommandRow(
        id=stop.id,
        seq=0,
        printer=stop.printer,
        verb=Verb.REMOTE_STOP,
        args=NoArgs(),
        deadline_ms=now_ms + STOP_WAIT_MS,
    )


def _grant(row: CommandRow) -> str:
    assert row.expect.grant is not None  # the book rejects what must name its attempt and does not
    return row.expect.grant


def _gcode(row: CommandRow) -> ToSender:
    assert isinstance(row.args, GcodeArgs)
    return Gcode(id=row.id, lines=row.args.lines, admin=row.args.admin)


def _targets(row: CommandRow) -> ToSender:
    assert isinstance(row.args, TemperatureArgs)
    return SetTargets(id=row.id, targets_c=row.args.targets_c)


def _card(row: CommandRow) -> ToSender:
    assert isinstance(row.args, CardArgs)
    return Card(id=row.id, action=row.args.action, name=row.args.name)


_MESSAGE: dict[Verb, Callable[[CommandRow], ToSender]] = {
    Verb.PAUSE: lambda row: Pause(id=row.id, grant=_grant(row)),
    Verb.RESUME: lambda row: Resume(id=row.id, grant=_grant(row)),
    Verb.CANCEL: lambda row: Cancel(id=row.id, grant=_grant(row)),
    Verb.CONNECT: lambda row: Connect(id=row.id),
    Verb.DISCONNECT: lambda row: Disconnect(id=row.id),
    Verb.GCODE: _gcode,
    Verb.TEMPERATURE: _targets,
    Verb.CARD: _card,
    Verb.REMOTE_STOP: lambda row: RemoteStop(id=row.id),
    Verb.RESET_STOP: lambda row: ResetStop(id=row.id),
}


def message_of(row: CommandRow, file_of: Callable[[str], Path]) -> ToSender:
    """What the sender is told; *file_of* gives the path of a sha256 in the spool."""
    args = row.args
    if isinstance(args, CardWriteArgs):
        return CardWrite(
            id=row.id,
            name=args.name,
            path=str(file_of(args.sha256)),
            sha256=args.sha256,
            size_bytes=args.size_bytes,
            then=args.then,
            before_ms=row.deadline_ms,
        )
    if not isinstance(args, StartArgs):
        message = _MESSAGE[row.verb](row)
        if isinstance(message, Timed):
            return msgspec.structs.replace(message, before_ms=row.deadline_ms)
        return message
    job = JobSpec(
        grant=args.grant,
        job=args.job,
        file_name=args.file_name,
        path=str(file_of(args.sha256)),
        sha256=args.sha256,
        size_bytes=args.size_bytes,
    )
    return Start(id=row.id, job=job, before_ms=row.deadline_ms)
