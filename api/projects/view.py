"""Projects as the v1 routes show them (v1 contract, 2.10). Pure."""

import re
from typing import Any

from api.clock import iso
from api.projects.service import Project

_ODD = re.compile(r"[^A-Za-z0-9.-]+")


def project_fields(row: Project, prints: int) -> dict[str, Any]:
    """A project with so many *prints*."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "color": row.color,
        "status": row.status,
        "expected_parts": row.expected_parts,
        "created_by": row.created_by,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "org_id": row.organization_id,
        "archive_count": prints,
    }


def file_name(row: Project) -> str:
    """What an exported project is called, in letters that every system has."""
    plain = _ODD.sub("_", row.name).strip("._")[:50]
    return f"project_{plain or row.id}.zip"
