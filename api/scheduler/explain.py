"""Why a job is where it is, in words and as facts (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.scheduler.board import Board, Refused, places
from api.scheduler.materials import color_match, materials_missing
from api.scheduler.needs import Need
from api.scheduler.spots import Spot

#: Of the rule that is none: the printer may have the job, and another one suits better.
SUITS = "suits_less"
ITS_TURN = "its turn"
MAX_UNBLOCK = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a job waits for. *text* goes after "waits for"; *never*: no printer can have it."""

    text: str
    never: bool = False


def waits_for(board: Board, need: Need) -> Wait:
    """What stands between a job and the printers that come closest."""
    if not board.spots:
        return Wait(text="a printer: the farm has none", never=True)
    found = board.nearest(need)
    if found is None:
        return Wait(text=ITS_TURN)
    rule, near = found
    first = board.spots[next(places(near))]
    text = rule.unblock(rule.asks(need), first, board.scene)
    others = near.bit_count() - 1
    if others and not rule.lasting:
        text += f", or one of {others} other printers" if others > 1 else ", or another printer"
    return Wait(text=text, never=rule.lasting)


def unplaceable(board: Board, need: Need) -> str | None:
    """Why no printer can ever have a job as both are now, whole sentences; None: some can."""
    if not board.spots:
        return "The farm has no printer yet."
    found = board.nearest(need)
    if found is None or not found[0].lasting:
        return None
    sentences = [_why(board, need, each) for each in board.refused(need)[-3:]]
    return "No printer can print it. " + " ".join(sentences)


def _why(board: Board, need: Need, refused: Refused) -> str:
    """One sentence about whom a rule refuses."""
    first = board.spots[refused.places[0]]
    text = refused.rule.why_not(refused.rule.asks(need), first, board.scene)
    more = len(refused.places) - 1
    also = {0: "", 1: ", and so for another printer"}.get(more, f", and so for {more} others")
    return f"{first.name} {text}{also}."


def refusals(board: Board, need: Need) -> list[dict[str, Any]]:
    """Printer by printer what stands in the way; those that come closest first.

    Each: *printer_id*, *printer_name*, *rule* (None: nothing), *why_not*, *unblock*, *lasting*.
    """
    fitting = places(board.fitting(need))
    found = [_verdict(board.spots[place], None, None, None) for place in fitting]
    for each in reversed(board.refused(need)):
        demand = each.rule.asks(need)
        for place in each.places:
            spot = board.spots[place]
            why_not = f"{spot.name} {each.rule.why_not(demand, spot, board.scene)}."
            unblock = each.rule.unblock(demand, spot, board.scene)
            found.append(_verdict(spot, each.rule.name, why_not, unblock))
    return found


def _verdict(
    spot: Spot, rule: str | None, why_not: str | None, unblock: str | None
) -> dict[str, Any]:
    return {
        "printer_id": spot.id,
        "printer_name": spot.name,
        "rule": rule,
        "why_not": why_not,
        "unblock": unblock,
    }


def unblockers(verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """What would help, each once, the nearest first; nothing where a printer may have the job."""
    if any(each["rule"] is None for each in verdicts):
        return []
    found = dict.fromkeys(each["unblock"] for each in verdicts if each["unblock"])
    return list(found)[:MAX_UNBLOCK]


def decided(board: Board, need: Need, chosen: Spot, among: int) -> dict[str, Any]:
    """The facts of a decision: *reasons* for *chosen* out of the printers *among*, and by rule who
    else was refused (*others*: rule, printer_ids, why_not and unblock of the first of them).
    """
    others: list[dict[str, Any]] = []
    for each in board.refused(need):
        first, demand = board.spots[each.places[0]], each.rule.asks(need)
        others.append(
            {
                "rule": each.rule.name,
                "printer_ids": [board.spots[place].id for place in each.places],
                "why_not": each.rule.why_not(demand, first, board.scene),
                "unblock": each.rule.unblock(demand, first, board.scene),
            }
        )
    alike = [board.spots[place].id for place in places(among)]
    if rest := [each for each in alike if each != chosen.id]:
        why_not = f"may have it too, {chosen.name} suits as well or better"
        others.append({"rule": SUITS, "printer_ids": rest, "why_not": why_not, "unblock": ""})
    return {
        "printer_name": chosen.name,
        "reasons": reasons(need, chosen, len(alike)),
        "others": others,
    }


def reasons(need: Need, chosen: Spot, count: int) -> list[str]:
    """Why *chosen* out of *count* printers that may have the job."""
    if need.printer_id is not None:
        return [f"The job is for {chosen.name}, which is free and has a clear plate."]
    found = [f"{chosen.name} is free, fits and has a clear plate."]
    if need.colors:
        found.append(f"{color_match(need.colors, chosen)} % of its colours are loaded.")
    if need.strands and chosen.slots and not materials_missing(need.strands, chosen):
        found.append("Its filament is loaded already.")
    if count > 1:
        found.append(f"Of the {count} printers that may have it, it suits best or comes first.")
    return found
