"""Facts of a bridge: every one once, in order, in one transaction; none blocks the others."""

import logging
import random
from typing import Any

import pytest

from api.bridges.models import Bridge
from api.commands.models import Command
from api.db import PASSING, Busy
from api.events.models import Event
from api.events.service import Ledger
from api.jobs.models import Attempt, Job
from api.link.facts import AT_ONCE, FOREIGN, FactGap, FactRecorder, new_facts
from api.printers.models import Printer
from schemas.commands import CommandState
from schemas.facts import (
    AlarmFact,
    AttemptFact,
    CommandFact,
    Fact,
    FactBatch,
    FactBody,
    FirmwareFact,
    GapFact,
    PlugFact,
    Port,
    PortsFact,
    PrinterFact,
)
from schemas.jobs import AttemptEvent, AttemptState
from schemas.link import FactAck, Nak
from schemas.printer import PrinterState
from tests.api.link.conftest import Farm, batch
from tests.fakes.rooms import printer_row

S = PrinterState


def state(farm: Farm, state: PrinterState) -> PrinterFact:
    return PrinterFact(printer=farm.printer.id, state=state)


async def fed(farm: Farm) -> None:
    """The printer is fed by a plug in its room's network."""
    plug = {"type": "tasmota", "host": "192.168.1.30", "off_on_stop": False, "is_on": None}
    await Printer.filter(id=farm.printer.id).update(details={"plug": plug})


async def printer_states(farm: Farm) -> list[str]:
    """Every state the printer went through, as events tell it."""
    rows = await Event.filter(kind="printer.state").order_by("number")
    return [row.data["state"] for row in rows]


# The numbers, without rows.


def numbered(*seqs: int, journal: str = "J") -> FactBatch:
    body = GapFact(what="printer", count=1)
    facts = [Fact(seq=seq, at_ms=0, boot_id="b", body=body) for seq in seqs]
    return FactBatch(journal_id=journal, facts=facts)


def test_only_what_follows_is_new() -> None:
    """Facts that are recorded already are left out, wherever the batch begins."""
    assert [fact.seq for fact in new_facts("J", 3, numbered(2, 3, 4, 5))] == [4, 5]
    assert new_facts("J", 3, numbered(1, 2)) == []
    assert new_facts("J", 3, numbered()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        numbered(5),
        numbered(4, 6),
        numbered(5, 4),
        numbered(4, journal="K"),
        numbered(*range(4, 105)),
    ],
    ids=["begins late", "hole", "disorder", "other journal", "too many"],
)
def test_a_gap_is_refused_whole(wrong: FactBatch) -> None:
    """Nothing is taken from a batch that does not follow, and the refusal says from where."""
    with pytest.raises(FactGap) as gap:
        new_facts("J", 3, wrong)
    assert gap.value.seq == 3


# With rows.


async def test_facts_move_rows_and_are_acknowledged(farm: Farm) -> None:
    """One batch of every kind: commands, attempts, printers, firmware, ports, alarms, gaps."""
    await farm.greet()
    attempt = await farm.attempt()
    port = Port(port_id="usb:1-1", device="/dev/ttyACM0")
    printer = farm.printer.id
    bodies: list[FactBody] = [
        CommandFact(id=attempt.command_id, state=CommandState.STARTED),
        AttemptFact(
            printer=printer,
            grant=attempt.grant,
            event=AttemptEvent.STARTED,
            state=AttemptState.STARTED,
        ),
        state(farm, S.PRINTING),
        FirmwareFact(printer=printer, name="Marlin 2.1", capabilities={"EEPROM": True}),
        PortsFact(ports=[port]),
        AlarmFact(printer=printer, code="thermal", text="It heats and nobody asked"),
        AlarmFact(printer=None, code="disk", text="The disk is nearly full"),
        GapFact(what="printer", count=3),
        PlugFact(printer=printer, is_on=True, power_w=120.5, energy_kwh=3.0),
    ]
    await fed(farm)
    answers = await farm.handler.incoming(farm.bridge, farm.epoch, batch(*bodies))
    assert answers == [FactAck(journal_id="J1", seq=9)]
    assert (await Command.get(id=attempt.command_id)).state == "started"
    assert (await Attempt.get(grant=attempt.grant)).state == "started"
    assert (await Job.get(id=attempt.job_id)).state == "printing"
    row = await Printer.get(id=printer)
    assert (row.state, row.firmware["name"]) == ("printing", "Marlin 2.1")
    assert (row.details["plug"]["is_on"], row.details["plug"]["power_w"]) == (True, 120.5)
    assert await farm.rooms.bridges.ports(farm.admin, farm.bridge.id) == [port]
    kinds = await farm.kinds()
    assert {"printer.alarm", "bridge.alarm", "bridge.facts_lost", "bridge.ports"} <= set(kinds)
    assert (await Bridge.get(id=farm.bridge.id)).fact_seq == 9


async def test_a_repeated_batch_is_acknowledged_and_changes_nothing(farm: Farm) -> None:
    """The acknowledgement was lost: the same facts come again, twice and tenfold (safety R11)."""
    await farm.greet()
    facts = batch(state(farm, S.CONNECTING), state(farm, S.OPERATIONAL))
    for _ in range(10):
        answers = await farm.handler.incoming(farm.bridge, farm.epoch, facts)
        assert answers == [FactAck(journal_id="J1", seq=2)]
    assert await printer_states(farm) == ["connecting", "operational"]


async def test_a_gap_records_nothing_and_says_where_to_go_on(farm: Farm) -> None:
    """A lost batch is asked for again by the acknowledgement beside the refusal (safety R13)."""
    await farm.greet()
    late = batch(state(farm, S.OPERATIONAL), first=2)
    nak, ack = await farm.handler.incoming(farm.bridge, farm.epoch, late)
    assert isinstance(nak, Nak) and nak.code == "gap"
    assert ack == FactAck(journal_id="J1", seq=0)
    assert await printer_states(farm) == []


async def test_batches_in_any_order_end_in_the_right_one(farm: Farm) -> None:
    """Reordered and repeated batches: what is recorded is always a prefix, in order (R12)."""
    await farm.greet()
    states = [S.CONNECTING, S.OPERATIONAL, S.STARTING, S.PRINTING, S.PAUSING, S.PAUSED]
    batches = [batch(state(farm, each), first=seq) for seq, each in enumerate(states, start=1)]
    shuffled = random.Random(7)
    while (await Bridge.get(id=farm.bridge.id)).fact_seq < len(states):
        await farm.handler.incoming(farm.bridge, farm.epoch, shuffled.choice(batches))
        seen = await printer_states(farm)
        assert seen == [str(each) for each in states[: len(seen)]]


async def test_facts_that_have_piled_up_are_recorded_by_and_by(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few in each change, with room for others between; one answer, and no fact left out."""
    await farm.greet()
    states = [(S.OPERATIONAL, S.OFFLINE)[number % 2] for number in range(2 * AT_ONCE + 3)]
    many = batch(*(state(farm, each) for each in states))
    began: list[bool] = []
    real = Ledger.change

    def change(self: Ledger, *scope: int, gives_way: bool = False) -> Any:
        began.append(gives_way)
        return real(self, *scope, gives_way=gives_way)

    monkeypatch.setattr(Ledger, "change", change)
    ack = FactAck(journal_id="J1", seq=len(states))
    assert await farm.handler.incoming(farm.bridge, farm.epoch, many) == [ack]
    assert began == [True, True, True]
    assert await printer_states(farm) == states
    few = batch(state(farm, S.CONNECTING), first=len(states) + 1)
    await farm.handler.incoming(farm.bridge, farm.epoch, few)
    assert began[3:] == [False]


async def test_trouble_in_the_middle_of_many_facts_leaves_none_out(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was recorded stays; said again, the rest follows (safety R12, R21)."""
    await farm.greet()
    states = [(S.OPERATIONAL, S.OFFLINE)[number % 2] for number in range(2 * AT_ONCE)]
    many = batch(*(state(farm, each) for each in states))
    real, calls = FactRecorder._commit, 0

    async def commit(self: FactRecorder, *args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Busy("the server has no time")
        return await real(self, *args, **named)

    monkeypatch.setattr(FactRecorder, "_commit", commit)
    with pytest.raises(PASSING):
        await farm.handler.incoming(farm.bridge, farm.epoch, many)
    assert (await Bridge.get(id=farm.bridge.id)).fact_seq == AT_ONCE
    ack = FactAck(journal_id="J1", seq=len(states))
    assert await farm.handler.incoming(farm.bridge, farm.epoch, many) == [ack]
    assert await printer_states(farm) == states


async def test_an_old_link_is_not_listened_to(farm: Farm) -> None:
    """Facts that come on a replaced link are neither recorded nor answered (safety R14)."""
    await farm.greet()
    old = farm.epoch
    await farm.greet()
    facts = batch(state(farm, S.ERROR))
    assert await farm.handler.incoming(farm.bridge, old, facts) == []
    assert await printer_states(farm) == []
    await farm.handler.incoming(farm.bridge, farm.epoch, facts)
    assert await printer_states(farm) == ["error"]


async def test_a_new_journal_begins_its_own_line(farm: Farm) -> None:
    """An agent that was installed again counts from one, and nothing of it is lost."""
    await farm.greet()
    await farm.handler.incoming(farm.bridge, farm.epoch, batch(state(farm, S.CONNECTING)))
    welcome = await farm.greet(journal="J2", oldest=1, newest=1)
    assert welcome.fact_ack == FactAck(journal_id="J2", seq=0)
    facts = batch(state(farm, S.OPERATIONAL), journal="J2")
    await farm.handler.incoming(farm.bridge, farm.epoch, facts)
    assert await printer_states(farm) == ["connecting", "operational"]


async def test_facts_that_the_api_lost_are_told(farm: Farm) -> None:
    """An API restored from a backup goes on where the agent's outbox begins, and says so."""
    await farm.greet()
    welcome = await farm.greet(oldest=5, newest=5)
    assert welcome.fact_ack.seq == 4
    lost = await Event.get(kind="bridge.facts_lost")
    assert lost.data["count"] == 4
    await farm.handler.incoming(farm.bridge, farm.epoch, batch(state(farm, S.OPERATIONAL), first=5))
    assert await printer_states(farm) == ["operational"]


async def test_reports_about_foreign_printers_change_nothing(farm: Farm) -> None:
    """They are skipped, told and acknowledged; the facts behind them count (safety S59)."""
    await farm.greet()
    foreign = await printer_row(farm.clock, bridge_id=None, organization_id=2)
    facts = batch(
        PrinterFact(printer=foreign.id, state=S.ERROR),
        FirmwareFact(printer=999, name="?"),
        AlarmFact(printer=foreign.id, code="x", text="x"),
        state(farm, S.OPERATIONAL),
    )
    ack, nak = await farm.handler.incoming(farm.bridge, farm.epoch, facts)
    assert ack == FactAck(journal_id="J1", seq=4)
    assert isinstance(nak, Nak) and nak.code == FOREIGN
    assert (await Printer.get(id=foreign.id)).state == "offline"
    assert await printer_states(farm) == ["operational"]
    assert (await farm.kinds()).count("bridge.foreign_report") == 3
    assert "printer.alarm" not in await farm.kinds()


async def test_another_bridges_command_and_attempt_are_left_alone(farm: Farm) -> None:
    """Knowing somebody else's ids moves neither their command nor their job (safety S59)."""
    await farm.greet()
    attempt = await farm.attempt()
    await Command.filter(id=attempt.command_id).update(bridge_id=77)
    facts = batch(
        CommandFact(id=attempt.command_id, state=CommandState.DONE),
        AttemptFact(
            printer=farm.printer.id,
            grant=attempt.grant,
            event=AttemptEvent.COMPLETED,
            state=AttemptState.COMPLETED,
        ),
    )
    answers = await farm.handler.incoming(farm.bridge, farm.epoch, facts)
    assert answers == [FactAck(journal_id="J1", seq=2)]
    assert (await Command.get(id=attempt.command_id)).state == "queued"
    assert (await Attempt.get(grant=attempt.grant)).state == "granted"


async def test_a_poisonous_fact_is_skipped_with_all_it_did(
    farm: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    """What a row cannot hold is undone alone; its neighbours are recorded once each."""
    await farm.greet()
    wide = Port(port_id="usb:1", device="x" * 10)
    facts = batch(
        state(farm, S.CONNECTING),
        AlarmFact(printer=farm.printer.id, code="a", text="before"),
        AttemptFact(  # its grant is longer than any may be
            printer=farm.printer.id,
            grant="x" * 40,
            event=AttemptEvent.STARTED,
            state=AttemptState.STARTED,
        ),
        PortsFact(ports=[wide]),
        state(farm, S.OPERATIONAL),
    )
    with caplog.at_level(logging.WARNING):
        answers = await farm.handler.incoming(farm.bridge, farm.epoch, facts)
    assert answers == [FactAck(journal_id="J1", seq=5)]
    assert await printer_states(farm) == ["connecting", "operational"]
    kinds = await farm.kinds()
    assert kinds.count("printer.alarm") == kinds.count("bridge.ports") == 1
    skipped = await Event.get(kind="bridge.fact_skipped")
    assert (skipped.data["seq"], skipped.data["fact"]) == (3, "AttemptFact")
    assert "is skipped" in caplog.text


async def test_a_database_in_trouble_skips_nothing(farm: Farm) -> None:
    """A failing database is the farm's fault: nothing is acknowledged, it is said again later."""
    await farm.greet()
    facts = batch(state(farm, S.OPERATIONAL))
    connection = Printer._meta.db
    await connection.execute_script("ALTER TABLE printer RENAME TO away")
    with pytest.raises(Exception, match=r"no such table|does not exist"):
        await farm.handler.incoming(farm.bridge, farm.epoch, facts)
    await connection.execute_script("ALTER TABLE away RENAME TO printer")
    assert (await Bridge.get(id=farm.bridge.id)).fact_seq == 0
    answers = await farm.handler.incoming(farm.bridge, farm.epoch, facts)
    assert answers == [FactAck(journal_id="J1", seq=1)]


HOSTILE = ["a\0b", "\0" * 500, "x" * 5000, "\ufffd\u202e\x1b[2J", "🖨" * 900]


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_a_printer_says_never_keeps_other_facts_back(farm: Farm, text: str) -> None:
    """Whatever the database makes of such a text: the batch is acknowledged, the rest recorded."""
    await farm.greet()
    printer = farm.printer.id
    bodies: list[FactBody] = [
        PrinterFact(printer=printer, state=S.CONNECTING, reason=text),
        FirmwareFact(printer=printer, name=text, machine=text, capabilities={text: True}),
        AlarmFact(printer=printer, code=text, text=text),
        PortsFact(ports=[Port(port_id="usb:1-1", device="/dev/ttyACM0", description=text)]),
        PlugFact(printer=printer, is_on=None, error=text),
        state(farm, S.OPERATIONAL),
    ]
    await fed(farm)
    answers = await farm.handler.incoming(farm.bridge, farm.epoch, batch(*bodies))
    assert answers == [FactAck(journal_id="J1", seq=6)]
    assert (await Printer.get(id=printer)).state == "operational"
    assert (await Bridge.get(id=farm.bridge.id)).fact_seq == 6
