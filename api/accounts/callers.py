"""Who is behind a secret, a ticket or an open socket (v1 1.1, 1.9; safety S12, S43)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from api.accounts import keys
from api.accounts.credentials import ENDS, Ending, Grant
from api.accounts.keys import CredentialKind
from api.accounts.models import Credential
from api.accounts.office import Office
from api.accounts.passwords import Passwords
from api.bus.local import Bus
from api.clock import Clock
from api.config import Settings
from api.errors import NotAuthenticated
from api.events.service import Ledger
from api.principal import RIGHTS, Principal, Right

WS_TICKET_LIFE = timedelta(seconds=30)

#: What the roles may at the moment.
RightsSource = Callable[[], Mapping[str, Right]]


class Callers(Office):
    """Who asks."""

    def __init__(
        self, ledger: Ledger, clock: Clock, settings: Settings, hasher: Passwords | None = None
    ) -> None:
        super().__init__(ledger, clock, settings, hasher)
        self._rights: RightsSource = lambda: RIGHTS

    def follow(self, bus: Bus) -> None:
        """Forget who was whom whenever any process that *bus* reaches ends a credential."""
        bus.listen(ENDS, on_ring=self._credentials.forget).__enter__()

    def rights_from(self, source: RightsSource) -> None:
        """From now on *source* says what the roles may; else `RIGHTS` does."""
        self._rights = source

    async def authenticate(self, secret: str) -> Principal:
        """The owner of a session's token, API token or key. Raises `NotAuthenticated`."""
        return self._by_the_rules(await self._credentials.authenticate(secret))

    async def behind(self, credential_id: int) -> Principal:
        """Who acts through this credential now. Raises `NotAuthenticated`."""
        return self._by_the_rules(await self._credentials.behind(credential_id))

    async def ended(self, by: Principal) -> bool:
        """Whether a socket that *by* opened must be closed: nobody acts like that any more.

        Ask after the wake `credential:<id>` (or `credentials.ENDS`), and every few seconds.
        """
        return bool(await self.ended_of([by]))

    async def ended_of(self, principals: Collection[Principal]) -> dict[int, Ending]:
        """`ended` of many with a few queries: the credential ids of those that must be closed, each
        with why.
        """
        rights = self._rights()
        outdated = [one.credential_id for one in principals if one.rights is not rights]
        return dict.fromkeys(outdated, Ending.CHANGED) | await self._credentials.ended_of(
            principals
        )

    def push_ticket(self, by: Principal) -> str:
        """What opens the push of the OctoPrint face as *by*, and nothing else.

        It says which credential it stands for, so it dies with that.
        """
        return self._session_tokens.ticket(by.credential_id)

    async def redeem_push_ticket(self, username: str, ticket: str) -> Principal:
        """Who *username* is with the `push_ticket` of their login. Raises `NotAuthenticated`."""
        credential_id = self._session_tokens.credential_of(ticket)
        if credential_id is None:
            raise NotAuthenticated("Not authenticated")
        principal = await self.behind(credential_id)
        if principal.username != username:
            raise NotAuthenticated("Not authenticated")
        return principal

    async def ws_ticket(self, by: Principal) -> str:
        """What opens one websocket as *by*, once, within `WS_TICKET_LIFE`; nothing else."""
        by.require("self.read")
        now = self._clock.now()
        grant = Grant(
            user=await self._myself(by),
            kind=CredentialKind.WS_TICKET,
            printer_id=by.printer_id,
            expires_at=now + WS_TICKET_LIFE,
            parent_id=by.credential_id,
        )
        async with self._ledger.change() as change:
            await self._clear_openers(by.user_id, CredentialKind.WS_TICKET, now - WS_TICKET_LIFE)
            _, secret = await self._issue(change, by, grant)
        return secret

    async def redeem_ws_ticket(self, ticket: str) -> Principal:
        """Who asked for this `ws_ticket`; it is used up. Raises `NotAuthenticated`."""
        if not keys.plausible(ticket):
            raise NotAuthenticated("Not authenticated")
        return self._by_the_rules(await self._credentials.take_ticket(ticket))

    async def _clear_openers(self, user_id: int, kind: CredentialKind, ended: datetime) -> None:
        """Within a change: rows of what opened something once and was over at *ended* go."""
        await Credential.filter(user_id=user_id, kind=kind, expires_at__lt=ended).delete()

    def _by_the_rules(self, by: Principal) -> Principal:
        """*by* with what the roles may now, which `Credentials` need not remember."""
        rights = self._rights()
        return by if by.rights is rights else replace(by, rights=rights)
