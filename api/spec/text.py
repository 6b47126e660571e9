"""What the specification says in sentences: the conventions that hold on every route."""

DESCRIPTION = """\
Every route is served below `/api/v1` and, by a shorter name, below `/api`.

## Who asks
Every request needs a credential but for those without a lock here: login, set-up, version, health,
documentation, pairing of a new room. There are two ways to sign in:

* **Session**: `POST /auth/login` with a JSON object or a form answers a token and sets the cookie
  `session` (HttpOnly, SameSite=Strict). On this page: try that route out, then all others work.
  A change with the cookie alone must come from this server's own pages.
* **API token**: made by `POST /tokens`, sent as `Authorization: Bearer odin_…` or as
  `X-API-Key: odin_…`. It may do what its user may, narrowed by its scopes.

Roles are `viewer`, `operator` and `admin`. What belongs to another organization is not found: 404.

## Values
* ids are positive integers;
* times are UTC, ISO 8601 with milliseconds and `Z`;
* temperatures are °C, lengths mm, weights grams, sizes bytes, durations seconds, unless a field's
  name or description says otherwise (`duration_hours`); progress is a percentage, 0 to 100;
* what is not known is null, never 0; fields that a body does not know are ignored.

## Lists
A list is a bare array. `skip` (or `offset`) and `limit` choose a part of it; the header
`X-Total-Count` says how many rows there are.

## Refusals
Every refusal is `{"detail": …, "error": {"code", "detail", "retriable", …}}`. `error.code` is
stable, `detail` is for a person; where a body or query does not fit (422), `detail` is a list of
what is wrong. There is no limit to the rate of ordinary use; logins and codes that are tried too
often get 429 with `Retry-After`.

## Asking twice, and asking first
`Idempotency-Key` (1 to 255 characters, a new one for each thing to be done) on anything but `GET`:
said again within 24 hours, the same request is not carried out again but answered as before, with
`X-Idempotent-Replay: true`. Another request with the same key gets 409 `idempotency_conflict`; a
first one that is still running `idempotency_in_progress`. Refusals free the key. Secrets are never
kept, so the second `POST /tokens` gets `idempotency_uncacheable_success`. Forms with files take
none (415).

`X-Dry-Run: true` answers 200 `{"dry_run": true, "would_execute", "next_actions", "notes"}`, or the
refusal that the call would get, and changes nothing. Routes without a dry run answer 501.

## What happens, as it happens
The websocket `/ws` (and `/api/v1/ws`) sends JSON objects `{"type", "data"}`: `printer_telemetry`,
`job_started`, `job_completed`, `job.cancelled`, `printer.state_changed`, alerts, always those of
the caller's organization alone. It takes the same credentials as a request, or
`?token=` with a ticket of `POST /auth/ws-token`, which is good for one connection within 30 s.
The text `ping` is answered with `pong`; the server sends `{"type":"ping"}` to who is silent.

## Slicers and apps
Every printer is also an OctoPrint at `/octoprint/{slug}/`; see OctoPrint's own documentation.
"""

#: Of path parameters whose name does not say it all.
PATH_PARAMETERS = {
    "ams_id": "The unit, from 0",
    "filament_id": "The number of the filament, or `lib_<number>` as its rows say it",
    "slot_id": "The slot of the unit, from 0 to 3",
    "rev_number": "The number of the revision, from 1",
    "user_code": "The code that the agent of a new room shows, such as `ABCD-2345`",
    "slug": "The printer's or pool's name in addresses",
}
#: Parameters that count from 0, unlike the ids of rows.
FROM_ZERO = frozenset({"ams_id", "slot_id"})
