"""What a greeting makes of a bridge's row: pure, nothing is read or written here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ulid import ULID

from api.bridges import bulk_tokens, clones, greetings
from api.bridges.models import Bridge
from api.bridges.positions import command_position, fact_position
from schemas.link import BulkToken, FactAck, Hello


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """An accepted hello. *desired_version* is the newest configuration of the room."""

    epoch: int
    session: str
    fact_ack: FactAck
    bulk: BulkToken
    desired_version: int


class Cloned(Exception):
    """Another machine has the same identity, and this one came later: it is turned away."""


class Late(Exception):
    """A greeting that was on its way while a later boot or run of the machine greeted."""


@dataclass(frozen=True, slots=True)
class Opening:
    """An accepted hello, the new columns of the row, and what is told: kinds and their data."""

    link: OpenedLink
    columns: Mapping[str, Any]
    tells: Mapping[str, dict[str, object]]


def opening_of(row: Bridge, hello: Hello, now: datetime, held_by: str) -> Opening:
    """What *hello* makes of *row* in the process *held_by*. Raises `Cloned`."""
    known = machines_of(row)
    machines = clones.greeted(known, clones.machine_of(hello.boot_id, hello.run_id))
    if machines is None:
        raise Cloned
    position = fact_position(row.fact_journal, row.fact_seq, hello.resume)
    token = bulk_tokens.fresh(row)
    link = OpenedLink(
        epoch=row.epoch + 1,
        session=str(ULID()),
        fact_ack=FactAck(journal_id=position.journal, seq=position.seq),
        bulk=BulkToken(token=token, life_s=bulk_tokens.BULK_TOKEN_S),
        desired_version=row.desired_version,
    )
    columns = {
        "epoch": link.epoch,
        "session": link.session,
        **greetings.columns(hello),
        "connected_at": now,
        "last_seen_at": now,
        "disconnected_at": None,
        "held_by": held_by,
        "shown_online": True,
        "fact_journal": position.journal,
        "fact_seq": position.seq,
        **machines.columns(),
        **bulk_tokens.columns(row, token, now),
    }
    tells: dict[str, dict[str, object]] = {}
    if machines.quarantined != known.quarantined:
        tells["bridge.cloned"] = {}
    if position.lost:
        tells["bridge.facts_lost"] = {"count": position.lost, "what": "facts"}
    given = command_position(row.command_seq, hello.resume)
    if given != row.command_seq:
        columns["command_seq"] = given
        tells["bridge.journal_ahead"] = {"commands": given - row.command_seq}
    if not row.shown_online:
        tells["bridge.online"] = {}
    return Opening(link, columns, tells)


def machines_of(row: Bridge) -> clones.Machines:
    """The machines that have greeted as *row*."""
    return clones.Machines.of(row.boot_id, row.former_boots, row.quarantined_boot)


def is_late(upgraded: Bridge, row: Bridge, hello: Hello) -> bool:
    """Whether *hello* comes from a machine that has started anew since its socket was opened.

    *upgraded*: the row as it was then. A slow line can bring the greeting of a machine that has
    lost its power after that of its next boot; taken for a copied identity (`api.bridges.clones`)
    it would turn away the one machine there is. A living copy dials again, and is seen then.
    """
    machine = clones.machine_of(hello.boot_id, hello.run_id)
    return row.epoch != upgraded.epoch and clones.has_been(machines_of(row), machine)
