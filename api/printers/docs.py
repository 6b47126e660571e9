"""What the printer routes say of themselves in the specification."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from api.describe import Doc, Query
from api.http import RowId
from api.printers import answers, bodies
from api.printers.answers import PrinterAnswer, Told

MAX_SAMPLE_HOURS = 168

_STATE = "invalid_state_transition"
_REFUSED = ("conflict", "stopped", _STATE, "upstream_unavailable")
_SETTINGS = (
    *("bad_request", "name_taken", "port_not_found", "port_in_use", "profile_not_found"),
    "validation_failed",
)

_STATUS = Query(name="status", type=answers.StatusWord, description="Only printers that are so")
_TAG = Query(name="tag", description="Only printers with this tag")
_ACTIVE = Query(name="active_only", type=bool, description="Leave out printers that are disabled")
_ORGANIZATION = Query(name="org_id", type=RowId, description="Superadmins: of this organization")
_HOURS = Query(
    name="hours",
    type=Annotated[int, Field(ge=1, le=MAX_SAMPLE_HOURS)],
    description="Of the last so many hours, default 24",
)

LIST = Doc(
    summary="Printers in display order",
    answer=list[PrinterAnswer],
    right="printers.read",
    paged=True,
    query=(_STATUS, _TAG, _ACTIVE, _ORGANIZATION),
)
GET = Doc(summary="One printer", answer=PrinterAnswer, right="printers.read")
TAGS = Doc(
    summary="Every tag that a printer has", answer=list[str], right="printers.read", paged=True
)
LIVE_ALL = Doc(
    summary="What all printers do now",
    answer=list[answers.LiveStatus],
    right="printers.read",
    paged=True,
)
LIVE = Doc(summary="What a printer does now", answer=answers.LiveStatus, right="printers.read")
SAMPLES = Doc(
    summary="Its temperatures while it printed, one sample a minute, oldest first",
    description="Kept for seven days. Without `limit` all of them.",
    answer=list[answers.Sample],
    right="printers.read",
    paged=True,
    query=(_HOURS,),
)
CREATE = Doc(
    summary="Make a printer",
    description="On a port of a bridge, or without one: then people run it by hand.",
    answer=PrinterAnswer,
    status=201,
    right="printers.write",
    body=bodies.PrinterCreateBody,
    problems=("bridge_not_found", *_SETTINGS),
)
UPDATE = Doc(
    summary="Change a printer",
    description="What its bridge works by cannot change while it prints.",
    answer=PrinterAnswer,
    right="printers.write",
    body=bodies.PrinterUpdateBody,
    problems=("printer_busy", *_SETTINGS),
)
DELETE = Doc(
    summary="Delete a printer that does not print",
    description="Its keys die, its queued jobs go to others, its history stays.",
    status=204,
    right="printers.write",
    problems=("printer_busy",),
)
REORDER = Doc(
    summary="Show these printers first, in this order",
    answer=answers.Reordered,
    right="printers.write",
    body=bodies.ReorderBody,
    problems=("printer_not_found",),
    dry_run=True,
)
BULK_UPDATE = Doc(
    summary="Enable, disable or tag many printers: all of them or none",
    answer=answers.BulkUpdated,
    right="printers.admin",
    body=bodies.BulkUpdateBody,
    problems=("printer_not_found", "printer_busy"),
    dry_run=True,
)
SLOTS = Doc(
    summary="What is loaded in its slots",
    description="Without `limit` all of them.",
    answer=list[answers.SlotAnswer],
    right="printers.read",
    paged=True,
)


def _told(summary: str, right: str, *problems: str, description: str = "") -> Doc:
    return Doc(
        summary=summary,
        description=description,
        answer=Told,
        right=right,
        problems=(*problems, *_REFUSED),
        dry_run=True,
    )


PAUSE = _told("Pause the print", "prints.control")
RESUME = _told("Go on with the print", "prints.control")
STOP = _told("End the print with the cancel script", "printers.control")
REMOTE_STOP = replace(
    _told("Remote stop: M112 at once", "printers.stop"),
    answer=answers.Stopped,
    overtakes=True,
    description="Passes everything that is queued. It is not an emergency stop: keep a physical "
    "switch within reach; the answer says whether the firmware can obey at once. Latched until "
    "reset-stop. A start that its room does not have yet is taken back; when the room cannot be "
    "reached (503, `queue_held`) the printer's queue waits for a person as well.",
)
PROMPT = replace(
    _told("Answer what the printer asks (M876)", "printers.control"),
    body=bodies.PromptBody,
    description="The question and its choices are in `prompt` of the printer.",
)
HEAT_LEASE = replace(
    _told("Keep the heat on for another lease", "printers.control"),
    answer=answers.HeatKept,
    description="Heat that no job needs is switched off when its lease (serial.heat_lease_s) ends.",
)
SD_FILES = Doc(
    summary="What is on the printer's own SD card",
    description="As the printer listed it last; the action `list` asks again.",
    answer=answers.CardAnswer,
    right="printers.read",
)
SD = replace(
    _told("Do something with the printer's own SD card", "printers.control", "plate_not_clear"),
    body=bodies.CardBody,
    description="mount and list read it, release lets it be taken out; select, start and delete "
    "mean the file *name*. What prints from it is paused, resumed and stopped as any print.",
)
RESET_STOP = _told("Let a stopped printer work again", "printers.control")
CONNECT = _told("Open its port", "printers.control")
DISCONNECT = _told("Close its port; its queue then waits for a person", "printers.control")
PLATE_CLEARED = Doc(
    summary="Say that the plate is clear, for one start",
    answer=Told,
    right="printers.control",
    problems=("printer_busy", "job_lent"),
    dry_run=True,
)
HOLD = Doc(
    summary="Its queue waits until somebody releases it",
    answer=Told,
    right="printers.control",
    body=bodies.HoldBody,
    dry_run=True,
)
RELEASE = Doc(summary="Its queue runs again", answer=Told, right="printers.control", dry_run=True)
CLEAR_ERRORS = Doc(
    summary="Forget the last error that is shown",
    description="A printer that is stopped stays stopped.",
    answer=Told,
    right="printers.control",
    dry_run=True,
)
SPEED = Doc(
    summary="Print faster or slower (M220)",
    answer=Told,
    right="printers.control",
    body=bodies.SpeedBody,
    problems=_REFUSED,
    dry_run=True,
)
FAN = Doc(
    summary="Turn a fan (M106): part_cooling without P, auxiliary P1, chamber P2",
    answer=Told,
    right="printers.control",
    body=bodies.FanBody,
    problems=_REFUSED,
    dry_run=True,
)
