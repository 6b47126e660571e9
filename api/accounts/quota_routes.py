"""The v1 routes of quotas (v1 2.1, 2.2)."""

from typing import Any

from quart import Response

from api.accounts.answers import OrganizationQuotaAnswer, QuotaAnswer, QuotaOfPersonAnswer
from api.accounts.bodies import OrganizationQuotaBody, QuotaBody
from api.accounts.quotas import Quotas, QuotaState
from api.accounts.views import counted
from api.describe import Doc
from api.http import json_answer, json_body, paging
from api.v1 import V1, caller

_MINE = Doc(
    summary="How much the caller may use in a period, and has used",
    answer=QuotaAnswer,
    right="self.read",
)
_ALL = Doc(
    summary="Everybody's quotas",
    answer=list[QuotaOfPersonAnswer],
    right="users.admin",
    paged=True,
)
_SET = Doc(
    summary="Set somebody's quota; null for no limit, what is absent stays",
    answer=QuotaAnswer,
    body=QuotaBody,
    right="users.admin",
    problems=("user_not_found",),
)
_OF_ORG = Doc(
    summary="The quota of an organization",
    answer=OrganizationQuotaAnswer,
    right="organizations.admin",
    problems=("organization_not_found",),
)
_SET_ORG = Doc(
    summary="Set the quota of an organization; null for no limit, what is absent stays",
    answer=OrganizationQuotaAnswer,
    body=OrganizationQuotaBody,
    right="organizations.all",
    problems=("organization_not_found",),
)


class QuotaRoutes:
    """`/quotas`, `/admin/quotas`, `/orgs/{id}/quota`."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/quotas", self.mine, _MINE)
        v1.add("GET", "/admin/quotas", self.all, _ALL)
        v1.add("PUT", "/admin/quotas/<int:user_id>", self.set, _SET)
        v1.add("GET", "/orgs/<int:org_id>/quota", self.of_organization, _OF_ORG)
        v1.add("PUT", "/orgs/<int:org_id>/quota", self.set_organization, _SET_ORG)

    async def mine(self) -> Response:
        """The caller's."""
        return json_answer(quota_view(await self._quotas.mine(caller())))

    async def all(self) -> Response:
        """Everybody's."""
        rows, total = await self._quotas.of_people(caller(), *paging())
        return counted(
            [
                {"user_id": user.id, "username": user.username, **quota_view(state)}
                for user, state in rows
            ],
            total,
        )

    async def set(self, user_id: int) -> Response:
        """Somebody's, as it is from now on."""
        wish = _wish(await json_body(QuotaBody))
        return json_answer(quota_view(await self._quotas.limit_person(caller(), user_id, wish)))

    async def of_organization(self, org_id: int) -> Response:
        """An organization's."""
        return json_answer(_house_view(await self._quotas.of_organization(caller(), org_id)))

    async def set_organization(self, org_id: int) -> Response:
        """An organization's, as it is from now on."""
        wish = _wish(await json_body(OrganizationQuotaBody))
        state = await self._quotas.limit_organization(caller(), org_id, wish)
        return json_answer(_house_view(state))


def _wish(body: QuotaBody) -> dict[str, Any]:
    given = body.model_dump(exclude_unset=True)
    wish = {name.removeprefix("quota_"): value for name, value in given.items()}
    if wish.get("period", "") is None:
        del wish["period"]
    return wish


def quota_view(state: QuotaState) -> dict[str, Any]:
    """A quota in v1's words."""
    quota = state.quota
    return {
        "quota_grams": quota.grams,
        "quota_hours": quota.hours,
        "quota_jobs": quota.jobs,
        "quota_period": quota.period,
        "usage": {
            "grams_used": state.use.grams,
            "hours_used": state.use.hours,
            "jobs_used": state.use.jobs,
        },
        "period_key": state.span.key,
    }


def _house_view(state: QuotaState) -> dict[str, Any]:
    view = quota_view(state)
    view["quota_storage_bytes"] = state.quota.storage_bytes
    view["usage"]["storage_bytes_used"] = state.stored_bytes
    return view
