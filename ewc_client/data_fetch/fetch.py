"""Downloads that go on where they stopped, and appear under their name only when their checksum holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from ewc_client.data_fetch.published import PublishedDataset, PublishedFile
from ewc_client.errors import DownloadError, IntegrityError

# Told the file's name, its bytes so far, and how many there will be, where that is known.
Meter = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class FetchedFile:
    """A file that is in its place: it was `present` already, or was `fetched`."""

    path: Path
    status: Literal["present", "fetched"]


class _MirrorFailedError(Exception):
    """One mirror did not give the file."""


class _WrongBytesError(_MirrorFailedError):
    """One mirror gave another file."""


def fetch_dataset(
    dataset: PublishedDataset, data_dir: Path, *, mirrors: Sequence[str], http: httpx.Client, meter: Meter
) -> Iterator[FetchedFile]:
    """Bring every file of the data set to `data_dir`; yields each as soon as it is in its place, checksum verified.

    The bytes go to the file's name + `.part` first. A broken connection is taken up again as long as it brings bytes;
    then, and after wrong bytes, the next of `mirrors` is asked. An interrupted download goes on at the next call.

    Raises:
        IntegrityError: a mirror gave wrong bytes, which are thrown away, and no other had the right ones; or a file of
            that name with other bytes is there, which is left alone.
        DownloadError: no mirror gave the file, or it cannot be written.
    """
    folder = data_dir / dataset.folder
    for file in dataset.files:
        target = folder / file.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if target.exists():
                _require_right(target, file)
                yield FetchedFile(target, "present")
            else:
                _fetch(file, target, mirrors, http, meter)
                yield FetchedFile(target, "fetched")
        except OSError as error:
            raise DownloadError(f"{target} cannot be written or read: {error}") from error


def _require_right(target: Path, file: PublishedFile) -> None:
    problem = file.checksum.problem_of(target)
    if problem is not None:
        raise IntegrityError(f"{target} is there, but {problem}; move it away, and the published file will be fetched")


def _fetch(file: PublishedFile, target: Path, mirrors: Sequence[str], http: httpx.Client, meter: Meter) -> None:
    failures: list[_MirrorFailedError] = []
    for mirror in mirrors:
        try:
            _fetch_from(f"{mirror.rstrip('/')}/{file.name}", file, target, http, meter)
        except _MirrorFailedError as failure:
            failures.append(failure)
        else:
            return
    kind = IntegrityError if any(isinstance(failure, _WrongBytesError) for failure in failures) else DownloadError
    raise kind("\n  ".join([f"no mirror gave {file.name}:", *map(str, failures)]))


def _fetch_from(url: str, file: PublishedFile, target: Path, http: httpx.Client, meter: Meter) -> None:
    part = target.with_name(target.name + ".part")
    was_there = part.exists()
    _fetch_rest(url, part, http, lambda done, total: meter(file.name, done, total))
    problem = file.checksum.problem_of(part)
    if problem is not None and was_there:
        part.unlink()  # its beginning may have come from a mirror with another compression: once more, from the start
        _fetch_rest(url, part, http, lambda done, total: meter(file.name, done, total))
        problem = file.checksum.problem_of(part)
    if problem is not None:
        part.unlink()
        raise _WrongBytesError(f"{url}: {problem}; the download was thrown away")
    part.replace(target)


def _fetch_rest(url: str, part: Path, http: httpx.Client, meter: Callable[[int, int | None], None]) -> None:
    while True:
        have = part.stat().st_size if part.exists() else 0
        try:
            _append(url, part, have, http, meter)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if not isinstance(error, httpx.TransportError) or not part.exists() or part.stat().st_size <= have:
                raise _MirrorFailedError(f"{url}: {type(error).__name__}: {error}") from error
        else:
            return


def _append(url: str, part: Path, have: int, http: httpx.Client, meter: Callable[[int, int | None], None]) -> None:
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with http.stream("GET", url, headers=headers, follow_redirects=True) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # nothing is missing, as far as this server knows; the checksum decides
        if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise _MirrorFailedError(f"{url}: HTTP {response.status_code}")
        is_rest = response.status_code == httpx.codes.PARTIAL_CONTENT
        if is_rest and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise _MirrorFailedError(f"{url}: asked for bytes {have}-, got {response.headers.get('Content-Range')!r}")
        done = have if is_rest else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length is not None else None
        with part.open("ab" if is_rest else "wb") as stream:
            meter(done, total)
            for chunk in response.iter_raw():
                stream.write(chunk)
                done += len(chunk)
                meter(done, total)
