"""Who may send which dangerous code, and what a profile may allow in files (safety M20)."""

import msgspec
import pytest

from schemas.gcode.gate import judge, scan_lines
from schemas.gcode.policy import ADMIN_CODES, POLICY, PROFILE_CODES, Origin, Treatment
from schemas.printer import Profile

GENEROUS = Profile(allowed_codes=tuple(POLICY))
DOORS = ("M302", "M303", "M500", "M501", "M502")
ALWAYS_SHUT = ("M997", "M575", "M30", "M28", "M29", "M112", "M562", "M999")


@pytest.mark.parametrize("code", sorted(POLICY))
def test_the_password_of_an_admin_opens_five_codes_and_no_other(code: str) -> None:
    """safety M20: the whole table by origin; an admin's terminal is a terminal but for these."""
    rule = POLICY[code]
    typed, admin = rule.treatment(Origin.TERMINAL), rule.treatment(Origin.ADMIN)
    if code in DOORS:
        assert (typed, admin) == (Treatment.REFUSE, Treatment.ALLOW)
    else:
        assert admin is typed
    assert frozenset(DOORS) == ADMIN_CODES


@pytest.mark.parametrize("code", sorted(POLICY))
def test_a_profile_opens_two_codes_in_files_and_no_other(code: str) -> None:
    """safety M20: naming a code in a profile does nothing for the rest of the table, nor typed."""
    line = b"%b P1 S100" % code.encode()
    treatments = []
    for profile in (Profile(), GENEROUS):
        finding = judge(line, 1, profile, Origin.FILE)
        treatments.append(Treatment.ALLOW if finding is None else finding.treatment)
    if code in PROFILE_CODES:
        assert treatments == [Treatment.REFUSE, Treatment.ALLOW]
    else:
        assert treatments == [POLICY[code].in_file] * 2
    assert judge(line, 1, GENEROUS, Origin.TERMINAL) == judge(line, 1, Profile(), Origin.TERMINAL)
    assert frozenset({"M302", "M500"}) == PROFILE_CODES


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize("code", ALWAYS_SHUT)
def test_some_codes_pass_from_nowhere(code: str, origin: Origin) -> None:
    """safety M20: firmware, baud rate, card and latches are nobody's, whatever a profile says."""
    finding = judge(b"%b B9600" % code.encode(), 1, GENEROUS, origin)
    assert finding is not None
    assert finding.treatment is not Treatment.ALLOW


def test_an_open_code_opens_nothing_beside_it() -> None:
    """What stands in the same line is judged by its own row."""
    allowing = Profile(allowed_codes=("M302",))
    for line in (b"M302 P1 M500", b"M302 P1 M104 S999", b"M302 P1 M997"):
        found = judge(line, 1, allowing, Origin.FILE)
        assert found is not None, line
        assert found.treatment is Treatment.REFUSE
    found = judge(b"M500 M997", 1, Profile(), Origin.ADMIN)
    assert found is not None
    assert found.code == "M997"
    [seen] = scan_lines(b"M302 P1\nM302 P1 M500\n", allowing)
    assert (seen.line, seen.code) == (2, "M500")


def test_a_profile_of_an_older_api_allows_nothing() -> None:
    """What was written before the field was known reads as a profile that opens no code."""
    written = msgspec.to_builtins(Profile())
    del written["allowed_codes"]
    assert msgspec.convert(written, Profile).allowed_codes == ()


@pytest.mark.parametrize(
    ("line", "heater"),
    [
        (b"M303 S276 C8", "nozzle"),
        (b"M303 E0 S276", "nozzle"),
        (b"M303 E1 S276", "nozzle"),
        (b"M303 T1 S276", "nozzle"),
        (b"M303 E-1 S111", "bed"),
        (b"M303 E2 S111", "bed"),
        (b"M303 H0 S111", "bed"),
        (b"M303 E0 E-1 S111", "bed"),
        (b"M303 E-2 S61", "chamber"),
    ],
)
def test_tuning_is_held_against_the_ceiling_of_its_heater(line: bytes, heater: str) -> None:
    """safety M19: the target of an M303 is a target; a heater of no known tool is the bed."""
    profile = Profile(max_nozzle_c=275, max_bed_c=110, max_chamber_c=60, extruders=2)
    found = judge(line, 1, profile, Origin.ADMIN)
    assert found is not None
    assert found.violation is not None
    assert found.violation.heater == heater
    cooler = line.replace(b"276", b"275").replace(b"111", b"110").replace(b"S61", b"S60")
    assert judge(cooler, 1, profile, Origin.ADMIN) is None
