"""Artifacts are found by their digest alone: no pointer and no link leads out of their folder."""

import os
from pathlib import Path

import pytest

from segue.errors import ArtifactError, StoreUnavailable
from segue.ports.clock import SystemClock
from segue.stores.artifacts import FolderArtifacts

SECRET = b"what lies outside"
DIGITS = "0" * 64

HOSTILE = [
    "",
    "sha256:",
    "sha256:..",
    "../../../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "http://127.0.0.1/",
    f"sha256:{'../' * 21}x",
    f"sha256:../{DIGITS[:61]}",
    f"sha256:{DIGITS}/../../secret",
    f"sha256:{DIGITS}\n",
    f"sha256:{DIGITS}\0",
    f"sha256:{DIGITS}.partial-",
    f" sha256:{DIGITS}",
    f"SHA256:{DIGITS}",
    f"md5:{DIGITS}",
    f"sha256:{DIGITS[:63]}",
    f"sha256:{DIGITS}0",
    f"sha256:{'A' * 64}",
    f"sha256:{'g' * 64}",
    f"sha256:{'０' * 64}",
    f"sha256:{'٠' * 64}",
    f"sha256:{DIGITS[:62]}..",
    f"sha256:{DIGITS[:60]}%2f..",
    f"sha256:..%2f{DIGITS[:59]}",
    f"sha256:{DIGITS[:62]}\\x",
    f"sha256:~{DIGITS[:63]}",
    f"sha256:$HOME{DIGITS[:59]}",
    f"sha256:C:\\{DIGITS[:61]}",
    f"sha256:CON{DIGITS[:61]}",
    f"sha256:.lock{DIGITS[:59]}",
    f"sha256:\ud800{DIGITS[:63]}",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "old").write_bytes(SECRET)
    return tmp_path / "artifacts"


def artifacts_in(folder: Path, *, durable: bool = True) -> FolderArtifacts:
    return FolderArtifacts(folder, SystemClock(), durable=durable)


@pytest.mark.parametrize("digest", HOSTILE, ids=ascii)
async def test_only_a_digest_is_looked_for(folder: Path, digest: str) -> None:
    """Whatever is not exactly a digest is refused before the disk is asked for it."""
    artifacts = artifacts_in(folder)
    await artifacts.put(b"something")
    with pytest.raises(ArtifactError, match="is not the digest"):
        await artifacts.get(digest)
    with pytest.raises(ArtifactError, match="is not the digest"):
        _ = [piece async for piece in artifacts.read(digest)]


async def test_a_link_in_place_of_an_artifact_is_not_read(folder: Path, tmp_path: Path) -> None:
    """Neither a link to a file outside, nor one in place of the folder that the artifact is in."""
    artifacts = artifacts_in(folder)
    digest = (await artifacts.put(SECRET)).digest
    shelf, name = digest[7:9], digest[9:]
    (folder / shelf).rename(tmp_path / "outside" / shelf)
    (folder / shelf).symlink_to(tmp_path / "outside" / shelf)
    with pytest.raises(ArtifactError, match="cannot be read"):
        await artifacts.get(digest)
    (folder / shelf).unlink()
    (folder / shelf).mkdir()
    (folder / shelf / name).symlink_to(tmp_path / "outside" / shelf / name)
    with pytest.raises(ArtifactError, match="cannot be read"):
        await artifacts.get(digest)


@pytest.mark.parametrize("durable", [True, False])
async def test_nothing_is_written_through_a_link(folder: Path, tmp_path: Path, durable: bool) -> None:
    """Where a link stands in place of the folder that an artifact goes into, the put is refused."""
    digest = (await artifacts_in(tmp_path / "elsewhere").put(SECRET)).digest
    await artifacts_in(folder).put(b"something")
    (folder / digest[7:9]).symlink_to(tmp_path / "outside")
    with pytest.raises(StoreUnavailable):
        await artifacts_in(folder, durable=durable).put(SECRET)
    assert os.listdir(tmp_path / "outside") == ["old"]
    assert [name for name in os.listdir(folder) if name.startswith(".partial")] == []


async def test_nothing_is_removed_or_counted_through_a_link(folder: Path, tmp_path: Path) -> None:
    """A pruning takes artifacts, and never what a link leads to or what has another name than a digest."""
    artifacts = artifacts_in(folder)
    digest = (await artifacts.put(b"something")).digest
    (folder / "ab").symlink_to(tmp_path / "outside")
    (folder / digest[7:9] / "notes.txt").write_bytes(b"mine")
    assert await artifacts.size() == len(b"something")
    assert await artifacts.prune([], older_than_seconds=-3_600.0) == 1
    assert (tmp_path / "outside" / "old").read_bytes() == SECRET
    assert (folder / digest[7:9] / "notes.txt").read_bytes() == b"mine"
