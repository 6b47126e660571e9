"""The front door of the room: people and what they prove themselves with (v1 1.1-1.4, 2.1, 2.2).

`authenticate` is what both faces ask; everything else authorises the principal that it is given.
Each noun has its module; `Accounts` is all of them.
"""

from api.accounts.by_mail import ByMail
from api.accounts.callers import WS_TICKET_LIFE
from api.accounts.credentials import Ending
from api.accounts.devices import Devices, DeviceToken
from api.accounts.elsewhere import Elsewhere
from api.accounts.first_hour import FirstHour, SetupState
from api.accounts.groups import PeopleGroups
from api.accounts.office import FIRST_ORGANIZATION
from api.accounts.organizations import Organizations, OrganizationView
from api.accounts.passwords import Passwords
from api.accounts.personal import Imported, Kept, Personal
from api.accounts.remembered import Remembered, Remembrance
from api.accounts.second_factor import SecondFactors
from api.accounts.sessions import CameWith, Login, SecondFactorAsked, SecondFactorWanted
from api.accounts.tokens import MAX_EXPIRES_DAYS, AppKey, Tokens
from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger

__all__ = [
    "FIRST_ORGANIZATION",
    "MAX_EXPIRES_DAYS",
    "WS_TICKET_LIFE",
    "Accounts",
    "AppKey",
    "CameWith",
    "DeviceToken",
    "Ending",
    "Imported",
    "Kept",
    "Login",
    "OrganizationView",
    "Remembrance",
    "SecondFactorAsked",
    "SecondFactorWanted",
    "SetupState",
]


class Accounts(
    FirstHour,
    Remembered,
    Devices,
    SecondFactors,
    Elsewhere,
    ByMail,
    Tokens,
    Personal,
    PeopleGroups,
    Organizations,
):
    """Who is who."""

    def __init__(
        self, ledger: Ledger, clock: Clock, settings: Settings, hasher: Passwords | None = None
    ) -> None:
        super().__init__(ledger, clock, settings, hasher)
        self.write_mail()
