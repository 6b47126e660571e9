"""Messages to browsers: rows of the change that they tell of, carried after the commit (v1 2.7).

As with webhooks, a message belongs to the process that took it for as long as `LEASE`, and is tried
again with growing pauses. A subscription that its push service does not know any more (404, 410)
is removed; so is one whose secret nobody can read since the server has another secret key.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from api.bus.attendance import attend
from api.bus.local import Bus
from api.clock import Clock
from api.events.service import Ledger
from api.push.envelope import MAX_TEXT_BYTES, BadKey, Sender, sealed_for
from api.push.models import PushDevice, PushMessage
from api.webhooks.messages import Message
from api.webhooks.outside import Forbidden, Outside, Unreachable

WAITING = "push"  # rung when a message waits
LOOK_EVERY_S = 30.0
LEASE = timedelta(minutes=2)
#: How long after each try that failed the next one follows; after the last there is none.
DELAYS_S = (10, 60, 300, 1800, 2 * 3600)
DRAIN_S = 10.0  # after which `drain` begins no other: a tick has an end, and other steps
KEEP_S = 12 * 3600  # so long a push service keeps what it cannot deliver at once

_GONE = frozenset({404, 410})
_LATER = frozenset({408, 425, 429, *range(500, 600)})

_log = logging.getLogger("gantry.push")


class Outcome(Enum):
    """What became of a try."""

    TAKEN = auto()
    LATER = auto()  # nobody answered, or not now
    GONE = auto()  # nobody is subscribed there any more
    REFUSED = auto()  # never, however often it is tried


@dataclass(frozen=True, slots=True)
class Try:
    """What became of a try, and why."""

    outcome: Outcome
    why: str = ""


class Courier:
    """Carries what waits."""

    def __init__(
        self,
        outside: Outside,
        sender: Sender,
        unseal: Callable[[str], str | None],
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._outside = outside
        self._sender = sender
        self._unseal = unseal
        self._ledger = ledger
        self._clock = clock

    async def run(self, bus: Bus) -> None:
        """Carry what comes, until cancelled."""
        await attend(bus, WAITING, self._round, "pushing")

    async def _round(self) -> float:
        return 0.0 if await self.drain() else LOOK_EVERY_S

    async def drain(self) -> bool:
        """Carry what is due, as far as there is time; whether some of it may be left."""
        ends = self._clock.monotonic() + DRAIN_S
        while self._clock.monotonic() < ends:
            if not await self.step():
                return False
        return True

    async def step(self) -> bool:
        """Try the message that waits longest; False when none is due."""
        message = await self._take()
        if message is None:
            return False
        device = await PushDevice.get_or_none(id=message.device_row_id, is_enabled=True)
        tried = await self.carry(device, message.facts) if device else Try(Outcome.REFUSED)
        if tried.outcome is Outcome.LATER and message.tries <= len(DELAYS_S):
            wait_s = DELAYS_S[message.tries - 1]
            due_at = self._clock.now() + timedelta(seconds=wait_s)
            async with self._ledger.change(message.organization_id):
                await PushMessage.filter(id=message.id).update(due_at=due_at)
            _log.info("push %d: %s; again in %d s", message.id, tried.why, wait_s)
            return True
        if tried.outcome is not Outcome.TAKEN and device is not None:
            _log.info("push %d is given up: %s", message.id, tried.why)
        async with self._ledger.change(message.organization_id):
            await PushMessage.filter(id=message.id).delete()
        return True

    async def carry(self, device: PushDevice, facts: Mapping[str, Any]) -> Try:
        """Tell *device* now. A subscription that is no more is removed."""
        tried = await self._tried(device, facts)
        if tried.outcome is Outcome.GONE:
            async with self._ledger.change(device.organization_id):
                await forget(device)
            _log.info("subscription %d is removed: %s", device.id, tried.why)
        return tried

    async def _take(self) -> PushMessage | None:
        now = self._clock.now()
        due = PushMessage.filter(due_at__lte=now).order_by("due_at", "id")
        if not await due.exists():
            return None
        async with self._ledger.change():
            message = await due.first()
            if message is not None:
                message.tries += 1
                message.due_at = now + LEASE
                await message.save(update_fields=["tries", "due_at"])
        return message

    async def _tried(self, device: PushDevice, facts: Mapping[str, Any]) -> Try:
        secret = self._unseal(device.sealed)
        if secret is None:
            return Try(Outcome.GONE, "it was sealed with another GANTRY_SECRET_KEY")
        try:
            made = await asyncio.to_thread(self._message, device, secret, facts, self._clock.now())
            return judged(await self._outside.post(made))
        except Unreachable as error:
            return Try(Outcome.LATER, str(error))
        except (Forbidden, BadKey) as error:
            return Try(Outcome.REFUSED, str(error))

    def _message(
        self, device: PushDevice, secret: str, facts: Mapping[str, Any], now: datetime
    ) -> Message:
        text = _text(facts)
        if len(text) > MAX_TEXT_BYTES:
            text = _text({**facts, "message": None})
        urgent = facts.get("severity") == "critical"
        return Message(
            url=device.endpoint,
            body=sealed_for(device.p256dh, secret, text),
            headers={
                "Authorization": self._sender.signature(device.endpoint, now),
                "Content-Encoding": "aes128gcm",
                "Content-Type": "application/octet-stream",
                "TTL": str(KEEP_S),
                "Urgency": "high" if urgent else "normal",
            },
        )


def _text(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()


async def forget(device: PushDevice) -> None:
    """Remove *device* and what waits for it, in the transaction of the caller."""
    await PushMessage.filter(device_row_id=device.id).delete()
    await device.delete()


def judged(status: int) -> Try:
    """What the answer of a push service means."""
    if 200 <= status < 300:
        return Try(Outcome.TAKEN)
    why = f"it answered {status}"
    if status in _GONE:
        return Try(Outcome.GONE, why)
    return Try(Outcome.LATER if status in _LATER else Outcome.REFUSED, why)
