"""A file is written whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.system.files import draft_of, write_whole
from labkit.system.paths import CHECKOUT


def mode(file: Path) -> int:
    """The file's permissions."""
    return stat.S_IMODE(file.stat().st_mode)


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    """Text as UTF-8; nothing else lies in the folder."""
    write_whole(tmp_path / "text", "µs\n")
    write_whole(tmp_path / "bytes", b"\x00\xff")
    assert (tmp_path / "text").read_bytes() == b"\xc2\xb5s\n"
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
    assert {file.name for file in tmp_path.iterdir()} == {"text", "bytes"}


def test_the_mode_is_what_is_asked_for_else_what_it_was(tmp_path: Path) -> None:
    """A new file's is what the umask leaves."""
    file = tmp_path / "script"
    before = os.umask(0o077)
    try:
        write_whole(file, "1")
        assert mode(file) == 0o600
        write_whole(file, "2", mode=0o755)
        assert mode(file) == 0o755
        write_whole(file, "3")
    finally:
        os.umask(before)
    assert (mode(file), file.read_text(encoding="utf-8")) == (0o755, "3")


def test_a_kill_before_the_end_leaves_the_old_file_whole(tmp_path: Path) -> None:
    """The next one to write it is not hindered by what was left beside it."""
    file = tmp_path / "run.json"
    write_whole(file, "old")
    script = (
        "import os, signal, sys; from pathlib import Path; from labkit.system import files; "
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL); files.write_whole(Path(sys.argv[1]), 'new' * 9999)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(file)], cwd=CHECKOUT, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert file.read_text(encoding="utf-8") == "old"
    write_whole(file, "next")
    assert file.read_text(encoding="utf-8") == "next"


@pytest.mark.parametrize("failing", ["fsync", "open"])
def test_a_disk_that_does_not_take_it_keeps_the_old_file(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes through, and no draft is left."""
    file = tmp_path / "note"
    write_whole(file, "old")

    def full(*_words: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        with pytest.raises(OSError, match="No space left"):
            write_whole(file, "new")
    assert file.read_text(encoding="utf-8") == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["note"]


def test_a_draft_that_somebody_else_fills_takes_the_place_when_all_went_well(tmp_path: Path) -> None:
    """And goes away when it did not."""
    file = tmp_path / "archive"
    with draft_of(file) as draft:
        draft.write_text("one", encoding="utf-8")
        assert not file.exists()
    with pytest.raises(KeyboardInterrupt), draft_of(file) as draft:  # noqa: PT012 - what is interrupted is the writing
        draft.write_text("two", encoding="utf-8")
        raise KeyboardInterrupt
    assert file.read_text(encoding="utf-8") == "one"
    assert [one.name for one in tmp_path.iterdir()] == ["archive"]
