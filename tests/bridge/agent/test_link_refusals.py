"""What the API must not say: refused by type, counted, logged once, and never on a printer."""

import asyncio
import gc
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.agent.database import Clock
from bridge.agent.errors import JournalError
from bridge.agent.link import connection
from schemas.codec import MAX_FRAME_BYTES, encode
from schemas.commands import Verb
from schemas.link import Cmd, Frame, Hello
from schemas.session import Lane
from tests.bridge.agent.test_link import Bench, MemoryDialler
from tests.fakes.api_link import FakeApi


def command(name: str, seq: int) -> dict[str, object]:
    """A command as it stands in a frame."""
    return {
        **{"seq": seq, "id": name, "printer": 1, "verb": "gcode"},
        **{"args": {"lines": ["G28"]}, "ttl_left_ms": 30_000},
    }


def frame(name: str, body: object, epoch: int) -> str:
    """A frame that is built by hand."""
    return msgspec.json.encode({"t": name, "e": epoch, "d": body}).decode()


def wrong_frames(epoch: int) -> list[tuple[str, str]]:
    """(frame, the code under which it is counted)."""
    foreign = msgspec.json.decode(msgspec.json.encode(command("yesterday", 7)), type=Cmd)
    greeting = Hello(protocols=(1, 1), bridge_id="b", boot_id="b", boot_count=1, agent_version="9")
    deep = '{"t":"cmd","d":' + "[" * 40 + "]" * 40 + "}"
    return [
        ("{", "bad_frame"),
        ("x" * (MAX_FRAME_BYTES + 1), "bad_frame"),
        (deep, "bad_frame"),
        (frame("cmd", {"id": "half"}, epoch), "bad_frame"),
        (frame("start_now", command("of another kind", 6), epoch), "unsupported"),
        (encode(Frame(body=foreign, epoch=epoch - 1)), "old_epoch"),
        (encode(Frame(body=greeting, epoch=epoch)), "out_of_place"),
    ]


async def test_what_is_no_command_reaches_no_printer(
    tmp_path: Path, now: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Malformed, oversize, replayed, out of place, of a future version: the link stands, and the
    next command is carried out; `bridge status` counts them while it does.
    """
    caplog.set_level(logging.INFO, "bridge.agent.link")
    api = FakeApi()
    bench = Bench(tmp_path, api, MemoryDialler(api, random.Random(1)), now)
    counted: list[int] = []

    async def say() -> None:
        await api.until(lambda: bool(api.connections))
        connection = api.connections[0]
        for text, _ in wrong_frames(connection.session.epoch) * 2:
            connection.session._lanes[Lane.CONTROL].append(text)
        api.command(1, Verb.GCODE, {"lines": ["G28"]}, id="good")
        await api.until(lambda: api.got == 1)
        counted.append(bench.client.refused())

    try:
        await bench.run_until(lambda: bench.room.executed == ["good"], say())
    finally:
        bench.journal.close()
    codes = {code for _, code in wrong_frames(1)}
    assert counted == [2 * len(wrong_frames(1))]
    assert bench.client.refused() == counted[0]
    for code in codes:
        assert caplog.text.count(f"a frame of the API is not taken: {code}") == 1
    assert len(api.hellos) == 1


async def test_a_disk_that_fails_amid_the_end_of_a_link_is_told_of(
    tmp_path: Path, now: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """What the API had just said is finished first; that it could not be kept is one line of log
    and no exception that nobody took (link, "Agent rules").
    """
    caplog.set_level(logging.INFO, "bridge.agent.link")
    api = FakeApi()
    bench = Bench(tmp_path, api, MemoryDialler(api, random.Random(1)), now)
    begun, link_over = asyncio.Event(), asyncio.Event()
    untaken: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: untaken.append(context))

    async def fails(commands: list[Cmd]) -> int:
        begun.set()
        await link_over.wait()
        raise JournalError("the journal cannot be written: disk full")

    bench.room.commands = fails  # type: ignore[method-assign]
    task = asyncio.create_task(bench.client.run())
    await api.until(lambda: bool(api.connections))
    api.command(1, Verb.GCODE, {"lines": ["G28"]})
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    link_over.set()
    await asyncio.gather(task, return_exceptions=True)
    bench.journal.close()
    gc.collect()
    assert untaken == []
    assert "amid this: the journal cannot be written: disk full" in caplog.text


async def seen(condition: Callable[[], bool]) -> None:
    """Look again and again until *condition* holds, ten seconds at most."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_disk_that_is_full_for_a_while_does_not_end_the_link(
    tmp_path: Path, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the API says waits for the journal; meanwhile the room is seen, a stop reaches it, and
    `bridge status` says why (safety R32, I12). The link fell with every word of the API.
    """
    monkeypatch.setattr(connection, "JOURNAL_RETRY_S", 0.01)
    api = FakeApi()
    bench = Bench(tmp_path, api, MemoryDialler(api, random.Random(1)), now)
    accept, is_full = bench.room.commands, True
    errors: list[str | None] = []

    async def commands(commands: list[Cmd]) -> int:
        errors.append(bench.client.status.last_error)
        if is_full:
            raise JournalError("the journal cannot be written: database or disk is full")
        return await accept(commands)

    bench.room.commands = commands  # type: ignore[method-assign]

    async def say() -> None:
        nonlocal is_full
        await api.until(lambda: bool(api.connections))
        api.command(1, Verb.GCODE, {"lines": ["G28"]}, id="patient")
        await seen(lambda: len(errors) > 2)
        api.remote_stop(1, "stop")
        await seen(lambda: bench.room.stops == ["stop"])
        is_full = False
        await api.until(lambda: api.got == 1)

    try:
        await bench.run_until(lambda: bench.room.executed == ["patient"], say())
    finally:
        bench.journal.close()
    assert len(api.hellos) == 1
    assert errors[0] is None
    assert set(errors[1:]) == {"the journal cannot be written: database or disk is full"}
    assert bench.client.status.last_error is None
