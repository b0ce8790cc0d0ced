"""Which service to ask, and with which key: arguments, then the environment, then the state directory of `ewc up`."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path

from ewc_client.errors import ConfigurationError

LOCK_FILE = "up.lock"
SERVICE_FILE = "service.json"
KEY_FILE = "api_key"


@dataclass(frozen=True)
class ServiceLocation:
    """A service's URL and the key for it. `source` says in words where the URL came from."""

    url: str
    api_key: str | None
    source: str


def state_dir() -> Path:
    """`EWC_STATE_DIR`, or `.ewc` in the working directory; absolute.

    Raises:
        ConfigurationError: the working directory was removed.
    """
    try:
        return Path(os.environ.get("EWC_STATE_DIR") or ".ewc").absolute()
    except FileNotFoundError as error:
        raise ConfigurationError("the working directory does not exist any more; go to another one") from error


def find_service(url: str | None = None, api_key: str | None = None) -> ServiceLocation | None:
    """The service to ask, or None when none is configured and none runs on the state directory.

    The key in the state directory belongs to the service that runs there and is sent to no other URL.
    """
    given_key = api_key or os.environ.get("EWC_API_KEY") or None
    wanted, source = (url, "--url") if url else (os.environ.get("EWC_URL") or None, "EWC_URL")
    if wanted and given_key:
        return ServiceLocation(wanted, given_key, source)
    local = _local_service(state_dir())
    if wanted:
        local_key = local.api_key if local is not None and local.url == wanted.rstrip("/") else None
        return ServiceLocation(wanted, local_key, source)
    if local is None:
        return None
    return ServiceLocation(local.url, given_key or local.api_key, local.source)


def require_service(url: str | None = None, api_key: str | None = None) -> ServiceLocation:
    """`find_service`, or an error that says what to do."""
    found = find_service(url, api_key)
    if found is None:
        raise ConfigurationError(
            f"no service: none is configured (--url, EWC_URL) and none runs on {state_dir()}. Start one with `ewc up`"
        )
    return found


def is_locked(directory: Path) -> bool:
    """Whether an `ewc up` holds this state directory. Only a live process holds a lock, whatever files say."""
    try:
        descriptor = os.open(directory / LOCK_FILE, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(directory / LOCK_FILE, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _local_service(directory: Path) -> ServiceLocation | None:
    file = directory / SERVICE_FILE
    if not is_locked(directory):
        return None
    try:
        url = str(json.loads(file.read_text(encoding="utf-8"))["url"])
    except FileNotFoundError:  # it is starting or stopping
        return None
    except OSError as error:
        raise _unreadable(file, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{file} is not readable as a service file: {error!r}") from error
    key = directory / KEY_FILE
    return ServiceLocation(url.rstrip("/"), read_key(key) if key.exists() else None, str(file))


def read_key(file: Path) -> str | None:
    """The API key in a file, or None when it is empty.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise _unreadable(file, error) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} holds no API key, but bytes that are no text") from error


def _unreadable(file: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"{file} cannot be read: {error.strerror}; EWC_STATE_DIR names its folder")
