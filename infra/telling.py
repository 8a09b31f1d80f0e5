"""What another program said, in one line: the last one that tells why it failed. Pure; knows nothing of Pulumi."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence

LONGEST = 300
"""Characters of a line that a person reads to its end."""

_LONGEST_WORD = 60
"""Characters of one word of a command; what is longer holds a script."""

_COLOUR = re.compile(
    r"<\{%.*?%\}>|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[@-~]"
)
"""Pulumi's marks, then what ECMA-48 knows: titles of terminals, short sequences, colours and cursors."""

_PREFIX = re.compile(
    r"""^(?:
        \#\d+\s+(?:\d+\.\d+\s+)?            # BuildKit: step and seconds
      | \d+\.\d+\s+(?=[EW]:\s)              # BuildKit's closing excerpt: seconds
      | ---\sstderr:\s | \[stderr\]\s
      | (?:stderr|stdout):\s
      | \d{4}-\d\d-\d\d[T\ ]\d\d:\d\d:\d\d\S*\s+(?:\d+:\s)?   # libvirt's and others' stamps
    )""",
    re.VERBOSE,
)

_CAUSES = re.compile(
    r"Temporary failure (in name resolution|resolving)|Could not resolve|Name or service not known|Name resolution"
    r"|Could not connect|Connection (refused|timed out|reset)|No route to host|Network is unreachable|ProxyError"
    r"|Proxy Authentication Required|CERTIFICATE_VERIFY_FAILED|certificate (signed by unknown authority|verify failed)"
    r"|Certificate verification failed|toomanyrequests|Too Many Requests|No space left on device|Disk quota exceeded"
    r"|Cannot allocate memory|[Oo]ut of memory|dpkg was interrupted|Could not get lock|NO_PUBKEY|is not signed"
    r"|Hash Sum mismatch|DO NOT MATCH THE HASHES|Permission denied|Host key verification failed"
    r"|REMOTE HOST IDENTIFICATION HAS CHANGED|Read-only file system|already in use|unauthorized|x509:"
    r"|No chain/target/match by that name|unable to pick chroot mode"
)
"""What is at the bottom of it: said anywhere, it tells more than the complaint that follows from it."""

_ERRORS = re.compile(
    r"^(E|ERROR|Error|error|fatal|FATAL|panic|Fatal Python error|docker|dpkg|qemu-\S+|ssh(-\S+)?|virsh|dockerd)\s*:"
    r"|^error(ed)? |^[\w.]*(Error|Exception|Interrupt|Exit)\b(:|$)|failed to |^failed\b|\b[Ff]ailed:"
    r"|[Cc]annot |[Cc]ould not "
    r"|[Ee]rror response from daemon|No module named|not found\b|[Nn]o such |[Uu]nable to |level=(error|fatal)"
    r"|^(Killed|Segmentation fault|Illegal instruction)|refused\b|\b(is|are) (missing|required)\b",
)
"""What reports a failure."""

_NOISE = re.compile(
    r"""^(?:
        The\scommand\s'.*'\sreturned\sa\snon-zero\scode          # Docker's builder, with its whole RUN line
      | (?:ERROR:\s)?(?:failed\sto\ssolve:\s)?process\s".*"\sdid\snot\scomplete\ssuccessfully
      | ERROR:\sfailed\sto\s(?:solve|build):\sprocess\s"
      | executor\sfailed\srunning | --->\s | Step\s\d+/\d+\s: | Removing\sintermediate | -+$
      | Errors\swere\sencountered\swhile\sprocessing
      | E:\sUnable\sto\sfetch\ssome\sarchives | E:\sSome\sindex\sfiles\sfailed
      | E:\sSub-process\s.*\sreturned\san\serror\scode | W:\sSome\sindex\sfiles
      | \[notice\] | WARNING:\sRunning\spip | note:\s | hint:\s | ╰─> | note\s*$
      | ERROR:\sNo\smatching\sdistribution\sfound | ERROR:\sException:$
      | error:\s(?:update|preview|destroy|refresh)\sfailed | error:\sresource\scomplete\sevent
      | error:\s(?:an\sunhandled\serror\soccurred|Program\sexited\swith)
      | Diagnostics:|Resources:|Duration:|Outputs:|Policies:
      | PLAY\s(?:RECAP|\[) | TASK\s\[ | NO\sMORE\sHOSTS | \.\.\.ignoring
      | (?:Exception\signored\sin|During\shandling|The\sabove\sexception|Traceback\s)
      | File\s".*",\sline\s | [~^\s|+-]+$
      | KeyboardInterrupt\b | SystemExit\b
      | Pseudo-terminal | Warning:\sPermanently\sadded
    )""",
    re.VERBOSE,
)
"""Says that something failed, which is known, or how somebody's code looks."""

_SCRIPT = re.compile(
    r"""import\scodecs,.*?(?="\s|'\s|$)         # Mitogen's first stage
      | (?<![\w/])(?:/bin/)?(?:ba|da)?sh\s-[a-z]*c\s+(?:'[^']*'|"[^"]*"|.*?(?=\s+returned\s|"\s+did\snot|$))
      | (?<![A-Za-z0-9+/_-])(?!/)[A-Za-z0-9+/_-]{72,}={0,2}  # base64, and no path
    """,
    re.VERBOSE,
)


def telling(said: str, longest: int = LONGEST) -> str:
    """The line of a program's output that tells why it failed, without colours and scripts; "" if it said nothing."""
    told = _told(said)
    for known in (_CAUSES, _ERRORS):
        found = [line for line in told if known.search(line)]
        if found:
            return _short(found[-1], longest)
    return _short(told[-1] if told else _last(said), longest)


def because(said: str) -> str:
    """The telling line behind a colon, ready to follow a sentence; "" if the program said nothing."""
    line = telling(said)
    return f": {line}" if line else ""


def command(words: Sequence[str]) -> str:
    """A command as a person would tell of it: what holds a script is cut short; the log has the whole."""
    return shlex.join(words) if not any(map(_is_script, words)) else " ".join(_told_word(word) for word in words)


def without_colour(text: str) -> str:
    """The text without sequences and control characters for terminals; of a line drawn anew, what stood there last."""
    lines = _COLOUR.sub("", text).split("\n")
    drawn = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines]
    return "\n".join("".join(letter for letter in line if letter.isprintable() or letter == "\t") for line in drawn)


def without_scripts(text: str) -> str:
    """The text as it is, but for colours, and scripts of programs that run through a shell."""
    return "\n".join(_SCRIPT.sub("…", line) for line in without_colour(text).split("\n"))


def _last(said: str) -> str:
    return next((line for line in reversed(without_colour(said).splitlines()) if line.strip()), "")


def _told(said: str) -> list[str]:
    lines = []
    for raw in without_colour(said).splitlines():
        line = _PREFIX.sub("", raw.strip())
        line = _unpacked(line.removeprefix("* ").removeprefix("│ ").strip())
        if line and not _NOISE.match(line):
            lines.append(line)
    return lines


def _unpacked(line: str) -> str:
    """The message inside a line that is data: Ansible's result, dockerd's log."""
    logged = re.match(r'time=\S+ level=(\w+) msg="((?:[^"\\]|\\.)*)"(?: error="((?:[^"\\]|\\.)*)")?', line)
    if logged:
        said = f"{logged[2]}: {logged[3]}" if logged[3] else logged[2]
        said = said.replace('\\"', '"')
        return f"error: {said}" if logged[1] in {"error", "fatal"} else said
    head, brace, rest = line.partition("=> {")
    if brace and re.match(r"(fatal|failed|\S+ \|)", head):
        try:
            result = json.loads("{" + rest)
        except ValueError:
            return line
        inner = [telling(str(result[key])) for key in ("stderr", "module_stderr", "stdout", "msg") if result.get(key)]
        told = next((one for one in inner if _CAUSES.search(one)), telling(str(result.get("msg", "")))) or inner[:1]
        return f"fatal: {told}"
    return line


def _short(line: str, longest: int) -> str:
    line = " ".join(_SCRIPT.sub("…", line).split())
    if len(line) <= longest:
        return line
    kept = longest - 3
    return f"{line[: kept * 2 // 3].rstrip()} … {line[-(kept // 3) :].lstrip()}"


def _is_script(word: str) -> bool:
    return "\n" in word or (len(word) > _LONGEST_WORD and (" " in word or bool(_SCRIPT.search(word))))


def _told_word(word: str) -> str:
    if not _is_script(word):
        return shlex.quote(word)
    first = next((line for line in word.splitlines() if line.strip()), "").strip()
    return f"'{first[: _LONGEST_WORD // 2].rstrip()} …'"
