"""X-Dry-Run: the answer to "what would this call do?" (v1 contract, 1.7).

The route's own handler is called, and stopped where it would commit (`api.events.rehearsal`), so a
dry run is refused with whatever would refuse the call. Routes without one answer 501.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from quart import Response

from api.describe import Doc
from api.errors import Invalid
from api.events.rehearsal import Rehearsal, Rehearsed, rehearsing
from api.http import json_answer

#: By the id that an action is about: what to look at, or to do, next.
_NEXT: dict[str, tuple[str, dict[str, Any]]] = {
    "job_id": ("get_job", {"id": "job_id"}),
    "printer_id": ("get_printer", {"id": "printer_id"}),
}
_LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "job_id": ("list_queue", {}),
    "spool_id": ("list_spools", {}),
    "alert_id": ("list_alerts", {"unread_only": True}),
    "task_id": ("list_maintenance_tasks", {"overdue_only": True}),
}
#: The tools of the contract's MCP client by the action that they would take.
_TOOLS = {
    "queue_job": "queue_job",
    "cancel_job": "cancel_job",
    "approve_job": "approve_job",
    "reject_job": "reject_job",
    "pause_print": "pause_printer",
    "resume_print": "resume_printer",
    "mark_alert_read": "mark_alert_read",
    "dismiss_alert": "dismiss_alert",
    "complete_maintenance": "complete_maintenance",
    "consume_spool": "consume_spool",
    "assign_spool": "assign_spool",
}


async def rehearsed(
    name: str, work: Callable[[], Awaitable[Response]], doc: Doc, parameters: Mapping[str, Any]
) -> Response:
    """What *work* would do. *name* is the action where the service says none, *parameters* are
    the ids of the path. Raises whatever would refuse it, and `Invalid` ``dry_run_unsupported``.
    """
    if not doc.dry_run:
        raise Invalid(
            "This call has no dry run; without X-Dry-Run it is carried out.",
            code="dry_run_unsupported",
        )
    notes = "This is how things are already; nothing would change."
    with rehearsing() as rehearsal:
        try:
            await work()
        except Rehearsed:
            notes = "Nothing was changed. The same call without X-Dry-Run carries it out."
    action = rehearsal.action or name
    return json_answer(
        {
            "dry_run": True,
            "would_execute": {"action": action, **parameters, **rehearsal.facts},
            "next_actions": next_actions(rehearsal),
            "notes": notes,
        }
    )


def next_actions(rehearsal: Rehearsal) -> list[dict[str, Any]]:
    """Carry it out, and look at what it is about."""
    found: list[dict[str, Any]] = []
    if tool := _TOOLS.get(rehearsal.action):
        found.append({"tool": tool, "reason": "the same without dry_run carries it out"})
    facts = rehearsal.facts
    for name, (tool, arguments) in _NEXT.items():
        if facts.get(name) is not None:
            found.append({"tool": tool, "args": {k: facts[v] for k, v in arguments.items()}})
    for name, (tool, arguments) in _LISTS.items():
        if facts.get(name) is not None or (name, rehearsal.action) == ("job_id", "queue_job"):
            found.append({"tool": tool, "args": arguments})
    return found
