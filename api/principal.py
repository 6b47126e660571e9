"""Who is asking, and what they may do: one table of rights for every face.

A right asks for a role, and (when the credential is limited by scopes) for one of its scopes. The
services check; routes only hand the principal over. Source: v1 contract, 1.3 and 1.4.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from api.errors import Forbidden
from api.permissions import covers, scopes_of


class Role(StrEnum):
    """The three roles, weakest first."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}

SCOPES = (
    "read",
    "write",
    "read:printers",
    "write:printers",
    "read:jobs",
    "write:jobs",
    "read:spools",
    "write:spools",
    "read:models",
    "write:models",
    "read:orders",
    "write:orders",
    "read:users",
    "read:analytics",
    "agent:read",
    "agent:write",
    "admin",
)

#: The one scope of who must set a second factor up first; nobody gives it to a token.
ENROLMENT = "mfa:setup"


@dataclass(frozen=True, slots=True)
class Right:
    """What a right needs: at least *role*, and one of *scopes* from a scope-limited credential.

    *farm*: it reaches beyond one printer, so a key that is bound to a printer never has it.
    *superadmin*: it reaches beyond one organization.
    """

    role: Role
    scopes: frozenset[str]
    farm: bool = False
    superadmin: bool = False


_AGENTS = frozenset({"agent:read", "agent:write"})
_WRITES = frozenset({"agent:write"})

#: What v1 lists for agents (1.3, 2.3 to 2.9), and their scopes open nothing else: v1 route -> which
#: of them do.
AGENT_ROUTES: Mapping[tuple[str, str], frozenset[str]] = {
    ("GET", "/printers"): _AGENTS,
    ("GET", "/printers/<int:printer_id>"): _AGENTS,
    ("POST", "/printers/<int:printer_id>/pause"): _WRITES,
    ("POST", "/printers/<int:printer_id>/resume"): _WRITES,
    ("GET", "/jobs"): _AGENTS,
    ("POST", "/jobs"): _WRITES,
    ("GET", "/jobs/<int:job_id>"): _AGENTS,
    ("POST", "/jobs/<int:job_id>/cancel"): _WRITES,
    ("POST", "/jobs/<int:job_id>/approve"): _WRITES,
    ("POST", "/jobs/<int:job_id>/reject"): _WRITES,
    ("GET", "/spools"): _AGENTS,
    ("POST", "/spools/<int:spool_id>/use"): _WRITES,
    ("PATCH", "/spools/<int:spool_id>/use"): _WRITES,
    ("POST", "/filament-slots"): _WRITES,
    ("GET", "/filament-library"): _AGENTS,
    ("GET", "/alerts"): _AGENTS,
    ("PATCH", "/alerts/<int:alert_id>/read"): _WRITES,
    ("PATCH", "/alerts/<int:alert_id>/dismiss"): _WRITES,
    ("GET", "/maintenance/tasks"): _AGENTS,
    ("POST", "/maintenance/logs"): _WRITES,
    ("GET", "/orders"): _AGENTS,
}


def _read(area: str, role: Role = Role.VIEWER, *, agents: bool = False) -> Right:
    names = frozenset({"read", "write", f"read:{area}", f"write:{area}", "admin"})
    return Right(role, names | _AGENTS if agents else names)


def _write(
    area: str, role: Role = Role.OPERATOR, *, farm: bool = False, agents: bool = False
) -> Right:
    names = frozenset({"write", f"write:{area}", "admin"})
    return Right(role, names | {"agent:write"} if agents else names, farm)


def _admin(*, superadmin: bool = False) -> Right:
    return Right(Role.ADMIN, frozenset({"admin"}), farm=True, superadmin=superadmin)


def _report(role: Role) -> Right:
    return Right(role, frozenset({"read", "write", "read:analytics", "admin"}), farm=True)


def _self() -> Right:
    return Right(Role.VIEWER, frozenset(SCOPES))


def _farm(role: Role, *scopes: str) -> Right:
    """What concerns the whole farm and no area of its own."""
    return Right(role, frozenset({"write", "admin", *scopes}), farm=True)


RIGHTS: dict[str, Right] = {
    "self.read": _self(),
    "self.write": Right(Role.VIEWER, frozenset({"write", "admin"}), farm=True),
    # The second factor, also of who may not do anything else before it is there.
    "factor.enrol": Right(Role.VIEWER, frozenset({"write", "admin", ENROLMENT}), farm=True),
    "users.admin": _admin(),
    "users.read": Right(Role.ADMIN, frozenset({"admin", "read:users"}), farm=True),
    "groups.read": Right(Role.OPERATOR, frozenset({"read", "write", "admin"}), farm=True),
    "organizations.admin": _admin(),
    "organizations.all": _admin(superadmin=True),
    "farm.admin": _admin(superadmin=True),  # rules, logs and upkeep of the whole deployment
    "audit.read": _admin(),
    "printers.read": _read("printers", agents=True),
    "printers.write": _write("printers", farm=True),
    "printers.admin": _admin(),
    "printers.control": _write("printers"),
    "printers.fleet": _write("printers", farm=True),  # many at once
    "printers.stop": _write("printers", agents=True),
    "prints.control": _write("printers", agents=True),  # pause, resume, cancel what prints
    "jobs.read": _read("jobs", agents=True),
    "jobs.submit": _write("jobs", Role.VIEWER, agents=True),
    "jobs.write": _write("jobs", agents=True),
    "scheduler.read": _farm(Role.VIEWER, "read", "read:jobs", "write:jobs"),
    "scheduler.run": _farm(Role.OPERATOR, "write:jobs"),
    "spools.read": _farm(Role.VIEWER, "read", "read:spools", "write:spools", *_AGENTS),
    "spools.write": _farm(Role.OPERATOR, "write:spools"),
    "spools.use": _farm(Role.OPERATOR, "write:spools", "agent:write"),
    "alerts.read": _farm(Role.VIEWER, "read", *_AGENTS),
    "alerts.write": _farm(Role.VIEWER, "agent:write"),
    "mail.admin": _admin(),
    "webhooks.admin": _admin(),
    "maintenance.read": _farm(Role.VIEWER, "read", *_AGENTS),
    "maintenance.write": _farm(Role.OPERATOR),
    "maintenance.log": _farm(Role.OPERATOR, "agent:write"),
    "maintenance.admin": _admin(),
    "orders.read": _farm(Role.VIEWER, "read", "read:orders", "write:orders", *_AGENTS),
    "orders.write": _farm(Role.OPERATOR, "write:orders"),
    "orders.invoice": _farm(Role.OPERATOR, "read", "read:orders", "write:orders"),
    "orders.admin": _admin(),
    "archives.read": _farm(Role.VIEWER, "read", "read:jobs", "write:jobs"),
    "archives.write": _farm(Role.OPERATOR, "write:jobs"),
    "archives.admin": _admin(),
    "projects.read": _farm(Role.VIEWER, "read"),
    "projects.export": _farm(Role.OPERATOR, "read"),
    "projects.write": _farm(Role.OPERATOR),
    "projects.admin": _admin(),
    "tags.read": _farm(Role.VIEWER, "read"),
    "tags.admin": _admin(),
    "timelapses.read": _farm(Role.VIEWER, "read"),
    "timelapses.write": _farm(Role.OPERATOR),
    "timelapses.admin": _admin(),
    "reports.read": _report(Role.VIEWER),
    "reports.export": _report(Role.OPERATOR),
    "reports.people": _report(Role.OPERATOR),  # what each person had made
    "reports.charge": _admin(),
    "reports.schedule": _admin(superadmin=True),
    "files.read": _read("models"),
    "files.write": _write("models"),
    "app_keys.grant": Right(Role.OPERATOR, frozenset({"write", "admin"}), farm=True),
    "bridges.read": _read("printers", Role.OPERATOR),
    "bridges.admin": _admin(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated caller. *scopes* empty: not limited; *printer_id*: restricted to it.

    *permissions* None: all that the role gives, else what the person's groups leave of it.
    *grants*: (printer, what was granted there beyond the role).
    """

    organization_id: int
    user_id: int
    username: str
    role: Role
    kind: str  # session, token, octoprint_key or app_key
    credential_id: int
    scopes: frozenset[str] = field(default_factory=frozenset)
    printer_id: int | None = None
    is_superadmin: bool = False
    email: str = ""
    #: What holds for this caller: `RIGHTS`, or what a superadmin has made of it.
    rights: Mapping[str, Right] = field(default_factory=lambda: RIGHTS, repr=False, compare=False)
    permissions: frozenset[str] | None = None
    grants: tuple[tuple[int, frozenset[str]], ...] = ()

    def at(self, printer_id: int) -> "Principal":
        """The caller as they act at this printer: with what was granted to them there.

        Nothing is gained by a key that is limited by scopes or bound to another printer.
        """
        acting = self.at_all([printer_id])
        return acting if acting is self else replace(acting, printer_id=printer_id)

    def at_all(self, printer_ids: Collection[int]) -> "Principal":
        """The caller as they act at a pool of these: with what was granted at every one."""
        held = dict(self.grants)
        granted = [held.get(number, frozenset()) for number in printer_ids]
        gained = frozenset.intersection(*granted) if granted else frozenset()
        if not gained or self.scopes or not all(map(self.reaches, printer_ids)):
            return self
        kept = None if self.permissions is None else self.permissions | gained
        acting = replace(self, permissions=kept, grants=())
        if self.role is not Role.VIEWER:
            return acting
        return replace(acting, role=Role.OPERATOR, scopes=scopes_of(gained))

    def may(self, right: str) -> bool:
        """Whether this caller has *right*. An unknown right raises KeyError."""
        needed = self.rights[right]
        if _RANK[self.role] < _RANK[needed.role] or (needed.farm and self.printer_id is not None):
            return False
        if needed.superadmin and not self.is_superadmin:
            return False
        if self.permissions is not None and not covers(self.permissions, right, needed.role):
            return False
        return not self.scopes or bool(self.scopes & needed.scopes)

    def require(self, right: str) -> None:
        """Raises `Denied`: `permission_denied` by role, `scope_denied` by scope."""
        needed = self.rights[right]
        if _RANK[self.role] < _RANK[needed.role]:
            raise Denied(self, f"This needs the role {needed.role}; you are {self.role}.")
        if needed.superadmin and not self.is_superadmin:
            raise Denied(self, "Superadmin access required")
        if needed.farm and self.printer_id is not None:
            raise Denied(self, "This key is bound to one printer; this reaches beyond it.")
        if self.permissions is not None and not covers(self.permissions, right, needed.role):
            raise Denied(self, "Your groups do not permit this. An admin can put you in another.")
        if self.scopes and not self.scopes & needed.scopes:
            raise self._out_of_scope(needed.scopes)

    def require_at(self, right: str, method: str, path: str) -> None:
        """As `require`, for the v1 route *method* *path*: the scopes of agents open their routes
        only. Raises `Denied`.
        """
        self.require(right)
        if not self.may_at(right, method, path):
            raise self._out_of_scope(RIGHTS[right].scopes - _AGENTS)

    def may_at(self, right: str, method: str, path: str) -> bool:
        """Whether `require_at` would let this caller in."""
        if not self.may(right):
            return False
        opened = AGENT_ROUTES.get((method, path), frozenset())
        return not self.is_agent_for(right) or bool(self.scopes & opened)

    def is_agent_for(self, right: str) -> bool:
        """Whether nothing but a scope for agents gives this caller *right*."""
        return bool(self.scopes) and not (self.scopes & RIGHTS[right].scopes) - _AGENTS

    def _out_of_scope(self, allowed: frozenset[str]) -> "Denied":
        return Denied(
            self,
            "This token's scopes do not cover this call.",
            code="scope_denied",
            allowed_scopes=sorted(allowed),
            token_scopes=sorted(self.scopes),
        )

    def reaches(self, printer_id: int) -> bool:
        """False for a key that is bound to another printer."""
        return self.printer_id is None or self.printer_id == printer_id


def roles_with(needed: Right) -> list[str]:
    """The roles that have a right, weakest first; `superadmin` where only that one has it."""
    if needed.superadmin:
        return ["superadmin"]
    return [str(role) for role in Role if _RANK[role] >= _RANK[needed.role]]


class Denied(Forbidden):
    """*by* asked for something that they may not do, which the audit trail tells."""

    def __init__(
        self, by: Principal, detail: str, *, code: str | None = None, **extra: Any
    ) -> None:
        super().__init__(detail, code=code, **extra)
        self.by = by


#: Who acts when nobody asked: the queue, the clock. Never comes from a request.
def system(organization_id: int) -> Principal:
    """The farm itself, within one organization."""
    return Principal(
        organization_id=organization_id,
        user_id=0,
        username="gantry",
        role=Role.ADMIN,
        kind="system",
        credential_id=0,
    )
