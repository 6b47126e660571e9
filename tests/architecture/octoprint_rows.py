"""The rows of the OctoPrint contract, sections 0 to 8, by short names that do not change.

`NAMES` are the rows that say how something is: a docstring `octoprint 2 CSRF: …` names one, several
go as `octoprint 0 CSRF, 2 CSRF: …`. `ENDPOINTS` are the rows that are asked: they are named by the
rows of data in tests/api/octoprint/rows_….py, which must ask for every status that the row tells,
as often as it tells of different cases: `409x5` are five of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A row that is asked. *path*: what the paths of its requests match, queries left out;
    *statuses*: every answer that the contract tells of, where Gantry has what it takes, and for
    how many cases.
    """

    section: str
    method: str
    path: str
    statuses: Mapping[int, int]

    @property
    def name(self) -> str:
        """As in a docstring."""
        return f"{self.section} {self.method} {self.path}"

    def asked_by(self, section: str, method: str, path: str) -> bool:
        """Whether a request to *path* is one of this row."""
        fits = re.fullmatch(self.path, path.partition("?")[0]) is not None
        return fits and (section, method) == (self.section, self.method)


def rows(section: str, text: str) -> tuple[Endpoint, ...]:
    """The rows of *text*, one a line: method, path, statuses."""
    lines = (line.split() for line in text.strip().splitlines())
    return tuple(
        Endpoint(section, method, path, dict(map(_cases, statuses)))
        for method, path, *statuses in lines
    )


def _cases(text: str) -> tuple[int, int]:
    status, _, cases = text.partition("x")
    return int(status), int(cases or 1)


#: Section -> names of its rows.
NAMES: dict[str, tuple[str, ...]] = {
    "0": (
        *("keys", "currentuser", "unknown path", "logout", "CSRF", "login limiter"),
        *("passive login", "reauthRequired removed", "push apikey", "SockJS objects"),
        *("factors", "foldername"),
    ),
    "1": (
        *("JSON", "errors", "bodies", "commands", "truthy", "headers", "revalidation"),
        *("script root", "absolute URLs"),
    ),
    "2": (
        *("key lookup", "key owner", "guests", "cookies", "CSRF cookie", "CSRF", "GET /"),
        *("fresh credentials", "login", "logout", "currentuser"),
        *("CORS off", "CORS on", "CORS of sockets"),
    ),
    "3": ("permissions", "groups", "group object", "permission object", "missing permission"),
    "5": (
        *("texts", "flags", "Closed", "state error", "sdReady"),
        *("job", "nothing selected", "filament", "progress", "printTimeLeftOrigin"),
        *("finished", "cancelled"),
        *("file entry", "hash", "date", "gcodeAnalysis", "empty file", "prints", "statistics"),
        *("userdata", "absent", "children", "sdcard entry"),
    ),
    "6": (
        *("file", "path", "filename", "foldername", "select", "print alone", "noOverwrite"),
        *("userdata", "apikey", "answer", "offline", "busy", "permission", "overwriting"),
        *("extensions", "empty filename", "unknown target", "sdcard", "no file", "traversal"),
        *("truncated", "reserved names", "part header", "filename*", "newline"),
        *("spaces and accents", "leading dot", "empty file"),
    ),
    "7": (
        *("probe", "request", "request exempt", "request refused", "request limit"),
        *("pending", "poll", "patience", "once", "denied", "decision", "auth"),
        *("keys", "one app", "all", "generate", "revoke", "same app", "revoked key"),
    ),
    "8": (
        *("raw", "SockJS", "heartbeat", "close frame", "xhr", "xhr_send", "xhr_streaming"),
        *("eventsource", "info", "greeting", "connected", "anonymous", "held back", "auth"),
        *("bad auth", "logout", "modified", "odd messages", "throttle"),
        *("subscribe", "subscribe logs", "subscribe plugins", "subscribe events"),
        *("current", "history", "temps", "markings", "resends", "busyFiles"),
        *("terminal", "terminal permission"),
        *("Connecting", "Connected", "Disconnecting", "Disconnected", "PrinterStateChanged"),
        *("FileSelected", "FileDeselected", "PrintStarted", "PrintPaused", "PrintResumed"),
        *("PrintCancelling", "PrintCancelled", "PrintFailed", "PrintDone"),
        *("TransferStarted", "TransferDone", "TransferFailed"),
        *("order of cancel", "order of success"),
        *("Upload", "UpdatedFiles", "FileAdded", "FileMoved", "FileRemoved", "FolderAdded"),
        *("FolderRemoved", "MetadataAnalysisStarted", "MetadataAnalysisFinished"),
        *("MetadataStatisticsUpdated", "ZChange", "ChartMarked", "SettingsUpdated"),
        *("PrinterProfileAdded", "PrinterProfileDeleted", "request_access", "end_request"),
        *("Home", "Dwelling", "PositionUpdate", "FirmwareData"),
        *("ClientOpened", "ClientAuthed", "ClientClosed", "UserLoggedIn", "UserLoggedOut"),
    ),
}

_LOC = "(local|sdcard)"
ENDPOINTS: tuple[Endpoint, ...] = (
    *rows(
        "4",
        f"""
        GET    /api/version                              200
        GET    /api/server                               200
        GET    /api/connection                           200
        POST   /api/connection                           204x4 400x5 403 415
        GET    /api/files                                200x6 403
        GET    /api/files/\\w+                            200x2 404
        GET    /api/files/{_LOC}/.+                      200x3 404x4
        POST   /api/files/\\w+                            201 400 403 404x2 409x3
        POST   /api/files/{_LOC}/.+                      201x4 204x5 400x7 403x2 404x7 409x8 415
        DELETE /api/files/{_LOC}/.+                      204x3 403 404x2 409x2
        POST   /api/files/test                           200x3
        GET    /downloads/files/local/.+                 200 206 403 404
        HEAD   /downloads/files/local/.+                 200
        GET    /api/printer                              200x4 409x2
        GET    /api/printer/tool                         200 409
        GET    /api/printer/bed                          200 409x2
        GET    /api/printer/chamber                      200 409x2
        POST   /api/printer/printhead                    204x8 400x5 403 409x2
        POST   /api/printer/tool                         204x8 400x8 403 409x2
        POST   /api/printer/bed                          204x2 400x3 403 409x2
        POST   /api/printer/chamber                      204x2 400x2 409
        POST   /api/printer/command                      204x3 400x2 403 404 409
        GET    /api/printer/command/custom               200
        GET    /api/printer/sd                           200x2
        POST   /api/printer/sd                           204x3 400 409x2
        GET    /api/printer/error                        200x3
        GET    /api/job                                  200x6
        POST   /api/job                                  204x9 400x3 403 409x5 415
        GET    /api/printerprofiles                      200 403
        GET    /api/printerprofiles/\\w+                  200 404
        POST   /api/printerprofiles                      200 400x2 409
        PATCH  /api/printerprofiles/\\w+                  200
        DELETE /api/printerprofiles/\\w+                  204x2 409
        GET    /api/settings                             200
        POST   /api/settings                             200 400 403 415
        GET    /api/settings/templates                   200
        POST   /api/settings/apikey                      200 403
        DELETE /api/settings/apikey                      204
        GET    /api/slicing                              200
        GET    /api/slicing/\\w+/profiles(/\\w+)?          404x2
        GET    /api/system/commands                      200 403
        GET    /api/system/commands/\\w+                  200 404
        POST   /api/system/commands/\\w+/\\w+              404
        POST   /api/system                               404x2
        GET    /api/system/(usage|info|startup)          200x3
        GET    /api/timelapse                            200x2
        POST   /api/timelapse                            200x2 400
        DELETE /api/timelapse/[\\w.]+                     200
        GET    /api/timelapse/[\\w.%]+                    302
        GET    /api/access/groups                        200 403
        GET    /api/access/groups/\\w+                    200 404
        POST   /api/access/groups                        200 400 409
        PUT    /api/access/groups/\\w+                    200 403 404
        DELETE /api/access/groups/\\w+                    200 403 404
        GET    /api/access/users                         200 403
        GET    /api/access/users/\\w+                     200x2 404
        POST   /api/access/users                         200 400 409
        PUT    /api/access/users/\\w+                     200
        DELETE /api/access/users/\\w+                     200 400
        PUT    /api/access/users/\\w+/password            200 400x2
        GET    /api/access/users/\\w+/settings            200
        PATCH  /api/access/users/\\w+/settings            200
        POST   /api/access/users/\\w+/apikey              200
        DELETE /api/access/users/\\w+/apikey              200
        GET    /api/users(/.+)?                          307x2
        GET    /api/setup/wizard                         200 403
        POST   /api/setup/wizard                         204 403
        GET    /api/languages                            200
        POST   /api/util/test                            200x5 403
        GET    /plugin/logging/logs                      200
        GET    /api/logs                                 301
        GET    /downloads/logs/[\\w.]+                    404
        GET    /api/plugin/\\w+                           404
        POST   /api/plugin/\\w+                           400
        GET    /online.txt                               200
        GET    /downloads/camera/current                 404
        """,
    ),
    *rows(
        "5",
        """
        GET    /api/printer                              200x8 409x4
        GET    /api/job                                  200x15
        GET    /api/connection                           200x12
        GET    /api/files/local/.+                       200x2
        """,
    ),
    *rows("6", "POST /api/files/local 201x21 400x6 403x2 409x3 415x4"),
)
