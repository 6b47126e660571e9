"""What an OctoPrint can have and Gantry has not, answered as one without it (contract, 4).

No slicer, no camera to make a timelapse with, no machine whose commands could be run, no language
packs, no plugins but application keys; its logs are the farm's own and not told here.
"""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from quart import Response, request

from api.errors import Invalid, NotFound
from api.http import remote_address, truthy
from api.octoprint.body import Body, json_object, json_or_form
from api.octoprint.pages import redirect
from api.octoprint.probes import probe
from api.octoprint.route import Route
from api.octoprint.sign_in import VERSION_DOCUMENT
from api.octoprint.visitor import Visit
from api.octoprint.wire import Validators, answer, done, plain

_SOURCES = ("core", "plugin", "custom")
_NUMBER = re.compile(r"\d{1,6}")
_ADMIN, _SYSTEM = "ADMIN", "SYSTEM"
_UNRENDERED = "TIMELAPSE_MANAGE_UNRENDERED"
_CHANGES = ("PUT", "PATCH", "DELETE")
#: What OctoPrint names folders by; here all of it lies on one disk.
_FOLDERS = ("data", "logs", "timelapse", "uploads", "watched")
_NO_MOVIES = {"config": {"type": "off"}, "enabled": False, "files": []}
#: One transparent point: pages and apps load it to see whether the server is there.
_POINT = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b"
)


class Absent:
    """The rest of the table."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._validators = Validators()

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        see = "STATUS"
        return (
            Route("GET", "/api/slicing", self.slicers, see),
            Route("GET", "/api/slicing/<slicer>/profiles", self.slicer, see),
            *(
                Route(method, "/api/slicing/<slicer>/profiles/<name>", self.slicer, needed)
                for method, needed in (("GET", see), *((one, "SETTINGS") for one in _CHANGES))
            ),
            Route("GET", "/api/timelapse", self.timelapse, "TIMELAPSE_LIST"),
            Route("POST", "/api/timelapse", self.set_timelapse, "TIMELAPSE_ADMIN"),
            Route("GET", "/api/timelapse/<name>", self.movie, "TIMELAPSE_DOWNLOAD"),
            Route("DELETE", "/api/timelapse/<name>", self.no_movie, "TIMELAPSE_DELETE"),
            Route("POST", "/api/timelapse/unrendered/<name>", self.render, _UNRENDERED),
            Route("DELETE", "/api/timelapse/unrendered/<name>", self.unrendered_gone, _UNRENDERED),
            *self._system_routes(),
            Route("GET", "/api/languages", self.languages, "SETTINGS_READ"),
            Route("POST", "/api/languages", self.no_pack, "SETTINGS"),
            Route("DELETE", "/api/languages/<locale>/<pack>", self.pack_gone, "SETTINGS"),
            Route("POST", "/api/util/test", self.tested, _ADMIN),
            Route("GET", "/api/setup/wizard", self.wizard, _ADMIN),
            Route("POST", "/api/setup/wizard", self.wizard_done, _ADMIN),
            Route("GET", "/api/plugin/<plugin>", self.plugin, see),
            Route("POST", "/api/plugin/<plugin>", self.plugin_command, see),
            Route("GET", "/plugin/logging/logs", self.logs, _ADMIN),
            Route("GET", "/plugin/logging/logs/<path:name>", self.no_log, _ADMIN),
            Route("DELETE", "/plugin/logging/logs/<path:name>", self.no_log, _ADMIN),
            Route("GET", "/plugin/logging/setup", self.loggers, _ADMIN),
            Route("GET", "/plugin/logging/setup/levels", self.levels, _ADMIN),
            Route("GET", "/api/logs", self.old_logs, _ADMIN),
            Route("GET", "/online.txt", self.online, visits=False),
            Route("GET", "/online.gif", self.online_picture, visits=False),
        )

    def _system_routes(self) -> tuple[Route, ...]:
        commands = "/api/system/commands"
        return (
            Route("GET", commands, self.commands, _SYSTEM),
            Route("GET", f"{commands}/<source>", self.commands_of, _SYSTEM),
            Route("POST", f"{commands}/<source>/<action>", self.run, _SYSTEM),
            Route("POST", "/api/system", self.run_old, _SYSTEM),
            Route("GET", "/api/system/usage", self.usage, _SYSTEM),
            Route("GET", "/api/system/info", self.info, _SYSTEM),
            Route("GET", "/api/system/startup", self.startup, _SYSTEM),
        )

    # Slicing and timelapses.

    async def slicers(self, visit: Visit) -> Response:
        """There is no slicer."""
        return self._revalidated(visit, {})

    async def slicer(self, visit: Visit, slicer: str, name: str = "") -> Response:
        """So none has profiles."""
        del visit, name
        raise NotFound(f"Slicer {slicer[:100]} is unknown")

    async def timelapse(self, visit: Visit) -> Response:
        """No camera whose pictures could be put together: it is off."""
        document: dict[str, Any] = dict(_NO_MOVIES)
        if truthy(request.args.get("unrendered")):
            document["unrendered"] = []
        return self._revalidated(visit, document)

    async def set_timelapse(self, visit: Visit) -> Response:
        """It stays off, whatever is asked; a number that is none is 400."""
        del visit
        body = await json_or_form()
        for key in ("postRoll", "fps", "interval", "minDelay"):
            _check_number(key, body)
        return answer(_NO_MOVIES)

    async def movie(self, visit: Visit, name: str) -> Response:
        """Movies lie among the downloads; asking for one that is not there leads on, as there."""
        return redirect(f"{visit.place.base}/downloads/timelapse/{quote(name)}")

    async def no_movie(self, visit: Visit, name: str) -> Response:
        """Deleting what is not there succeeds, as there."""
        del visit, name
        return answer(_NO_MOVIES)

    async def render(self, visit: Visit, name: str) -> Response:
        """There is nothing to make a movie of, which is no error, as there."""
        del visit, name
        if (await json_object()).get("command") != "render":
            raise Invalid("command takes render")
        return done()

    async def unrendered_gone(self, visit: Visit, name: str) -> Response:
        """So it is gone."""
        del visit, name
        return done()

    # The machine.

    async def commands(self, visit: Visit) -> Response:
        """The machine of this server takes no commands from here."""
        del visit
        return answer({source: [] for source in _SOURCES})

    async def commands_of(self, visit: Visit, source: str) -> Response:
        """The commands of one source: none."""
        del visit
        if source not in _SOURCES:
            raise NotFound("There is no such source of commands")
        return answer([])

    async def run(self, visit: Visit, source: str, action: str) -> Response:
        """No command is known."""
        del visit, source
        raise NotFound(f"There is no command {action[:100]!r}")

    async def run_old(self, visit: Visit) -> Response:
        """The older address of the same."""
        action = (await json_or_form()).get("action")
        if not isinstance(action, str):
            raise Invalid("action is missing")
        return await self.run(visit, "custom", action)

    async def usage(self, visit: Visit) -> Response:
        """The disk that the files are on, in bytes."""
        del visit
        disk = shutil.disk_usage(self._data_dir)
        space = {"free": disk.free, "total": disk.total}
        return answer({"usage": {key: dict(space) for key in _FOLDERS}})

    async def info(self, visit: Visit) -> Response:
        """What this is; nothing of the machine."""
        firmware = {} if visit.pool is not None else visit.printer.firmware
        return answer(
            {
                "systeminfo": {
                    "octoprint.version": VERSION_DOCUMENT["server"],
                    "octoprint.safe_mode": False,
                    "octoprint.last_safe_mode.date": "unknown",
                    "octoprint.last_safe_mode.reason": "unknown",
                    "connectivity.enabled": False,
                    "connectivity.online": True,
                    "browser.user_agent": request.headers.get("User-Agent", ""),
                    "systeminfo.generated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "systeminfo.generator": "systemapi",
                    **({"printer.firmware": firmware["name"]} if firmware.get("name") else {}),
                }
            }
        )

    async def startup(self, visit: Visit) -> Response:
        """Nothing is told of the start."""
        del visit
        return answer({"startup": {}})

    # Other things.

    async def languages(self, visit: Visit) -> Response:
        """No language packs."""
        del visit
        return answer({"language_packs": {}})

    async def no_pack(self, visit: Visit) -> Response:
        """Nor can one be added."""
        del visit
        raise Invalid("Language packs are not taken here: Gantry's pages have one language.")

    async def pack_gone(self, visit: Visit, locale: str, pack: str) -> Response:
        """What is not there is gone; the list, as there."""
        del locale, pack
        return await self.languages(visit)

    async def tested(self, visit: Visit) -> Response:
        """Whether something could be used; nothing is fetched."""
        del visit
        return answer(probe(await json_object(), remote_address()))

    async def wizard(self, visit: Visit) -> Response:
        """No wizard waits."""
        del visit
        return answer({})

    async def wizard_done(self, visit: Visit) -> Response:
        """Nothing to end."""
        del visit
        if "handled" not in await json_object():
            raise Invalid("handled is missing")
        return plain("", 204)

    async def plugin(self, visit: Visit, plugin: str) -> Response:
        """No other plugin answers."""
        del visit
        raise NotFound(f"There is no plugin {plugin[:100]!r}")

    async def plugin_command(self, visit: Visit, plugin: str) -> Response:
        """Nor takes commands."""
        del visit
        raise Invalid(f"There is no plugin {plugin[:100]!r}")

    async def logs(self, visit: Visit) -> Response:
        """No log is told here."""
        del visit
        disk = shutil.disk_usage(self._data_dir)
        return answer({"files": [], "free": disk.free, "total": disk.total})

    async def no_log(self, visit: Visit, name: str) -> Response:
        """So none can be had or removed."""
        del visit
        raise NotFound(f"There is no log {name[:100]!r}")

    async def loggers(self, visit: Visit) -> Response:
        """None whose level could be set from here."""
        del visit
        return answer({"loggers": [], "levels": {}})

    async def levels(self, visit: Visit) -> Response:
        """Of no logger."""
        del visit
        return answer({})

    async def old_logs(self, visit: Visit) -> Response:
        """They have moved."""
        del visit
        return redirect("/plugin/logging/logs", 301)

    async def online(self, root: str) -> Response:
        """That somebody is here, for anybody."""
        del root
        response = plain("OK", 200)
        response.content_type = "text/plain; charset=utf-8"
        return response

    async def online_picture(self, root: str) -> Response:
        """The same for what can load pictures only, from any page."""
        del root
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Response(_POINT, 200, headers, content_type="image/gif")

    def _revalidated(self, visit: Visit, document: dict[str, Any]) -> Response:
        key = f"{visit.tree.key} {visit.place.base} {request.path}"
        return self._validators.answer(key, document, datetime.now(UTC))


def _check_number(key: str, body: Body) -> None:
    value: Any = body.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return
    if not isinstance(value, str) or _NUMBER.fullmatch(value) is None:
        raise Invalid(f"{key} takes a number")
    return
