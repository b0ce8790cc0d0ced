"""Random seeds that are named, not drawn: every random choice has a path, and the path gives its seed."""

from __future__ import annotations

import hashlib

PathPart = str | int


def derive_seed(seed: int, *path: PathPart) -> int:
    """Seed in [0, 2**63) for one random choice: the first 8 bytes of SHA-256 over `seed` and `path`.

    Parts are told apart by type and position, so ("a", 1), ("a", "1") and ("a1",) give unrelated seeds.
    """
    digest = hashlib.sha256()
    for part in (seed, *path):
        text = f"{'i' if isinstance(part, int) else 's'}{part}".encode()
        digest.update(len(text).to_bytes(4, "big") + text)
    return int.from_bytes(digest.digest()[:8], "big") >> 1
