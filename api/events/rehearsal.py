"""A dry run is the call itself, up to its first commit (v1 contract, 1.7).

There is no second implementation of a decision: while a request is rehearsed, the service is called
as always, every check of rights, existence and state runs in the real transaction, and the ledger
rolls it back where it would commit. What a service says with `would` on its way is the answer; it
costs nothing when nobody rehearses.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


class Rehearsed(Exception):
    """The transaction was rolled back where it would have been committed; never an error."""


@dataclass(slots=True)
class Rehearsal:
    """What a call would do. *action* "": nothing has said so yet."""

    action: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


_rehearsal: ContextVar[Rehearsal | None] = ContextVar("rehearsal", default=None)


@contextmanager
def rehearsing() -> Iterator[Rehearsal]:
    """Until the end of this block nothing is committed by this task: see `Rehearsed`."""
    rehearsal = Rehearsal()
    token = _rehearsal.set(rehearsal)
    try:
        yield rehearsal
    finally:
        _rehearsal.reset(token)


def would(action: str, **facts: Any) -> None:
    """What the call that is being made would do, in the words of a dry run; the last word counts.

    To be said once it is decided, before the commit.
    """
    rehearsal = _rehearsal.get()
    if rehearsal is not None:
        rehearsal.action, rehearsal.facts = action, facts


def is_rehearsed() -> bool:
    """Whether this task only rehearses: who does many things at once rehearses each of them."""
    return _rehearsal.get() is not None


def stop_rehearsal(noted: tuple[str, str, str, dict[str, Any]] | None) -> None:
    """The ledger is about to commit. Raises `Rehearsed` when this is a rehearsal.

    *noted*: (action, kind, id, details) of the first audit entry, the answer of a service that
    said nothing else.
    """
    rehearsal = _rehearsal.get()
    if rehearsal is None:
        return
    if not rehearsal.action and noted is not None:
        action, kind, entity_id, details = noted
        ids = {f"{kind}_id": int(entity_id)} if kind and entity_id.isdigit() else {}
        rehearsal.action, rehearsal.facts = action, {**ids, **details}
    raise Rehearsed
