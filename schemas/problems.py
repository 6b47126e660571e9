"""Every problem code Gantry answers with: one table for both faces.

*v1_status* and *octoprint_status* differ only where the dialects differ (401 against 403 for
credentials). *retriable* tells a client that the same call may succeed later.
"""

import msgspec


class ProblemKind(msgspec.Struct, frozen=True, kw_only=True):
    """How one problem code looks on the wire."""

    v1_status: int
    octoprint_status: int
    retriable: bool = False


def _kind(status: int, *, octoprint: int | None = None, retriable: bool = False) -> ProblemKind:
    return ProblemKind(v1_status=status, octoprint_status=octoprint or status, retriable=retriable)


PROBLEMS: dict[str, ProblemKind] = {
    "bad_request": _kind(400),
    "validation_failed": _kind(422, octoprint=400),
    "not_authenticated": _kind(401, octoprint=403),
    "permission_denied": _kind(403),
    "scope_denied": _kind(403),
    "reauth_required": _kind(403),
    "wrong_password": _kind(403),
    "setup_token_required": _kind(403),
    "mfa_required": _kind(401, octoprint=403),
    "mfa_setup_required": _kind(401, octoprint=403),
    "wrong_code": _kind(403),
    "quota_exceeded": _kind(429),
    "feature_disabled": _kind(403),
    "last_admin": _kind(400),
    "csrf_failed": _kind(403, octoprint=400),
    "ip_not_allowed": _kind(403),
    "not_found": _kind(404),
    "printer_not_found": _kind(404),
    "pool_not_found": _kind(404),
    "circuit_not_found": _kind(404),
    "job_not_found": _kind(404),
    "model_not_found": _kind(404),
    "file_not_found": _kind(404),
    "user_not_found": _kind(404),
    "spool_not_found": _kind(404),
    "filament_not_found": _kind(404),
    "alert_not_found": _kind(404),
    "webhook_not_found": _kind(404),
    "report_schedule_not_found": _kind(404),
    "device_not_found": _kind(404),
    "maintenance_task_not_found": _kind(404),
    "maintenance_log_not_found": _kind(404),
    "order_not_found": _kind(404),
    "product_not_found": _kind(404),
    "consumable_not_found": _kind(404),
    "organization_not_found": _kind(404),
    "bridge_not_found": _kind(404),
    "profile_not_found": _kind(404),
    "port_not_found": _kind(404),
    "method_not_allowed": _kind(405),
    "conflict": _kind(409),
    "name_taken": _kind(400, octoprint=409),
    "invalid_state_transition": _kind(400, octoprint=409),
    "printer_busy": _kind(409),
    "printer_not_operational": _kind(409),
    "plate_not_clear": _kind(409),
    "file_in_use": _kind(409),
    "port_in_use": _kind(409),
    "stopped": _kind(409),
    "filament_in_use": _kind(409),
    "profile_in_use": _kind(409),
    "idempotency_conflict": _kind(409),
    "idempotency_in_progress": _kind(409, retriable=True),
    "idempotency_authz_changed": _kind(409),
    "idempotency_uncacheable_success": _kind(409),
    "idempotency_unsupported": _kind(415),
    "limit_exceeded": _kind(422, octoprint=400),
    "not_gcode": _kind(400, octoprint=415),
    "too_large": _kind(413),
    "unsupported_media_type": _kind(415),
    "locked_out": _kind(423, octoprint=429),
    "rate_limited": _kind(429, retriable=True),
    "dry_run_unsupported": _kind(501),
    "internal_error": _kind(500, retriable=True),
    "job_lent": _kind(503, octoprint=409, retriable=True),
    "upstream_unavailable": _kind(503, octoprint=409, retriable=True),
    "storage_unavailable": _kind(503, retriable=True),
    "setup_complete": _kind(403),
    "revoked": _kind(403),
    "authorization_pending": _kind(400, retriable=True),
    "slow_down": _kind(400, retriable=True),
    "expired_token": _kind(400),
    "access_denied": _kind(400),
}
