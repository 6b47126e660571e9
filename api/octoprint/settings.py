"""`GET` and `POST /api/settings` (OctoPrint contract, section 4)."""

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from quart import Response

from api.accounts.service import Accounts
from api.errors import Invalid
from api.octoprint.body import json_object
from api.octoprint.cors import SETTING, Cors
from api.octoprint.preferences import PreferencesStore, happened
from api.octoprint.route import Route
from api.octoprint.settings_document import (
    Shown,
    Wanted,
    parse_settings,
    settings_document,
    with_kept,
    without_logins,
)
from api.octoprint.visitor import Visit
from api.octoprint.wire import Validators, answer
from api.permissions import EVERYTHING
from api.pools.service import Pool, Pools
from api.printers.sending import has_slot
from api.printers.service import Printer, Printers


class SettingsFace:
    """Name, camera, presets, scripts and the rest."""

    def __init__(
        self,
        accounts: Accounts,
        printers: Printers,
        pools: Pools,
        store: PreferencesStore,
        cors: Cors,
    ) -> None:
        self._accounts = accounts
        self._printers = printers
        self._pools = pools
        self._store = store
        self._cors = cors
        self._validators = Validators()

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        return (
            Route("GET", "/api/settings", self.show, "SETTINGS_READ"),
            Route("POST", "/api/settings", self.change, "SETTINGS"),
            Route("GET", "/api/settings/templates", self.templates, "SETTINGS"),
        )

    async def show(self, visit: Visit) -> Response:
        """The whole document."""
        document = await self._document(visit, visit.at)
        key = f"{visit.tree.key} {visit.place.base} settings {visit.may(EVERYTHING)}"
        return self._validators.answer(key, document, datetime.now(UTC))

    async def change(self, visit: Visit) -> Response:
        """Set what the body names; the whole document as it is then."""
        wanted = parse_settings(await json_object())
        if wanted.name is not None and not wanted.name.strip():
            raise Invalid("appearance.name takes a name.")
        at = await self._changed(visit, wanted)
        if wanted.kept:
            await self._store.keep(
                visit,
                "settings_updated",
                lambda row: {"settings": with_kept(row.settings, wanted.kept)},
                told=happened(visit, "settings_updated"),
            )
        if wanted.allow_cross_origin is not None:
            await self._accounts.set_organization_setting(
                visit.by, visit.at.organization_id, SETTING, wanted.allow_cross_origin or None
            )
        return answer(await self._document(visit, at))

    async def templates(self, visit: Visit) -> Response:
        """There is no user interface of OctoPrint's, so no templates of its settings."""
        del visit
        return answer({"order": {}, "templates": {}})

    async def _changed(self, visit: Visit, wanted: Wanted) -> Printer | Pool:
        """The printer or pool with what is its own; a pool has no scripts."""
        by, pool = visit.by, visit.pool
        if pool is not None:
            if wanted.name is not None and wanted.name != pool.name:
                pool = await self._pools.update(by, pool.id, {"name": wanted.name})
            if wanted.stream_url is not None:
                wanted.kept[("webcam", "streamUrl")] = wanted.stream_url
            return pool
        printer = visit.printer
        values: dict[str, Any] = {}
        if wanted.name is not None and wanted.name != printer.name:
            values["name"] = wanted.name
        if wanted.stream_url is not None and wanted.stream_url != (printer.camera_url or ""):
            values["camera_url"] = wanted.stream_url or None
        scripts = {**printer.scripts, **wanted.scripts}
        if scripts != printer.scripts:
            values["scripts"] = scripts
        return await self._printers.update(by, printer.id, values) if values else printer

    async def _document(self, visit: Visit, at: Printer | Pool) -> dict[str, Any]:
        kept = (await self._store.of(visit.tree.key)).settings
        own = kept.get("webcam", {}).get("streamUrl", "")
        shown = Shown(
            name=at.name,
            stream_url=own if isinstance(at, Pool) else at.camera_url or "",
            scripts={} if isinstance(at, Pool) else at.scripts,
            allow_cross_origin=await self._cors.allowed(at.organization_id),
            link=_link(at),
            sd_support=isinstance(at, Printer) and has_slot(at),
            unique_id=str(uuid5(NAMESPACE_URL, f"gantry:{visit.tree.key}:{at.created_at}")),
        )
        document = settings_document(shown, kept)
        return document if visit.may(EVERYTHING) else without_logins(document)


def _link(at: Printer | Pool) -> dict[str, Any]:
    """The printer's port and speed, under `serial`; a pool has none."""
    if isinstance(at, Pool) or not at.port_id:
        return {}
    return {"port": at.port_id, "portOptions": [at.port_id], "baudrate": at.baud or None}
