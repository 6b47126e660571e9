"""Rows of the room as the routes show them: never a secret, never a hash."""

from typing import Any

from quart import Response

from api.accounts.models import Credential, User
from api.accounts.service import OrganizationView
from api.clock import iso
from api.http import json_answer


def counted(rows: list[dict[str, Any]], total: int) -> Response:
    """A page of *total* rows."""
    return json_answer(rows, headers={"X-Total-Count": str(total)})


def token_view(row: Credential) -> dict[str, Any]:
    """An API token."""
    return {
        "id": row.id,
        "name": row.name,
        "prefix": row.prefix,
        "scopes": row.scopes,
        "expires_at": iso(row.expires_at),
        "last_used_at": iso(row.last_used_at),
        "created_at": iso(row.created_at),
    }


def session_view(row: Credential, current_id: int) -> dict[str, Any]:
    """A session."""
    return {
        "id": row.id,
        "ip_address": row.remote_address,
        "user_agent": row.user_agent,
        "created_at": iso(row.created_at),
        "last_seen_at": iso(row.last_used_at or row.created_at),
        "is_current": row.id == current_id,
    }


def user_view(row: User) -> dict[str, Any]:
    """A person."""
    return {
        "id": row.id,
        "username": row.username,
        "email": row.email,
        "role": row.role,
        "is_active": int(row.is_active),
        "last_login": iso(row.last_login_at),
        "created_at": iso(row.created_at),
        "group_id": None if row.is_superadmin else row.organization_id,
        "organization_id": row.organization_id,
        "is_superadmin": row.is_superadmin,
    }


def organization_view(view: OrganizationView) -> dict[str, Any]:
    """An organization, as `/orgs` shows it."""
    row = view.row
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "owner_id": row.owner_id,
        "member_count": view.members,
        "created_at": iso(row.created_at),
        "has_settings": bool(row.settings),
    }


def group_view(view: OrganizationView) -> dict[str, Any]:
    """An organization, as `/groups` shows it."""
    row = view.row
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "owner_id": row.owner_id,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at or row.created_at),
        "owner_username": view.owner or None,
        "member_count": view.members,
    }
