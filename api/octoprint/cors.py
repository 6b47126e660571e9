"""Cross-origin requests, off by default (OctoPrint contract, 2, CORS; safety S24).

`api.allowCrossOrigin` is a setting of the organization. Credentials are never allowed across
origins: a page elsewhere needs a key, a cookie does not help it.
"""

from quart import Response, request

from api.accounts.service import FIRST_ORGANIZATION, Accounts
from api.octoprint.addresses import Addresses
from api.octoprint.wire import done

SETTING = "allow_cross_origin"
_MAX_AGE_S = "10"


class Cors:
    """What is said to pages of other sites."""

    def __init__(self, accounts: Accounts, addresses: Addresses) -> None:
        self._accounts = accounts
        self._addresses = addresses

    async def allowed(self, organization_id: int) -> bool:
        """The setting of that organization."""
        settings = await self._accounts.organization_settings(organization_id)
        return settings.get(SETTING) is True

    async def preflight(self, root: str) -> Response:
        """`OPTIONS`: 200 without a body; with the headers where the setting is on."""
        return await self.allow(done(200), root)

    async def allow(self, response: Response, root: str) -> Response:
        """*response* with what a page of another site may do next, where the setting is on."""
        headers = request.headers
        asked = headers.get("Access-Control-Request-Method")
        if await self.mark(response, root) and asked is not None:
            response.headers["Access-Control-Allow-Methods"] = asked
            response.headers["Access-Control-Max-Age"] = _MAX_AGE_S
            if wanted := headers.get("Access-Control-Request-Headers"):
                response.headers["Access-Control-Allow-Headers"] = wanted
        return response

    async def mark(self, response: Response, root: str) -> bool:
        """Let the page that asks read *response*, if the setting is on; whether it may.

        The organization is that of the address, whoever asks: an error is readable too. A cache is
        told in any case that the answer depends on who asks.
        """
        if "Vary" not in response.headers:
            response.headers["Vary"] = "Origin"
        origin = request.headers.get("Origin")
        if origin is None:
            return False
        at = await self._addresses.find(root)
        organization_id = at.organization_id if at is not None else FIRST_ORGANIZATION
        if not await self.allowed(organization_id):
            return False
        response.headers["Access-Control-Allow-Origin"] = origin
        return True
