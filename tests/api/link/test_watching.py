"""What the bridges' socket says besides facts and commands: interest, refusals, the quick stop."""

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from api.bridges.models import Bridge
from api.commands.machine import Machine
from api.commands.models import Command
from api.errors import Conflict, Unavailable
from api.events.models import AuditEntry
from api.jobs.models import Job
from api.link.socket import LinkEndpoint
from api.printers.models import Printer
from api.printers.rows import bell
from api.telemetry.interest import LEASE_S
from schemas.commands import CommandState
from schemas.facts import AttemptFact, CommandFact, PlateFact, PrinterFact
from schemas.jobs import AttemptEvent, AttemptState
from schemas.link import Body, Desired, FactAck, Nak, Refuse, RemoteStop, Welcome
from schemas.printer import PrinterState
from schemas.watching import (
    Interest,
    InterestLevel,
    TerminalGot,
    TerminalLines,
    TerminalText,
    TerminalWatch,
)
from tests.api.link.conftest import Farm, batch
from tests.fakes.agents import AgentKey, hello_of
from tests.fakes.rooms import printer_row
from tests.fakes.sockets import FakeSocket


@pytest.fixture
def endpoint(farm: Farm) -> LinkEndpoint:
    return LinkEndpoint(farm.handler, farm.bus, farm.clock)


async def greeted(farm: Farm, socket: FakeSocket) -> FakeSocket:
    """The socket after hello, welcome and configuration."""
    await socket.accepted()
    socket.say(hello_of(farm.bridge.uid))
    welcome = await socket.hear()
    assert isinstance(welcome, Welcome)
    socket.epoch = welcome.epoch
    assert isinstance(await socket.hear(), Desired)
    return socket


async def test_a_look_at_a_printer_makes_its_room_show_more(
    farm: Farm, endpoint: LinkEndpoint
) -> None:
    """Link, "Live": idle until somebody reads a picture; told now and then, and on a new link."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        farm.rooms.telemetry.view(farm.printer)
        looked = await socket.hear()
        assert isinstance(looked, Interest) and looked.level is InterestLevel.DETAIL
        farm.rooms.telemetry.view(farm.printer)
        farm.clock.advance(LEASE_S / 2)
        farm.rooms.telemetry.mark([farm.bridge.id])
        assert isinstance(await socket.hear(), Interest)
        farm.rooms.telemetry.peek(farm.printer)
    farm.clock.advance(10)
    async with FakeSocket(endpoint, await farm.credentials()) as again:
        await again.accepted()
        again.say(hello_of(farm.bridge.uid))
        assert isinstance(await again.hear(), Welcome)
        assert await again.hear() == Interest(level=InterestLevel.DETAIL, lease_s=LEASE_S - 10)


async def test_room_that_nobody_looks_at_is_left_alone(farm: Farm, endpoint: LinkEndpoint) -> None:
    """A look holds for its lease; counting for the metrics is no look."""
    farm.rooms.telemetry.view(farm.printer)
    farm.clock.advance(LEASE_S)
    farm.rooms.telemetry.peek(farm.printer)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        socket.say(batch())
        assert await socket.hear() == FactAck(journal_id="J1", seq=0)


async def test_a_reader_makes_the_room_say_its_terminal(farm: Farm, endpoint: LinkEndpoint) -> None:
    """Link, "Live": asked for with what was heard last, confirmed frame by frame; on a new link
    again; lines of a printer that is not the bridge's are not taken (safety S59).
    """
    number = farm.printer.id
    terminals = farm.rooms.telemetry.terminals
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        farm.rooms.telemetry.view(farm.printer)
        assert isinstance(await socket.hear(), Interest)
        farm.rooms.telemetry.read_terminal(number)
        asked = await socket.hear()
        assert isinstance(asked, Interest) and asked.level is InterestLevel.DETAIL
        assert asked.terminals == [TerminalWatch(printer=number, lease_s=15.0)]
        own = TerminalText(printer=number, lines=["Recv: ok"], cursor="c:1")
        foreign = TerminalText(printer=99, lines=["Recv: forged"], cursor="c:2")
        socket.say(TerminalLines(number=1, texts=[own]))
        assert await socket.hear() == TerminalGot(number=1)
        socket.say(TerminalLines(number=2, texts=[foreign]))
        assert await socket.hear() == TerminalGot(number=2)
        refusal = await socket.hear()
        assert isinstance(refusal, Nak) and refusal.type == "terminal"
        with terminals.followed_by(number, lambda: None) as lines:
            assert lines.since(0) == ["Recv: ok"]
    async with FakeSocket(endpoint, await farm.credentials()) as again:
        await again.accepted()
        again.say(hello_of(farm.bridge.uid))
        assert isinstance(await again.hear(), Welcome)
        asked = await again.hear()
        assert isinstance(asked, Interest)
        assert asked.terminals == [TerminalWatch(printer=number, lease_s=15.0, after="c:1")]


async def test_copied_identity_is_turned_away_with_what_to_do(
    farm: Farm, endpoint: LinkEndpoint
) -> None:
    """S58: of two machines that take turns the newcomer is refused until an admin decides."""
    said: list[Body] = []
    for boot in ("first", "copy", "first", "copy"):
        async with FakeSocket(endpoint, await farm.credentials()) as socket:
            await socket.accepted()
            socket.say(hello_of(farm.bridge.uid, boot=boot))
            said.append(await socket.hear())
    assert [type(body) for body in said] == [Welcome, Welcome, Welcome, Refuse]
    assert isinstance(said[3], Refuse) and said[3].action == "clone"
    assert (await farm.kinds()).count("bridge.cloned") == 1
    await farm.rooms.bridges.choose_survivor(farm.admin, farm.bridge.id, other=True)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await socket.accepted()
        socket.say(hello_of(farm.bridge.uid, boot="copy"))
        assert isinstance(await socket.hear(), Welcome)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await socket.accepted()
        socket.say(hello_of(farm.bridge.uid, boot="first"))
        assert isinstance(await socket.hear(), Refuse)


async def test_only_a_copied_identity_has_a_survivor(farm: Farm) -> None:
    """409 when there is one machine only."""
    with pytest.raises(Conflict, match="Only one machine"):
        await farm.rooms.bridges.choose_survivor(farm.admin, farm.bridge.id, other=False)


async def test_stop_goes_out_while_the_database_is_down(farm: Farm, endpoint: LinkEndpoint) -> None:
    """M07: past the rows, once, and with its row and audit entry when they are back."""
    machine = Machine(
        farm.rooms.printers,
        farm.rooms.commands,
        farm.rooms.jobs.control,
        farm.rooms.telemetry,
        farm.rooms.ledger,
    )
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        printer = farm.printer.id
        await farm.rooms.printers.get(farm.admin, printer)  # remembered
        farm.bus.wake([bell(printer)])  # and has changed since
        connection = Bridge._meta.db
        await connection.execute_script("ALTER TABLE command RENAME TO away")
        await connection.execute_script("ALTER TABLE printer RENAME TO printer_away")
        stopped = await machine.remote_stop(farm.admin, printer)
        assert not stopped.is_sent and "database is down" in stopped.advice
        said = await socket.hear()
        assert isinstance(said, RemoteStop) and said.printer == printer
        await machine.remote_stop(farm.admin, printer)
        assert await socket.hear() == said, "pressed twice it is one stop"
        await connection.execute_script("ALTER TABLE away RENAME TO command")
        await connection.execute_script("ALTER TABLE printer_away RENAME TO printer")
        socket.say(batch(CommandFact(id=said.id, state=CommandState.DONE, code="at_once")))
        assert await socket.hear() == FactAck(journal_id="J1", seq=1)
    row = await Command.get(id=said.id)
    assert (row.state, row.verb, row.actor) == ("done", "remote_stop", farm.admin.username)
    await farm.rooms.commands.expire_due()
    assert farm.rooms.commands.direct.owed == {}
    assert await AuditEntry.filter(action="printer.remote_stop").count() == 1


async def test_stop_without_rows_and_link_says_that_nothing_was_stopped(farm: Farm) -> None:
    """M07, M08: no fake success; the owed stop of a rolled back change is not lost either."""
    machine = Machine(
        farm.rooms.printers,
        farm.rooms.commands,
        farm.rooms.jobs.control,
        farm.rooms.telemetry,
        farm.rooms.ledger,
    )
    await farm.rooms.printers.get(farm.admin, farm.printer.id)
    connection = Bridge._meta.db
    await connection.execute_script("ALTER TABLE command RENAME TO away")
    with pytest.raises(Unavailable, match="nothing was stopped"):
        await machine.remote_stop(farm.admin, farm.printer.id)
    await connection.execute_script("ALTER TABLE away RENAME TO command")
    said: list[RemoteStop] = []
    with farm.rooms.commands.direct.link(farm.bridge.id, said.append, 1):
        assert await farm.rooms.commands.stop_directly(farm.admin, farm.printer)
    with pytest.raises(RuntimeError):
        async with farm.rooms.ledger.change() as change:
            await farm.rooms.commands.write_owed(change)
            raise RuntimeError
    await farm.rooms.commands.expire_due()
    assert (await Command.get(id=said[0].id)).state == CommandState.QUEUED


async def test_hundred_links_of_one_moment_are_all_served(
    farm: Farm, endpoint: LinkEndpoint
) -> None:
    """R46: after a restart everybody comes at once; each is welcomed, the last one is heard."""
    async with AsyncExitStack() as open_sockets:
        sockets = [FakeSocket(endpoint, await farm.credentials()) for _ in range(100)]
        for socket in sockets:
            await open_sockets.enter_async_context(socket)
            socket.say(hello_of(farm.bridge.uid))
        welcomes = []
        for socket in sockets:
            await socket.accepted()
            body = await socket.hear()
            assert isinstance(body, Welcome)
            welcomes.append((body.epoch, socket))
        epochs = sorted(epoch for epoch, _ in welcomes)
        assert epochs == list(range(1, 101))
        newest = max(welcomes, key=lambda each: each[0])[1]
        newest.epoch = epochs[-1]
        newest.say(batch(PrinterFact(printer=farm.printer.id, state=PrinterState.OPERATIONAL)))
        while not isinstance(body := await newest.hear(), FactAck):
            assert isinstance(body, Desired)
        assert body.seq == 1


async def test_claim_at_the_machine_is_a_clear_plate(farm: Farm) -> None:
    """M15, M16: a person in the room says so; while an attempt holds the printer it is none."""
    await farm.greet()
    claim = PlateFact(printer=farm.printer.id)
    await farm.handler.incoming(farm.bridge, farm.epoch, batch(claim, claim))
    row = await Printer.get(id=farm.printer.id)
    assert row.plate_state == "clear" and row.plate_claim
    assert (await farm.kinds()).count("printer.plate_cleared") == 1
    await Printer.filter(id=row.id).update(plate_state="occupied", active_grant="g")
    await farm.handler.incoming(farm.bridge, farm.epoch, batch(claim, first=3))
    assert (await Printer.get(id=row.id)).plate_state == "occupied"


async def test_full_disk_in_the_room_is_the_jobs_reason(farm: Farm) -> None:
    """R32: a download that finds no room fails the start, and the job says which disk is full."""
    await farm.greet()
    attempt = await farm.attempt()
    reason = "no room for a file of 9 bytes: the spool /var/spool holds 8 of 8 bytes"
    ended = AttemptFact(
        printer=farm.printer.id,
        grant=attempt.grant,
        event=AttemptEvent.NOT_STARTED,
        state=AttemptState.NOT_STARTED,
        reason=reason,
    )
    failed = CommandFact(
        id=attempt.command_id, state=CommandState.FAILED, code="file_unavailable", reason=reason
    )
    await farm.handler.incoming(farm.bridge, farm.epoch, batch(failed, ended))
    job = await Job.get(id=attempt.job_id)
    assert (job.state, job.reason) == ("pending", reason)


async def test_the_greeting_of_a_machine_that_lost_its_power_is_no_copy(
    farm: Farm, endpoint: LinkEndpoint
) -> None:
    """Seed 1006649: a slow line brings it after that of the next boot, which must stay welcome."""
    async with FakeSocket(endpoint, await farm.credentials()) as slow:
        await slow.accepted()
        for boot in ("first", "second"):
            async with FakeSocket(endpoint, await farm.credentials()) as socket:
                await socket.accepted()
                socket.say(hello_of(farm.bridge.uid, boot=boot))
                assert isinstance(await socket.hear(), Welcome)
        slow.say(hello_of(farm.bridge.uid, boot="first"))
        said = await slow.hear()
        assert isinstance(said, Refuse) and (said.code, said.action) == ("late", "")
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await socket.accepted()
        socket.say(hello_of(farm.bridge.uid, boot="second"))
        assert isinstance(await socket.hear(), Welcome)
    assert "bridge.cloned" not in await farm.kinds()


async def test_a_stop_of_another_room_is_not_written_with_the_word_of_this_one(farm: Farm) -> None:
    """What a bridge says is recorded in a change of its organization, which touches no other's."""
    said: list[RemoteStop] = []
    commands = farm.rooms.commands
    async with farm.rooms.ledger.change() as change:
        room = await farm.rooms.bridges.create(change, 2, "Elsewhere", AgentKey().public)
    theirs = await printer_row(farm.clock, room.id, organization_id=2)
    for by, printer in (farm.admin, farm.printer), (replace(farm.admin, organization_id=2), theirs):
        with commands.direct.link(printer.bridge_id or 0, said.append, 1):
            assert await commands.stop_directly(by, printer)
    done = CommandFact(id=said[0].id, state=CommandState.DONE, code="at_once")
    async with farm.rooms.ledger.change(1) as change:
        assert await commands.record(change, farm.bridge, done) is not None
    assert [row.id for row in await Command.all()] == [said[0].id]
    await commands.expire_due()
    assert (await Command.get(id=said[1].id)).organization_id == 2
