"""The outbox: a mail is a row of the change that it tells of, and leaves after the commit.

No request waits for a mail server. What a mail says is made when it is sent, by whoever knows its
kind, so no row holds a secret; a mail may come twice when a process dies between the server's
answer and the row's end, and then only the newer one's link works.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from api.bus.attendance import attend
from api.bus.local import Bus
from api.clock import Clock
from api.config import Settings
from api.events.service import Change, Ledger
from api.mail.letters import Mail, Unsendable, message
from api.mail.models import Letter
from api.mail.smtp import NotNow, Smtp, Transport

WAITING = "mail"  # rung when a mail waits
LOOK_EVERY_S = 30.0
LEASE = timedelta(minutes=2)  # whoever takes a mail has so long for it
#: How long after each try that failed the next one follows; after the last there is none.
DELAYS_S = (60, 300, 900, 3600, 3600, 4 * 3600, 8 * 3600)
MOST_AT_ONCE = 100  # that one `drain` sends
DRAIN_S = 10.0  # after which it begins no other: a function's tick has an end, and other steps

#: (address, facts) -> what to say; None: nothing any more.
Composer = Callable[[str, Mapping[str, Any]], Awaitable[Mail | None]]

_log = logging.getLogger("gantry.mail")


class Post:
    """Mail to people; closed (nothing is written, nothing leaves) without GANTRY_SMTP_HOST."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        settings: Settings,
        transport: Transport | None = None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._sender = settings.smtp_from
        self._transport = transport or Smtp(settings)
        self._composers: dict[str, Composer] = {}
        self.is_open = bool(settings.smtp_host)

    def compose(self, kind: str, composer: Composer) -> None:
        """From now on *composer* says what mails of *kind* say."""
        self._composers[kind] = composer

    async def put(self, change: Change, kind: str, address: str, **facts: Any) -> None:
        """Send a mail of *kind* to *address* after the commit of *change*. *facts*: no secrets."""
        if not self.is_open or not address:
            return
        now = self._clock.now()
        await Letter.create(kind=kind, address=address, facts=facts, due_at=now, created_at=now)
        change.wake(WAITING)

    async def run(self, bus: Bus) -> None:
        """Send what comes, until cancelled."""
        if self.is_open:
            await attend(bus, WAITING, self._round, "sending mails")

    async def _round(self) -> float:
        await self.drain()
        return LOOK_EVERY_S

    async def drain(self) -> None:
        """Send what is due, as far as there is time; the rest with the next look."""
        ends = self._clock.monotonic() + DRAIN_S
        for _ in range(MOST_AT_ONCE):
            if self._clock.monotonic() >= ends or not await self.step():
                return

    async def step(self) -> bool:
        """Try the mail that waits longest; False when none is due."""
        letter = await self._take()
        if letter is None:
            return False
        try:
            await self._send(letter)
        except NotNow as error:
            await self._later(letter, str(error))
            return True
        except Unsendable as error:
            _log.warning("mail %d (%s) is given up: %s", letter.id, letter.kind, error)
        async with self._ledger.change():
            await Letter.filter(id=letter.id).delete()
        return True

    async def _take(self) -> Letter | None:
        """The mail that waits longest, for `LEASE` nobody else's."""
        if not self.is_open:
            return None
        now = self._clock.now()
        due = Letter.filter(due_at__lte=now).order_by("due_at", "id")
        if not await due.exists():
            return None
        async with self._ledger.change():
            letter = await due.first()
            if letter is not None:
                letter.tries += 1
                letter.due_at = now + LEASE
                await letter.save(update_fields=["tries", "due_at"])
        return letter

    async def _send(self, letter: Letter) -> None:
        mail = await self._composers[letter.kind](letter.address, letter.facts)
        if mail is None:
            return
        now = self._clock.now()
        made = message(mail, letter.address, self._sender, number=letter.id, now=now)
        await self._transport.carry(made)

    async def _later(self, letter: Letter, why: str) -> None:
        async with self._ledger.change():
            if letter.tries > len(DELAYS_S):
                _log.warning("mail %d (%s) is given up: %s", letter.id, letter.kind, why)
                await Letter.filter(id=letter.id).delete()
                return
            wait_s = DELAYS_S[letter.tries - 1]
            due_at = self._clock.now() + timedelta(seconds=wait_s)
            await Letter.filter(id=letter.id).update(due_at=due_at)
            _log.info("mail %d: %s; again in %d s", letter.id, why, wait_s)
