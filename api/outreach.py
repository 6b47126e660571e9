"""How the farm reaches people who do not look at it: mail about alerts, reports, webhooks, push."""

import asyncio

from api.accounts.keys import SessionTokens
from api.accounts.service import Accounts
from api.alerts.digests import Digests
from api.alerts.preference_routes import PreferenceRoutes
from api.alerts.preferences import Preferences
from api.alerts.service import Alerts
from api.bus import Bus
from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger
from api.policies.quiet import QuietHours
from api.policies.service import Policies
from api.proxies import networks
from api.push.envelope import Sender
from api.push.routes import PrintersRoom, PushRoutes
from api.push.service import Push
from api.reports.schedule_routes import ReportScheduleRoutes
from api.reports.schedules import ReportSchedules, ReportWriter
from api.v1 import V1
from api.webhooks.outside import Outside
from api.webhooks.routes import WebhookRoutes
from api.webhooks.service import Seal, Webhooks


class Outreach:
    """Every way to people outside of the app. Follows *alerts*, so it is made after them."""

    def __init__(
        self,
        alerts: Alerts,
        accounts: Accounts,
        policies: Policies,
        *,
        writer: ReportWriter,
        settings: Settings,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._policies = policies
        self._settings = settings
        self.preferences = Preferences(ledger)
        self.digests = Digests(
            self.preferences,
            accounts,
            self._quiet_hours,
            ledger=ledger,
            clock=clock,
            public_url=settings.public_url,
        )
        keys = SessionTokens(settings.data_dir.absolute(), settings.secret_key)
        seal = Seal(close=keys.seal, open=keys.unseal)
        outside = Outside(networks(settings.webhook_networks))
        self.push = Push(
            outside,
            Sender(keys, _contact(settings)),
            seal,
            wishes=self.preferences,
            quiet_of=self._quiet_hours,
            ledger=ledger,
            clock=clock,
        )
        alerts.tell_by(self.digests)
        alerts.tell_by(self.push)
        accounts.when_gone(self.push.forget_person)
        self.reports = ReportSchedules(
            accounts.post,
            writer,
            self._quiet_hours,
            ledger=ledger,
            clock=clock,
            public_url=settings.public_url,
        )
        self.webhooks = Webhooks(outside, self._quiet_hours, seal, ledger, clock)

    async def _quiet_hours(self, organization_id: int) -> QuietHours:
        own = await self._accounts.organization_settings(organization_id)
        return await self._policies.quiet_hours(own)

    def register(self, v1: V1, printers: PrintersRoom) -> None:
        """Declare the routes."""
        PushRoutes(self.push, printers).register(v1)
        PreferenceRoutes(self.preferences, self.digests, self._settings).register(v1)
        ReportScheduleRoutes(self.reports).register(v1)
        WebhookRoutes(self.webhooks).register(v1)

    async def run(self, bus: Bus) -> None:
        """Tell people what is due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.digests.run(bus))
            tasks.create_task(self.reports.run(bus))
            tasks.create_task(self.webhooks.courier.run(bus))
            tasks.create_task(self.push.courier.run(bus))


def _contact(settings: Settings) -> str:
    """Where the people of push services can ask; "" when nobody said."""
    if settings.smtp_host:
        return f"mailto:{settings.smtp_from}"
    return settings.public_url if settings.public_url.startswith("https://") else ""
