"""The wake-up as brokers store it, and what is none: reading one never raises anything but NotAWakeUp."""

from __future__ import annotations

import base64
import json
import re
import uuid
from typing import Any

WAKE_UP = "worker.wake_up"
"""Name of the message; its only argument is the job's id."""
CPU_QUEUE = "cpu"
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class NotAWakeUp(ValueError):
    """What lies in the queue is no wake-up: empty, cut, of another sender, or with something else than a job's id in it."""


def job_of(stored: bytes) -> str:
    """The id of the job that a stored message names.

    Raises:
        NotAWakeUp: for whatever else it is.
    """
    try:
        fields = json.loads(stored)
        name, content_type = fields["headers"]["task"], fields["content-type"]
        if (name, content_type) != (WAKE_UP, "application/json"):
            raise NotAWakeUp(f"it is {name!r:.100} as {content_type!r:.100}; expected {WAKE_UP!r} as 'application/json'")
        (job_id,), keywords, _ = json.loads(base64.b64decode(fields["body"], validate=True))
    except NotAWakeUp:
        raise
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise NotAWakeUp(f"its {len(stored)} bytes are no message ({type(error).__name__})") from error
    if keywords != {} or not isinstance(job_id, str) or _JOB_ID.fullmatch(job_id) is None:
        raise NotAWakeUp(f"its arguments are {job_id!r:.100} and {keywords!r:.100}; expected the id of a job, and nothing else")
    return job_id


def as_celery_takes_it(job_id: str) -> dict[str, Any]:
    """The wake-up of a job, made anew: nothing else that a sender may have written reaches Celery, which dies of some of it."""
    message_id = str(uuid.uuid4())
    body = json.dumps([[job_id], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    return {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": WAKE_UP, "id": message_id, "root_id": message_id, "argsrepr": repr((job_id,))},
        "properties": {
            "body_encoding": "base64",
            "correlation_id": message_id,
            "delivery_info": {"exchange": "", "routing_key": CPU_QUEUE},
            "delivery_mode": 2,
            "delivery_tag": str(uuid.uuid4()),
            "priority": 0,
        },
    }
