"""The table of rules: who may have which job, and what is said of who may not."""

from datetime import timedelta
from typing import Any

import pytest
from ulid import ULID

from api.pools.models import Pool
from api.scheduler.explain import decided, refusals, unplaceable, waits_for
from api.scheduler.power import Budget, Load
from api.scheduler.rules import RULES
from tests.fakes.queue_scenes import NOW, board, need, scene, slot, spot, who

HOT = {"max_nozzle_c": {"c": 290.0, "line": 3}}
TALL = {"printing": {"low": [0, 0, 0], "high": [50, 50, 240], "size": [50.0, 50.0, 240.0]}}
MULTI = {"filament_types": ["PLA", "PETG"], "filament_tools_g": [10.0, 20.0]}

#: (rule, what the job asks, the printer that is refused, the printer that is not, words of why).
CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], str], ...] = (
    (
        "tags",
        {"required_tags": ("abs", "tall")},
        {"tags": ["abs"]},
        {"tags": ["tall", "abs"]},
        "tall",
    ),
    (
        "kind",
        {"target_type": "model", "target_filter": "MK3"},
        {"model": "Ender"},
        {"model": "mk3"},
        "is Ender, the job asks for the model MK3",
    ),
    (
        "kind",
        {"target_type": "protocol", "target_filter": "serial"},
        {"api_type": "moonraker"},
        {"api_type": "Serial"},
        "the protocol serial",
    ),
    (
        "model",
        {"facts": {"printer_model": "MK3S"}},
        {"model": "Ender 3"},
        {"model": "Prusa MK3S+"},
        "sliced for MK3S",
    ),
    ("bed", {"analysis": TALL}, {}, {"profile": {"height_mm": 300.0}}, "50 × 50 × 240 mm"),
    (
        "nozzle",
        {"facts": {"nozzle_mm": 0.6}},
        {},
        {"profile": {"nozzle_mm": 0.6}},
        "has a nozzle of 0.4 mm, the file is for 0.6 mm",
    ),
    ("limits", {"facts": HOT}, {}, {"profile": {"max_nozzle_c": 300.0}}, "275 °C at the nozzle"),
    (
        "materials",
        {"filament_type": "PETG"},
        {"profile": {"materials": ["PLA"]}},
        {"profile": {"materials": ["petg", "PLA"]}},
        "is not meant for PETG",
    ),
    (
        "materials",
        {"filament_type": "TPU"},
        {"profile": {"materials": ["PLA"]}},
        {"profile": {"materials": ["PLA", "FLEX"]}},
        "is not meant for TPU",
    ),
    (
        "material",
        {"filament_type": "PETG"},
        {"slots": [slot(1, "PLA")]},
        {"slots": [slot(1, "PLA"), slot(2, "PETG")]},
        "has not loaded PETG",
    ),
    (
        "material",
        {"facts": {"filament_types": ["PLA-CF"]}},
        {"slots": [slot(1, "PLA")]},
        {"slots": [slot(1, "PLA_CF")]},
        "PLA_CF",
    ),
    (
        "material",
        {"facts": MULTI},
        {"slots": [slot(1, "PETG"), slot(2, "PLA")]},
        {"slots": [slot(1, "PLA"), slot(2, "PETG")]},
        "PLA in slot 1, PETG in slot 2",
    ),
    (
        "color",
        {"colors_required": "Red, #00FF00"},
        {"slots": [slot(1, "PLA", color="red")]},
        {"slots": [slot(1, "PLA", color="red"), slot(2, "PLA", color_hex="#00ff00")]},
        "has not loaded 00ff00",
    ),
    (
        "filament",
        {"facts": {"filament_g": 100.0, "filament_types": ["PLA"]}},
        {"slots": [slot(1, "PLA", remaining=99.0)]},
        {"slots": [slot(1, "PLA", remaining=99.0), slot(2, "PLA", remaining=100.0)]},
        "99 g left of PLA, the print takes 100 g",
    ),
    ("by_hand", {}, {"bridge_id": None}, {}, "people start it"),
    ("offline", {}, {"is_active": False}, {}, "switched off"),
    ("stopped", {}, {"state": "halted"}, {}, "was stopped"),
    ("held", {}, {"queue_hold": "The last print failed."}, {}, "The last print failed."),
    ("state", {}, {"state": "error"}, {}, "is error"),
    ("card", {}, {"state": "transferring"}, {}, "getting a file onto its SD card"),
    ("busy", {}, {"active_grant": "01J0000000000000000000000A"}, {}, "has another print"),
    (
        "plate",
        {},
        {"plate_policy": "confirm", "plate_state": "unknown"},
        {"plate_policy": "confirm", "plate_state": "clear"},
        "nobody has called clear",
    ),
)

LINES = ((3, "M500"), (4, "M997"))


@pytest.mark.parametrize(("rule", "asked", "refused", "taken", "words"), CASES)
def test_a_rule_refuses_one_printer_and_not_the_other(
    rule: str, asked: dict[str, Any], refused: dict[str, Any], taken: dict[str, Any], words: str
) -> None:
    """Each rule by its name, with a sentence, and with what would help."""
    of = board(spot(1, **refused), spot(2, **taken))
    wanted = need(**asked)
    assert who(of, wanted) == [2]
    fits, no = refusals(of, wanted)
    assert (fits["printer_id"], fits["rule"]) == (2, None)
    assert (no["printer_id"], no["rule"]) == (1, rule)
    assert words in no["why_not"]
    assert no["why_not"].startswith("P1 ")
    assert ".." not in no["why_not"]
    assert no["unblock"] and not no["unblock"].endswith(".")


def test_every_rule_has_a_case() -> None:
    """None is forgotten: those without a row above have a test of their own below."""
    own = {"printer", "pool", "codes", "preflight", "circuit", "hours", "power"}
    assert {rule.name for rule in RULES} == {case[0] for case in CASES} | own
    lasting = [rule.lasting for rule in RULES]
    assert lasting == sorted(lasting, reverse=True), "the lasting ones come first"


def test_a_printer_of_which_nobody_keeps_track_takes_every_filament() -> None:
    """No slot was ever spoken of: as before, nobody is held up."""
    wanted = need(filament_type="TPU", colors_required="pink", facts={"filament_g": 5000.0})
    assert who(board(spot(1), spot(2, slots=[slot(1, "Unknown")])), wanted) == [1, 2]


def test_whoever_names_a_printer_has_chosen_it() -> None:
    """Tags, models and nozzles choose for others; the volume and the filament still count."""
    facts = {"printer_model": "X", "nozzle_mm": 0.8, **HOT}
    pinned: dict[str, Any] = {"pinned": True, "printer_id": 1, "required_tags": ("none",)}
    of = board(spot(1, model="Y"), spot(2))
    assert who(of, need(facts, **pinned)) == [1]
    assert who(of, need(facts, TALL, **pinned)) == []
    assert [each["rule"] for each in refusals(of, need(facts, TALL, **pinned))] == [
        "bed",
        "printer",
    ]


def test_a_job_of_a_pool_goes_to_its_printers_only() -> None:
    """A pool that is gone has none."""
    pool = Pool(id=4, organization_id=1, name="Small", printer_ids=[2], tags=[])
    spots = spot(1), spot(2)
    of = board(*spots, around=scene(spots, pools={4: pool}))
    assert who(of, need(pool_id=4)) == [2]
    assert who(of, need(pool_id=5)) == []
    assert waits_for(of, need(pool_id=5)).text == "P1 in its pool, which is gone"


def test_what_no_printer_may_run_says_so_at_once() -> None:
    """Refused codes and a preflight that says error: never, with the reason."""
    of = board(spot(1), spot(2))
    wanted = need({"refused": [{"text": "M502 in line 3", "line": 3, "code": "M502"}]})
    assert waits_for(of, wanted).never
    assert "P1 must not run the file: M502 in line 3, and so for another printer." in str(
        unplaceable(of, wanted)
    )
    says = board(spot(1), around=scene(preflight=lambda blob_id, _: f"no heat in {blob_id}"))
    [verdict] = refusals(says, need(blob_id=9))
    assert verdict["why_not"] == "P1 does not pass the preflight: no heat in 9."


def test_a_code_is_for_the_printers_whose_profile_allows_it() -> None:
    """safety M20: a file with M500 goes where it may, and the reason names the line elsewhere."""
    allowing = spot(2, profile={"allowed_codes": ["M500", "M997"]})
    of = board(spot(1), allowing)
    lines = [{"text": f"line {at}: {code}", "line": at, "code": code} for at, code in LINES]
    assert who(of, need({"refused": lines[:1]})) == [2]
    assert who(of, need({"refused": lines})) == []
    verdicts = refusals(of, need({"refused": lines}))
    assert {each["printer_id"]: each["why_not"] for each in verdicts} == {
        1: "P1 must not run the file: line 3: M500.",
        2: "P2 must not run the file: line 4: M997.",
    }


def test_what_passes_by_itself_is_not_never() -> None:
    """A job waits for the nearest printer, and is told how many others would do."""
    far, near = spot(1, tags=["a"], state="error"), spot(2, active_grant="0" * 26, tags=["a"])
    of = board(far, near, spot(3))
    wait = waits_for(of, need(required_tags=("a",)))
    assert (wait.text, wait.never) == ("P1 to be operational; it is error", False)
    assert unplaceable(of, need(required_tags=("a",))) is None
    both = board(spot(1, state="error"), spot(2, state="error"))
    assert waits_for(both, need()).text.endswith("or another printer")
    nobody = waits_for(of, need(required_tags=("b",)))
    assert (nobody.text, nobody.never) == ("the tags b on P1", True)
    assert waits_for(board(), need()).never


def test_nothing_starts_outside_the_hours() -> None:
    """The scene says when they begin."""
    spots = (spot(1),)
    of = board(*spots, around=scene(spots, opens_at=NOW + timedelta(hours=1)))
    assert who(of, need()) == []
    assert "2026-01-05T13:00:00.000Z" in waits_for(of, need()).text


def test_heat_ups_that_do_not_fit_together_come_one_after_the_other() -> None:
    """One circuit: two print, a third heats up only when somebody has finished heating."""
    wall = Budget(1, "Wall", 1000.0, 300.0)
    loads = {each: Load(1, 600.0, 200.0) for each in (1, 2, 3)}
    spots = spot(1), spot(2), spot(3), spot(4)
    of = board(*spots, around=scene(spots, [wall], loads))
    assert who(of, need()) == [1, 2, 3, 4]
    assert of.scene.power.start(1)
    of.forget_power()
    assert who(of, need()) == [4]
    [_, first, *_] = refusals(of, need())
    assert first["why_not"] == "P1 cannot heat up now: circuit Wall lacks 200 W."
    assert not of.scene.power.start(4), "on no circuit"


def test_a_printer_that_heats_draws_more_than_one_that_prints() -> None:
    """The time of the grant tells which of the two it is."""
    wall = Budget(1, "Wall", 1000.0, 300.0)
    loads = {1: Load(1, 600.0, 200.0), 2: Load(1, 600.0, 200.0)}
    for age_s, expected in ((100, []), (400, [2])):
        grant = _grant(age_s)
        spots = spot(1, active_grant=grant), spot(2)
        of = board(*spots, around=scene(spots, [wall], loads))
        assert who(of, need()) == expected
    card = spot(1, state="printing"), spot(2)
    assert who(board(*card, around=scene(card, [wall], loads)), need()) == [2]


def test_a_printer_that_its_circuit_never_bears_is_told_apart() -> None:
    """Waiting would not help: circuit is a lasting rule."""
    spots = (spot(1),)
    of = board(*spots, around=scene(spots, [Budget(1, "W", 100.0, 9.0)], {1: Load(1, 200.0, 50.0)}))
    assert waits_for(of, need()).never
    assert refusals(of, need())[0]["rule"] == "circuit"


def test_the_best_printer_has_the_colours_loaded_and_nothing_else_waiting() -> None:
    """The contract's score; alike, the first."""
    red = slot(1, "PLA", color="red")
    of = board(spot(1), spot(2, slots=[red]), spot(3, slots=[red]), spot(4))
    wanted = need(colors_required="red", filament_type="PLA")
    everybody = of.fitting(wanted)
    assert of.best(wanted, everybody, [0, 0, 0, 0]) == 1
    assert of.best(wanted, everybody, [0, 1, 0, 0]) == 2
    assert of.best(need(), of.fitting(need()), [0, 0, 0, 0]) == 1
    facts = decided(of, wanted, of.spots[1], everybody)
    assert "100 % of its colours are loaded." in facts["reasons"]
    assert facts["others"][-1]["printer_ids"] == [1, 3, 4]


def _grant(age_s: float) -> str:
    return str(ULID.from_datetime(NOW - timedelta(seconds=age_s)))
