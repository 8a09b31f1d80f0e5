"""What the programs that download for us get of this machine's network: proxies, certificates. Pure, but for `here`.

The machine's apt, a build in a container, mmdebstrap and pip reach the same network only if they are told the same;
each reads other names: apt only lower-case ones, Docker's predefined build arguments come in both cases.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.utils import config as docker_config

from infra import environment
from labkit.system import shell

_SCHEMES = ("http", "https")
_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_DEBIAN = "debian.org"
_APT_PROXY = re.compile(r'^Acquire::(https?)::Proxy(?:::(\S+))? "([^"]*)";$', re.MULTILINE | re.IGNORECASE)
_QUICK_S = 10


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Proxies of an environment by their lower-case names, in the words that apt takes.

    apt knows no all_proxy, a proxy without a scheme is none for it, and it calls SOCKS with names resolved by the
    proxy socks5h.
    """
    given = {name.lower(): value for name, value in environ.items() if name.isupper() and value}
    given |= {name: value for name, value in environ.items() if name.islower() and value}
    found = {}
    for scheme in _SCHEMES:
        proxy = given.get(f"{scheme}_proxy") or given.get("all_proxy")
        if proxy:
            found[f"{scheme}_proxy"] = _for_apt(proxy)
    if found and "no_proxy" in given:
        found["no_proxy"] = given["no_proxy"]
    return found


def _for_apt(proxy: str) -> str:
    if "://" not in proxy:
        return f"http://{proxy}"
    scheme, rest = proxy.split("://", 1)
    return f"socks5h://{rest}" if scheme.lower() in {"socks", "socks5"} else proxy


def of_apt(dump: str) -> dict[str, str]:
    """Proxies that the machine's apt is configured with, from what `apt-config dump Acquire` prints."""
    general: dict[str, str] = {}
    own: dict[str, str] = {}
    for scheme, host, proxy in _APT_PROXY.findall(dump):
        if not host or host.endswith(_DEBIAN):
            (own if host else general)[f"{scheme.lower()}_proxy"] = proxy
    return {name: proxy for name, proxy in (general | own).items() if proxy and proxy.upper() != "DIRECT"}


def of_docker(config: Any, info: Mapping[str, Any]) -> list[dict[str, str]]:
    """Proxies of Docker's client configuration and of the engine, where they are told with their passwords."""
    for_all = config if isinstance(config, dict) else {}
    for key in ("proxies", "default"):
        found = for_all.get(key)
        for_all = found if isinstance(found, dict) else {}
    client = {name: str(for_all.get(f"{kind}Proxy") or "") for name, kind in _KINDS.items()}
    engine = {name: info.get(f"{kind.capitalize()}Proxy") or "" for name, kind in _KINDS.items()}
    return [client, {} if any("xxxxx:xxxxx@" in value for value in engine.values()) else engine]


_KINDS = {"http_proxy": "http", "https_proxy": "https", "no_proxy": "no"}


def first(sources: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The proxies of the first source that has any."""
    return next((found for source in sources if (found := proxies(source))), {})


def certificates(environ: Mapping[str, str]) -> Path | None:
    """The file of certificates that this machine trusts: the person's own, else the system's."""
    candidates = [*(environ.get(name, "") for name in (*environment.CERTIFICATES, "PIP_CERT")), *_SYSTEM_BUNDLES]
    return next((Path(file) for file in candidates if file and Path(file).is_file()), None)


def trusting(environ: Mapping[str, str]) -> dict[str, str]:
    """For pip, which knows only certificates of its own: those of this machine, unless the person names others."""
    found = certificates(environ)
    given = environ.get("PIP_CERT") or environ.get("REQUESTS_CA_BUNDLE")
    return {} if given or found is None else {"REQUESTS_CA_BUNDLE": str(found)}


def both_cases(found: Mapping[str, str]) -> dict[str, str]:
    """The same under upper-case names as well."""
    return {**found, **{name.upper(): value for name, value in found.items()}}


def shown(found: Mapping[str, str]) -> str:
    """The proxy in words, without its password."""
    proxy = found.get("http_proxy") or found.get("https_proxy")
    return f"the proxy {re.sub(r'//[^/@]*@', '//…@', proxy)}" if proxy else "no proxy"


def here(engine: docker.DockerClient | None = None) -> dict[str, str]:
    """The proxies to download with on this machine, in both cases: apt's own, the shell's, Docker's."""
    told = shell.run(["apt-config", "dump", "Acquire"], timeout_s=_QUICK_S, stdout_only=True, check=False)
    own = of_apt(told.output if told.ok else "")
    others = of_docker(docker_config.load_general_config(), engine.info() if engine is not None else {})
    found = first([os.environ, *others])
    return both_cases(proxies({**found, **own}))
