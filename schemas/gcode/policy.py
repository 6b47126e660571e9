"""What is done with a code, by where it comes from (safety M20).

One table; a code that is not in it is allowed. The API refuses a file at upload and the sender
refuses a line at the port by the same rows. Two doors are in it: some codes pass from an admin who
has just given the password, and some pass in files where the printer's profile allows them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from schemas.gcode.words import Command


class Origin(StrEnum):
    """Where a line comes from."""

    FILE = "file"
    TERMINAL = "terminal"
    ADMIN = "admin"  # the terminal of an admin who has just given the password


class Treatment(StrEnum):
    """What the sender does with a line."""

    ALLOW = "allow"
    HOST = "host"  # the host pauses the print; the printer never sees the line
    REFUSE = "refuse"
    DROP = "drop"  # harmless, but the host's own business: left out without a word


@dataclass(frozen=True, slots=True)
class Rule:
    """The treatment of one code in a file and from a terminal, and why.

    *for_admin*: it passes from `Origin.ADMIN`; *by_profile*: a profile may allow it in files.
    """

    in_file: Treatment
    in_terminal: Treatment
    why: str
    for_admin: bool = False
    by_profile: bool = False

    def treatment(self, origin: Origin, *, allowed: bool = False) -> Treatment:
        """What happens to the code when it comes from *origin*.

        *allowed*: the printer's profile names the code among those that its files may give.
        """
        if origin is Origin.FILE:
            return Treatment.ALLOW if allowed and self.by_profile else self.in_file
        passes = origin is Origin.ADMIN and self.for_admin
        return Treatment.ALLOW if passes else self.in_terminal


_P, _H, _R, _D = Treatment.ALLOW, Treatment.HOST, Treatment.REFUSE, Treatment.DROP
_SD_WRITE = "it writes or deletes files on the printer's card"
_SD_PRINT = "it starts or steers a print from the printer's card"
_SETTINGS = "it changes the stored settings of the printer"
_MACHINE = "it changes the machine's calibration or currents"
_TUNES = "it tunes the heaters and takes them above their targets"
_GUARD = "it changes how heaters are measured or what guards them"
_POWER = "it switches the printer's power supply"
_REPORTS = "the host sets up reports itself"

POLICY: dict[str, Rule] = {
    "M0": Rule(_H, _R, "it blocks the connection; use pause"),
    "M1": Rule(_H, _R, "it blocks the connection; use pause"),
    "M25": Rule(_H, _P, "the print comes from the host; it pauses there"),
    "M24": Rule(_R, _P, _SD_PRINT),
    "M26": Rule(_R, _P, _SD_PRINT),
    "M32": Rule(_R, _P, _SD_PRINT),
    "M524": Rule(_R, _P, _SD_PRINT),
    "M28": Rule(_R, _R, _SD_WRITE),
    "M29": Rule(_R, _R, _SD_WRITE),
    "M30": Rule(_R, _R, _SD_WRITE),
    "M928": Rule(_R, _R, _SD_WRITE),
    "M80": Rule(_R, _P, _POWER),
    "M81": Rule(_R, _P, _POWER),
    "M92": Rule(_R, _P, _MACHINE),
    "M851": Rule(_R, _P, _MACHINE),
    "M906": Rule(_R, _P, _MACHINE),
    "M108": Rule(_D, _P, "it answers a wait that the host manages itself"),
    "M876": Rule(_D, _P, "it answers a question that only a person can answer"),
    "M110": Rule(_D, _R, "line numbers belong to the sender"),
    "M112": Rule(_R, _R, "it stops the machine; use the remote stop"),
    "M113": Rule(_D, _P, _REPORTS),
    "M154": Rule(_D, _P, _REPORTS),
    "M155": Rule(_D, _P, _REPORTS),
    "M302": Rule(_R, _R, "it allows extrusion with a cold nozzle", for_admin=True, by_profile=True),
    "M303": Rule(_R, _R, _TUNES, for_admin=True),
    "PID_CALIBRATE": Rule(_R, _R, _TUNES),
    "MPC_CALIBRATE": Rule(_R, _R, _TUNES),
    "M143": Rule(_R, _P, _GUARD),
    "M305": Rule(_R, _P, _GUARD),
    "M308": Rule(_R, _P, _GUARD),
    "M570": Rule(_R, _P, _GUARD),
    "M410": Rule(_R, _P, "it stops the motors and loses the position"),
    "M500": Rule(_R, _R, _SETTINGS, for_admin=True, by_profile=True),
    "M501": Rule(_R, _R, _SETTINGS, for_admin=True),
    "M502": Rule(_R, _R, _SETTINGS, for_admin=True),
    "M562": Rule(_R, _R, "it clears a heater fault"),
    "M575": Rule(_R, _R, "it changes the baud rate under the sender"),
    "M997": Rule(_R, _R, "it replaces the printer's firmware"),
    "M999": Rule(_R, _R, "it releases a stopped machine; use reset"),
    "@PAUSE": Rule(_H, _R, "it is a command to a host program; use pause"),
}

#: What an admin may send who has just given the password.
ADMIN_CODES = frozenset(code for code, rule in POLICY.items() if rule.for_admin)
#: What a printer's profile may allow in files.
PROFILE_CODES = frozenset(code for code, rule in POLICY.items() if rule.by_profile)
#: What is said of such a code where the profile does not.
ALLOWABLE = "an admin can allow it in the printer's profile (allowed_codes)"


def file_codes(allowed_codes: Collection[str]) -> frozenset[str]:
    """What of a profile's *allowed_codes* its files may give: nothing else can be allowed."""
    return PROFILE_CODES.intersection(allowed_codes)


_HOST_COMMAND = Rule(_D, _R, "it is a command to a host program")
_PASS = Rule(_P, _P, "")


def rule_of(command: Command) -> Rule:
    """The row for *command*; a row that passes everywhere when the table has none."""
    rule = POLICY.get(command.code)
    if rule is not None:
        return rule
    return _HOST_COMMAND if command.code.startswith(("@", "//", "%")) else _PASS
