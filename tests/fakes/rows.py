"""Commands as the agent's tests write them."""

from bridge.agent.commands import CommandRow
from schemas.commands import (
    Args,
    CardWriteArgs,
    Expect,
    GcodeArgs,
    NoArgs,
    StartArgs,
    TemperatureArgs,
    Verb,
)

SHA = "ab" * 32


def start_args(grant: str = "grant-1", sha256: str = SHA, size_bytes: int = 10) -> StartArgs:
    """A start grant."""
    return StartArgs(
        grant=grant,
        job=1,
        print=1,
        attempt=1,
        file_name="part.gcode",
        sha256=sha256,
        size_bytes=size_bytes,
    )


_ARGS: dict[Verb, Args] = {
    Verb.CARD_WRITE: CardWriteArgs(name="PART.GCO", sha256=SHA, size_bytes=10),
    Verb.START: start_args(),
    Verb.GCODE: GcodeArgs(["G28"]),
    Verb.TEMPERATURE: TemperatureArgs({"tool0": 200.0}),
}


def row(
    verb: Verb,
    command_id: str = "",
    *,
    args: Args | None = None,
    grant: str | None = None,
    deadline_ms: int | None = 60_000,
    seq: int = 1,
    printer: int = 1,
) -> CommandRow:
    """A journalled command of printer 1."""
    return CommandRow(
        id=command_id or f"{verb}-{seq}",
        seq=seq,
        printer=printer,
        verb=verb,
        args=args or _ARGS.get(verb, NoArgs()),
        expect=Expect(grant=grant),
        deadline_ms=deadline_ms,
    )
