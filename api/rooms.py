"""The services of one process: every room, made once and wired."""

from dataclasses import dataclass

from api.accounts.quotas import Quotas
from api.accounts.service import Accounts
from api.alerts.service import Alerts
from api.bridges.service import Bridges
from api.bus import Bus
from api.clock import Clock
from api.commands.card_writes import CardWrites
from api.commands.service import Commands
from api.config import Settings
from api.events.history import History
from api.events.service import Ledger
from api.feed.service import Feed
from api.feed.sockets import Sockets
from api.files.analyst import Analyst
from api.files.service import Files
from api.jobs.approval import Approval
from api.jobs.leases import Terms
from api.jobs.seen import SeenPrints
from api.jobs.service import Jobs
from api.maintenance.service import Maintenance
from api.models_library.service import Library
from api.orders.service import Orders
from api.pairing.service import Pairing
from api.policies.service import Policies
from api.pools.service import Pools
from api.preflight.service import Preflights
from api.printers.service import Printers
from api.reports.people import People
from api.reports.service import Reports
from api.scheduler.demands import Demands
from api.scheduler.service import Scheduler
from api.scheduler.sight import Sight
from api.spools.service import Spools
from api.storage import Storage, open_storage
from api.telemetry.service import Telemetry
from api.upkeep.retention import Retention
from api.upkeep.service import Logs


@dataclass(frozen=True, slots=True)
class Rooms:
    """The services of one process."""

    ledger: Ledger
    accounts: Accounts
    policies: Policies
    quotas: Quotas
    bridges: Bridges
    pairing: Pairing
    printers: Printers
    pools: Pools
    storage: Storage
    files: Files
    analyst: Analyst
    library: Library
    commands: Commands
    card_writes: CardWrites
    telemetry: Telemetry
    jobs: Jobs
    seen: SeenPrints
    preflights: Preflights
    spools: Spools
    maintenance: Maintenance
    orders: Orders
    alerts: Alerts
    scheduler: Scheduler
    reports: Reports
    people: People
    feed: Feed
    sockets: Sockets
    retention: Retention
    logs: Logs


def open_rooms(settings: Settings, clock: Clock, bus: Bus) -> Rooms:
    """All services, wired; the database need not be open yet."""
    ledger = Ledger(bus, clock)
    accounts = Accounts(ledger, clock, settings)
    accounts.follow(bus)
    policies = Policies(ledger, clock, bus)
    accounts.rights_from(lambda: policies.rights)
    bridges = Bridges(ledger, clock, settings, bus)
    storage = open_storage(settings)
    files = Files(storage, ledger, clock, settings)
    printers = Printers(bridges, ledger, clock, bus)
    printers.when_deleted(accounts.revoke_printer_keys)
    accounts.never_delete_with(printers, bridges)
    pools = Pools(printers, ledger, clock)
    library = Library(files, ledger, clock)
    commands = Commands(bridges, ledger, clock, bus)
    telemetry = Telemetry(bridges, printers, clock, bus)
    jobs = Jobs(printers, commands, files, library, pools=pools, ledger=ledger, clock=clock)
    jobs.leases.terms = Terms(settings.lease_hours, settings.alone_after_s)
    jobs.ask_for_approval(Approval(accounts))
    orders = Orders(jobs, library, ledger, clock)
    sight, demands = Sight(printers, pools, ledger, clock), Demands(files, clock)
    # They follow each other in this order: what spools say is worth an alert.
    spools = Spools(printers, jobs, library, files, ledger=ledger, clock=clock)
    quotas = Quotas(accounts, spools.print_of, files.stored_bytes, ledger=ledger, clock=clock)
    files.limit_storage(quotas.check_storage)
    return Rooms(
        ledger=ledger,
        accounts=accounts,
        policies=policies,
        quotas=quotas,
        bridges=bridges,
        pairing=Pairing(bridges, ledger, clock),
        printers=printers,
        pools=pools,
        storage=storage,
        files=files,
        analyst=Analyst(storage, ledger, bus, clock),
        library=library,
        commands=commands,
        card_writes=CardWrites(printers, commands, ledger),
        telemetry=telemetry,
        jobs=jobs,
        seen=SeenPrints(printers, telemetry, jobs.attempts, ledger, clock),
        preflights=Preflights(jobs, printers, library, files, ledger=ledger, clock=clock),
        spools=spools,
        maintenance=Maintenance(printers, ledger, clock),
        orders=orders,
        alerts=Alerts(accounts, jobs, ledger, clock),
        scheduler=Scheduler(jobs, commands, sight, demands, ledger=ledger, clock=clock, bus=bus),
        reports=Reports(printers, jobs, library, orders, clock),
        people=People(accounts, clock),
        feed=Feed(History(ledger), printers, telemetry, bus=bus, clock=clock, settings=settings),
        sockets=Sockets(accounts, bus),
        retention=Retention(policies, ledger, clock),
        logs=Logs(accounts, clock),
    )
