"""A row of the OctoPrint contract as data: what is asked, by whom, in which state, the answer.

The tables are in the modules `rows_…` beside this one; `test_rows` asks every row directly at the
server's root, below a printer's root behind a proxy's prefix, and, where `pool` is set, at a
pool's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.printer import ACTIVE, PrinterState, Progress, Temperature
from tests.api.octoprint.conftest import GCODE, Farm

ADMIN, VIEWER, WRONG, NOBODY = "admin", "viewer", "wrong", "nobody"

LOCAL = "/api/files/local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row. *section* of the contract and what it *says* make its name.

    *given*: states that the farm is brought into first. *keys*: exactly these in the JSON object;
    *keys_at*: the same of objects at dotted paths; *has*: these values at these dotted paths;
    *equals*: the whole body. *lands*: the end of the Location header. *pool*: the status at a
    pool's root; None: the row is not asked there.
    """

    section: str
    says: str
    method: str
    path: str
    status: int
    by: str = ADMIN
    given: tuple[str, ...] = ()
    json: Any = None
    form: Mapping[str, str] | None = None
    parts: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    keys: frozenset[str] | None = None
    keys_at: Mapping[str, frozenset[str]] = field(default_factory=dict)
    has: Mapping[str, Any] = field(default_factory=dict)
    equals: Any = None
    lands: str | None = None
    media: str = ""
    pool: int | None = None
    slug_only: bool = False  # at the server's root the path belongs to v1, too

    @property
    def is_harmless(self) -> bool:
        """Whether it leaves the farm as it found it."""
        return self.method in ("GET", "HEAD") and not self.given

    @property
    def name(self) -> str:
        """What the test is called."""
        path = self.path.partition("?")[0]
        return f"{self.section} {self.method} {path} {self.says} {self.status}".replace(" ", "-")

    def request(self) -> dict[str, Any]:
        """The body and the query, as httpx takes them."""
        bodies = {
            "json": self.json,
            "data": self.form,
            "files": self.parts,
            "content": self.content,
        }
        return {key: value for key, value in bodies.items() if value is not None}


def row(method: str, path: str, status: int, says: str, *, section: str = "4", **more: Any) -> Row:
    """A row, most often of section 4."""
    return Row(section=section, method=method, path=path, status=status, says=says, **more)


Given = Callable[[Farm, str], Awaitable[None]]


async def _uploaded(farm: Farm, root: str) -> None:
    files = {"file": ("a.gcode", GCODE)}
    assert (await farm.post(root + LOCAL, files=files)).status_code == 201


async def _foldered(farm: Farm, root: str) -> None:
    fields = {"path": "sub"}
    files = {"file": ("b.gcode", GCODE)}
    assert (await farm.post(root + LOCAL, files=files, data=fields)).status_code == 201


async def _selected(farm: Farm, root: str) -> None:
    await _uploaded(farm, root)
    body = {"command": "select"}
    assert (await farm.post(f"{root}{LOCAL}/a.gcode", json=body)).status_code == 204


async def _printing(farm: Farm, root: str) -> None:
    await _uploaded(farm, root)
    body = {"command": "select", "print": True}
    assert (await farm.post(f"{root}{LOCAL}/a.gcode", json=body)).status_code == 204
    await _shown(farm, root, "Printing")
    await farm.room.advance(farm.machine, 0.25)


async def _unselected(farm: Farm, root: str) -> None:
    await _selected(farm, root)
    body = {"command": "unselect"}
    assert (await farm.post(f"{root}{LOCAL}/a.gcode", json=body)).status_code == 204


def _at_state(state: PrinterState) -> Given:
    """The printer reports *state*: within a print of ours where it may be one."""

    async def given(farm: Farm, root: str) -> None:
        if state in ACTIVE:
            await _printing(farm, root)
        farm.machine.state = state
        await farm.room.report(farm.machine)

    return given


async def _paused(farm: Farm, root: str) -> None:
    await _printing(farm, root)
    body = {"command": "pause", "action": "pause"}
    assert (await farm.post(f"{root}/api/job", json=body)).status_code == 204
    await _shown(farm, root, "Paused")


async def _shown(farm: Farm, root: str, state: str) -> None:
    """Until the job shows *state*: an order is answered after a second at the latest."""
    for _ in range(500):
        if (await farm.get(f"{root}/api/job")).json()["state"] == state:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"it is not {state}")


async def _offline(farm: Farm, root: str) -> None:
    del root
    for machine in farm.room.machines.values():
        machine.state = PrinterState.OFFLINE
        await farm.room.report(machine)


async def _broken(farm: Farm, root: str) -> None:
    del root
    farm.machine.state, farm.machine.error = PrinterState.ERROR, "Thermal runaway"
    await farm.room.report(farm.machine)


async def _warm(farm: Farm, root: str) -> None:
    del root
    farm.machine.temps = {"tool0": Temperature(200.5, 210.0), "bed": Temperature(60.0, 60.0)}
    await farm.room.report(farm.machine)


async def _colleague(farm: Farm, root: str) -> None:
    body = {"name": "mara", "password": "Another-horse-9", "active": True}
    await farm.post(f"{root}/api/access/users", json=body)


async def _text(farm: Farm, root: str) -> None:
    await _uploaded(farm, root)
    body = {"command": "move", "destination": "a.txt"}
    assert (await farm.post(f"{root}{LOCAL}/a.gcode", json=body)).status_code == 201


async def _group(farm: Farm, root: str) -> None:
    body = {"key": "watch", "name": "Watch", "permissions": ["STATUS"], "subgroups": []}
    assert (await farm.post(f"{root}/api/access/groups", json=body)).status_code == 200


async def _chamber(farm: Farm, root: str) -> None:
    await _patched(farm, root, {"heatedChamber": True})


async def _cold_bed(farm: Farm, root: str) -> None:
    await _patched(farm, root, {"heatedBed": False})


async def _patched(farm: Farm, root: str, profile: dict[str, Any]) -> None:
    path, headers = f"{root}/api/printerprofiles/_default", {"X-Api-Key": farm.key}
    answer = await farm.http.patch(path, json={"profile": profile}, headers=headers)
    assert answer.status_code == 200, answer.text


async def _profile(farm: Farm, root: str) -> None:
    body = {"profile": {"id": "fine", "name": "Fine"}}
    assert (await farm.post(f"{root}/api/printerprofiles", json=body)).status_code == 200


async def _card(farm: Farm, root: str) -> None:
    """A card is in the slot."""
    answer = await farm.post(f"{root}/api/printer/sd", json={"command": "init"})
    assert answer.status_code == 204, answer.text


async def _sending(farm: Farm, root: str) -> None:
    """A file goes to the card."""
    await _card(farm, root)
    files = {"file": ("s.gcode", GCODE)}
    assert (await farm.post(f"{root}/api/files/sdcard", files=files)).status_code == 201


GIVEN: dict[str, Given] = {
    "card": _card,
    "sending": _sending,
    "file": _uploaded,
    "folder": _foldered,
    "selected": _selected,
    "printing": _printing,
    "paused": _paused,
    "offline": _offline,
    "error": _broken,
    "warm": _warm,
    "colleague": _colleague,
    "profile": _profile,
    "text": _text,
    "group": _group,
    "chamber": _chamber,
    "cold bed": _cold_bed,
    "unselected": _unselected,
    **{f"state {state}": _at_state(state) for state in PrinterState},
}


async def clear(farm: Farm) -> None:
    """Both machines idle again, as the room reported them at first."""
    for machine in farm.room.machines.values():
        machine.state, machine.grant, machine.error = PrinterState.OPERATIONAL, None, None
        no_progress: Progress | None = None
        machine.progress, machine.temps, machine.file_name = no_progress, {}, None
        await farm.room.report(machine)


def at(document: Any, dotted: str) -> Any:
    """The value at *dotted*, as `state.flags.ready` or `files.0.name`."""
    for key in dotted.split("."):
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document
