"""What push shows: a printer, or a pool, as `/api/printer` and `/api/job` show it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from api.errors import NotFound
from api.events.history import Event
from api.files.service import Tree
from api.octoprint.card_document import is_ready, state_text
from api.octoprint.hot import HotReads
from api.octoprint.orders import picture
from api.octoprint.pool_document import pool_job_document
from api.octoprint.pool_face import PoolFace
from api.octoprint.printer_document import heaters, state_document
from api.octoprint.push_document import Picture, temps_item
from api.octoprint.states import LOOKS
from api.octoprint.visitor import Visit
from api.pools.service import Pool, Pools
from api.principal import system
from api.printers.service import Printer
from api.telemetry.scrollback import Scrollback
from schemas.printer import Live, Temperature

_UNKNOWN = Temperature(None, None)


class Stage(Protocol):
    """One printer or pool. Stages of the same one are equal."""

    def __hash__(self) -> int:
        """Of its key."""

    @property
    def key(self) -> str:
        """Its name among all: that of its tree of files."""

    @property
    def organization_id(self) -> int:
        """Whose it is."""

    @property
    def printer_id(self) -> int | None:
        """The printer; None for a pool."""

    async def picture(self) -> Picture | None:
        """How it looks now; None when it is gone."""

    def concerns(self, event: Event) -> bool:
        """Whether clients hear of *event*."""

    def temperatures(self) -> Sequence[Mapping[str, Any]]:
        """The entries of `temps` of the last half hour, oldest first."""

    def terminal(self, follower: Callable[[], None]) -> AbstractContextManager[Scrollback]:
        """The lines of its terminal, while this is held; *follower* is called when there are more.

        They come only as long as somebody says `read` every few seconds.
        """

    def read(self) -> None:
        """Somebody reads the terminal now."""


@dataclass(frozen=True, slots=True)
class PrinterStage:
    """A printer. Equal to any other stage of the same printer."""

    key: str
    organization_id: int
    printer_id: int
    _hot: HotReads = field(compare=False)

    async def picture(self) -> Picture | None:
        """How it looks now; None when it is gone."""
        row = await self._hot.printers.find(self.printer_id)
        if row is None:
            return None
        job = orjson.loads(await self._hot.job(row))
        live = picture(self._hot.telemetry, row)
        temps: dict[str, Temperature] = {}
        if LOOKS[live.state].operational:
            names = heaters(self._hot.printers.profile(row))
            temps = {name: live.temps.get(name, _UNKNOWN) for name in names}
        return Picture(
            state=live.state,
            document={**job, "state": _state(row, live)},
            temps=temps,
            z_mm=live.z_mm,
            offsets_c=await self._hot.offsets(row),
            resends=live.resends,
            lines_sent=live.lines_sent,
            prompt=live.prompt,
            port=live.port or row.port_id,
            baud=live.baud or row.baud or None,
            doings=live.doings,
            firmware=row.firmware or {},
        )

    def concerns(self, event: Event) -> bool:
        """What happened to this printer, its jobs and its files."""
        return event.printer_id == self.printer_id

    def temperatures(self) -> Sequence[Mapping[str, Any]]:
        """The entries of `temps` of the last half hour, oldest first."""
        readings = self._hot.telemetry.history(self.printer_id)
        return [temps_item(each.temps, each.at_s) for each in readings]

    def terminal(self, follower: Callable[[], None]) -> AbstractContextManager[Scrollback]:
        """Its terminal's lines."""
        return self._hot.telemetry.terminals.followed_by(self.printer_id, follower)

    def read(self) -> None:
        """Somebody reads the terminal now."""
        self._hot.telemetry.read_terminal(self.printer_id)


def _state(row: Printer, live: Live) -> dict[str, Any]:
    text, ready = state_text(row, live), is_ready(row, live)
    return state_document(live.state, live.error, text=text, sd_ready=ready)


@dataclass(frozen=True, slots=True)
class PoolStage:
    """A pool: its queue; it has no temperatures. Equal to any other stage of the same pool."""

    key: str
    organization_id: int
    pool_id: int
    _pools: Pools = field(compare=False)
    _face: PoolFace = field(compare=False)
    printer_id: None = None

    async def picture(self) -> Picture | None:
        """How it looks now; None when it is gone."""
        by = system(self.organization_id)
        try:
            row = await self._pools.get(by, self.pool_id)
        except NotFound:
            return None
        queue = await self._face.queue(Visit(asking=by, by=by, at=row, root="", public_url=""), row)
        document = {**pool_job_document(queue), "state": state_document(queue.state, None)}
        return Picture(state=queue.state, document=document)

    def concerns(self, event: Event) -> bool:
        """What happened to its files and to itself."""
        own = event.kind.startswith("pool.") and event.data.get("pool_id") == self.pool_id
        return own or bool(event.data.get("tree") == self.key)

    def temperatures(self) -> Sequence[Mapping[str, Any]]:
        """None."""
        return ()

    def terminal(self, follower: Callable[[], None]) -> AbstractContextManager[Scrollback]:
        """A pool has none: no line will ever come."""
        return nullcontext(Scrollback())

    def read(self) -> None:
        """Somebody reads what there is not."""


class Stages:
    """What is shown of whom."""

    def __init__(self, hot: HotReads, pools: Pools, face: PoolFace) -> None:
        self._hot = hot
        self._pools = pools
        self._face = face

    def of(self, at: Printer | Pool) -> Stage:
        """The stage of a printer or pool."""
        if isinstance(at, Pool):
            key = Tree.of_pool(at.id).key
            return PoolStage(key, at.organization_id, at.id, self._pools, self._face)
        return PrinterStage(Tree.of_printer(at.id).key, at.organization_id, at.id, self._hot)
