"""How long jobs take, and when they are expected to end. Pure."""

from datetime import datetime, timedelta

from api.jobs.models import Job

LONGEST_H = 8760.0


def planned_end(start: datetime, job: Job) -> datetime:
    """When *job*, started at *start*, is expected to end; a year later at most."""
    return start + timedelta(hours=min(expected_hours(job), LONGEST_H))


def expected_hours(job: Job) -> float:
    """How long all prints of *job* take, in hours; one a print where nobody said."""
    return float((job.duration_hours or 1.0) * job.quantity)
