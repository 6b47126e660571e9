"""Printer rows out of what people asked for, and what others get to see of them. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from api.events.service import Change, Happened
from api.principal import Principal
from api.printers import forms
from api.printers.forms import PrinterCreate
from api.printers.models import PLUG, SUPPLY, Printer
from schemas.printer import PlugConfig, PrinterConfig, Profile


def new_row(by: Principal, new: PrinterCreate, now: datetime) -> Printer:
    """The row of *new*, still without a slug. Raises `Invalid`."""
    if (new.bridge_id is None) != (new.port_id is None):
        raise forms.refuse("port_id", "bridge_id and port_id belong together")
    policy = forms.parse_policy(new.plate_policy, new.port_id)
    return Printer(
        organization_id=by.organization_id,
        name=forms.parse_name(new.name),
        model=new.model,
        nickname=new.nickname,
        tags=[*new.tags],
        is_active=new.is_active,
        shared=new.shared,
        api_type="serial" if new.bridge_id is not None else new.api_type,
        slot_count=new.slot_count,
        slots=[*new.slots],
        details=dict(new.details),
        camera_url=new.camera_url,
        bridge_id=new.bridge_id,
        port_id=new.port_id,
        baud=new.baud,
        dialect=forms.parse_dialect(new.dialect),
        profile=forms.stored(forms.parse_profile(new.profile)),
        profile_id=new.profile_id,
        scripts=forms.parse_scripts(new.scripts),
        serial=dict(new.serial),
        plate_policy=policy,
        created_at=now,
        updated_at=now,
    )


def parse_update(row: Printer, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of *wanted* that differ, checked. Raises `Invalid`."""
    parsed = dict(wanted)
    if "name" in parsed:
        parsed["name"] = forms.parse_name(parsed["name"])
    if "profile" in parsed:
        base = msgspec.convert(row.profile, Profile)
        parsed["profile"] = forms.stored(forms.parse_profile(parsed["profile"] or {}, base))
    if "scripts" in parsed:
        parsed["scripts"] = forms.parse_scripts(parsed["scripts"] or {})
    if "dialect" in parsed:
        parsed["dialect"] = forms.parse_dialect(parsed["dialect"])
    if "serial" in parsed:
        parsed["serial"] = {**row.serial, **parsed["serial"]}
    if "plate_policy" in parsed:
        parsed["plate_policy"] = forms.parse_policy(parsed["plate_policy"], row.port_id)
    if "details" in parsed:
        parsed["details"] = {**row.details, **parsed["details"]}
    return {name: value for name, value in parsed.items() if getattr(row, name) != value}


def config(row: Printer, offsets_c: Mapping[str, float] | None = None) -> PrinterConfig:
    """The desired configuration of one printer, for its bridge. *offsets_c* is by heater."""
    moved = {heater: offset_c for heater, offset_c in (offsets_c or {}).items() if offset_c}
    return PrinterConfig(
        id=row.id,
        slug=row.slug,
        name=row.name,
        port_id=row.port_id or "",
        baud=row.baud,
        dialect=row.dialect,
        enabled=row.is_active,
        profile=msgspec.convert(row.profile, Profile),
        scripts=row.scripts,
        offsets_c=moved,
        plug=_plug(row.details.get(PLUG)),
        **row.serial,
    )


def _plug(kept: Mapping[str, Any] | None) -> PlugConfig | None:
    """The plug in the room's network that *kept* names, if it names one."""
    if not kept or kept["type"] == SUPPLY:
        return None
    return PlugConfig(kind=kept["type"], host=kept["host"], off_on_stop=kept["off_on_stop"])


def event(row: Printer, kind: str, by: Principal | None, **data: Any) -> Happened:
    """What happened to this printer, for the ledger."""
    return Happened(
        organization_id=row.organization_id,
        kind=kind,
        printer_id=row.id,
        user_id=by.user_id if by is not None else None,
        data={"name": row.name, **data},
    )


def tell(change: Change, by: Principal, row: Printer, kind: str, **data: Any) -> None:
    """The event and the audit entry of what somebody did to a printer."""
    change.record(event(row, kind, by, **data))
    change.note(by, kind, ("printer", row.id), name=row.name, **data)
