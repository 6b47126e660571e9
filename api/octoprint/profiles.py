"""`/api/printerprofiles`: the profile a printer works by, and others kept for it (contract, 4).

The current profile is the printer's own in Gantry: changing it changes what the gate checks.
Choosing another one when connecting puts that one in its place.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from quart import Response

from api.errors import Conflict, Invalid, NotFound
from api.events.service import Happened
from api.octoprint.body import Body, json_object
from api.octoprint.pool_face import PoolFace
from api.octoprint.preferences import PROFILE_ID, Preferences, PreferencesStore, happened
from api.octoprint.profile_document import (
    checked_id,
    merged,
    overlaid,
    own_fields,
    profile_document,
)
from api.octoprint.route import Route
from api.octoprint.visitor import Visit
from api.octoprint.wire import Validators, answer, done
from api.printers.forms import parse_profile
from api.printers.service import Printers
from schemas.printer import Profile

MAX_PROFILES = 50
_KEPT = "profiles_updated"

Profiles = dict[str, dict[str, Any]]


class ProfileFace:
    """The profiles of one printer."""

    def __init__(self, printers: Printers, pools: PoolFace, store: PreferencesStore) -> None:
        self._printers = printers
        self._pools = pools
        self._store = store
        self._validators = Validators()

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        every, one = "/api/printerprofiles", "/api/printerprofiles/<profile>"
        return (
            Route("GET", every, self.list, "CONNECTION"),
            Route("POST", every, self.add, "SETTINGS"),
            Route("GET", one, self.get, "CONNECTION"),
            Route("PATCH", one, self.change, "SETTINGS"),
            Route("DELETE", one, self.remove, "SETTINGS"),
        )

    async def list(self, visit: Visit) -> Response:
        """All of them by id."""
        document = {"profiles": await self._shown(visit)}
        key = f"{visit.tree.key} {visit.place.base} profiles"
        return self._validators.answer(key, document, datetime.now(UTC))

    async def get(self, visit: Visit, profile: str) -> Response:
        """One of them."""
        return answer(_one(await self._shown(visit), profile))

    async def add(self, visit: Visit) -> Response:
        """Another profile, made from the default one or from `basedOn`."""
        printer = visit.printer
        body = await json_object()
        given = _profile_of(body)
        if not isinstance(given.get("name"), str) or not given.get("name"):
            raise Invalid("profile.name is missing")
        identifier = checked_id(given.get("id"))
        kept = await self._store.of(visit.tree.key)
        profiles = self._all(visit, kept)
        if identifier in profiles:
            raise Conflict(f"There is a profile {identifier} already.")
        if len(profiles) >= MAX_PROFILES:
            raise Conflict(f"A printer keeps at most {MAX_PROFILES} profiles.")
        base = profile_document(Profile(), printer.name, printer.model or "")
        based_on = body.get("basedOn")
        if isinstance(based_on, str):
            base = _one(profiles, based_on)
        profiles[identifier] = _checked(merged(base, given))
        added = happened(visit, "profile_added", identifier=identifier)
        await self._keep(visit, profiles, given, identifier, added)
        return answer({"profile": (await self._shown(visit))[identifier]})

    async def change(self, visit: Visit, profile: str) -> Response:
        """Change one; the current one is what the printer works by from now on."""
        kept = await self._store.of(visit.tree.key)
        profiles = self._all(visit, kept)
        before = _one(profiles, profile)
        given = _profile_of(await json_object())
        profiles[profile] = _checked(merged(before, given))
        at = visit.printer
        if profile == kept.current:
            wanted = {"profile": own_fields(profiles[profile])}
            at = await self._printers.update(visit.by, at.id, wanted)
        await self._keep(visit, profiles, given, profile)
        return answer({"profile": (await self._shown(replace(visit, at=at)))[profile]})

    async def remove(self, visit: Visit, profile: str) -> Response:
        """Forget one; not the default and not the current one."""
        kept = await self._store.of(visit.tree.key)
        profiles = self._all(visit, kept)
        if profile in (kept.current, _default(profiles)):
            raise Conflict("The default profile and the current one cannot be deleted.")
        if profiles.pop(profile, None) is not None:
            gone = happened(visit, "profile_deleted", identifier=profile)
            left = {"profiles": profiles}
            await self._store.keep(visit, _KEPT, lambda _: left, told=gone)
        return done()

    async def names(self, visit: Visit) -> Sequence[dict[str, str]]:
        """What `/api/connection` lists."""
        return [{"id": key, "name": one["name"]} for key, one in (await self._shown(visit)).items()]

    async def current(self, visit: Visit) -> str:
        """The id of the profile in use."""
        return (await self._store.of(visit.tree.key)).current

    async def choose(self, visit: Visit, profile: str) -> None:
        """Let the printer work by another profile. Raises `Invalid` for an unknown one, and as
        every change of a printer does.
        """
        kept = await self._store.of(visit.tree.key)
        profiles = self._all(visit, kept)
        if profile not in profiles:
            known = ", ".join(profiles)
            raise Invalid(f"Unknown printer profile {profile[:64]!r}; there is {known}.")
        if profile == kept.current:
            return
        wanted = {"profile": own_fields(profiles[profile])}
        await self._printers.update(visit.by, visit.printer.id, wanted)
        await self._store.keep(visit, _KEPT, lambda _: {"profiles": profiles, "current": profile})

    def _all(self, visit: Visit, kept: Preferences) -> Profiles:
        """What is kept, with the current one as the printer has it now."""
        printer = visit.printer
        profile = Printers.profile(printer)
        before = kept.profiles.get(kept.current)
        if before is None:
            before = profile_document(profile, printer.name, printer.model or "")
        now = overlaid(before, profile)
        return {PROFILE_ID: now, **kept.profiles, kept.current: now}

    async def _keep(
        self,
        visit: Visit,
        profiles: Profiles,
        given: Body,
        identifier: str,
        told: Happened | None = None,
    ) -> None:
        if given.get("default") is True:
            for key, one in profiles.items():
                one["default"] = key == identifier
        every = {"profiles": profiles}
        await self._store.keep(visit, _KEPT, lambda _: every, told=told)

    async def _shown(self, visit: Visit) -> Profiles:
        if visit.pool is not None:
            members = await self._pools.members(visit, visit.pool)
            profile = Printers.profile(members[0]) if members else Profile()
            profiles, current = {PROFILE_ID: profile_document(profile, visit.pool.name, "")}, ""
        else:
            kept = await self._store.of(visit.tree.key)
            profiles, current = self._all(visit, kept), kept.current
        base, default = visit.place.base, _default(profiles)
        return {
            key: {
                **one,
                "id": key,
                "default": key == default,
                "current": key == (current or PROFILE_ID),
                "resource": f"{base}/api/printerprofiles/{key}",
            }
            for key, one in profiles.items()
        }


def _profile_of(body: Body) -> Body:
    given = body.get("profile")
    if not isinstance(given, dict):
        raise Invalid("profile is missing")
    return given


def _one(profiles: Profiles, profile: str) -> dict[str, Any]:
    if profile not in profiles:
        raise NotFound("There is no such printer profile.")
    return profiles[profile]


def _default(profiles: Profiles) -> str:
    return next((key for key, one in profiles.items() if one.get("default")), PROFILE_ID)


def _checked(document: dict[str, Any]) -> dict[str, Any]:
    """*document*, when a printer could work by it. Raises `Invalid`."""
    parse_profile(own_fields(document))
    return document
