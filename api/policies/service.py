"""The rules of the farm: kept as rows, remembered by every process (v1 1.1, 2.2, 2.4).

Whoever serves a request has asked `current` at the door, so `rights` is no older than that. A
change reaches the other processes by the bus, and in a few seconds without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tortoise.exceptions import BaseORMException

from api.accounts.credentials import ENDS
from api.bus.local import Bus
from api.clock import Clock
from api.events.service import Change, Ledger
from api.outage import AGAIN_S, ASK_S, briefly
from api.policies import doorway, permissions
from api.policies.doorway import Allowlist
from api.policies.models import FarmSetting
from api.policies.quiet import QuietHours, quiet_hours_of
from api.principal import RIGHTS, Principal, Right

REMEMBERED_S = 5.0
#: The wake after a rule has changed.
CHANGED = "policies"

ALLOWLIST = "ip_allowlist"
QUIET = "quiet_hours"
PERMISSIONS = "permissions"
NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds at one moment. *allowlist* None: everybody may come in."""

    kept: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    allowlist: Allowlist | None = None
    rights: Mapping[str, Right] = field(default_factory=lambda: RIGHTS)


class Policies:
    """What a superadmin has set for everybody."""

    def __init__(self, ledger: Ledger, clock: Clock, bus: Bus) -> None:
        self._ledger = ledger
        self._clock = clock
        self._rules: Rules | None = None
        self._until_s = 0.0  # monotonic; 0: what is remembered has been changed since
        self._generation = 0
        bus.listen(CHANGED, on_ring=self._forget).__enter__()

    @property
    def rights(self) -> Mapping[str, Right]:
        """The table of rights that `current` found last."""
        return RIGHTS if self._rules is None else self._rules.rights

    async def host_ip(self) -> str:
        """Where other machines reach this server, as somebody has set it; "" for not."""
        return str((await self.current()).kept.get(NETWORK, {}).get("host_ip", ""))

    async def current(self) -> Rules:
        """What holds now. While the database is away: what held before."""
        if self._rules is not None and self._clock.monotonic() < self._until_s:
            return self._rules
        generation = self._generation
        try:
            return await briefly(self._read(), within_s=ASK_S if self._until_s else None)
        except (BaseORMException, OSError):
            if self._rules is None:
                raise
            if generation == self._generation:
                self._until_s = self._clock.monotonic() + AGAIN_S
            return self._rules

    async def _read(self) -> Rules:
        """The rules as the rows say; remembered also when nobody waits for them any more."""
        generation = self._generation
        rows = await FarmSetting.all()
        found = _rules({row.name: row.value for row in rows}, self._rules)
        if generation == self._generation:
            self._rules, self._until_s = found, self._clock.monotonic() + REMEMBERED_S
        return found

    async def kept(self, name: str) -> Mapping[str, Any]:
        """The rule *name* as it is kept; {} when nothing was set."""
        return (await self.current()).kept.get(name, {})

    async def read(self, name: str) -> Mapping[str, Any]:
        """The rule *name* as the database has it now, for who changes it; {}: nothing was set."""
        row = await FarmSetting.get_or_none(name=name)
        return {} if row is None else row.value

    async def keep(self, change: Change, name: str, value: Mapping[str, Any]) -> None:
        """*value* is the rule *name* from the commit of *change* on; {} takes it back."""
        now = self._clock.now()
        if value:
            await FarmSetting.update_or_create({"value": value, "updated_at": now}, name=name)
        else:
            await FarmSetting.filter(name=name).delete()
        self._forget()
        change.wake(CHANGED)

    # Who may come in.

    async def allowlist(self, by: Principal) -> Mapping[str, Any]:
        """From where people and programs may come in, as it is kept."""
        by.require("farm.admin")
        empty = {"enabled": False, "cidrs": [], "mode": doorway.DEFAULT_MODE}
        return {**empty, **await self.kept(ALLOWLIST)}

    async def set_allowlist(
        self, by: Principal, *, enabled: bool, cidrs: Sequence[str], mode: str, address: str
    ) -> Mapping[str, Any]:
        """Let in who comes from *cidrs*. *address* is the caller's, who must be among them.

        Raises `Invalid`.
        """
        by.require("farm.admin")
        wanted = doorway.checked(enabled=enabled, cidrs=cidrs, mode=mode, address=address)
        async with self._ledger.change() as change:
            await self.keep(change, ALLOWLIST, wanted)
            change.note(by, "config.ip_allowlist_updated", ("config", ALLOWLIST), **wanted)
        return wanted

    async def allow_all(self, by: Principal) -> None:
        """Everybody may come in; the networks stay listed, for when it is switched on again."""
        by.require("farm.admin")
        async with self._ledger.change() as change:
            if listed := await self.read(ALLOWLIST):
                await self.keep(change, ALLOWLIST, {**listed, "enabled": False})
            change.note(by, "config.ip_allowlist_updated", ("config", ALLOWLIST), enabled=False)

    # When nobody is disturbed.

    async def quiet_hours(self, own: Mapping[str, Any]) -> QuietHours:
        """What holds for an organization with the settings *own*."""
        return quiet_hours_of(await self.kept(QUIET), own)

    async def farm_quiet_hours(self, by: Principal) -> QuietHours:
        """What holds for organizations that have not set it for themselves."""
        by.require("farm.admin")
        return quiet_hours_of(await self.kept(QUIET), {})

    async def set_quiet_hours(self, by: Principal, given: Mapping[str, Any]) -> None:
        """Set what is in *given* (enabled, start, end, digest); the rest stays."""
        by.require("farm.admin")
        async with self._ledger.change() as change:
            wanted = {**await self.read(QUIET), **given}
            await self.keep(change, QUIET, wanted)
            change.note(by, "config.quiet_hours_updated", ("config", QUIET), **given)

    # Who may what.

    async def set_permissions(
        self,
        by: Principal,
        pages: Mapping[str, Sequence[str]],
        actions: Mapping[str, Sequence[str]],
    ) -> Mapping[str, Right]:
        """Give rights to other roles; at once, also for who is there. Raises `Invalid`."""
        by.require("farm.admin")
        now = (await self.current()).rights
        return await self._set_minimums(by, permissions.minimums_of(pages, actions, now))

    async def reset_permissions(self, by: Principal) -> Mapping[str, Right]:
        """Every right is what it is by itself."""
        by.require("farm.admin")
        return await self._set_minimums(by, {})

    async def _set_minimums(
        self, by: Principal, minimums: Mapping[str, str]
    ) -> Mapping[str, Right]:
        async with self._ledger.change() as change:
            await self.keep(change, PERMISSIONS, minimums)
            change.wake(ENDS)  # whoever is remembered with other rights is looked up again
            change.note(by, "permissions.updated", ("config", PERMISSIONS), changed=dict(minimums))
        return (await self.current()).rights

    def _forget(self) -> None:
        self._generation += 1
        self._until_s = 0.0


def _rules(kept: dict[str, Mapping[str, Any]], before: Rules | None) -> Rules:
    """Parsed once; what has not changed is the same object, so that callers can tell."""
    minimums = kept.get(PERMISSIONS, {})
    if before is not None and before.kept.get(PERMISSIONS, {}) == minimums:
        rights = before.rights
    else:
        rights = permissions.table(minimums)
    listed = doorway.allowlist_of(kept.get(ALLOWLIST, {}))
    return Rules(kept=kept, allowlist=listed, rights=rights)
