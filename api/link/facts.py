"""Facts of a bridge become rows: acknowledged after their commit, and few in one.

Room link contract, "Facts". A fact that was recorded already is left out, a gap records nothing. A
fact that cannot be taken (an illegal step, somebody else's printer, a defect of ours) is logged and
told as an event, and never stands in the way of those behind it.
"""

import logging
from dataclasses import dataclass
from functools import partial

from tortoise.exceptions import DBConnectionError, IntegrityError, OperationalError

from api.bridges.service import Bridge, Standing
from api.db import Unstorable, persistently, set_apart
from api.events.service import Change, Happened
from api.link.rooms import LinkRooms
from schemas.facts import (
    AlarmFact,
    AttemptFact,
    CardFact,
    CardWrittenFact,
    CommandFact,
    Fact,
    FactBatch,
    FirmwareFact,
    GapFact,
    PlateFact,
    PlugFact,
    PortsFact,
    PrinterFact,
)
from schemas.link import Body, FactAck, Nak

MAX_FACTS = 100
#: In one transaction. More at a time have piled up: they give way to what is meant now, which on
#: SQLite waits behind each of them with every question.
AT_ONCE = 10
FOREIGN = "foreign_printer"  # the code of the answer to a report about somebody else's printer
GAP = "gap"  # the code of the answer to facts that do not follow: greet again, to agree on where

_log = logging.getLogger("gantry.link")


class FactGap(ValueError):
    """The batch does not follow what is recorded; *seq* is the last fact that is."""

    def __init__(self, reason: str, seq: int) -> None:
        super().__init__(reason)
        self.seq = seq


def new_facts(journal: str, seq: int, batch: FactBatch) -> list[Fact]:
    """Those of *batch* that come after fact *seq* of *journal*: pure. Raises `FactGap`."""
    if batch.journal_id != journal:
        raise FactGap(f"this link began with journal {journal!r}", seq)
    if len(batch.facts) > MAX_FACTS:
        raise FactGap(f"a batch holds at most {MAX_FACTS} facts", seq)
    fresh = [fact for fact in batch.facts if fact.seq > seq]
    for expected, fact in enumerate(fresh, start=seq + 1):
        if fact.seq != expected:
            raise FactGap(f"fact {expected} is missing before {fact.seq}", seq)
    return fresh


def age_of(fact: Fact, batch: FactBatch) -> float:
    """How many seconds old *fact* is; 0 when the room's clock does not tell: it booted since."""
    if batch.sent_ms is None or batch.boot_id != fact.boot_id:
        return 0.0
    return max(0.0, (batch.sent_ms - fact.at_ms) / 1000)


@dataclass(slots=True)
class _Batch:
    """What one transaction works with."""

    change: Change
    bridge: Bridge
    own: frozenset[int]
    batch: FactBatch
    foreign: int = 0


@dataclass(frozen=True, slots=True)
class _Taken:
    """What transactions recorded: up to *seq*; *foreign*: reports about others' printers."""

    seq: int
    foreign: int
    left: int = 0  # facts of the batch behind *seq*


class FactRecorder:
    """Takes batches."""

    def __init__(self, rooms: LinkRooms) -> None:
        self._rooms = rooms

    async def record(self, bridge: Bridge, epoch: int, batch: FactBatch) -> list[Body]:
        """Record *batch* as far as it is new; the answers for the bridge.

        A link that was replaced gets none. Raises what the database raises when it is in trouble:
        what was not acknowledged will be said again by the bridge.
        """
        try:
            taken = await self._take(bridge, epoch, batch)
        except FactGap as gap:
            _log.warning("bridge %d: %s", bridge.id, gap)
            ack = FactAck(journal_id=batch.journal_id, seq=gap.seq)
            return [Nak(code=GAP, reason=str(gap), type="fact"), ack]
        if taken is None:
            return []
        answers: list[Body] = [FactAck(journal_id=batch.journal_id, seq=taken.seq)]
        if taken.foreign:
            reason = f"{taken.foreign} facts about printers that are not of this bridge"
            answers.append(Nak(code=FOREIGN, reason=reason, type="fact"))
        return answers

    async def _take(self, bridge: Bridge, epoch: int, batch: FactBatch) -> _Taken | None:
        """What was recorded; None: this link was replaced. Raises `FactGap`."""
        try:
            return await self._by_and_by(bridge, epoch, batch)
        except FactGap:
            raise
        except Exception as error:
            if _is_database_trouble(error):
                raise
            _log.warning("bridge %d: a fact cannot be taken, looking for it: %r", bridge.id, error)
        return await self._one_by_one(bridge, epoch, batch)

    async def _by_and_by(self, bridge: Bridge, epoch: int, batch: FactBatch) -> _Taken | None:
        foreign = 0
        while (taken := await self._committed(bridge, epoch, batch)) is not None:
            foreign += taken.foreign
            if not taken.left:
                return _Taken(taken.seq, foreign)
        return None

    async def _one_by_one(self, bridge: Bridge, epoch: int, batch: FactBatch) -> _Taken | None:
        """Every fact in a change of its own: what cannot be taken leaves no trace but an event."""
        taken, foreign = None, 0
        for fact in batch.facts:
            alone = FactBatch(journal_id=batch.journal_id, facts=[fact])
            try:
                taken = await self._committed(bridge, epoch, alone)
            except FactGap:
                raise
            except Exception as error:
                if _is_database_trouble(error):
                    raise
                kind = type(fact.body).__name__
                _log.exception("bridge %d: %s %d is skipped", bridge.id, kind, fact.seq)
                taken = await self._committed(bridge, epoch, alone, unfit=_plain(error))
            if taken is None:
                return None
            foreign += taken.foreign
        return None if taken is None else _Taken(taken.seq, foreign)

    async def _committed(
        self, bridge: Bridge, epoch: int, batch: FactBatch, *, unfit: str = ""
    ) -> _Taken | None:
        """`_commit`, run again by itself where it collided: those before it are committed."""
        with set_apart():
            return await persistently(partial(self._commit, bridge, epoch, batch, unfit=unfit))

    async def _commit(
        self, bridge: Bridge, epoch: int, batch: FactBatch, *, unfit: str = ""
    ) -> _Taken | None:
        """Record the first that are new of *batch* in one transaction, or why it is *unfit*."""
        gives_way, ledger = len(batch.facts) > AT_ONCE, self._rooms.ledger
        async with ledger.change(bridge.organization_id, gives_way=gives_way) as change:
            standing, row = await self._rooms.bridges.held(bridge.id, epoch)
            if standing is not Standing.CURRENT:
                return None
            new = new_facts(row.fact_journal, row.fact_seq, batch)
            fresh = new[:AT_ONCE]
            work = _Batch(change, row, await self._rooms.printers.numbers_on(row.id), batch)
            for fact in fresh:
                if unfit:
                    kind = type(fact.body).__name__
                    _tell(work, "bridge.fact_skipped", seq=fact.seq, fact=kind, reason=unfit)
                else:
                    await self._apply(work, fact)
            seq = fresh[-1].seq if fresh else row.fact_seq
            if fresh:
                await self._rooms.bridges.ack_facts(change, row.id, batch.journal_id, seq)
        return _Taken(seq, work.foreign, len(new) - len(fresh))

    async def _apply(self, work: _Batch, fact: Fact) -> None:
        body = fact.body
        printer_id = getattr(body, "printer", None)
        if printer_id is not None and printer_id not in work.own:
            work.foreign += 1
            _tell(work, "bridge.foreign_report", printer=printer_id, fact=type(body).__name__)
            return
        match body:
            case CommandFact():
                await self._rooms.jobs.leases.went_on(work.change, work.bridge.id, body)
                await self._rooms.commands.record(work.change, work.bridge, body)
            case AttemptFact():
                await self._attempt(work, body, age_of(fact, work.batch))
            case CardWrittenFact():
                await self._rooms.printers.reported.card_written(work.change, body)
            case PrinterFact() | FirmwareFact() | CardFact() | PlateFact() | PlugFact():
                await self._printer(work, body)
            case PortsFact():
                await self._rooms.bridges.record_ports(work.change, work.bridge, body.ports)
            case AlarmFact():
                _alarm(work, body)
            case GapFact():
                _tell(work, "bridge.facts_lost", what=body.what[:64], count=body.count)

    async def _attempt(self, work: _Batch, fact: AttemptFact, age_s: float) -> None:
        jobs, bridge = self._rooms.jobs, work.bridge
        journal = bridge.fact_journal
        if not await jobs.leases.given_back(work.change, bridge.id, journal, fact):
            await jobs.record_attempt(work.change, bridge, fact, age_s)

    async def _printer(
        self, work: _Batch, fact: PrinterFact | FirmwareFact | CardFact | PlateFact | PlugFact
    ) -> None:
        printers = self._rooms.printers
        match fact:
            case PrinterFact():
                await printers.record_state(work.change, fact)
            case PlateFact():
                await printers.record_plate(work.change, fact.printer)
            case CardFact():
                await printers.record_card(work.change, fact)
            case PlugFact():
                await printers.reported.plug(work.change, fact)
            case FirmwareFact():
                await self._firmware(work, fact)

    async def _firmware(self, work: _Batch, fact: FirmwareFact) -> None:
        firmware = {
            "name": fact.name[:300],
            "uuid": fact.uuid,
            "machine": fact.machine,
            "capabilities": fact.capabilities,
            "fields": fact.fields,
        }
        await self._rooms.printers.record_firmware(work.change, fact.printer, firmware)


def _alarm(work: _Batch, fact: AlarmFact) -> None:
    work.change.record(
        Happened(
            organization_id=work.bridge.organization_id,
            kind="bridge.alarm" if fact.printer is None else "printer.alarm",
            printer_id=fact.printer,
            data={
                "bridge_id": work.bridge.id,
                "bridge_name": work.bridge.name,
                "code": fact.code[:64],
                "text": fact.text[:1000],
                "grant": fact.grant,
            },
        )
    )


def _tell(work: _Batch, kind: str, **data: object) -> None:
    work.change.record(
        Happened(
            organization_id=work.bridge.organization_id,
            kind=kind,
            data={"bridge_id": work.bridge.id, **data},
        )
    )


def _is_database_trouble(error: Exception) -> bool:
    """The database cannot work now; what breaks a rule or fits no column is the fact's fault."""
    trouble = isinstance(error, OperationalError | DBConnectionError | OSError)
    return trouble and not isinstance(error, IntegrityError | Unstorable)


def _plain(error: Exception) -> str:
    """What *error* says, as a text that every database holds."""
    return "".join(one if one.isprintable() else " " for one in str(error))[:200]
