"""Refusals in the audit trail: who asked for what they may not do (v1 2.11; ASVS 16.3).

A flood of them fills nothing: the same refusal is written once in a while with how often it came
since, and an organization has so many entries a minute, whatever is asked. What is left out is
counted in the next one.
"""

import logging
from collections.abc import Hashable
from dataclasses import dataclass, field

from tortoise.exceptions import BaseORMException

from api.clock import Clock
from api.events.service import Ledger
from api.principal import Principal

ACTION = "auth.denied"
REPEAT_S = 600.0  # the same refusal again
WINDOW_S = 60.0
PER_WINDOW = 20  # entries of one organization
_REMEMBERED = 5000  # refusals of all

_log = logging.getLogger("gantry.audit")


@dataclass(slots=True)
class _Seen:
    written_s: float
    left_out: int = 0


@dataclass(slots=True)
class _Window:
    began_s: float
    written: int = 0


@dataclass(slots=True)
class Bound:
    """Which refusals are worth an entry. Pure: the time (monotonic, seconds) is passed in."""

    _seen: dict[Hashable, _Seen] = field(default_factory=dict)
    _windows: dict[int, _Window] = field(default_factory=dict)

    def take(self, organization_id: int, what: Hashable, now_s: float) -> int | None:
        """How many refusals the entry to be written now stands for; None: none is written."""
        seen = self._seen.get(what)
        if seen is not None and now_s - seen.written_s < REPEAT_S:
            seen.left_out += 1
            return None
        window = self._windows.get(organization_id)
        if window is None or now_s - window.began_s >= WINDOW_S:
            window = self._windows[organization_id] = _Window(now_s)
        if window.written >= PER_WINDOW:
            if seen is not None:
                seen.left_out += 1
            return None
        window.written += 1
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[what] = _Seen(now_s)
        return 1 + (seen.left_out if seen is not None else 0)


class Denials:
    """Writes refusals down."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._bound = Bound()

    async def note(self, by: Principal, method: str, route: str, code: str) -> None:
        """*by* was refused *method* on *route* (its pattern, without ids) with *code*.

        A trail that cannot be written does not change the answer.
        """
        what = (by.credential_id, method, route, code)
        times = self._bound.take(by.organization_id, what, self._clock.monotonic())
        if times is None:
            return
        facts = {"method": method, "route": route, "code": code, "times": times}
        try:
            async with self._ledger.change() as change:
                change.note(by, ACTION, (by.kind, by.credential_id), **facts)
        except (BaseORMException, OSError) as error:
            _log.warning("a refusal of %s could not be noted: %s", by.username, error)
