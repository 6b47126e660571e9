"""What kind of printer is simulated, and what it says about itself (serial 1.7 and 5)."""

from dataclasses import dataclass, field
from enum import Enum
from uuid import NAMESPACE_URL, uuid5

from bridge.simulator.families import MARLIN, Family

FIRMWARE = "bugfix-2.1.x"
BUILT = "Oct 13 2024 12:00:00"

CAPABILITIES: dict[str, int] = {
    "SERIAL_XON_XOFF": 0,
    "BINARY_FILE_TRANSFER": 0,
    "EEPROM": 0,
    "VOLUMETRIC": 1,
    "AUTOREPORT_POS": 1,
    "AUTOREPORT_TEMP": 1,
    "PROGRESS": 0,
    "PRINT_JOB": 0,
    "AUTOLEVEL": 1,
    "RUNOUT": 0,
    "Z_PROBE": 1,
    "LEVELING_DATA": 0,
    "BUILD_PERCENT": 1,
    "SOFTWARE_POWER": 0,
    "TOGGLE_LIGHTS": 0,
    "CASE_LIGHT_BRIGHTNESS": 0,
    "EMERGENCY_PARSER": 1,
    "HOST_ACTION_COMMANDS": 1,
    "PROMPT_SUPPORT": 1,
    "SDCARD": 0,
    "MULTI_VOLUME": 0,
    "REPEAT": 0,
    "SD_WRITE": 0,
    "AUTOREPORT_SD_STATUS": 0,
    "LONG_FILENAME": 0,
    "LFN_WRITE": 0,
    "CUSTOM_FIRMWARE_UPLOAD": 0,
    "EXTENDED_M20": 0,
    "THERMAL_PROTECTION": 1,
    "MOTION_MODES": 0,
    "ARCS": 1,
    "BABYSTEPPING": 0,
    "CHAMBER_TEMPERATURE": 0,
    "COOLER_TEMPERATURE": 0,
    "MEATPACK": 0,
    "CONFIG_EXPORT": 0,
}


class HeaterFault(Enum):
    """What is broken about a heater."""

    NO_HEAT = "no heat"
    STUCK_ON = "stuck on"


@dataclass(frozen=True, slots=True)
class Profile:
    """The machine: limits in °C and mm, buffer sizes in bytes and commands.

    *card* maps the files on its card to bytes, empty without a card; *card_room* is what else fits
    on it in bytes, None: no end of it. *heater_faults* maps `e0`…`e7` or `bed` to what is broken
    about that heater.
    """

    name: str = "simulator"
    hotends: int = 1
    max_nozzle_c: float = 275.0
    max_bed_c: float = 120.0
    ambient_c: float = 23.75
    bed_size_mm: tuple[float, float, float] = (250.0, 210.0, 220.0)
    steps_per_mm: tuple[float, float, float] = (80.0, 80.0, 400.0)
    rx_bytes: int = 128
    advanced_ok: bool = False
    boot_delay_s: float = 0.0
    heater_faults: dict[str, HeaterFault] = field(default_factory=dict)
    family: Family = MARLIN
    card: dict[str, int] = field(default_factory=dict)
    card_room: int | None = None


def boot_text(reason: str, family: Family = MARLIN) -> list[str]:
    """The lines after a reset; *reason* is Marlin's word for it, for example `PowerUp`."""
    if family.boot is not None:
        return list(family.boot)
    return [
        "start",
        reason,
        f"Marlin {FIRMWARE}",
        "echo: Last Updated: 2024-10-13 | Author: (Gantry, simulated)",
        f"echo:Compiled: {BUILT}",
        "echo: Free Memory: 182488  PlannerBufferBytes: 2944",
        "echo:Hardcoded Default Settings Loaded",
    ]


def firmware_info(profile: Profile) -> list[str]:
    """The answer to M115 without its `ok`."""
    x_mm, y_mm, z_mm = profile.bed_size_mm
    corners = f"min:{{x:0.0000,y:0.0000,z:0.0000}},max:{{x:{x_mm:.4f},y:{y_mm:.4f},z:{z_mm:.4f}}}"
    family = profile.family
    if family.identity is not None:
        tools = (
            f" EXTRUDER_COUNT:{profile.hotends}" if "PROTOCOL_VERSION" in family.identity else ""
        )
        known = family.capabilities or frozenset()
        return [family.identity + tools, *(f"Cap:{name}:1" for name in sorted(known))]
    identity = (
        f"FIRMWARE_NAME:Marlin {FIRMWARE} ({BUILT}) "
        "SOURCE_CODE_URL:github.com/MarlinFirmware/Marlin PROTOCOL_VERSION:1.0 "
        f"MACHINE_TYPE:Gantry simulator {profile.name} KINEMATICS:Cartesian "
        f"EXTRUDER_COUNT:{profile.hotends} UUID:{machine_uuid(profile.name)}"
    )
    can = CAPABILITIES | dict.fromkeys(("SDCARD", "SD_WRITE"), int(bool(profile.card)))
    capabilities = [f"Cap:{name}:{value}" for name, value in can.items()]
    return [identity, *capabilities, f"area:{{full:{{{corners}}},work:{{{corners}}}}}"]


def machine_uuid(name: str) -> str:
    """The UUID of the simulated printer *name*; the same on every machine and after every start."""
    return str(uuid5(NAMESPACE_URL, f"virtual://{name}"))
