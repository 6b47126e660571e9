"""The agent's process: puts the parts together, supervises them, ends them.

The only place of the agent with a broad `except`: a part that fails is logged with its traceback
and started again, the others go on. SIGTERM and SIGINT end the agent within a second and nothing
else: senders print on, simulators stay plugged in, and the next agent finds them.
"""

import asyncio
import logging
import os
import platform
import random
import secrets
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from bridge.agent import VERSION
from bridge.agent import address as addresses
from bridge.agent import identity as identities
from bridge.agent import status as statuses
from bridge.agent.bulk import BulkSource
from bridge.agent.database import Clock
from bridge.agent.detached import Children
from bridge.agent.errors import AlreadyRunning, PairingError
from bridge.agent.fleet import Fleet
from bridge.agent.journal import Journal, open_or_replace
from bridge.agent.journal_thread import JournalThread
from bridge.agent.leases import Held
from bridge.agent.link.backoff import Backoff
from bridge.agent.link.client import REFUSED_WAIT_S, Greeting, LinkClient
from bridge.agent.link.dial import Dialler
from bridge.agent.live import LiveSlots
from bridge.agent.plates import PlateDesk
from bridge.agent.ports import Listing, Ports
from bridge.agent.printers import PrinterKeeper, Tools
from bridge.agent.senders import SenderHome
from bridge.agent.simulators import Simulated, Simulators
from bridge.agent.spool import Spool
from bridge.agent.statewatch import StateWatch
from bridge.agent.wallclock import WallClock
from bridge.agent.work import Files
from bridge.control.lock import Lock
from bridge.control.paths import runtime_dir
from bridge.errors import LockHeld
from schemas.facts import AlarmFact

log = logging.getLogger(__name__)

PORTS_S = 2.0
#: `status.json` is written this often, and on a change, though not more often than the gap.
STATUS_S = 1.0
STATUS_GAP_S = 0.2
PRUNE_S = 3600.0
AGAIN_S = 1.0
#: Owner epochs of one agent run lie within one generation of the journal.
EPOCHS_PER_RUN = 1 << 20
JOURNAL_FILE = "journal.sqlite3"
#: On a copy of a state directory: so long the agent of the original may take to show itself.
COPY_PATIENCE_S = 2 * REFUSED_WAIT_S
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator asked for."""

    state_dir: Path
    listing: Listing
    simulated: Sequence[Simulated] = ()
    paths: Sequence[str] = ()
    insecure: bool = False


def run(options: Options) -> None:
    """Be the agent of *options.state_dir* until SIGTERM or SIGINT.

    Raises `AlreadyRunning`, `PairingError`, `JournalError` or `ControlError` when it cannot start.
    """
    options.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = Lock(options.state_dir / statuses.LOCK_FILE)
    except LockHeld as error:
        raise AlreadyRunning(
            f"another agent (process {error.pid}) works in {options.state_dir}"
        ) from error
    try:
        asyncio.run(_main(options))
    finally:
        lock.release()


async def _main(options: Options) -> None:
    agent = Agent(options)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await agent.open()
    await stop.wait()
    log.info("ending; senders and simulators go on")
    await agent.close()


class Agent:
    """The parts of one agent and the tasks that drive them."""

    def __init__(self, options: Options) -> None:
        state_dir = options.state_dir
        pairing = identities.load_pairing(state_dir)
        if pairing is None:
            raise PairingError("this bridge is not paired: run `python -m bridge pair URL` first")
        identity = identities.load_or_create(state_dir)
        address = addresses.parse(pairing.url, insecure=options.insecure)
        self._options = options
        self._url = address.http
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._clock = host_clock()
        self._wall = WallClock()
        path = state_dir / JOURNAL_FILE
        journal, self._damage = open_or_replace(path, self._clock().wall_s)
        is_copy = journal.is_copy(path, self._clock())
        boot_count, generation = journal.next_run(self._clock())
        self._journal = JournalThread(journal, self._clock)
        self._state = StateWatch(path, self._journal, self._facts_wait)
        self._bulk = BulkSource(address)
        self._spool = Spool(state_dir / "spool", self._bulk.open, self._pinned)
        self._live = LiveSlots()
        children = Children(state_dir / "log")
        runtime = runtime_dir(state_dir, statuses.sender_pids(state_dir))
        self._simulators = Simulators(options.simulated, runtime, children)
        self._ports = Ports(options.listing, options.paths, self._simulators.links)
        self._fleet = self._make_fleet(SenderHome(runtime, state_dir, children), generation)
        fleet = self._fleet
        fleet.patience_s = COPY_PATIENCE_S if is_copy else 0.0
        self._plates = PlateDesk(state_dir, fleet.why_not_clear, fleet.plate_cleared)
        self._link = self._make_link(Dialler(address, identity, pairing), pairing, boot_count)
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()  # something that `status.json` shows

    def _make_fleet(self, home: SenderHome, generation: int) -> Fleet:
        epochs = count(generation * EPOCHS_PER_RUN)
        tools = Tools(
            home=home,
            live=self._live,
            clock=time.monotonic,
            owner_epoch=lambda: next(epochs),
            agent_pid=os.getpid(),
            on_picture=self._picture_waits,
            on_terminal=self._lines_wait,
        )
        files = Files(self._spool.fetch, self._spool.path, self._spool.has)
        return Fleet(tools, self._journal, files, self._ports, self._facts_wait)

    def _make_link(self, dialler: Dialler, pairing: identities.Pairing, boots: int) -> LinkClient:
        greeting = Greeting(
            bridge_id=pairing.bridge_id,
            boot_id=self._clock().boot,
            boot_count=boots,
            agent_version=VERSION,
            os=f"{platform.system()} {platform.release()} {platform.machine()}",
            run_id=secrets.token_hex(8),
        )
        link = LinkClient(
            dialler,
            greeting,
            self._fleet,
            self._journal,
            self._live,
            backoff=Backoff(random.random),
            clock=time.monotonic,
        )
        link.insecure = self._options.insecure
        self._fleet.away_s = link.away_s
        link.on_token = self._bulk.set_token
        link.on_greeted = lambda welcome: self._wall.greeted(welcome.server_time, self._clock())
        return link

    async def open(self) -> None:
        """Adopt what runs and begin."""
        if self._damage is not None:
            log.error("%s", self._damage)
            alarm = AlarmFact(printer=None, code="journal_damaged", text=self._damage)
            await self._journal.run(Journal.add_fact, alarm, self._journal.now())
        self._ports.scan()
        await self._fleet.open()
        for name, part in (
            ("link", self._link.run),
            ("ports", self._watch_ports),
            ("simulators", self._watch_simulators),
            ("status", self._write_status),
            ("clock", self._watch_clock),
            ("state directory", self._state.run),
            ("plates", self._plates.run),
            ("files of leases", self._fleet.prefetch.run),
            ("leases", self._fleet.watch_alone),
            ("plugs", self._fleet.plugs.run),
            ("pruning", self._prune),
        ):
            self._tasks.append(asyncio.create_task(_supervise(name, part), name=name))

    async def close(self) -> None:
        """Stop every part; what runs detached goes on."""
        self._link.ending()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._fleet.close()
        await self._spool.close()
        await self._bulk.close()
        self._journal.close()

    def _facts_wait(self) -> None:
        self._link.wake(facts=True)

    def _lines_wait(self) -> None:
        self._link.wake()

    def _picture_waits(self) -> None:
        self._link.wake()
        self._changed.set()

    def _pinned(self) -> set[str]:
        return self._fleet.pinned()

    async def _watch_ports(self) -> None:
        while True:
            if await asyncio.to_thread(self._ports.scan):
                await self._fleet.ports_changed()
            await asyncio.sleep(PORTS_S)

    async def _watch_simulators(self) -> None:
        await self._simulators.start()
        if self._ports.scan():
            await self._fleet.ports_changed()
        await self._simulators.run()

    async def _prune(self) -> None:
        while True:
            await self._journal.run(Journal.prune, self._journal.now())
            await asyncio.sleep(PRUNE_S)

    async def _watch_clock(self) -> None:
        while True:
            alarm = self._wall.look(self._clock())
            if alarm is not None:
                log.warning("%s", alarm.text)
                await self._journal.run(Journal.add_fact, alarm, self._journal.now())
                self._facts_wait()
            await asyncio.sleep(STATUS_S)

    async def _write_status(self) -> None:
        trouble = ""
        while True:
            status = await self._status()
            try:
                await asyncio.to_thread(statuses.write, self._options.state_dir, status)
                trouble = ""
            except OSError as error:  # a full disk: told once, and by the age of the file
                if str(error) != trouble:
                    trouble = str(error)
                    log.error("the status file cannot be written: %s", error)
            await asyncio.sleep(STATUS_GAP_S)
            try:
                async with asyncio.timeout(STATUS_S - STATUS_GAP_S):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()

    async def _status(self) -> statuses.Status:
        waiting, size = await self._journal.run(Journal.fact_load)
        oldest, _ = await self._journal.run(Journal.fact_span)
        files, file_bytes = await asyncio.to_thread(self._spool.usage)
        link, now = self._link.status, time.monotonic()
        return statuses.Status(
            agent=statuses.AgentStatus(
                pid=os.getpid(), version=VERSION, started_at=self._started_at
            ),
            link=statuses.LinkStatus(
                state=link.state,
                epoch=link.epoch,
                url=self._url,
                age_s=_age(link.opened_at, now),
                last_heard_s=_age(self._link.heard_at(), now),
                last_ack_s=_age(link.acked_at, now),
                last_got_s=_age(link.got_at, now),
                refused=self._link.refused(),
                inbox=self._link.waiting(),
                last_error=link.last_error,
                clock_offset_s=self._wall.offset_s,
            ),
            outbox=statuses.OutboxStatus(
                facts=waiting, bytes=size, oldest=oldest if waiting else None
            ),
            spool=statuses.SpoolStatus(files=files, bytes=file_bytes),
            senders=[_sender(keeper) for keeper in self._fleet.keepers()],
            leases=[self._lease(*each) for each in await self._fleet.leases()],
            simulators=self._simulators.status(),
        )

    def _lease(self, held: Held, waits_for: str | None) -> statuses.LeaseStatus:
        lease = held.lease
        return statuses.LeaseStatus(
            printer=lease.printer,
            job=lease.job,
            file_name=lease.file_name,
            left_s=held.left_s,
            file=self._fleet.prefetch.has(lease.sha256),
            waits_for=waits_for,
        )


def host_clock() -> Callable[[], Clock]:
    """The clock for journal entries: monotonic time is valid within one boot of the host."""
    boot = _BOOT_ID.read_text("ascii").strip()
    return lambda: Clock(int(time.monotonic() * 1000), boot, int(time.time()))


async def _supervise(name: str, part: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await part()
        except Exception:
            log.exception("the agent's %s failed and is started again", name)
        await asyncio.sleep(AGAIN_S)


def _age(at: float | None, now: float) -> float | None:
    return None if at is None else round(now - at, 1)


def _sender(keeper: PrinterKeeper) -> statuses.SenderStatus:
    line, config, picture = keeper.line, keeper.config, keeper.picture()
    return statuses.SenderStatus(
        printer=keeper.printer,
        slug=config.slug if config else None,
        pid=line.adopted.pid if line else None,
        state=keeper.state(),
        port=keeper.device,
        adopted=keeper.adopted,
        printer_state=picture.state.value if picture else None,
        error=picture.error if picture else None,
        firmware=picture.firmware if picture else None,
        commands=keeper.work.open_commands(),
        notes=statuses.notes_of(picture) if picture else [],
    )
