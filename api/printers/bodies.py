"""Request bodies of the printer routes (v1 contract, 2.3, and ours)."""

from hashlib import sha256
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from api.http import MAX_ID, Body, RowId
from api.printers import forms
from api.printers.filaments import FilamentType
from api.printers.forms import API_KEY_HASH, DETAILS, PrinterCreate
from api.printers.slots import MAX_SLOTS
from api.printers.upkeep import MAX_TAGS, BulkAction
from schemas.commands import CardAction
from schemas.gcode.scripts import SCRIPTS
from schemas.printer import DIALECTS, PlatePolicy

Short = Annotated[str, StringConstraints(max_length=100)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Tags = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=50)]], Field(max_length=MAX_TAGS)
]
Dialect = Annotated[
    str, StringConstraints(max_length=32), Field(json_schema_extra={"enum": [*DIALECTS]})
]
Baud = Annotated[int, Field(ge=0, le=4_000_000)]
Millimetres = Annotated[float, Field(gt=0, le=5000)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Nozzle = Annotated[float, Field(gt=0, le=5, description="mm")]
PrinterIds = Annotated[list[RowId], Field(max_length=500)]


MaxC = Annotated[float, Field(gt=0, description="°C")]
Materials = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=32, strip_whitespace=True)]],
    Field(max_length=50, description="What it may print; empty: what its ceilings allow"),
]
AllowedCodes = Annotated[
    list[Literal["M302", "M500"]],
    Field(
        max_length=2,
        description="Guarded codes that files may give here: M302 (cold extrusion), M500 (store "
        "settings); empty: none. Only an admin changes this.",
    ),
]


class ProfileBody(Body):
    """What a printer is and may do; only what is there is changed."""

    width_mm: Millimetres | None = None
    depth_mm: Millimetres | None = None
    height_mm: Millimetres | None = None
    form_factor: Literal["rectangular", "circular"] | None = None
    origin: Literal["lowerleft", "center"] | None = None
    heated_bed: bool | None = None
    heated_chamber: bool | None = None
    extruders: Annotated[int, Field(ge=1, le=forms.MAX_EXTRUDERS)] | None = None
    nozzle_mm: Nozzle | None = None
    max_nozzle_c: Annotated[MaxC, Field(le=forms.HIGHEST_C["max_nozzle_c"])] | None = None
    max_bed_c: Annotated[MaxC, Field(le=forms.HIGHEST_C["max_bed_c"])] | None = None
    max_chamber_c: Annotated[MaxC, Field(le=forms.HIGHEST_C["max_chamber_c"])] | None = None
    materials: Materials | None = None
    allowed_codes: AllowedCodes | None = None

    def said(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True, exclude_none=True)


class SharedProfileBody(Body):
    """What both making and changing a shared profile take."""

    description: Annotated[str, StringConstraints(max_length=1000)] | None = None
    profile: ProfileBody | None = None
    plate_policy: PlatePolicy | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent, as the service takes them."""
        sent = self.model_dump(exclude_unset=True, exclude={"profile"})
        nullable = ("description", "plate_policy")
        kept = {k: v for k, v in sent.items() if v is not None or k in nullable}
        return kept | ({"profile": self.profile.said()} if self.profile is not None else {})


class ProfileCreateBody(SharedProfileBody):
    """``POST /printer-profiles``."""

    name: Name
    dialect: Dialect = "auto"


class ProfileUpdateBody(SharedProfileBody):
    """``PATCH /printer-profiles/{id}``: only what is there is changed, on all that follow it."""

    name: Name | None = None
    dialect: Dialect | None = None


def _once_each(slots: list["SlotCreateBody"]) -> list["SlotCreateBody"]:
    if len({slot.slot_number for slot in slots}) != len(slots):
        raise ValueError("each slot_number once")
    return slots


class SlotBody(Body):
    """What is loaded in a slot; only what is there is changed."""

    filament_type: FilamentType | None = None
    color: Short | None = None
    color_hex: Annotated[str, StringConstraints(max_length=9)] | None = None
    spoolman_spool_id: RowId | None = None
    spool_confirmed: bool | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent; a filament is always of some type."""
        sent = self.model_dump(exclude_unset=True)
        return {k: v for k, v in sent.items() if v is not None or k != "filament_type"}


class SlotCreateBody(SlotBody):
    """What is loaded in a slot of a new printer."""

    slot_number: Annotated[int, Field(ge=1, le=16)]


class SerialBody(Body):
    """How its bridge talks to it; only what is there is changed."""

    window_lines: (
        Annotated[int, Field(ge=0, le=64, description="Lines in flight; 0: as its dialect has it")]
        | None
    ) = None
    rx_bytes: (
        Annotated[
            int,
            Field(
                ge=0, le=65_536, description="Its receive buffer, bytes; 0: as its dialect has it"
            ),
        ]
        | None
    ) = None
    reset_on_open: (
        Annotated[
            Literal["auto", "never", "always"],
            Field(description="Whether opening its port resets the board (DTR)"),
        ]
        | None
    ) = None
    heat_lease_s: (
        Annotated[
            Seconds, Field(description="Heat without a job ends after so many seconds; 0: never")
        ]
        | None
    ) = None
    pause_heat_s: (
        Annotated[
            Seconds,
            Field(description="A paused print keeps its nozzle hot so many seconds; 0: for ever"),
        ]
        | None
    ) = None
    cancel_policy: (
        Annotated[
            Literal["drain", "quick_stop"],
            Field(description="quick_stop: M410 where it is obeyed at once; loses the position"),
        ]
        | None
    ) = None
    stray_policy: (
        Annotated[
            Literal["go_on", "pause", "fail"],
            Field(description="What a print does when the rest of a cut line ran as a command"),
        ]
        | None
    ) = None
    resume_lift_s: (
        Annotated[
            Seconds, Field(description="After a longer gap the nozzle is lifted before going on")
        ]
        | None
    ) = None
    resume_limit_s: (
        Annotated[Seconds, Field(description="After a longer gap a person decides")] | None
    ) = None


class PrinterBody(Body):
    """What both making and changing a printer take."""

    model: Short | None = None
    nickname: Short | None = None
    camera_url: Annotated[str, StringConstraints(max_length=500)] | None = None
    api_type: Annotated[str, StringConstraints(max_length=32)] | None = None
    profile_id: RowId | None = Field(
        None, description="Follow this shared profile; null: have its own"
    )
    profile: ProfileBody | None = None
    scripts: (
        Annotated[
            dict[str, str],
            Field(
                max_length=len(SCRIPTS),
                description="G-code by occasion: on_connect, before_print, after_print, on_pause, "
                "on_resume, on_cancel, on_error. {placeholders} as in {last_position.z + 5}",
            ),
        ]
        | None
    ) = None
    serial: SerialBody | None = None
    plate_policy: PlatePolicy | None = None
    port_id: Annotated[str, StringConstraints(max_length=300)] | None = None
    bed_x_mm: Millimetres | None = None
    bed_y_mm: Millimetres | None = None
    nozzle_diameter: Nozzle | None = None
    nozzle_type: Short | None = None
    api_host: Annotated[str, StringConstraints(max_length=300)] | None = None
    machine_type: Short | None = None
    timelapse_enabled: bool | None = None
    api_key: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        None, description="Of the printer's own API: never shown, and not used on a USB cable"
    )
    overlay: bool | None = Field(
        None, description="Whether everybody may see its overlay (GET /overlay/{id}); default false"
    )

    #: Fields of the profile that v1 puts beside it.
    IN_PROFILE: ClassVar[dict[str, str]] = {
        "bed_x_mm": "width_mm",
        "bed_y_mm": "depth_mm",
        "nozzle_diameter": "nozzle_mm",
    }

    def whole_profile(self) -> dict[str, Any] | None:
        """The profile with the sizes that v1 puts beside it; None when nothing was said."""
        beside = {inside: getattr(self, name) for name, inside in self.IN_PROFILE.items()}
        said = {name: value for name, value in beside.items() if value is not None}
        return {**said, **(self.profile.said() if self.profile is not None else {})} or None

    def serial_options(self) -> dict[str, Any] | None:
        """What was said of the serial line; None when nothing was."""
        if self.serial is None:
            return None
        return self.serial.model_dump(exclude_unset=True, exclude_none=True) or None

    def details(self) -> dict[str, Any]:
        """The fields that were sent and decide nothing."""
        details = self.model_dump(exclude_unset=True, include=set(DETAILS))
        if "api_key" in self.model_fields_set:
            key = self.api_key
            details[API_KEY_HASH] = sha256(key.encode()).hexdigest() if key else None
        return details


class PrinterCreateBody(PrinterBody):
    """``POST /printers``."""

    name: Name
    bridge_id: RowId | None = None
    baud: Baud = 0
    dialect: Dialect = "auto"
    tags: Tags = Field(default_factory=list)
    slot_count: Annotated[int, Field(ge=1, le=16)] = 4
    is_active: bool = True
    shared: bool = False
    initial_slots: (
        Annotated[list[SlotCreateBody], Field(max_length=16), AfterValidator(_once_each)] | None
    ) = None

    def form(self) -> PrinterCreate:
        """The same for the service."""
        return PrinterCreate(
            name=self.name,
            bridge_id=self.bridge_id,
            port_id=self.port_id,
            baud=self.baud,
            dialect=self.dialect,
            profile=self.whole_profile() or {},
            scripts=self.scripts or {},
            serial=self.serial_options() or {},
            plate_policy=self.plate_policy,
            profile_id=self.profile_id,
            api_type=self.api_type,
            model=self.model,
            nickname=self.nickname,
            camera_url=self.camera_url,
            tags=self.tags,
            slot_count=self.slot_count,
            is_active=self.is_active,
            shared=self.shared,
            slots=[
                {**slot.values(), "slot_number": slot.slot_number}
                for slot in self.initial_slots or []
            ],
            details=self.details(),
        )


class PrinterUpdateBody(PrinterBody):
    """``PATCH /printers/{id}``: only what is there is changed."""

    name: Name | None = None
    bridge_id: RowId | None = Field(
        None, description="Of another room, together with port_id; both null: run by hand"
    )
    baud: Baud | None = None
    dialect: Dialect | None = None
    tags: Tags | None = None
    slot_count: Annotated[int, Field(ge=1, le=MAX_SLOTS)] | None = None
    is_active: bool | None = None
    shared: bool | None = None
    sort_order: Annotated[int, Field(ge=-MAX_ID, le=MAX_ID)] | None = None

    #: Columns that may be emptied; for every other field null means "leave it".
    NULLABLE: ClassVar[frozenset[str]] = frozenset(
        {"model", "nickname", "camera_url", "api_type", "profile_id", "bridge_id", "port_id"}
    )

    def values(self) -> dict[str, Any]:
        """The fields that were sent, as the service takes them."""
        elsewhere = {"profile", "serial", "api_key", *self.IN_PROFILE, *DETAILS}
        sent = self.model_dump(exclude_unset=True, exclude=elsewhere)
        kept = {k: v for k, v in sent.items() if v is not None or k in self.NULLABLE}
        more = {
            "profile": self.whole_profile(),
            "serial": self.serial_options(),
            "details": self.details() or None,
        }
        return kept | {name: value for name, value in more.items() if value is not None}


class ReorderBody(Body):
    """``POST /printers/reorder``: these first, in this order."""

    printer_ids: PrinterIds = Field(default_factory=list)


class BulkUpdateBody(Body):
    """``POST /printers/bulk-update``. *tag*: for ``add_tag``."""

    printer_ids: PrinterIds
    action: BulkAction
    tag: Annotated[str, StringConstraints(min_length=1, max_length=50)] | None = None


class HoldBody(Body):
    """``POST /printers/{id}/queue/hold``."""

    reason: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)] = Field(
        "", description="Why it waits, for people; default: who holds it"
    )


class PromptBody(Body):
    """``POST /printers/{id}/prompt``: the number of a button, from 0."""

    choice: Annotated[int, Field(ge=0, le=15)]


class CardBody(Body):
    """``POST /printers/{id}/sd``: *name* as the printer's list has it, where a file is meant."""

    action: CardAction
    name: Annotated[str, StringConstraints(max_length=200)] = ""


class SpeedBody(Body):
    """``POST /printers/{id}/speed``: a level of the contract, or percent."""

    speed: (
        Annotated[
            int, Field(ge=1, le=4, description="1 silent 50 %, 2 standard, 3 sport 124 %, 4 166 %")
        ]
        | None
    ) = None
    percent: Annotated[int, Field(ge=10, le=300)] | None = None


class FanBody(Body):
    """``POST /printers/{id}/fan``."""

    fan: Literal["part_cooling", "auxiliary", "chamber"] = "part_cooling"
    speed: Annotated[int, Field(ge=0, le=255, description="0 off, 255 full")]
