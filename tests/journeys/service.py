"""The whole service as real processes: API and worker on one stack."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.chaos.fleet import FAST, REPOSITORY, Worker


class Service:
    """`python -m api` and `python -m worker`, started for one test."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self._key_file = directory / "api_key"
        self.log = directory / "api.log"
        self._port = _free_port()
        self.environment = {**environment, "EWC_BOOTSTRAP_KEY_FILE": str(self._key_file), "EWC_API_PORT": str(self._port)}
        self._directory = directory

    def __enter__(self) -> Service:
        self._log = self.log.open("ab")
        self._api = subprocess.Popen(
            [sys.executable, "-m", "api"],
            cwd=REPOSITORY,
            env={**os.environ, **FAST, **self.environment},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.worker = Worker(self.environment, self._directory / "worker.log")
        self.url = f"http://127.0.0.1:{self._port}"
        try:
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        self.http = httpx.Client(base_url=f"{self.url}/v1", headers={"Authorization": f"Bearer {self.key}"}, timeout=30)
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.http.close()
        self._stop()

    def _stop(self) -> None:
        self.worker.close()
        self._api.terminate()
        self._api.wait()
        self._log.close()

    @property
    def key(self) -> str:
        """The bootstrap key."""
        return self._key_file.read_text().strip()

    def job(self, job_id: str) -> dict[str, Any]:
        """The job's body."""
        return self.http.get(f"/jobs/{job_id}").raise_for_status().json()

    def wait_for_status(self, job_id: str, *statuses: str, seconds: float = 120) -> dict[str, Any]:
        """Poll until the job has one of the statuses; a failed job fails the test at once."""
        deadline = time.monotonic() + seconds
        while (job := self.job(job_id))["status"] not in statuses:
            assert job["status"] != "failed", job["error"]
            assert time.monotonic() < deadline, f"job is {job['status']}, waited for {statuses}"
            time.sleep(0.1)
        return job

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, self.log.read_text()
            assert self._api.poll() is None, self.log.read_text()
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
