"""A clone is the same whatever the person's Git does with line endings, modes and links."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_clone_under_autocrlf_has_our_line_endings(tmp_path: Path) -> None:
    """As in WSL with Git's settings of Windows, and git sees no change."""
    settings = [
        word for one in ("core.autocrlf=true", "core.fileMode=false", "core.symlinks=false") for word in ("-c", one)
    ]
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", *settings, str(ROOT), str(clone)], check=True, timeout=60)
    listed = subprocess.check_output(["git", "-C", str(clone), "ls-files", "-z"], timeout=60).decode().split("\0")
    files = {name: (clone / name).read_bytes() for name in listed if name}
    # A file with a zero byte is no text, to Git as well: a captured request has such ends of lines in it.
    assert [name for name, found in files.items() if b"\r\n" in found and b"\0" not in found] == []
    assert subprocess.check_output(["git", "-C", str(clone), "status", "--porcelain"], timeout=60) == b""
