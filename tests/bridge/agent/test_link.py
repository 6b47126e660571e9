"""The link from the agent's side: nothing lost, nothing twice, whatever the line does."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from bridge.agent.address import Address
from bridge.agent.commands import CommandRow
from bridge.agent.database import Clock
from bridge.agent.errors import LinkError, Refused
from bridge.agent.handover import row_of
from bridge.agent.identity import Pairing, load_or_create
from bridge.agent.journal import Journal
from bridge.agent.journal_thread import JournalThread
from bridge.agent.link.backoff import Backoff
from bridge.agent.link.client import REFUSED_WAIT_S, Greeting, LinkClient
from bridge.agent.link.dial import Dialler, Socket, retry_after
from bridge.agent.link.inbox import MAX_WAITING, Inbox
from bridge.agent.link.uplink import DesiredParts, Uplink
from bridge.agent.live import LiveSlots
from schemas.commands import Verb
from schemas.facts import AlarmFact, Fact, Port
from schemas.link import (
    Body,
    BulkToken,
    Cmd,
    Desired,
    FactAck,
    Goaway,
    Nak,
    Refuse,
    RemoteStop,
    Sender,
    Token,
    Welcome,
)
from schemas.printer import Live, PrinterConfig, PrinterState
from schemas.session import LinkSession, LinkState
from schemas.watching import Interest
from tests.fakes.api_link import FakeApi, MemorySocket, serve

GREETING = Greeting("bridge-1", "boot-a", 1, "0.1.0", "Linux")
CONFIGS = [PrinterConfig(id=n, slug=f"p{n}", name="P", port_id="x") for n in range(3)]


class JournalRoom:
    """A room whose printers are the journal: it executes what is new there."""

    def __init__(self, journal: JournalThread) -> None:
        self.journal = journal
        self.executed: list[str] = []
        self.stops: list[str] = []
        self.configured: list[int] = []
        self.interests: list[Interest] = []

    def ports(self) -> list[Port]:
        return []

    def remote_stop(self, stop: RemoteStop) -> None:
        self.stops.append(stop.id)

    def interest(self, interest: Interest) -> None:
        self.interests.append(interest)

    async def commands(self, commands: list[Cmd]) -> int:
        taken = (row_of(command, 0) for command in commands)
        rows = [one for one in taken if isinstance(one, CommandRow)]
        fresh = await self.journal.run(Journal.accept, rows, self.journal.now())
        self.executed += [row.id for row in fresh]
        return await self.journal.run(Journal.command_seq)

    async def configure(self, desired: Desired) -> None:
        await self.journal.run(Journal.configure, desired, self.journal.now())
        self.configured.append(desired.version)

    async def acknowledged(self, seq: int) -> None:
        await self.journal.run(Journal.acknowledge, seq)


class MemoryDialler:
    """Opens sockets that break after a random number of frames."""

    def __init__(self, api: FakeApi, rng: random.Random, frames: int = 10_000_000) -> None:
        self._api = api
        self._rng = rng
        self._frames = frames

    async def dial(self, address: Address | None = None) -> Socket:
        if self._rng.random() < 0.1 and self._frames < 1000:
            raise LinkError("no route")
        return MemorySocket(self._api, self._rng.randrange(1, self._frames), self._rng)


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


class Bench:
    """A client, its journal and an API that is there."""

    def __init__(self, directory: Path, api: FakeApi, dialler: object, clock: Clock) -> None:
        self.api = api
        self.journal = JournalThread(Journal(directory / "journal.sqlite3"), lambda: clock)
        self.room = JournalRoom(self.journal)
        self.live = LiveSlots()
        self.client = LinkClient(
            dialler,  # type: ignore[arg-type]
            GREETING,
            self.room,
            self.journal,
            self.live,
            backoff=Backoff(lambda: 0.0),
            clock=asyncio.get_running_loop().time,
        )
        self.client.sleep = no_sleep

    async def fact(self, text: str) -> None:
        fact = AlarmFact(printer=1, code="x", text=text)
        await self.journal.run(Journal.add_fact, fact, self.journal.now())
        self.client.wake(facts=True)

    async def run_until(self, condition: Callable[[], bool], work: object = None) -> None:
        task = asyncio.create_task(self.client.run())
        try:
            if work is not None:
                await work  # type: ignore[misc]
            done = asyncio.create_task(self.api.until(condition))
            await asyncio.wait((task, done), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            await done
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def texts(self) -> list[str]:
        bodies = (fact.body for fact in self.api.all_facts())
        return [body.text for body in bodies if isinstance(body, AlarmFact)]


async def random_life(bench: Bench, rng: random.Random, facts: int, commands: int) -> None:
    for number in range(facts):
        await bench.fact(str(number))
        if number < commands:
            bench.api.command(rng.randrange(3), Verb.GCODE, {"lines": ["G28"]})
        if rng.random() < 0.2:
            await asyncio.sleep(0)


@pytest.mark.seeded
@pytest.mark.parametrize("first", range(0, 50, 10))
async def test_facts_and_commands_survive_any_cut(first: int, tmp_path: Path, now: Clock) -> None:
    """50 seeds: every fact once and in order, every command executed once (link, acceptance a)."""
    for seed in range(first, first + 10):
        rng = random.Random(seed)
        api = FakeApi(desired=CONFIGS)
        directory = Path(tmp_path, str(seed))
        directory.mkdir()
        bench = Bench(directory, api, MemoryDialler(api, rng, rng.choice((40, 60, 120))), now)
        facts, commands = 40, 15
        await bench.run_until(
            lambda facts=facts, commands=commands, bench=bench: (  # type: ignore[misc]
                len(bench.texts()) == facts and bench.api.got == commands
            ),
            random_life(bench, rng, facts, commands),
        )
        assert bench.texts() == [str(number) for number in range(facts)]
        assert bench.room.executed == [command.id for command in api.commands]
        bench.journal.close()


@pytest.fixture
async def bench(quick_dir: Path, now: Clock) -> Bench:
    """A client on a line that does not break."""
    api = FakeApi(desired=CONFIGS)
    return Bench(quick_dir, api, MemoryDialler(api, random.Random(7)), now)


async def test_greeting_says_where_the_agent_stands(bench: Bench) -> None:
    """The hello carries journal, numbers and version; the reported version comes back."""
    await bench.fact("a")
    await bench.run_until(lambda: bool(bench.api.reported) and bool(bench.texts()))
    hello = bench.api.hellos[0]
    assert (hello.bridge_id, hello.boot_id) == ("bridge-1", "boot-a")
    assert (hello.resume.oldest_fact, hello.resume.newest_fact) == (1, 1)
    assert bench.room.configured == [1]
    bench.journal.close()


async def test_thousand_facts_are_delivered_within_the_window(bench: Bench) -> None:
    """A long outage drains in batches, and the outbox is empty afterwards."""
    for number in range(1500):
        await bench.fact(str(number))
    await bench.run_until(lambda: len(bench.texts()) == 1500)
    assert bench.api.repeats == 0
    bench.journal.close()


async def test_pictures_follow_the_welcome_and_every_change(bench: Bench) -> None:
    """The room's pictures leave at once, a change of state without waiting."""
    bench.live.put(Live(printer=1, state=PrinterState.OPERATIONAL))

    async def change() -> None:
        await bench.api.until(lambda: 1 in bench.api.lives)
        bench.live.put(Live(printer=1, state=PrinterState.PRINTING, grant="g"))
        bench.client.wake()

    await bench.run_until(lambda: bench.api.lives[1].state is PrinterState.PRINTING, change())
    assert bench.api.lives[1].grant == "g"
    bench.journal.close()


async def test_stop_passes_commands_that_wait_for_the_disk(bench: Bench) -> None:
    """A remote stop goes to the room from the reader, not through the inbox (safety M06)."""
    held = asyncio.Event()
    plain = bench.room.commands

    async def slow(commands: list[Cmd]) -> int:
        await held.wait()
        return await plain(commands)

    bench.room.commands = slow  # type: ignore[method-assign]

    async def stop() -> None:
        await bench.api.until(lambda: bool(bench.api.connections))
        for _ in range(50):
            bench.api.command(1, Verb.GCODE, {"lines": []})
        bench.api.remote_stop(1, "stop-1")
        while not bench.room.stops:
            await asyncio.sleep(0)
        assert bench.room.executed == []
        held.set()

    await bench.run_until(lambda: bench.api.got == 50, stop())
    assert bench.room.stops == ["stop-1"]
    bench.journal.close()


async def test_api_that_drains_is_left_and_found_again(bench: Bench) -> None:
    """Goaway closes the link; the client waits within the window and comes back."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    bench.client.sleep = note
    bench.client._backoff = Backoff(lambda: 0.5)

    async def drain() -> None:
        await bench.api.until(lambda: bool(bench.api.connections))
        bench.api.connections[0].say(Goaway(window_s=20.0))

    await bench.run_until(lambda: len(bench.api.hellos) == 2, drain())
    assert waits == [10.0]
    bench.journal.close()


async def test_token_and_nak_are_taken(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """A fresh bulk token replaces the old one; a nak is logged and the link stays."""
    tokens: list[BulkToken] = []
    bench.client.on_token = tokens.append

    async def say() -> None:
        await bench.api.until(lambda: bool(bench.api.connections))
        connection = bench.api.connections[0]
        connection.say(Token(bulk=BulkToken(token="fresh", life_s=5)))
        connection.say(Nak(code="unsupported", reason="what?", type="live"))
        await bench.fact("after")

    await bench.run_until(lambda: bench.texts() == ["after"], say())
    assert [token.token for token in tokens] == ["bulk-token", "fresh"]
    assert "what?" in caplog.text
    bench.journal.close()


async def test_rolled_back_journal_goes_on_under_a_new_id(bench: Bench) -> None:
    """An API that knows more facts than the journal ever had: none of the new ones is lost."""
    await bench.run_until(lambda: bool(bench.api.reported))
    journal_id = bench.api.hellos[0].resume.journal_id
    fact = AlarmFact(printer=1, code="x", text="from the lost time")
    bench.api.facts[journal_id] = [Fact(seq=500, at_ms=1, boot_id="b", body=fact)]
    await bench.fact("new")
    await bench.run_until(lambda: len(bench.api.facts) == 2 and "new" in bench.texts())
    assert "the journal was rolled back; facts of the time between are lost" in bench.texts()
    bench.journal.close()


async def test_refused_bridge_asks_seldom(bench: Bench) -> None:
    """A refusal is obeyed with its retry_after, else a minute."""
    waits: list[float] = []

    class Closed:
        async def dial(self, address: Address | None = None) -> Socket:
            raise Refused("revoked", "no", None if len(waits) else 7.0)

    async def note(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise asyncio.CancelledError

    bench.client._dialler = Closed()
    bench.client.sleep = note
    with pytest.raises(asyncio.CancelledError):
        await bench.client.run()
    assert waits == [7.0, REFUSED_WAIT_S]
    assert bench.client.status.last_error == "no: pair it again with: python -m bridge pair URL"
    bench.journal.close()


async def test_refuse_message_ends_the_connection(bench: Bench) -> None:
    """`refuse` instead of a welcome: the reason is kept for `bridge status`."""

    class Refusing(MemorySocket):
        async def send(self, message: str) -> None:
            self._connection.session.say(
                Refuse(code="upgrade", reason="too old", action="upgrade"), 0.0
            )
            self._connection.wake.set()

    class RefusingDialler:
        async def dial(self, address: Address | None = None) -> Socket:
            return Refusing(bench.api, 1000, random.Random(1))

    bench.client._dialler = RefusingDialler()
    assert await bench.client._once() == REFUSED_WAIT_S
    said = bench.client.status.last_error
    assert said is not None
    assert said.startswith("the API refused this bridge (upgrade): too old: install the agent")
    bench.journal.close()


async def test_full_inbox_ends_the_link() -> None:
    """Nothing in it was acknowledged, so nothing is lost."""
    inbox = Inbox(lambda: 0.0)
    ack = FactAck(journal_id="j", seq=1)
    for _ in range(MAX_WAITING):
        inbox.put(ack)
    with pytest.raises(LinkError, match="keep up"):
        inbox.put(ack)


async def test_inbox_groups_what_stands_in_a_row() -> None:
    """One transaction for many commands, one for many acks, in the order they came."""
    api = FakeApi()
    commands = [api.command(1, Verb.CONNECT) for _ in range(3)]
    inbox = Inbox(lambda: 0.0)
    acks = [FactAck(journal_id="j", seq=seq) for seq in (1, 2)]
    bodies: list[Body] = [*commands[:2], *acks, commands[2]]
    for body in bodies:
        inbox.put(body)
    assert await inbox.take() == commands[:2]
    assert await inbox.take() == FactAck(journal_id="j", seq=2)
    assert await inbox.take() == commands[2:]


async def test_life_of_a_command_goes_on_while_it_waits_for_the_disk() -> None:
    """A slow journal stretches no deadline (safety R18); what never expires does not begin to."""
    now_s = [100.0]
    inbox = Inbox(lambda: now_s[0])
    api = FakeApi()
    for ttl_left_ms in (30_000, 1_000, None):
        inbox.put(api.command(1, Verb.GCODE, {"lines": []}, ttl_left_ms=ttl_left_ms))
    now_s[0] += 2.5
    inbox.put(api.command(1, Verb.GCODE, {"lines": []}, ttl_left_ms=400))
    taken = await inbox.take()
    assert isinstance(taken, list)
    assert [command.ttl_left_ms for command in taken] == [27_500, 0, None, 400]


async def test_life_of_a_command_goes_on_while_its_frame_is_late(bench: Bench) -> None:
    """What stood in a dead line or before a frozen agent is that much older (safety R18, I7)."""
    uplink = Uplink(await bench.client._hello(), LiveSlots(), 50.0)
    peer = LinkSession(Sender.API, 1000.0, state=LinkState.OPEN, epoch=0)

    def heard(body: Body, said_s: float, heard_s: float) -> Body | None:
        peer.say(body, said_s)
        frame = peer.data_to_send()
        assert frame is not None
        return uplink.receive(frame, heard_s)

    ack = FactAck(journal_id="j", seq=0)
    bulk = BulkToken(token="t", life_s=1)
    peer.state = LinkState.GREETING
    welcome = Welcome(
        session="s", epoch=1, protocol=1, server_time="", fact_ack=ack, bulk=bulk, dead_s=90.0
    )
    assert heard(welcome, 1000.0, 50.1) == welcome
    command = bench.api.command(1, Verb.GCODE, {"lines": []}, ttl_left_ms=30_000)
    prompt, late = heard(command, 1010.0, 60.1), heard(command, 1011.0, 86.1)
    assert [getattr(body, "ttl_left_ms", None) for body in (prompt, late)] == [30_000, 5_000]
    bench.journal.close()


CLOSES = [
    (4401, "removed", "the API has revoked this bridge: pair it again with: python -m", 60.5),
    (4409, "replaced", "another connection of this bridge has taken over: asked again in a", 60.5),
    (4403, "reports about printers", "the API ended the link (4403): reports about printers", 0.5),
    (1012, "the API restarts", "the API ended the link (1012): the API restarts", 0.5),
    (1011, "the API had a problem", "the API ended the link (1011): the API had a problem", 0.5),
    (1008, "facts are missing", "the API ended the link (1008): facts are missing", 0.5),
    (1013, "this peer does not", "the API ended the link (1013): this peer does not", 0.5),
    (1009, "", "the API ended the link (1009): without a reason", 0.5),
    (None, "", "the line to the API broke: it ended without a word", 0.5),
]


@pytest.mark.parametrize(("code", "reason", "line", "wait_s"), CLOSES)
async def test_close_code_says_what_it_means_and_how_soon_to_come_back(
    bench: Bench,
    caplog: pytest.LogCaptureFixture,
    code: int | None,
    reason: str,
    line: str,
    wait_s: float,
) -> None:
    """Link "Reconnect", safety R51: one line, logged once; who was turned away asks seldom."""

    class Closing(MemorySocket):
        async def recv(self) -> str:
            await super().recv()  # the welcome
            raise ConnectionClosedError(Close(code, reason) if code else None, None)

    class ClosingDialler:
        async def dial(self, address: Address | None = None) -> Socket:
            return Closing(bench.api, 1000, random.Random(1))

    bench.client._dialler = ClosingDialler()
    bench.client._backoff = Backoff(lambda: 0.5)
    assert await bench.client._once() == wait_s
    said = bench.client.status.last_error
    assert said is not None
    assert said.startswith(line)
    await bench.client._once()
    assert [record.getMessage() for record in caplog.records].count(said) == 1
    bench.journal.close()


def test_configuration_in_parts_takes_effect_when_whole() -> None:
    """Parts in any order; a newer version drops the older one's parts."""
    parts = DesiredParts()
    one = Desired(version=1, printers=CONFIGS[:1], part=1, parts=2)
    two = Desired(version=1, printers=CONFIGS[1:], part=2, parts=2)
    assert parts.add(two) is None
    assert parts.add(one) == Desired(version=1, printers=CONFIGS)
    assert parts.add(Desired(version=2, printers=[], part=1, parts=2)) is None
    newest = Desired(version=3, printers=CONFIGS)
    assert parts.add(newest) == newest
    assert parts.add(Desired(version=2, printers=[], part=2, parts=2)) is None


def test_retry_after_is_seconds_or_nothing() -> None:
    """A date is not worth a clock."""
    assert [retry_after(text) for text in ("7", None, "", "Wed, 21 Oct")] == [7.0, None, None, None]


# Over a real socket.


async def test_real_socket_carries_the_link(tmp_path: Path, now: Clock) -> None:
    """Nonce, signed upgrade, welcome, facts up, commands down; a cut link comes back."""
    key = load_or_create(tmp_path)
    api = FakeApi(desired=CONFIGS)
    async with serve(api) as url:
        dialler = Dialler(Address(url), key, Pairing(url=url, bridge_id="bridge-1"))
        bench = Bench(tmp_path, api, dialler, now)

        async def life() -> None:
            await bench.fact("a")
            await api.until(lambda: bench.texts() == ["a"])
            api.cut()
            await bench.fact("b")
            api.command(1, Verb.CONNECT)

        await bench.run_until(lambda: bench.texts() == ["a", "b"] and api.got == 1, life())
        assert api.epoch == 2
        assert bench.client.status.epoch == 2
        assert api.authorizations[0].startswith('Gantry-Ed25519 bridge="bridge-1", nonce="n1", ')
        bench.journal.close()


async def test_rejected_upgrade_and_missing_api_are_told_apart(tmp_path: Path) -> None:
    """403 with a code is a refusal; nobody there is a link error."""
    key = load_or_create(tmp_path)
    api = FakeApi(refuse_upgrade=True)
    async with serve(api) as url:
        pairing = Pairing(url=url, bridge_id="b")
        with pytest.raises(Refused) as refused:
            await Dialler(Address(url), key, pairing).dial()
        assert refused.value.code == "revoked"
    with pytest.raises(LinkError, match="cannot reach"):
        await Dialler(Address(url), key, pairing).dial()
