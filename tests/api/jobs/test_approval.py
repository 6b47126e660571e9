"""Jobs that wait for approval: by the organization's rule, through to the queue or back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from api.jobs.approval import Approval
from api.jobs.approval_routes import ApprovalRoutes
from api.principal import Principal, Role
from tests.fakes.farm import Farm
from tests.fakes.farm_app import FarmApp


class Settings:
    """The settings of organizations, in memory."""

    def __init__(self) -> None:
        self.kept: dict[int, dict[str, Any]] = {}

    async def organization_settings(self, organization_id: int) -> Mapping[str, Any]:
        return self.kept.get(organization_id, {})

    async def set_organization_setting(
        self, by: Principal, organization_id: int, name: str, value: Any
    ) -> None:
        by.require("organizations.admin")
        self.kept.setdefault(organization_id, {})[name] = value


@pytest.fixture
def app(farm: Farm) -> FarmApp:
    app = FarmApp(farm)
    approval = Approval(Settings())
    farm.jobs.ask_for_approval(approval)
    ApprovalRoutes(approval).register(app.v1)
    return app


async def test_a_viewers_job_goes_through_approval(app: FarmApp, farm: Farm) -> None:
    """v1 4.1: submitted, rejected with a reason, submitted again by its owner, approved."""
    viewer = replace(farm.admin, user_id=5, role=Role.VIEWER, is_superadmin=False)
    rule = "/config/require-job-approval"
    assert await app.ask("GET", rule) == {"require_job_approval": False}
    assert await app.ask("PUT", rule, {"enabled": True}) == {"require_job_approval": True}
    assert (await app.ask("POST", "/jobs", {"item_name": "own"}, 201))["status"] == "pending"
    app.principal = viewer
    await app.ask("PUT", rule, {"enabled": False}, 403)
    job = await app.ask("POST", "/jobs", {"item_name": "asked"}, 201)
    assert (job["status"], job["waiting_for"]) == ("submitted", "approval")
    assert [row["id"] for row in await app.ask("GET", "/jobs?status=submitted")] == [job["id"]]
    path = f"/jobs/{job['id']}"
    await app.ask("POST", f"{path}/approve", expect=403)
    app.principal = farm.admin
    await app.ask("POST", f"{path}/reject", {}, 422)
    told = await app.ask("POST", f"{path}/reject", {"reason": "too big"})
    assert (told["status"], told["reason"], told["job_id"]) == ("rejected", "too big", job["id"])
    assert (await app.ask("GET", path))["reason"] == "too big"
    await app.ask("POST", f"{path}/resubmit", expect=409)  # somebody else's
    app.principal = viewer
    assert (await app.ask("POST", f"{path}/resubmit"))["status"] == "resubmitted"
    app.principal = farm.admin
    assert (await app.ask("POST", f"{path}/approve", {"notes": "fine"}))["status"] == "approved"
    assert (await app.ask("GET", path))["status"] == "pending"
    await app.ask("POST", f"{path}/approve", expect=400)


async def test_without_the_rule_a_viewers_job_is_queued(app: FarmApp, farm: Farm) -> None:
    """Approval is off until an admin wants it."""
    app.principal = replace(farm.admin, role=Role.VIEWER, is_superadmin=False)
    assert (await app.ask("POST", "/jobs", {"item_name": "x"}, 201))["status"] == "pending"
