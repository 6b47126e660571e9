"""Every route, by everybody: who is let in and who is not, and that a refusal changes nothing.

The tables below are complete on purpose: a route that nobody has thought about fails here.
"""

from typing import Any

import httpx
import pytest

from tests.api.whole.conftest import Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFUSED = {"not_authenticated", "permission_denied", "scope_denied"}
RANK = {"viewer": 0, "operator": 1, "admin": 2, "superadmin": 3}

#: v1 route -> the least role. Whether a key that is bound to a printer may is in `FARM`.
V1: dict[tuple[str, str], str] = {
    ("GET", "/setup/status"): "public",
    ("POST", "/setup/admin"): "public",
    ("POST", "/setup/complete"): "admin",
    ("POST", "/auth/login"): "public",
    ("POST", "/auth/logout"): "viewer",
    ("GET", "/auth/me"): "viewer",
    ("GET", "/auth/capabilities"): "public",
    ("GET", "/tokens"): "viewer",
    ("POST", "/tokens"): "viewer",
    ("DELETE", "/tokens/<int:token_id>"): "viewer",
    ("GET", "/sessions"): "viewer",
    ("DELETE", "/sessions"): "viewer",
    ("DELETE", "/sessions/<int:session_id>"): "viewer",
    ("GET", "/users"): "admin",
    ("POST", "/users"): "admin",
    ("PATCH", "/users/<int:user_id>"): "admin",
    ("DELETE", "/users/<int:user_id>"): "admin",
    ("GET", "/license"): "public",
    ("GET", "/branding"): "public",
    ("GET", "/auth/oidc/config"): "public",
    ("GET", "/auth/oidc/login"): "public",
    ("GET", "/auth/oidc/callback"): "public",
    ("POST", "/auth/oidc/exchange"): "public",
    ("GET", "/admin/oidc"): "superadmin",
    ("PUT", "/admin/oidc"): "superadmin",
    ("GET", "/settings/language"): "public",
    ("GET", "/settings/education-mode"): "public",
    ("POST", "/auth/forgot-password"): "public",
    ("POST", "/auth/reset-password"): "public",
    ("POST", "/users/<int:user_id>/reset-password-email"): "admin",
    ("GET", "/quotas"): "viewer",
    ("GET", "/admin/quotas"): "admin",
    ("PUT", "/admin/quotas/<int:user_id>"): "admin",
    ("POST", "/orgs/<int:org_id>/printers"): "superadmin",
    ("GET", "/orgs/<int:org_id>/quota"): "admin",
    ("PUT", "/orgs/<int:org_id>/quota"): "superadmin",
    ("GET", "/auth/mfa/status"): "viewer",
    ("POST", "/auth/mfa/setup"): "viewer",
    ("POST", "/auth/mfa/confirm"): "viewer",
    ("POST", "/auth/mfa/verify"): "public",
    ("DELETE", "/auth/mfa"): "viewer",
    ("DELETE", "/admin/users/<int:user_id>/mfa"): "admin",
    ("GET", "/config"): "viewer",
    ("PUT", "/config"): "superadmin",
    ("GET", "/config/ip-allowlist"): "superadmin",
    ("PUT", "/config/ip-allowlist"): "superadmin",
    ("GET", "/config/quiet-hours"): "superadmin",
    ("PUT", "/config/quiet-hours"): "superadmin",
    ("GET", "/config/mqtt-republish"): "superadmin",
    ("PUT", "/config/mqtt-republish"): "superadmin",
    ("POST", "/config/mqtt-republish/test"): "superadmin",
    ("PUT", "/permissions"): "superadmin",
    ("POST", "/permissions/reset"): "superadmin",
    ("GET", "/config/retention"): "superadmin",
    ("PUT", "/config/retention"): "superadmin",
    ("POST", "/admin/retention/cleanup"): "superadmin",
    ("GET", "/admin/logs"): "superadmin",
    ("GET", "/admin/logs/stream"): "superadmin",
    ("GET", "/admin/support-bundle"): "superadmin",
    ("POST", "/setup/test-printer"): "public",
    ("POST", "/setup/printer"): "operator",
    ("GET", "/setup/network"): "viewer",
    ("POST", "/setup/network"): "superadmin",
    ("GET", "/config/require-mfa"): "admin",
    ("PUT", "/config/require-mfa"): "admin",
    ("POST", "/auth/biometric-token"): "viewer",
    ("DELETE", "/auth/biometric-token"): "viewer",
    ("POST", "/auth/biometric-refresh"): "public",
    ("POST", "/scheduler/run"): "operator",
    ("GET", "/scheduler/runs"): "viewer",
    ("GET", "/scheduler/runs/<int:run_id>"): "viewer",
    ("GET", "/jobs/<int:job_id>/explanation"): "viewer",
    ("GET", "/scheduler/hours"): "viewer",
    ("PUT", "/scheduler/hours"): "admin",
    ("GET", "/scheduler/circuits"): "viewer",
    ("POST", "/scheduler/circuits"): "admin",
    ("PATCH", "/scheduler/circuits/<int:circuit_id>"): "admin",
    ("DELETE", "/scheduler/circuits/<int:circuit_id>"): "admin",
    ("GET", "/auth/me/theme"): "viewer",
    ("PUT", "/auth/me/theme"): "viewer",
    ("GET", "/users/<int:user_id>/export"): "admin",
    ("DELETE", "/users/<int:user_id>/erase"): "admin",
    ("POST", "/users/import"): "admin",
    ("POST", "/auth/reauthenticate"): "viewer",
    ("POST", "/auth/change-password"): "viewer",
    ("POST", "/auth/ws-token"): "viewer",
    ("GET", "/admin/sessions"): "admin",
    ("DELETE", "/admin/sessions/<int:session_id>"): "admin",
    ("GET", "/permissions"): "viewer",
    ("GET", "/orgs"): "admin",
    ("POST", "/orgs"): "superadmin",
    ("PATCH", "/orgs/<int:org_id>"): "admin",
    ("DELETE", "/orgs/<int:org_id>"): "superadmin",
    ("POST", "/orgs/<int:org_id>/members"): "admin",
    ("GET", "/orgs/<int:org_id>/settings"): "admin",
    ("PUT", "/orgs/<int:org_id>/settings"): "admin",
    ("GET", "/groups"): "operator",
    ("POST", "/groups"): "superadmin",
    ("GET", "/groups/<int:org_id>"): "operator",
    ("PATCH", "/groups/<int:org_id>"): "admin",
    ("DELETE", "/groups/<int:org_id>"): "superadmin",
    ("GET", "/events"): "viewer",
    ("GET", "/audit-logs"): "admin",
    ("GET", "/export/audit-logs"): "admin",
    ("GET", "/bridges"): "operator",
    ("GET", "/bridges/<int:bridge_id>"): "operator",
    ("GET", "/bridges/<int:bridge_id>/ports"): "operator",
    ("PATCH", "/bridges/<int:bridge_id>"): "admin",
    ("DELETE", "/bridges/<int:bridge_id>"): "admin",
    ("POST", "/bridges/<int:bridge_id>/survivor"): "admin",
    ("GET", "/pairing/<user_code>"): "admin",
    ("POST", "/pairing/<user_code>/approve"): "admin",
    ("POST", "/pairing/<user_code>/deny"): "admin",
    ("GET", "/bridges/enrolment-tokens"): "admin",
    ("POST", "/bridges/enrolment-tokens"): "admin",
    ("DELETE", "/bridges/enrolment-tokens/<int:token_id>"): "admin",
    ("GET", "/printers"): "viewer",
    ("POST", "/printers"): "operator",
    ("GET", "/printers/tags"): "viewer",
    ("POST", "/printers/reorder"): "operator",
    ("POST", "/printers/bulk-update"): "admin",
    ("GET", "/printers/live-status"): "viewer",
    ("GET", "/printers/<int:printer_id>/slots"): "viewer",
    ("PATCH", "/printers/<int:printer_id>/slots/<int:slot_number>"): "operator",
    ("POST", "/printers/<int:printer_id>/slots/<int:slot_number>/assign"): "operator",
    ("POST", "/printers/<int:printer_id>/slots/<int:slot_number>/confirm"): "operator",
    ("GET", "/printers/<int:printer_id>/slots/needs-attention"): "viewer",
    ("POST", "/printers/<int:printer_id>/clear-errors"): "operator",
    ("POST", "/printers/<int:printer_id>/speed"): "operator",
    ("POST", "/printers/<int:printer_id>/fan"): "operator",
    ("GET", "/printers/<int:printer_id>"): "viewer",
    ("PATCH", "/printers/<int:printer_id>"): "operator",
    ("DELETE", "/printers/<int:printer_id>"): "operator",
    ("GET", "/printers/<int:printer_id>/live-status"): "viewer",
    ("GET", "/printers/<int:printer_id>/telemetry"): "viewer",
    ("POST", "/printers/<int:printer_id>/pause"): "operator",
    ("POST", "/printers/<int:printer_id>/resume"): "operator",
    ("POST", "/printers/<int:printer_id>/stop"): "operator",
    ("POST", "/printers/<int:printer_id>/remote-stop"): "operator",
    ("POST", "/printers/<int:printer_id>/prompt"): "operator",
    ("POST", "/printers/<int:printer_id>/heat-lease"): "operator",
    ("GET", "/printers/<int:printer_id>/sd-files"): "viewer",
    ("POST", "/printers/<int:printer_id>/sd-files"): "operator",
    ("POST", "/printers/<int:printer_id>/sd"): "operator",
    ("POST", "/printers/<int:printer_id>/reset-stop"): "operator",
    ("POST", "/printers/<int:printer_id>/connect"): "operator",
    ("POST", "/printers/<int:printer_id>/disconnect"): "operator",
    ("POST", "/printers/<int:printer_id>/plate-cleared"): "operator",
    ("POST", "/printers/<int:printer_id>/queue/hold"): "operator",
    ("POST", "/printers/<int:printer_id>/queue/release"): "operator",
    ("POST", "/printers/<int:printer_id>/octoprint-key"): "viewer",
    ("POST", "/printers/bulk-control"): "operator",
    ("POST", "/printers/fleet-stop"): "operator",
    ("POST", "/printers/<int:printer_id>/temperature"): "operator",
    ("POST", "/printers/test-connection"): "operator",
    ("GET", "/printers/<int:printer_id>/hms-history"): "viewer",
    ("GET", "/overlay/<int:printer_id>"): "public",
    ("GET", "/printers/<int:printer_id>/nozzle-status"): "viewer",
    ("GET", "/printers/<int:printer_id>/nozzle"): "viewer",
    ("POST", "/printers/<int:printer_id>/nozzle"): "operator",
    ("GET", "/printers/<int:printer_id>/nozzle/history"): "viewer",
    ("PATCH", "/printers/<int:printer_id>/nozzle/<int:nozzle_id>/retire"): "operator",
    ("POST", "/printers/<int:printer_id>/lights"): "operator",
    ("POST", "/printers/<int:printer_id>/skip-objects"): "operator",
    ("GET", "/printers/<int:printer_id>/vision"): "viewer",
    ("PATCH", "/printers/<int:printer_id>/vision"): "admin",
    ("POST", "/printers/<int:printer_id>/sync-ams"): "operator",
    ("POST", "/printers/<int:printer_id>/bambu/sync-ams"): "operator",
    ("POST", "/printers/<int:printer_id>/ams/refresh"): "operator",
    ("GET", "/printers/<int:printer_id>/ams/environment"): "viewer",
    ("GET", "/printers/<int:printer_id>/ams/current"): "viewer",
    ("PUT", "/printers/<int:printer_id>/ams/<int:ams_id>/slots/<int:slot_id>"): "operator",
    ("GET", "/printers/<int:printer_id>/plug"): "viewer",
    ("PUT", "/printers/<int:printer_id>/plug"): "operator",
    ("DELETE", "/printers/<int:printer_id>/plug"): "operator",
    ("POST", "/printers/<int:printer_id>/plug/on"): "operator",
    ("POST", "/printers/<int:printer_id>/plug/off"): "operator",
    ("POST", "/printers/<int:printer_id>/plug/toggle"): "operator",
    ("GET", "/printers/<int:printer_id>/plug/energy"): "viewer",
    ("GET", "/printers/<int:printer_id>/plug/state"): "viewer",
    ("PATCH", "/printers/<int:printer_id>/slots/<int:slot_number>/manual-assign"): "operator",
    ("GET", "/printers/<int:printer_id>/unmatched-slots"): "viewer",
    ("GET", "/jobs/filament-check"): "viewer",
    ("POST", "/jobs/<int:job_id>/link-print"): "operator",
    ("GET", "/print-jobs/unlinked"): "viewer",
    ("GET", "/models/<int:model_id>/revisions"): "viewer",
    ("POST", "/models/<int:model_id>/revisions"): "operator",
    ("POST", "/models/<int:model_id>/revisions/<int:rev_number>/revert"): "operator",
    ("DELETE", "/models/<int:model_id>/variants/<int:variant_id>"): "operator",
    ("GET", "/models/<int:model_id>/mesh"): "viewer",
    ("GET", "/print-files/<int:file_id>/mesh"): "viewer",
    ("GET", "/files/<int:file_id>/preview-model"): "viewer",
    ("GET", "/models/<int:model_id>/cost"): "viewer",
    ("GET", "/models-with-pricing"): "viewer",
    ("GET", "/printer-profiles"): "viewer",
    ("POST", "/printer-profiles"): "operator",
    ("GET", "/printer-profiles/<int:profile_id>"): "viewer",
    ("PATCH", "/printer-profiles/<int:profile_id>"): "operator",
    ("DELETE", "/printer-profiles/<int:profile_id>"): "operator",
    ("GET", "/export/spools"): "operator",
    ("GET", "/export/filament-usage"): "operator",
    ("GET", "/export/models"): "operator",
    ("GET", "/spools/export"): "viewer",
    ("GET", "/pools"): "viewer",
    ("POST", "/pools"): "operator",
    ("GET", "/pools/<int:pool_id>"): "viewer",
    ("PATCH", "/pools/<int:pool_id>"): "operator",
    ("DELETE", "/pools/<int:pool_id>"): "operator",
    ("POST", "/print-files/upload"): "operator",
    ("GET", "/metrics"): "viewer",
    ("POST", "/print-files/uploads"): "operator",
    ("POST", "/print-files/uploads/<upload_id>/complete"): "operator",
    ("GET", "/print-files"): "viewer",
    ("GET", "/print-files/<int:file_id>"): "viewer",
    ("DELETE", "/print-files/<int:file_id>"): "operator",
    ("POST", "/print-files/<int:file_id>/schedule"): "viewer",
    ("GET", "/print-files/<int:file_id>/thumbnail"): "viewer",
    ("GET", "/models"): "viewer",
    ("PATCH", "/models/<int:model_id>"): "operator",
    ("DELETE", "/models/<int:model_id>"): "operator",
    ("GET", "/models/<int:model_id>/variants"): "viewer",
    ("POST", "/models"): "operator",
    ("GET", "/models/<int:model_id>"): "viewer",
    ("POST", "/models/<int:model_id>/schedule"): "viewer",
    ("GET", "/jobs"): "viewer",
    ("POST", "/jobs"): "viewer",
    ("POST", "/jobs/bulk"): "operator",
    ("POST", "/jobs/batch"): "operator",
    ("PATCH", "/jobs/reorder"): "operator",
    ("POST", "/jobs/bulk-update"): "operator",
    ("GET", "/failure-reasons"): "viewer",
    ("GET", "/config/require-job-approval"): "viewer",
    ("PUT", "/config/require-job-approval"): "admin",
    ("GET", "/jobs/<int:job_id>"): "viewer",
    ("DELETE", "/jobs/<int:job_id>"): "operator",
    ("PATCH", "/jobs/<int:job_id>/move"): "operator",
    ("PATCH", "/jobs/<int:job_id>/failure"): "operator",
    ("PATCH", "/jobs/<int:job_id>"): "operator",
    ("POST", "/jobs/<int:job_id>/cancel"): "operator",
    ("POST", "/jobs/<int:job_id>/dispatch"): "operator",
    ("POST", "/jobs/<int:job_id>/approve"): "operator",
    ("POST", "/jobs/<int:job_id>/reject"): "operator",
    ("POST", "/jobs/<int:job_id>/resubmit"): "viewer",
    ("POST", "/jobs/<int:job_id>/reset"): "operator",
    ("POST", "/jobs/<int:job_id>/repeat"): "operator",
    ("POST", "/jobs/<int:job_id>/start"): "operator",
    ("POST", "/jobs/<int:job_id>/complete"): "operator",
    ("POST", "/jobs/<int:job_id>/fail"): "operator",
    ("GET", "/pricing-config"): "viewer",
    ("PUT", "/pricing-config"): "admin",
    ("GET", "/presets"): "viewer",
    ("POST", "/presets"): "operator",
    ("DELETE", "/presets/<int:preset_id>"): "operator",
    ("POST", "/presets/<int:preset_id>/schedule"): "operator",
    ("GET", "/jobs/<int:job_id>/preflight"): "viewer",
    ("POST", "/jobs/<int:job_id>/preflight/fix"): "operator",
    ("GET", "/print-files/<int:file_id>/preflight"): "viewer",
    ("POST", "/print-files/<int:file_id>/preflight/fix"): "operator",
    ("GET", "/archives"): "viewer",
    ("GET", "/archives/compare"): "viewer",
    ("GET", "/archives/log"): "viewer",
    ("GET", "/archives/log/export"): "viewer",
    ("GET", "/archives/<int:archive_id>"): "viewer",
    ("PATCH", "/archives/<int:archive_id>"): "operator",
    ("DELETE", "/archives/<int:archive_id>"): "admin",
    ("PATCH", "/archives/<int:archive_id>/tags"): "operator",
    ("GET", "/archives/<int:archive_id>/ams-preview"): "viewer",
    ("POST", "/archives/<int:archive_id>/reprint"): "operator",
    ("GET", "/projects"): "viewer",
    ("POST", "/projects"): "operator",
    ("POST", "/projects/import"): "operator",
    ("GET", "/projects/<int:project_id>"): "viewer",
    ("PUT", "/projects/<int:project_id>"): "operator",
    ("DELETE", "/projects/<int:project_id>"): "admin",
    ("POST", "/projects/<int:project_id>/archives"): "operator",
    ("GET", "/projects/<int:project_id>/export"): "operator",
    ("GET", "/tags"): "viewer",
    ("POST", "/tags/rename"): "admin",
    ("DELETE", "/tags/<tag>"): "admin",
    ("GET", "/timelapses"): "viewer",
    ("GET", "/timelapses/<int:timelapse_id>"): "viewer",
    ("DELETE", "/timelapses/<int:timelapse_id>"): "admin",
    ("GET", "/timelapses/<int:timelapse_id>/video"): "viewer",
    ("GET", "/timelapses/<int:timelapse_id>/stream"): "viewer",
    ("GET", "/timelapses/<int:timelapse_id>/download"): "viewer",
    ("POST", "/timelapses/<int:timelapse_id>/trim"): "operator",
    ("POST", "/timelapses/<int:timelapse_id>/speed"): "operator",
    ("GET", "/stats"): "viewer",
    ("GET", "/analytics"): "viewer",
    ("GET", "/analytics/failures"): "viewer",
    ("GET", "/analytics/time-accuracy"): "viewer",
    ("GET", "/search"): "viewer",
    ("GET", "/timeline"): "viewer",
    ("GET", "/print-jobs"): "viewer",
    ("GET", "/print-jobs/stats"): "viewer",
    ("GET", "/export/jobs"): "operator",
    ("GET", "/filaments"): "viewer",
    ("GET", "/filament-library"): "viewer",
    ("POST", "/filaments"): "operator",
    ("GET", "/filaments/<filament_id>"): "viewer",
    ("PATCH", "/filaments/<filament_id>"): "operator",
    ("DELETE", "/filaments/<filament_id>"): "operator",
    ("GET", "/spools"): "viewer",
    ("POST", "/spools"): "operator",
    ("GET", "/spools/low-stock"): "viewer",
    ("GET", "/spools/lookup/<qr_code>"): "viewer",
    ("POST", "/spools/scan-assign"): "operator",
    ("GET", "/spools/<int:spool_id>"): "viewer",
    ("PATCH", "/spools/<int:spool_id>"): "operator",
    ("DELETE", "/spools/<int:spool_id>"): "operator",
    ("POST", "/spools/<int:spool_id>/load"): "operator",
    ("POST", "/spools/<int:spool_id>/unload"): "operator",
    ("POST", "/spools/<int:spool_id>/use"): "operator",
    ("PATCH", "/spools/<int:spool_id>/use"): "operator",
    ("POST", "/spools/<int:spool_id>/weigh"): "operator",
    ("POST", "/spools/bulk-update"): "operator",
    ("GET", "/spools/labels/batch"): "viewer",
    ("GET", "/spools/<int:spool_id>/qr"): "viewer",
    ("GET", "/spools/<int:spool_id>/label"): "viewer",
    ("POST", "/spools/<int:spool_id>/dry"): "operator",
    ("GET", "/spools/<int:spool_id>/drying-history"): "viewer",
    ("GET", "/filaments/combined"): "viewer",
    ("POST", "/spoolman/sync"): "operator",
    ("GET", "/spoolman/spools"): "viewer",
    ("GET", "/spoolman/filaments"): "viewer",
    ("GET", "/spoolman/test"): "superadmin",
    ("POST", "/filament-slots"): "operator",
    ("GET", "/alerts"): "viewer",
    ("GET", "/alerts/unread-count"): "viewer",
    ("GET", "/alerts/summary"): "viewer",
    ("POST", "/alerts/mark-all-read"): "viewer",
    ("PATCH", "/alerts/<int:alert_id>/read"): "viewer",
    ("PATCH", "/alerts/<int:alert_id>/dismiss"): "viewer",
    ("GET", "/alerts/digest-status"): "viewer",
    ("POST", "/alerts/test-email"): "admin",
    ("GET", "/alert-preferences"): "viewer",
    ("PUT", "/alert-preferences"): "viewer",
    ("GET", "/smtp-config"): "admin",
    ("PUT", "/smtp-config"): "admin",
    ("GET", "/webhooks"): "admin",
    ("POST", "/webhooks"): "admin",
    ("PATCH", "/webhooks/<int:webhook_id>"): "admin",
    ("DELETE", "/webhooks/<int:webhook_id>"): "admin",
    ("POST", "/webhooks/<int:webhook_id>/test"): "admin",
    ("GET", "/webhooks/<int:webhook_id>/deliveries"): "admin",
    ("GET", "/maintenance/tasks"): "viewer",
    ("POST", "/maintenance/tasks"): "operator",
    ("PATCH", "/maintenance/tasks/<int:task_id>"): "operator",
    ("DELETE", "/maintenance/tasks/<int:task_id>"): "admin",
    ("GET", "/maintenance/logs"): "viewer",
    ("POST", "/maintenance/logs"): "operator",
    ("DELETE", "/maintenance/logs/<int:log_id>"): "admin",
    ("GET", "/maintenance/status"): "viewer",
    ("POST", "/maintenance/seed-defaults"): "admin",
    ("GET", "/orders"): "viewer",
    ("POST", "/orders"): "operator",
    ("GET", "/orders/<int:order_id>"): "viewer",
    ("PATCH", "/orders/<int:order_id>"): "admin",
    ("DELETE", "/orders/<int:order_id>"): "operator",
    ("POST", "/orders/<int:order_id>/items"): "operator",
    ("PATCH", "/orders/<int:order_id>/items/<int:item_id>"): "admin",
    ("DELETE", "/orders/<int:order_id>/items/<int:item_id>"): "operator",
    ("POST", "/orders/<int:order_id>/schedule"): "operator",
    ("PATCH", "/orders/<int:order_id>/ship"): "operator",
    ("GET", "/orders/<int:order_id>/invoice.pdf"): "operator",
    ("GET", "/products"): "viewer",
    ("POST", "/products"): "operator",
    ("GET", "/products/<int:product_id>"): "viewer",
    ("PATCH", "/products/<int:product_id>"): "operator",
    ("DELETE", "/products/<int:product_id>"): "operator",
    ("POST", "/products/<int:product_id>/components"): "operator",
    ("DELETE", "/products/<int:product_id>/components/<int:component_id>"): "operator",
    ("GET", "/reports/chargebacks"): "admin",
    ("GET", "/education/usage-report"): "operator",
    ("GET", "/push/vapid-key"): "public",
    ("POST", "/push/subscribe"): "viewer",
    ("DELETE", "/push/subscribe"): "viewer",
    ("POST", "/push/register"): "viewer",
    ("DELETE", "/push/register/<device_id>"): "viewer",
    ("GET", "/push/preferences"): "viewer",
    ("PUT", "/push/preferences"): "viewer",
    ("POST", "/push/live-activity"): "viewer",
    ("POST", "/push/test"): "viewer",
    ("GET", "/report-schedules"): "superadmin",
    ("POST", "/report-schedules"): "superadmin",
    ("PATCH", "/report-schedules/<int:schedule_id>"): "superadmin",
    ("DELETE", "/report-schedules/<int:schedule_id>"): "superadmin",
    ("POST", "/report-schedules/<int:schedule_id>/run"): "superadmin",
    ("POST", "/products/<int:product_id>/consumables"): "operator",
    ("DELETE", "/products/<int:product_id>/consumables/<int:consumable_link_id>"): "operator",
    ("GET", "/consumables"): "viewer",
    ("POST", "/consumables"): "operator",
    ("GET", "/consumables/low-stock"): "viewer",
    ("GET", "/consumables/<int:consumable_id>"): "viewer",
    ("PATCH", "/consumables/<int:consumable_id>"): "operator",
    ("DELETE", "/consumables/<int:consumable_id>"): "admin",
    ("POST", "/consumables/<int:consumable_id>/adjust"): "operator",
    ("GET", "/version"): "public",
    ("GET", "/health"): "public",
    ("GET", "/health/ready"): "public",
}

#: Rooms that are about the whole farm.
BEYOND_A_PRINTER = (
    "/spoolman",
    "/spools",
    "/filament",
    "/alert",
    "/maintenance",
    "/orders",
    "/products",
    "/archives",
    "/projects",
    "/tags",
    "/timelapses",
    "/consumables",
    *("/push/subscribe", "/push/register", "/push/preferences", "/push/live-activity"),
    "/push/test",
)

#: What reaches beyond one printer: never for a key that is bound to one, whoever owns it.
FARM = {
    *(route for route, role in V1.items() if role in ("admin", "superadmin")),
    *(route for route in V1 if route[1].startswith(BEYOND_A_PRINTER)),
    ("POST", "/auth/reauthenticate"),
    ("POST", "/auth/change-password"),
    ("GET", "/groups"),
    ("GET", "/groups/<int:org_id>"),
    ("POST", "/auth/mfa/setup"),
    ("POST", "/auth/mfa/confirm"),
    ("DELETE", "/auth/mfa"),
    ("POST", "/auth/biometric-token"),
    ("DELETE", "/auth/biometric-token"),
    ("POST", "/tokens"),
    ("DELETE", "/tokens/<int:token_id>"),
    ("DELETE", "/sessions"),
    ("DELETE", "/sessions/<int:session_id>"),
    ("POST", "/printers"),
    ("POST", "/setup/printer"),
    ("GET", "/export/spools"),
    ("GET", "/export/filament-usage"),
    ("GET", "/export/models"),
    ("POST", "/printer-profiles"),
    ("PATCH", "/printer-profiles/<int:profile_id>"),
    ("DELETE", "/printer-profiles/<int:profile_id>"),
    ("POST", "/printers/test-connection"),
    ("GET", "/print-jobs/unlinked"),
    ("POST", "/printers/bulk-control"),
    ("POST", "/printers/fleet-stop"),
    ("POST", "/printers/<int:printer_id>/slots/<int:slot_number>/assign"),
    ("PATCH", "/printers/<int:printer_id>"),
    ("DELETE", "/printers/<int:printer_id>"),
    ("POST", "/printers/<int:printer_id>/octoprint-key"),
    ("GET", "/stats"),
    ("GET", "/analytics"),
    ("GET", "/analytics/failures"),
    ("GET", "/analytics/time-accuracy"),
    ("GET", "/search"),
    ("GET", "/timeline"),
    ("GET", "/print-jobs"),
    ("GET", "/print-jobs/stats"),
    ("GET", "/export/jobs"),
    ("GET", "/education/usage-report"),
    ("POST", "/printers/reorder"),
    ("POST", "/scheduler/run"),
    ("GET", "/scheduler/runs"),
    ("GET", "/scheduler/runs/<int:run_id>"),
    ("POST", "/pools"),
    ("PATCH", "/pools/<int:pool_id>"),
    ("DELETE", "/pools/<int:pool_id>"),
}

#: A body that is right in itself, where a refusal of the body would come first.
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/tokens"): {"name": "more"},
    ("POST", "/users"): {"username": "new", "email": "", "password": "Correct-horse-7"},
    ("POST", "/auth/reauthenticate"): {"password": "x"},
    ("POST", "/auth/change-password"): {"current_password": "x", "new_password": "a new one, long"},
    ("POST", "/orgs"): {"name": "Third"},
    ("POST", "/groups"): {"name": "Fourth"},
    ("POST", "/orgs/<int:org_id>/members"): {"user_id": 987654},
    ("POST", "/orgs/<int:org_id>/printers"): {"printer_id": 987654},
    ("POST", "/printers"): {"name": "Gamma"},
    ("POST", "/setup/printer"): {"name": "Delta"},
    ("POST", "/setup/network"): {"host_ip": "nowhere"},
    ("PUT", "/config/require-mfa"): {"enabled": False},
    ("POST", "/printers/bulk-update"): {"printer_ids": [987654], "action": "enable"},
    ("POST", "/printers/<int:printer_id>/speed"): {"speed": 2},
    ("POST", "/printers/<int:printer_id>/fan"): {"speed": 0},
    ("POST", "/printers/<int:printer_id>/skip-objects"): {"object_ids": [1]},
    ("PUT", "/printers/<int:printer_id>/plug"): {"type": "psu"},
    ("POST", "/printers/test-connection"): {"api_type": "serial", "api_host": "usb:9"},
    ("POST", "/pools"): {"name": "Small ones"},
    ("POST", "/scheduler/circuits"): {"name": "Wall", "max_w": 2000},
    ("POST", "/models"): {"name": "thing"},
    ("POST", "/jobs"): {"item_name": "thing"},
    ("POST", "/jobs/<int:job_id>/reject"): {"reason": "no"},
    ("POST", "/presets"): {"name": "Vases"},
    ("POST", "/jobs/<int:job_id>/preflight/fix"): {"findings": ["not_homed"]},
    ("POST", "/print-files/<int:file_id>/preflight/fix"): {"findings": ["not_homed"]},
    ("POST", "/jobs/bulk"): [{"item_name": "thing"}],
    ("POST", "/jobs/batch"): {"item_name": "thing", "printer_ids": [987654]},
    ("PATCH", "/jobs/reorder"): {"job_ids": []},
    ("POST", "/jobs/bulk-update"): {"job_ids": [987654], "action": "hold"},
    ("PATCH", "/jobs/<int:job_id>/move"): {
        "printer_id": 987654,
        "scheduled_start": "2026-11-21T16:30:00Z",
    },
    ("PATCH", "/jobs/<int:job_id>/failure"): {"fail_reason": "clog"},
    ("PATCH", "/archives/<int:archive_id>/tags"): {"tags": ["good"]},
    ("POST", "/archives/<int:archive_id>/reprint"): {"printer_id": 987654},
    ("POST", "/projects"): {"name": "Ship"},
    ("POST", "/projects/<int:project_id>/archives"): {"archive_ids": [987654]},
    ("POST", "/tags/rename"): {"old": "nowhere", "new": "here"},
    ("POST", "/timelapses/<int:timelapse_id>/trim"): {"end_seconds": 10},
    ("POST", "/timelapses/<int:timelapse_id>/speed"): {"multiplier": 2},
    ("POST", "/filaments"): {"brand": "A", "name": "B"},
    ("POST", "/spools"): {"filament_id": 987654},
    ("POST", "/spools/bulk-update"): {"spool_ids": [987654], "action": "archive"},
    ("POST", "/spools/scan-assign"): {"qr_code": "SPL-0", "printer_id": 987654, "slot": 1},
    ("POST", "/spools/<int:spool_id>/load"): {"printer_id": 987654, "slot_number": 1},
    ("POST", "/spools/<int:spool_id>/use"): {"grams": 1},
    ("PATCH", "/spools/<int:spool_id>/use"): {"grams": 1},
    ("POST", "/spools/<int:spool_id>/weigh"): {"gross_weight_g": 300},
    ("POST", "/filament-slots"): {"spool_id": 987654, "printer_id": 987654},
    ("POST", "/maintenance/tasks"): {"name": "Look at it"},
    ("POST", "/maintenance/logs"): {"task_id": 987654},
    ("POST", "/orders/<int:order_id>/items"): {"product_id": 987654},
    ("POST", "/products"): {"name": "Vase"},
    ("POST", "/products/<int:product_id>/components"): {"model_id": 987654},
    ("POST", "/products/<int:product_id>/consumables"): {"consumable_id": 987654},
    ("POST", "/consumables"): {"name": "Screws"},
    ("POST", "/push/live-activity"): {"device_id": "none", "printer_id": 987654},
    ("POST", "/report-schedules"): {
        "name": "Week",
        "report_type": "jobs",
        "frequency": "weekly",
        "recipients": ["a@b.example"],
    },
    ("POST", "/consumables/<int:consumable_id>/adjust"): {"type": "restock", "quantity": 1},
}

#: Routes of agents, which prove themselves otherwise, and pages for everybody.
OTHERS = {
    ("POST", "/bridge/v1/pairing"): 422,
    ("POST", "/bridge/v1/pairing/token"): 422,
    ("POST", "/bridge/v1/enrol"): 422,
    ("POST", "/bridge/v1/nonce"): 422,
    ("GET", "/bridge/v1/files/<sha256>"): 401,
    ("GET", "/health"): 200,
    ("GET", "/openapi.json"): 200,
    **{
        ("GET", f"{prefix}/{page}"): 200
        for prefix in ("/api/v1", "/api")
        for page in ("openapi.json", "docs", "redoc", "docs/<name>")
    },
    ("GET", "/health/ready"): 200,
    ("GET", "/"): 200,
    ("GET", "/reset-password"): 200,
}

#: OctoPrint route -> the least role, or the status that a caller without credentials gets.
OCTOPRINT: dict[tuple[str, str], str | int] = {
    ("GET", "/api/version"): "viewer",
    ("GET", "/api/server"): "viewer",
    ("POST", "/api/login"): 400,
    ("POST", "/api/logout"): 204,
    ("GET", "/api/currentuser"): 200,
    ("GET", "/api/files"): "viewer",
    ("POST", "/api/files/test"): "viewer",
    ("GET", "/api/files/<origin>"): "viewer",
    ("POST", "/api/files/<origin>"): "operator",
    ("GET", "/api/files/<origin>/<path:path>"): "viewer",
    ("POST", "/api/files/<origin>/<path:path>"): "viewer",
    ("DELETE", "/api/files/<origin>/<path:path>"): "operator",
    ("GET", "/downloads/files/local/<path:path>"): "viewer",
    ("GET", "/plugin/prusaslicerthumbnails/thumbnail/<path:path>"): "viewer",
    ("GET", "/plugin/UltimakerFormatPackage/thumbnail/<path:path>"): "viewer",
    ("GET", "/api/printer"): "viewer",
    ("GET", "/api/printer/tool"): "viewer",
    ("POST", "/api/printer/tool"): "operator",
    ("GET", "/api/printer/bed"): "viewer",
    ("POST", "/api/printer/bed"): "operator",
    ("GET", "/api/printer/chamber"): "viewer",
    ("POST", "/api/printer/chamber"): "operator",
    ("POST", "/api/printer/printhead"): "operator",
    ("POST", "/api/printer/command"): "operator",
    ("GET", "/api/printer/command/custom"): "viewer",
    ("GET", "/api/printer/sd"): "viewer",
    ("POST", "/api/printer/sd"): "operator",
    ("GET", "/api/printer/error"): "viewer",
    ("GET", "/api/connection"): "viewer",
    ("POST", "/api/connection"): "operator",
    ("GET", "/api/printerprofiles"): "operator",
    ("GET", "/api/printerprofiles/<profile>"): "operator",
    ("POST", "/api/printerprofiles"): "admin",
    ("PATCH", "/api/printerprofiles/<profile>"): "admin",
    ("DELETE", "/api/printerprofiles/<profile>"): "admin",
    ("GET", "/api/settings"): "viewer",
    ("POST", "/api/settings"): "admin",
    ("GET", "/api/settings/templates"): "admin",
    ("GET", "/api/job"): "viewer",
    ("POST", "/api/job"): "viewer",
    ("GET", "/login/"): 200,
    ("POST", "/login/"): 400,
    ("GET", "/online.txt"): 200,
    ("GET", "/online.gif"): 200,
    ("GET", "/plugin/appkeys/probe"): 204,
    ("POST", "/plugin/appkeys/request"): 415,
    ("GET", "/plugin/appkeys/request/<app_token>"): 404,
    ("GET", "/plugin/appkeys/auth/<app_token>"): 404,
    ("POST", "/plugin/appkeys/auth/<app_token>"): 403,
    ("GET", "/api/access/permissions"): 200,
    ("GET", "/api/slicing"): "viewer",
    ("GET", "/api/slicing/<slicer>/profiles"): "viewer",
    ("GET", "/api/slicing/<slicer>/profiles/<name>"): "viewer",
    ("PUT", "/api/slicing/<slicer>/profiles/<name>"): "admin",
    ("PATCH", "/api/slicing/<slicer>/profiles/<name>"): "admin",
    ("DELETE", "/api/slicing/<slicer>/profiles/<name>"): "admin",
    ("POST", "/api/timelapse/unrendered/<name>"): "admin",
    ("DELETE", "/api/timelapse/unrendered/<name>"): "admin",
    ("GET", "/api/timelapse"): "viewer",
    ("POST", "/api/timelapse"): "admin",
    ("GET", "/api/timelapse/<name>"): "viewer",
    ("DELETE", "/api/timelapse/<name>"): "admin",
    ("GET", "/api/system/commands"): "admin",
    ("GET", "/api/system/commands/<source>"): "admin",
    ("POST", "/api/system/commands/<source>/<action>"): "admin",
    ("POST", "/api/system"): "admin",
    ("GET", "/api/system/usage"): "admin",
    ("GET", "/api/system/info"): "admin",
    ("GET", "/api/system/startup"): "admin",
    ("GET", "/api/languages"): "viewer",
    ("POST", "/api/languages"): "admin",
    ("DELETE", "/api/languages/<locale>/<pack>"): "admin",
    ("POST", "/api/util/test"): "admin",
    ("GET", "/api/setup/wizard"): "admin",
    ("POST", "/api/setup/wizard"): "admin",
    ("GET", "/api/plugin/<plugin>"): "viewer",
    ("POST", "/api/plugin/<plugin>"): "viewer",
    ("GET", "/api/plugin/action_command_prompt"): "viewer",
    ("POST", "/api/plugin/action_command_prompt"): "operator",
    ("GET", "/plugin/logging/logs"): "admin",
    ("GET", "/plugin/logging/logs/<path:name>"): "admin",
    ("DELETE", "/plugin/logging/logs/<path:name>"): "admin",
    ("GET", "/plugin/logging/setup"): "admin",
    ("GET", "/plugin/logging/setup/levels"): "admin",
    ("GET", "/api/logs"): "admin",
    ("GET", "/sockjs"): 200,
    ("GET", "/sockjs/"): 200,
    ("GET", "/sockjs/info"): 200,
}

#: OctoPrint routes about the people of an organization: at the server's root they need no printer.
PEOPLE: dict[tuple[str, str], str] = {
    ("POST", "/plugin/appkeys/decision/<user_token>"): "operator",
    ("GET", "/api/plugin/appkeys"): "viewer",
    ("POST", "/api/plugin/appkeys"): "viewer",
    ("GET", "/api/access/groups"): "admin",
    ("POST", "/api/access/groups"): "admin",
    ("GET", "/api/access/groups/<key>"): "admin",
    ("PUT", "/api/access/groups/<key>"): "admin",
    ("DELETE", "/api/access/groups/<key>"): "admin",
    ("GET", "/api/access/users"): "admin",
    ("POST", "/api/access/users"): "admin",
    ("GET", "/api/access/users/<username>"): "admin",
    ("PUT", "/api/access/users/<username>"): "admin",
    ("DELETE", "/api/access/users/<username>"): "admin",
    ("PUT", "/api/access/users/<username>/password"): "admin",
    ("GET", "/api/access/users/<username>/settings"): "admin",
    ("PATCH", "/api/access/users/<username>/settings"): "admin",
    ("POST", "/api/access/users/<username>/apikey"): "admin",
    ("DELETE", "/api/access/users/<username>/apikey"): "admin",
    ("POST", "/api/settings/apikey"): "admin",
    ("DELETE", "/api/settings/apikey"): "admin",
}
#: The page at the top of a printer or pool; the server's own top is not OctoPrint's alone.
TOP = ("GET", "/octoprint/<slug>/")
#: Addresses without their last slash: they lead on, whoever asks.
UNSLASHED = {("GET", "/octoprint/<slug>"), ("GET", "/octoprint/<slug>/login")}


async def v1(whole: Whole, who: str, route: tuple[str, str], **ids: str) -> tuple[int, str | None]:
    """(status, error code) of *route* asked by *who*."""
    method, path = route
    if "enrolment-tokens/" in path:
        ids = {"token_id": whole.ids["enrolment_id"], **ids}
    given = {"json": BODIES.get(route, {})} if method in ("POST", "PATCH") else {}
    answer = await whole.ask(who, method, "/api/v1" + whole.path(path, **ids), **given)
    assert answer.status_code < 500 or answer.status_code == 503, (who, route, answer.text)
    return answer.status_code, code_of(answer)


def code_of(answer: httpx.Response) -> str | None:
    error = answer.json().get("error") if answer.content and answer.is_error else None
    return error["code"] if isinstance(error, dict) else None


def nothing(path: str) -> dict[str, str]:
    """Ids of nothing for the parameters of *path*, so that whoever may changes nothing."""
    return {part[5:-1]: "987654" for part in path.split("/") if part.startswith("<int:")}


async def test_every_route_is_in_a_table(whole: Whole) -> None:
    """A new route needs a row here before it can be merged (safety S01)."""
    quart = whole.application.quart
    rules = {
        (method, rule.rule)
        for rule in quart.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    known = set(OTHERS)
    for method, path in V1:
        known |= {(method, f"/api/v1{path}"), (method, f"/api{path}")}
    known |= {TOP, *UNSLASHED}
    for method, path in {**OCTOPRINT, **PEOPLE}:
        known |= {(method, path), (method, f"/octoprint/<slug>{path}")}
    assert rules ^ known == set()
    public = {
        (method, path) for method, path, is_public in whole.application.v1.routes if is_public
    }
    assert public == {route for route, role in V1.items() if role == "public"}


@pytest.mark.parametrize("who", ["viewer", "operator"])
async def test_a_role_below_is_refused(whole: Whole, who: str) -> None:
    """403 permission_denied for what needs more, although it exists; nothing changed (safety
    S01).
    """
    before = await whole.rows()
    for route, role in V1.items():
        if role != "public" and RANK[role] > RANK[who]:
            assert await v1(whole, who, route) == (403, "permission_denied"), route
    assert await whole.rows() == before


@pytest.mark.parametrize("who", ["viewer", "operator"])
async def test_a_role_below_learns_nothing(whole: Whole, who: str) -> None:
    """The role is asked before anything is looked for: what is there and what is not are refused
    in the same words (v1 1.4, safety S25).
    """
    for route, role in V1.items():
        if role == "public" or RANK[role] <= RANK[who] or "<int:" not in route[1]:
            continue
        there = await v1(whole, who, route)
        assert there == await v1(whole, who, route, **nothing(route[1])), route


@pytest.mark.parametrize("who", ["viewer", "operator", "admin"])
async def test_the_role_is_enough(whole: Whole, who: str) -> None:
    """Whoever has the role is let in; whatever comes then is about the request (safety S01)."""
    rank = RANK["superadmin" if who == "admin" else who]  # the first admin is one
    for route, role in V1.items():
        if role != "public" and RANK[role] <= rank:
            _, code = await v1(whole, who, route, **nothing(route[1]))
            assert code not in REFUSED, (route, code)


async def test_another_organization_finds_nothing(whole: Whole) -> None:
    """404 for every id of somebody else's, whatever is asked; nothing changed (v1 1.4, safety S01,
    S25).
    """
    before = await whole.rows()
    for route, least in V1.items():
        if "<" in route[1] and least != "public":
            status, code = await v1(whole, "foreigner", route)
            if least == "superadmin":
                assert (status, code) == (403, "permission_denied"), route
                continue
            assert (status, code) == (404, code), route
            assert code is not None and code.endswith("not_found"), route
    lists = ("/printers", "/printers/tags", "/jobs", "/print-files", "/models", "/bridges")
    rooms = ("/spools", "/filaments", "/alerts", "/maintenance/tasks", "/maintenance/logs")
    for path in (*lists, *rooms, "/orders", "/products", "/consumables"):
        assert (await whole.ask("foreigner", "GET", f"/api/v1{path}")).json() == [], path
    for field in ("printer_id", "print_file_id", "model_id"):
        body = {"item_name": "x", field: int(whole.ids[field.replace("print_file", "file")])}
        answer = await whole.ask("foreigner", "POST", "/api/v1/jobs", json=body)
        assert answer.status_code == 404, field
    body = {"name": "Mine", "bridge_id": int(whole.ids["bridge_id"]), "port_id": "x"}
    assert (await whole.ask("foreigner", "POST", "/api/v1/printers", json=body)).status_code == 404
    assert await whole.rows() == before


async def test_a_bound_key_does_not_reach_beyond_its_printer(whole: Whole) -> None:
    """An admin's key in a slicer makes no users, tokens, bridges or printers (DESIGN 7)."""
    before = await whole.rows()
    for route in FARM:
        assert await v1(whole, "bound", route) == (403, "permission_denied"), route
    for route, role in V1.items():
        if role != "public" and "<int:printer_id>" in route[1]:
            status, _ = await v1(whole, "bound elsewhere", route)
            assert status in (403, 404), route
    assert await whole.rows() == before


async def test_a_bound_keys_job_is_for_its_printer(whole: Whole) -> None:
    """It names no printer, and is pinned all the same; it cannot be given away."""
    answer = await whole.ask("bound", "POST", "/api/v1/jobs", json={"item_name": "mine"})
    job = answer.json()
    assert job["printer_id"] == int(whole.ids["printer_id"])
    path = f"/api/v1/jobs/{job['id']}"
    answer = await whole.ask("bound", "PATCH", path, json={"printer_id": None})
    assert answer.json()["printer_id"] == job["printer_id"]
    assert (await whole.ask("bound elsewhere", "GET", path)).status_code == 404


@pytest.mark.parametrize("root", ["", "/octoprint/<slug>", "/octoprint/<pool_slug>"])
async def test_octoprint_face_by_everybody(whole: Whole, root: str) -> None:
    """octoprint 3 missing permission: 403, whatever the body; so are no key and a wrong one;
    another organization 404 (safety S01).
    """
    before = await whole.rows()
    for (method, path), least in OCTOPRINT.items():
        if (root, path) == ("", "/api/version"):
            continue  # both dialects answer together there
        target = whole.path(root + path)
        status = {
            who: (await whole.ask(who, method, target)).status_code
            for who in ("nobody", "stranger", "viewer", "foreigner")
        }
        if isinstance(least, int):
            assert status["nobody"] == least, target
            continue
        assert (status["nobody"], status["stranger"], status["foreigner"]) == (403, 403, 404), path
        assert (status["viewer"] == 403) == (least != "viewer"), target
    assert await whole.rows() == before


@pytest.mark.parametrize("root", ["", "/octoprint/<slug>", "/octoprint/<pool_slug>"])
async def test_octoprints_people_by_everybody(whole: Whole, root: str) -> None:
    """Without or with a wrong key 403, below the role 403, another organization nothing here."""
    before = await whole.rows()
    for (method, path), least in PEOPLE.items():
        target = whole.path(root + path)
        for who in ("nobody", "stranger"):
            assert (await whole.ask(who, method, target)).status_code == 403, target
        status = (await whole.ask("viewer", method, target)).status_code
        assert (status == 403) == (least != "viewer"), target
        if root or "<user" in path:  # groups are the same for everybody
            status = (await whole.ask("foreigner", method, target)).status_code
            assert status in (400, 403, 404, 415), target
            assert status == 404 or not root, target
    assert await whole.rows() == before
    people = (await whole.ask("foreigner", "GET", "/api/access/users")).json()["users"]
    assert [person["name"] for person in people] == ["admin-2"]


async def test_octoprint_face_keeps_a_key_to_its_printer(whole: Whole) -> None:
    """A key that is bound to another printer is refused on every path below this one's."""
    for (method, path), least in {**OCTOPRINT, **PEOPLE}.items():
        if not isinstance(least, int):
            answer = await whole.ask(
                "bound elsewhere", method, whole.path("/octoprint/<slug>" + path)
            )
            assert answer.status_code == 403, path


async def test_agents_and_pages(whole: Whole) -> None:
    """What needs no person's credential says so in its own way."""
    for (method, path), status in OTHERS.items():
        answer = await whole.ask(
            "nobody", method, path.replace("<sha256>", "0" * 64).replace("<name>", "page.css")
        )
        assert answer.status_code == status, path
