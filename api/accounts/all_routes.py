"""Every v1 route of people and what they prove themselves with, put together once."""

from quart import Quart

from api.accounts.device_routes import DeviceRoutes
from api.accounts.factor_routes import SecondFactorRoutes
from api.accounts.farm_routes import FarmRoutes
from api.accounts.mail_routes import MailRoutes
from api.accounts.quota_routes import QuotaRoutes
from api.accounts.quotas import Quotas
from api.accounts.routes import AccountRoutes
from api.accounts.service import Accounts
from api.config import Settings
from api.v1 import V1


def register(v1: V1, quart: Quart, accounts: Accounts, quotas: Quotas, settings: Settings) -> None:
    """Declare the routes."""
    AccountRoutes(accounts, settings).register(v1)
    SecondFactorRoutes(accounts, settings).register(v1)
    DeviceRoutes(accounts, settings).register(v1)
    MailRoutes(accounts).register(v1, quart)
    FarmRoutes(accounts).register(v1)
    QuotaRoutes(quotas).register(v1)
