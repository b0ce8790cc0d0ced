"""The wake-up as brokers store it, and what is none: reading one never raises anything but NotAWakeUp."""

from __future__ import annotations

import base64
import json
import re
import uuid
from typing import Any

WAKE_UP = "worker.wake_up"
"""Name of the message. It has no arguments; until version 0.2.0 it had one, the id of a job, which says no more."""
CPU_QUEUE = "cpu"
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class NotAWakeUp(ValueError):
    """What lies in the queue is no wake-up: empty, cut, of another sender, or with arguments that no version has sent."""


def require_wake_up(stored: bytes) -> None:
    """Check that a stored message is a wake-up.

    Raises:
        NotAWakeUp: for whatever else it is.
    """
    try:
        fields = json.loads(stored)
        name, content_type = fields["headers"]["task"], fields["content-type"]
        if (name, content_type) != (WAKE_UP, "application/json"):
            raise NotAWakeUp(f"it is {name!r:.100} as {content_type!r:.100}; expected {WAKE_UP!r} as 'application/json'")
        arguments, keywords, _ = json.loads(base64.b64decode(fields["body"], validate=True))
    except NotAWakeUp:
        raise
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise NotAWakeUp(f"its {len(stored)} bytes are no message ({type(error).__name__})") from error
    if keywords != {} or not (arguments == [] or _is_one_job(arguments)):
        raise NotAWakeUp(f"its arguments are {arguments!r:.100} and {keywords!r:.100}; expected none, or the id of one job")


def _is_one_job(arguments: object) -> bool:
    match arguments:
        case [str(job_id)]:
            return _JOB_ID.fullmatch(job_id) is not None
    return False


def as_celery_takes_it() -> dict[str, Any]:
    """A wake-up, made anew: nothing that a sender may have written reaches Celery, which dies of some of it."""
    message_id = str(uuid.uuid4())
    body = json.dumps([[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    return {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": WAKE_UP, "id": message_id, "root_id": message_id, "argsrepr": "()"},
        "properties": {
            "body_encoding": "base64",
            "correlation_id": message_id,
            "delivery_info": {"exchange": "", "routing_key": CPU_QUEUE},
            "delivery_mode": 2,
            "delivery_tag": str(uuid.uuid4()),
            "priority": 0,
        },
    }
