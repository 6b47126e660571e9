"""What the printer routes answer (v1 contract, 2.3, `PrinterResponse`; what it lacks is ours)."""

from typing import Annotated, Literal

from pydantic import Field

from api.describe import Answer, Instant
from api.printers.next_actions import NextAction
from schemas.printer import PlatePolicy, PrinterState

Celsius = Annotated[float | None, Field(description="°C; null where nothing fresh is known")]
StatusWord = Literal["idle", "printing", "paused", "offline", "error"]
GcodeState = Literal["OFFLINE", "IDLE", "PREPARE", "RUNNING", "PAUSED", "FAILED"]


class SlotAnswer(Answer):
    """What is loaded in one slot of a printer, as people said it.

    Within a printer, what nobody has said is left out.
    """

    id: int
    printer_id: int
    slot_number: int = Field(description="From 1")
    filament_type: str
    color: str | None = None
    color_hex: str | None = None
    brand: str | None = Field(None, description="Of the filament, where somebody said it")
    spoolman_spool_id: int | None = None
    assigned_spool_id: int | None = None
    spool_confirmed: bool | None = None
    loaded_at: Instant | None = None
    remaining: float | None = Field(None, description="Grams")
    material_type: str | None = None


class ProfileAnswer(Answer):
    """What a printer is and may do: lengths in mm, ceilings in °C."""

    width_mm: float
    depth_mm: float
    height_mm: float
    form_factor: Literal["rectangular", "circular"]
    origin: Literal["lowerleft", "center"]
    heated_bed: bool
    heated_chamber: bool
    extruders: int
    nozzle_mm: float
    max_nozzle_c: float
    max_bed_c: float
    max_chamber_c: float
    materials: list[str] = Field(description="What it may print; empty: what its ceilings allow")
    allowed_codes: list[str] = Field(description="Guarded codes that its files may give")


class PrinterProfileAnswer(Answer):
    """What printers of one kind are and may do."""

    id: int
    name: str
    description: str | None
    profile: ProfileAnswer
    dialect: str = Field(description="How their firmware speaks; auto: found out")
    plate_policy: PlatePolicy | None = Field(description="null: each printer its own")
    printer_ids: list[int] = Field(description="The printers that follow it")
    org_id: int
    created_at: Instant
    updated_at: Instant


class SerialAnswer(Answer):
    """How its bridge talks to it, as far as people have set it; the rest is the bridge's own."""

    window_lines: int | None = None
    rx_bytes: int | None = Field(None, description="Bytes")
    reset_on_open: Literal["auto", "never", "always"] | None = None
    heat_lease_s: float | None = Field(None, description="Seconds; 0: heat never ends by itself")
    pause_heat_s: float | None = Field(None, description="Seconds; 0: for ever")
    cancel_policy: Literal["drain", "quick_stop"] | None = None
    stray_policy: Literal["go_on", "pause", "fail"] | None = None
    resume_lift_s: float | None = Field(None, description="Seconds")
    resume_limit_s: float | None = Field(None, description="Seconds")


class PromptAnswer(Answer):
    """What the printer asks a person; answered by the number of a choice, from 0."""

    text: str
    choices: list[str]


StopReach = Literal["at_once", "in_turn", "unknown"]
FanSpeed = Annotated[int | None, Field(description="Percent; null: not known")]
Stale = Annotated[bool, Field(description="No temperature was heard for several reports")]
HeatLease = Annotated[
    float | None, Field(description="Seconds until heat without a job is switched off; null: none")
]
PositionKnown = Annotated[
    bool | None, Field(description="false: home it before anything else moves")
]
Reach = Annotated[
    StopReach | None,
    Field(
        description="Whether its firmware obeys M112 at once (EMERGENCY_PARSER) or in turn, when "
        "it has done what it is at; null: not connected"
    ),
]


class PrinterAnswer(Answer):
    """A printer: what people have set, and what it reports."""

    id: int
    name: str
    model: str | None
    nickname: str | None
    slug: str = Field(description="Its address; it stays when the name changes")
    octoprint_url: str = Field(description="Where slicers reach it, below this server's address")
    is_active: bool
    api_type: str | None = Field(description="serial: on a bridge")
    bridge_id: int | None = Field(description="null: people run it by hand")
    port_id: str | None
    baud: int = Field(description="0: found out")
    dialect: str
    profile_id: int | None = Field(description="The shared profile that it follows; null: none")
    profile: ProfileAnswer
    scripts: dict[str, str] = Field(description="G-code around a print, by name")
    serial: SerialAnswer
    plate_policy: PlatePolicy
    bed_x_mm: float | None
    bed_y_mm: float | None
    nozzle_diameter: float | None = Field(description="mm")
    camera_url: str | None
    tags: list[str]
    slot_count: int
    filament_slots: list[SlotAnswer]
    loaded_colors: list[str]
    sort_order: int
    shared: bool
    org_id: int
    status: StatusWord
    state: PrinterState
    state_reason: str
    gcode_state: GcodeState | None = Field(description="null: never seen")
    print_stage: str | None = Field(description="The state while it prints")
    plate_state: Literal["clear", "occupied", "unknown"]
    queue_hold: str | None = Field(description="Why its queue waits for a person; null: it runs")
    current_job_id: int | None
    nozzle_temp: Celsius
    nozzle_target_temp: Celsius
    bed_temp: Celsius
    bed_target_temp: Celsius
    progress: float | None = Field(description="Percent of the file that the printer has taken")
    time_left_s: float | None = Field(description="Seconds, estimated")
    current_layer: int | None
    total_layers: int | None
    last_seen: Instant | None
    last_error_code: str | None
    last_error_message: str | None
    last_error_at: str | None
    machine_type: str | None
    firmware: str | None
    total_print_hours: float
    total_print_count: int
    api_host: str | None
    has_api_key: bool = Field(description="Whether it was given the key of its own API")
    hms_errors: str | None
    lights_on: bool | None
    fan_speed: FanSpeed
    temps_stale: Stale
    heat_lease_s: HeatLease
    prompt: PromptAnswer | None = Field(description="What it asks a person")
    position_known: PositionKnown
    stop_reach: Reach
    nozzle_type: str | None
    camera_discovered: bool | None
    timelapse_enabled: bool
    overlay: bool = Field(description="Whether everybody may see GET /overlay/{id} of it")
    hours_since_maintenance: float | None = Field(
        description="Printed since somebody looked after it; null: nobody ever did"
    )
    prints_since_maintenance: int | None
    created_at: Instant
    updated_at: Instant


class LiveStatus(Answer):
    """What a printer does now."""

    printer_id: int
    printer_name: str
    gcode_state: GcodeState
    status: StatusWord
    state: PrinterState
    job_id: int | None
    job_name: str | None
    progress: float | None = Field(description="Percent")
    layer: int | None
    total_layers: int | None
    time_remaining: int | None = Field(description="Minutes")
    time_left_s: float | None = Field(description="Seconds, estimated")
    file_name: str | None = Field(description="Of the running print, also from its SD card")
    bed_temp: Celsius
    bed_target: Celsius
    nozzle_temp: Celsius
    nozzle_target: Celsius
    wifi_signal: None
    z_mm: float | None = Field(description="Height of the nozzle, mm")
    feedrate_mm_s: float | None = Field(description="As the file asks, before speed_percent")
    speed_percent: int | None = Field(description="M220")
    flow_percent: int | None = Field(description="M221")
    resends: int | None = Field(description="Lines asked for again since it was connected")
    from_card: bool = Field(description="What prints comes from the printer's own SD card")
    fan_speed: FanSpeed
    temps_stale: Stale
    heat_lease_s: HeatLease
    prompt: PromptAnswer | None
    position_known: PositionKnown
    stop_reach: Reach
    age_s: float | None = Field(description="Seconds since it was heard; null: never")


class Sample(Answer):
    """Temperatures of a printer at one moment of a print."""

    recorded_at: Instant
    bed_temp: Celsius
    bed_target: Celsius
    nozzle_temp: Celsius
    nozzle_target: Celsius
    fan_speed: int | None


class Told(Answer):
    """A printer was told something; *state* is what it has reported since."""

    success: Literal[True]
    message: str
    printer_id: int
    state: str = Field(description="IDLE, RUNNING, or the state's own name in capitals")
    queue_hold: str | None
    next_actions: list[NextAction]


class Stopped(Told):
    """A printer was told to stop."""

    obeys_at_once: bool | None = Field(
        description="true: the firmware acts on M112 at once; false: only when it has done what it "
        "is at, so a power switch may be needed; null: nobody knows"
    )
    advice: str = Field(description="The same for the person who stands there")


class HeatKept(Told):
    """The heat of a printer lasts longer."""

    heat_lease_s: HeatLease


class CardFileAnswer(Answer):
    """A file on a printer's own card."""

    name: str = Field(description="As the printer takes it")
    size_bytes: int | None
    long_name: str | None


class CardSendingAnswer(Answer):
    """A file on its way to a printer's own card."""

    name: str = Field(description="What it is called there")
    file_path: str | None = Field(description="In OctoPrint's tree; null: it came another way")
    size_bytes: int
    progress: float | None = Field(description="Percent; null: the printer has not opened it yet")
    then: Literal["select", "start"] | None = Field(description="What follows")


class CardAnswer(Answer):
    """What is on a printer's own SD card, as it said last."""

    printer_id: int
    ready: bool = Field(description="A card is in the slot of a connected printer")
    listed_at: Instant | None = Field(description="null: never; ask with the action list")
    files: list[CardFileAnswer]
    unlisted: int = Field(description="Files beyond the list")
    sending: CardSendingAnswer | None = Field(description="What goes there now")


class Reordered(Answer):
    """The new order of all printers."""

    success: Literal[True]
    order: list[int]


class BulkUpdated(Answer):
    """How many printers were changed: all that were named."""

    status: Literal["ok"]
    affected: int
