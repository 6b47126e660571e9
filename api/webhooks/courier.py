"""Deliveries: rows of the change that they tell of, carried after the commit (v1 2.7).

Nobody who changes the farm waits for somebody else's service. A delivery belongs to the process
that took it for as long as `LEASE` (so of several one carries it), is tried again with growing
pauses, and stays as a row for the log. Every try carries the same id, because a service may have
taken what its answer does not say any more.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ulid import ULID

from api.bus.attendance import attend
from api.bus.local import Bus
from api.clock import Clock
from api.events.service import Ledger
from api.webhooks.messages import BadAddress, message, signature
from api.webhooks.models import Delivery, Webhook
from api.webhooks.outside import Forbidden, Outside, Unreachable

WAITING = "webhooks"  # rung when a delivery waits
LOOK_EVERY_S = 30.0
LEASE = timedelta(minutes=2)
#: How long after each try that failed the next one follows; after the last there is none.
DELAYS_S = (10, 60, 300, 1800, 2 * 3600, 6 * 3600)
DRAIN_S = 10.0  # after which `drain` begins no other: a tick has an end, and other steps

#: Answers of a service that another try may change.
_LATER = frozenset({408, 409, 425, 429, *range(500, 600)})

_log = logging.getLogger("gantry.webhooks")


class _GivenUp(Exception):
    """This will never be taken, however often it is tried."""


_NEVER = (_GivenUp, Forbidden, BadAddress)


class Courier:
    """Carries what waits."""

    def __init__(
        self, outside: Outside, unseal: Callable[[str], str | None], ledger: Ledger, clock: Clock
    ) -> None:
        self._outside = outside
        self._unseal = unseal
        self._ledger = ledger
        self._clock = clock

    async def run(self, bus: Bus) -> None:
        """Carry what comes, until cancelled."""
        await attend(bus, WAITING, self._round, "carrying webhooks")

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
        """Try the delivery that waits longest; False when none is due."""
        delivery = await self._take()
        if delivery is None:
            return False
        hook = await Webhook.get_or_none(id=delivery.webhook_id, is_enabled=True)
        if hook is None:
            await self._done(delivery, "failed", "it was switched off")
            return True
        try:
            delivery.status_code = await self._carry(hook, delivery.uid, delivery.facts)
            _judge(delivery.status_code)
        except Unreachable as error:
            await self._later(delivery, str(error))
        except _NEVER as error:
            await self._done(delivery, "failed", str(error))
        else:
            await self._done(delivery, "delivered", "")
        return True

    async def try_once(self, hook: Webhook, facts: Mapping[str, Any]) -> str:
        """Tell *hook* something now, without a row; "" when it took it, else why not."""
        try:
            _judge(await self._carry(hook, str(ULID()), facts))
        except (Unreachable, *_NEVER) as error:
            return str(error)
        return ""

    async def _take(self) -> Delivery | None:
        now = self._clock.now()
        due = Delivery.filter(state="waiting", due_at__lte=now).order_by("due_at", "id")
        if not await due.exists():
            return None
        async with self._ledger.change():
            delivery = await due.first()
            if delivery is not None:
                delivery.tries += 1
                delivery.due_at = now + LEASE
                await delivery.save(update_fields=["tries", "due_at"])
        return delivery

    async def _carry(self, hook: Webhook, uid: str, facts: Mapping[str, Any]) -> int:
        """The status that the service answers. Raises `Unreachable` and what is in `_NEVER`."""
        secret = self._unseal(hook.sealed)
        if secret is None:
            raise _GivenUp("its secret was sealed with another GANTRY_SECRET_KEY: make it anew")
        made = message(hook.webhook_type, hook.url, facts)
        ours = {
            "X-Gantry-Delivery": uid,
            "X-Gantry-Event": str(facts["event"]),
            "X-Gantry-Signature": signature(secret, int(self._clock.now().timestamp()), made.body),
        }
        return await self._outside.post(replace(made, headers={**made.headers, **ours}))

    async def _later(self, delivery: Delivery, why: str) -> None:
        if delivery.tries > len(DELAYS_S):
            await self._done(delivery, "failed", why)
            return
        wait_s = DELAYS_S[delivery.tries - 1]
        delivery.detail = why[:200]
        delivery.due_at = self._clock.now() + timedelta(seconds=wait_s)
        async with self._ledger.change(delivery.organization_id):
            await delivery.save(update_fields=["detail", "due_at", "status_code"])
        _log.info("delivery %s: %s; again in %d s", delivery.uid, why, wait_s)

    async def _done(self, delivery: Delivery, state: str, detail: str) -> None:
        delivery.state, delivery.detail = state, detail[:200]
        delivery.done_at = self._clock.now()
        async with self._ledger.change(delivery.organization_id):
            await delivery.save(update_fields=["state", "detail", "done_at", "status_code"])
        if state == "failed":
            _log.warning("delivery %s is given up: %s", delivery.uid, detail)


def _judge(status: int) -> None:
    """Raises `Unreachable` for an answer that may be another one later, `_GivenUp` for others."""
    if 200 <= status < 300:
        return
    if status in _LATER:
        raise Unreachable(f"it answered {status}")
    followed = "; redirects are not followed" if 300 <= status < 400 else ""
    raise _GivenUp(f"it answered {status}{followed}")
