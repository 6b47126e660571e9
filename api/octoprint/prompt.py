"""What a printer asks a person, as OctoPrint's bundled plugin `action_command_prompt` has it."""

from collections.abc import Mapping
from typing import Any

from quart import Response

from api.commands.machine import Machine
from api.errors import Conflict, Invalid
from api.octoprint.body import json_object
from api.octoprint.orders import Orders
from api.octoprint.route import Route
from api.octoprint.visitor import Visit
from api.octoprint.wire import answer, done
from schemas.printer import Prompt

PLUGIN = "action_command_prompt"


def prompt_message(prompt: Prompt | None) -> Mapping[str, Any]:
    """What push says when a question is shown, and when it is closed (None)."""
    if prompt is None:
        return {"action": "close"}
    return {"action": "show", "text": prompt.text, "choices": prompt.buttons}


class PromptFace:
    """Reading and answering the question."""

    def __init__(self, machine: Machine, orders: Orders) -> None:
        self._machine = machine
        self._orders = orders

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        path = f"/api/plugin/{PLUGIN}"
        return (
            Route("GET", path, self.shown, "STATUS"),
            Route("POST", path, self.select, "CONTROL"),
        )

    async def shown(self, visit: Visit) -> Response:
        """The question that is open; {} without one."""
        prompt = None if visit.pool is not None else self._orders.live(visit).prompt
        if prompt is None:
            return answer({})
        return answer({"text": prompt.text, "choices": prompt.buttons})

    async def select(self, visit: Visit) -> Response:
        """`select` with the number of a choice, from 0; 409 without a question."""
        body = await json_object()
        if body.get("command") != "select":
            raise Invalid(f"command is unknown: {str(body.get('command'))[:100]}")
        choice = body.get("choice")
        if isinstance(choice, bool) or not isinstance(choice, int) or choice < 0:
            raise Invalid("choice takes the number of a choice, from 0")
        if visit.pool is not None:
            raise Conflict("No active prompt")
        await self._machine.answer_prompt(visit.by, visit.printer.id, choice)
        return done()
