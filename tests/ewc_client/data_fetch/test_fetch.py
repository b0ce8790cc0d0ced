"""Downloads from a mirror on this machine."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from ewc_client import DownloadError, IntegrityError
from ewc_client.data_fetch import PublishedDataset, fetch_dataset
from tests.ewc_client.data_fetch.conftest import FILES, IMAGES
from tests.ewc_client.data_fetch.mirror import Mirror, serving

Fetch = Callable[..., list[str]]
SIZE = len(FILES["images.gz"])


@pytest.fixture
def fetch(published: PublishedDataset, tmp_path: Path) -> Iterator[Fetch]:
    """Fetches the data set into `tmp_path`; gives the status of each file."""
    with httpx.Client() as http:

        def _fetch(*mirrors: str) -> list[str]:
            asked = mirrors or published.mirrors
            files = fetch_dataset(published, tmp_path, mirrors=asked, http=http, meter=lambda name, done, total: None)
            return [file.status for file in files]

        yield _fetch


def _files(tmp_path: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def _complete() -> dict[str, bytes]:
    return {f"small/{name}": body for name, body in FILES.items()}


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """Where the beginning of the images is kept."""
    (tmp_path / "small").mkdir()
    return tmp_path / "small" / "images.gz.part"


def test_whole_files_appear_under_their_names_and_nothing_else(fetch: Fetch, tmp_path: Path) -> None:
    assert fetch() == ["fetched", "fetched"]
    assert _files(tmp_path) == _complete()


def test_files_that_are_there_are_not_asked_for_again(fetch: Fetch, mirror: Mirror) -> None:
    fetch()
    mirror.asked.clear()
    assert fetch() == ["present", "present"]
    assert mirror.asked == []


def test_the_same_content_compressed_otherwise_is_right(fetch: Fetch, part: Path, mirror: Mirror) -> None:
    part.with_name("images.gz").write_bytes(gzip.compress(IMAGES, compresslevel=1))
    assert fetch() == ["present", "fetched"]
    assert [path for path, _ in mirror.asked] == ["/somewhere/labels.gz"]


def test_a_broken_connection_goes_on_where_it_broke(fetch: Fetch, mirror: Mirror, tmp_path: Path) -> None:
    mirror.cuts = [100_000, 50_000]
    fetch()
    assert [wanted for path, wanted in mirror.asked if "images" in path] == [None, "bytes=100000-", "bytes=150000-"]
    assert _files(tmp_path) == _complete()


def test_an_interrupted_download_goes_on_at_the_next_call(fetch: Fetch, mirror: Mirror, part: Path, tmp_path: Path) -> None:
    part.write_bytes(FILES["images.gz"][:1234])
    fetch()
    assert mirror.asked[0] == ("/somewhere/images.gz", "bytes=1234-")
    assert _files(tmp_path) == _complete()


def test_a_download_that_lacked_only_its_name_is_finished(fetch: Fetch, mirror: Mirror, part: Path, tmp_path: Path) -> None:
    part.write_bytes(FILES["images.gz"])
    fetch()
    assert mirror.asked[0] == ("/somewhere/images.gz", f"bytes={SIZE}-")
    assert _files(tmp_path) == _complete()


def test_a_server_without_ranges_sends_the_whole_file_again(fetch: Fetch, mirror: Mirror, part: Path, tmp_path: Path) -> None:
    mirror.has_ranges = False
    part.write_bytes(FILES["images.gz"][:1234])
    fetch()
    assert _files(tmp_path) == _complete()


def test_a_beginning_that_does_not_fit_is_thrown_away(fetch: Fetch, mirror: Mirror, part: Path, tmp_path: Path) -> None:
    part.write_bytes(gzip.compress(IMAGES, compresslevel=1)[:1000])
    fetch()
    assert [wanted for path, wanted in mirror.asked if "images" in path] == ["bytes=1000-", None]
    assert _files(tmp_path) == _complete()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("images.gz", r"sha256 of its content is [0-9a-f]{64}, expected"),
        ("labels.gz", r"md5 of its bytes is [0-9a-f]{32}, expected"),
    ],
)
def test_wrong_bytes_are_thrown_away_and_named(fetch: Fetch, mirror: Mirror, tmp_path: Path, name: str, said: str) -> None:
    mirror.files[name] = gzip.compress(b"something else")
    with pytest.raises(IntegrityError, match=f"no mirror gave {name}.*\n.*{mirror.url}{name}: {said} .*thrown away"):
        fetch()
    assert f"small/{name}" not in _files(tmp_path)
    assert f"small/{name}.part" not in _files(tmp_path)


@pytest.mark.parametrize("body", [b"<html>Log in first</html>", FILES["images.gz"][:-100]])
def test_what_is_no_complete_gzip_file_is_thrown_away(fetch: Fetch, mirror: Mirror, tmp_path: Path, body: bytes) -> None:
    mirror.files["images.gz"] = body
    with pytest.raises(IntegrityError, match="not a complete gzip file"):
        fetch()
    assert _files(tmp_path) == {}


def test_other_bytes_under_the_name_are_left_alone(fetch: Fetch, part: Path, tmp_path: Path) -> None:
    part.with_name("images.gz").write_bytes(FILES["labels.gz"])
    with pytest.raises(IntegrityError, match=r"images\.gz is there, but sha256 .* move it away"):
        fetch()
    assert _files(tmp_path) == {"small/images.gz": FILES["labels.gz"]}


def test_after_a_404_the_next_mirror_is_asked(fetch: Fetch, mirror: Mirror, tmp_path: Path) -> None:
    with serving({}) as empty:
        assert fetch(empty.url, mirror.url) == ["fetched", "fetched"]
        assert len(empty.asked) == 2
    assert _files(tmp_path) == _complete()


def test_after_wrong_bytes_the_next_mirror_is_asked(fetch: Fetch, mirror: Mirror, tmp_path: Path) -> None:
    with serving({**FILES, "images.gz": gzip.compress(b"something else")}) as wrong:
        fetch(wrong.url, mirror.url)
    assert _files(tmp_path) == _complete()


def test_after_a_mirror_that_stops_bringing_bytes_the_next_one_goes_on(fetch: Fetch, mirror: Mirror, tmp_path: Path) -> None:
    with serving(dict(FILES)) as failing:
        failing.cuts = [1000, 0]
        fetch(failing.url, mirror.url)
    assert mirror.asked[0] == ("/somewhere/images.gz", "bytes=1000-")
    assert _files(tmp_path) == _complete()


def test_every_mirror_that_failed_is_named_with_its_reason(fetch: Fetch, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with serving({}) as empty, pytest.raises(DownloadError) as failed:
        fetch(f"http://127.0.0.1:{port}", empty.url, "nowhere", "http://127.0.0.1:99x")
    lines = str(failed.value).splitlines()
    assert lines[0] == "no mirror gave images.gz:"
    assert f"http://127.0.0.1:{port}/images.gz: ConnectError" in lines[1]
    assert lines[2].endswith("/images.gz: HTTP 404")
    assert "nowhere/images.gz: UnsupportedProtocol" in lines[3]
    assert "http://127.0.0.1:99x/images.gz: InvalidURL" in lines[4]
    assert _files(tmp_path) == {}


def test_a_folder_that_cannot_be_written_is_named(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "small").write_text("a file")
    with pytest.raises(DownloadError, match=r"small/images\.gz cannot be written or read"):
        fetch()


def test_the_meter_hears_of_every_byte(published: PublishedDataset, mirror: Mirror, part: Path, tmp_path: Path) -> None:
    part.write_bytes(FILES["images.gz"][:1234])
    heard: list[tuple[str, int, int | None]] = []
    with httpx.Client() as http:
        meter = lambda name, done, total: heard.append((name, done, total))  # noqa: E731  # one list, one line
        list(fetch_dataset(published, tmp_path, mirrors=(mirror.url,), http=http, meter=meter))
    images = [(done, total) for name, done, total in heard if name == "images.gz"]
    assert images[0] == (1234, SIZE)
    assert images[-1] == (SIZE, SIZE)
    assert sorted(images) == images
