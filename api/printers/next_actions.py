"""What a client may do next, as the tools of the contract's MCP client name it (v1 1.7)."""

from typing import Any

from api.describe import Answer


class NextAction(Answer):
    """A tool of the MCP client, and what to call it with."""

    tool: str
    args: dict[str, Any]


def after_printer(printer_id: int) -> list[dict[str, Any]]:
    """Next to what was done to a printer."""
    return [{"tool": "get_printer", "args": {"id": printer_id}}]


def after_job(job_id: int) -> list[dict[str, Any]]:
    """Next to what was done to a job."""
    return [{"tool": "get_job", "args": {"id": job_id}}, {"tool": "list_queue", "args": {}}]
