"""v1 routes of the approval rule (v1 contract, 2.4)."""

from quart import Response

from api.describe import Answer, Doc
from api.http import Body, json_answer, json_body
from api.jobs.approval import Approval
from api.v1 import V1, caller


class RuleAnswer(Answer):
    """Whether jobs of viewers wait for approval."""

    require_job_approval: bool


class RuleBody(Body):
    """``PUT /config/require-job-approval``."""

    enabled: bool


class ApprovalRoutes:
    """``/config/require-job-approval``."""

    def __init__(self, approval: Approval) -> None:
        self._approval = approval

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        path = "/config/require-job-approval"
        v1.add("GET", path, self.get, _GET)
        v1.add("PUT", path, self.put, _PUT)

    async def get(self) -> Response:
        """The rule."""
        caller().require("jobs.read")
        return await self._answer()

    async def put(self) -> Response:
        """Another rule."""
        caller().require("organizations.admin")
        body = await json_body(RuleBody)
        await self._approval.require(caller(), enabled=body.enabled)
        return await self._answer()

    async def _answer(self) -> Response:
        required = await self._approval.is_required(caller().organization_id)
        return json_answer({"require_job_approval": required})


_GET = Doc(
    summary="Whether jobs of viewers wait for approval", answer=RuleAnswer, right="jobs.read"
)
_PUT = Doc(
    summary="Let jobs of viewers wait for approval, or go straight into the queue",
    answer=RuleAnswer,
    right="organizations.admin",
    body=RuleBody,
)
