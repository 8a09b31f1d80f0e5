"""Do the built plugins know what the Python SDKs send and read? Names, shapes, inputs, what is required."""

from __future__ import annotations

import collections.abc
import importlib
import inspect
import json
import pkgutil
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from labkit.setup.tools import build
from labkit.system.progress import Quiet

pytestmark = pytest.mark.engine

HARMLESS = {
    "docker": {
        # the native resource, which our program replaces by RemoteImage(build=...)
        "docker:index/image:Image: unknown to the plugin",
        # newer than the SDK: it cannot send them
        "docker:index/container:Container.deviceCgroupRules in: only in the plugin",
        "docker:index/container:Container.deviceCgroupRules out: only in the plugin",
        "docker:index/container:Container.uploads in[].group in: only in the plugin",
        "docker:index/container:Container.uploads in[].owner in: only in the plugin",
        "docker:index/container:Container.uploads out[].group out: only in the plugin",
        "docker:index/container:Container.uploads out[].owner out: only in the plugin",
        # computed: nobody sends it
        "docker:index/volume:Volume.cluster in.id in: an input in the SDK only",
    },
    "libvirt": {
        "libvirt:index/domain:Domain.networkInterfaces in[].private in: only in the plugin",
        "libvirt:index/domain:Domain.networkInterfaces out[].private out: only in the plugin",
        "libvirt:index/getNodeDeviceInfo:getNodeDeviceInfo(capability).iommuGroup in.addresses in: "
        "an input in the SDK only",
        "libvirt:index/getNodeDeviceInfo:getNodeDeviceInfo(capability).iommuGroup in.number in: "
        "an input in the SDK only",
        # unless LIBVIRT_DEFAULT_URI is set; our program always gives it
        "provider libvirt.uri in: required by the plugin only",
    },
}
"""Differences that remain, each of them known and without effect on our program."""

SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number"}
OWN = {"id", "urn"}
NAMES = {"Output": pulumi.Output, "T": typing.TypeVar("T")}  # what the SDK's own annotations leave unresolved
Known = dict[str, Any]


@pytest.fixture(scope="session")
def home() -> Path:
    """The built plugins; built now where this machine uses the official ones."""
    return build.ensure_plugins(Quiet())


@pytest.mark.parametrize("plugin", sorted(build.PLUGINS))
def test_the_built_plugin_knows_what_the_sdk_says(plugin: str, home: Path) -> None:
    """Every difference is one of those listed above, and each of those is still there."""
    known = json.loads(build.description(home, plugin).read_text(encoding="utf-8"))
    assert known["version"] == build.PLUGINS[plugin]
    assert set(differences(plugin, known)) == HARMLESS[plugin]


def differences(plugin: str, known: Known) -> Iterator[str]:
    """What the SDK says and the plugin does not, and the other way round."""
    package = importlib.import_module(f"pulumi_{plugin}")
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
        if not found.name.startswith("_") and found.name not in ("config", "outputs")
    ]
    tokens = set()
    for module in modules:
        for name, resource in vars(module).items():
            if not (inspect.isclass(resource) and resource.__module__ == module.__name__):
                continue
            if not issubclass(resource, pulumi.CustomResource):
                continue
            if issubclass(resource, pulumi.ProviderResource):
                yield from sent(f"provider {plugin}", vars(module)[f"{name}Args"], known["config"])
                continue
            token = token_of(resource)
            tokens.add(token)
            properties = known["resources"].get(token)
            if properties is None:
                yield f"{token}: unknown to the plugin"
                continue
            yield from sent(token, vars(module)[f"{name}Args"], properties)
            yield from read(token, resource, properties)
        yield from asked(module, known["dataSources"], tokens)
    settings = (Path(package.__path__[0]) / "config" / "vars.py").read_text(encoding="utf-8")
    names = set(re.findall(r"__config__\.get\w*\('(\w+)'\)", settings))
    yield from (f"config: {name} only in the SDK" for name in names - set(known["config"]))
    yield from (f"config: {name} only in the plugin" for name in set(known["config"]) - names)
    have = set(known["resources"]) | set(known["dataSources"])
    yield from (f"{token}: only in the plugin" for token in have - tokens)


def token_of(resource: type) -> str:
    """What the class registers as."""
    found = re.search(r"super\(\w+, __self__\)\.__init__\(\s*'([^']+)'", inspect.getsource(resource))
    if found is None:
        raise AssertionError(resource)
    return found[1]


def asked(module: types.ModuleType, known: Known, tokens: set[str]) -> Iterator[str]:
    """Data sources: arguments and results."""
    for name, function in list(vars(module).items()):
        if not (inspect.isfunction(function) and function.__module__ == module.__name__ and name.startswith("get_")):
            continue
        source = inspect.getsource(function)
        token = re.search(r"pulumi\.runtime\.invoke\('([^']+)'", source)
        if token is None:
            continue
        tokens.add(token[1])
        properties = known.get(token[1])
        if properties is None:
            yield f"{token[1]}: unknown to the plugin"
            continue
        hints = typing.get_type_hints(function, {**vars(module), **NAMES})
        for wire, argument in re.findall(r"__args__\['(\w+)'\] = (\w+)", source):
            yield from compare(f"{token[1]}({wire})", hints[argument], properties.get(wire), module, sending=True)
        result = re.search(r"typ=(\w+)", source)
        if result is None:
            raise AssertionError(name)
        yield from read(token[1], vars(module)[result[1]], properties)


def wired(owner: type) -> dict[str, Any]:
    """The properties of an SDK class: wire name to annotation."""
    module = inspect.getmodule(owner)
    found = {}
    for name, member in vars(owner).items():
        if isinstance(member, property) and member.fget is not None:
            hints = typing.get_type_hints(member.fget, {**vars(module), **NAMES})
            found[getattr(member.fget, "_pulumi_name", name)] = hints["return"]
    return found


def sent(path: str, arguments: type, known: Known) -> Iterator[str]:
    """Inputs: each is one, and what must be given is not optional."""
    parameters = inspect.signature(arguments).parameters
    for wire, hint in wired(arguments).items():
        yield from compare(f"{path}.{wire} in", hint, known.get(wire), inspect.getmodule(arguments), sending=True)
    python_names = {
        getattr(member.fget, "_pulumi_name", name): name
        for name, member in vars(arguments).items()
        if isinstance(member, property)
    }
    for wire, mine in known.items():
        if mine["input"] and wire not in python_names:
            yield f"{path}.{wire} in: only in the plugin"
        elif mine["required"] and parameters[python_names[wire]].default is not inspect.Parameter.empty:
            yield f"{path}.{wire} in: required by the plugin only"


def read(path: str, owner: type, known: Known) -> Iterator[str]:
    """Outputs."""
    properties = {name: hint for name, hint in wired(owner).items() if name in known or name not in OWN}
    for wire, hint in properties.items():
        yield from compare(f"{path}.{wire} out", hint, known.get(wire), inspect.getmodule(owner), sending=False)
    yield from (f"{path}.{wire} out: only in the plugin" for wire in set(known) - set(properties) - OWN)


def compare(path: str, hint: Any, mine: Known | None, module: Any, *, sending: bool) -> Iterator[str]:
    """One property."""
    if mine is None:
        yield f"{path}: only in the SDK"
        return
    if sending and not mine["input"]:
        yield f"{path}: an input in the SDK only"
    yield from shapes(path, hint, mine["type"], sending=sending)


def shapes(path: str, hint: Any, mine: Known, *, sending: bool) -> Iterator[str]:
    """Lists of lists, maps and objects, down to the scalars."""
    hint = bare(hint)
    origin = typing.get_origin(hint) or hint
    if origin in (collections.abc.Sequence, list) and mine["kind"] == "list":
        yield from shapes(f"{path}[]", typing.get_args(hint)[0], mine["element"], sending=sending)
    elif origin in (collections.abc.Mapping, dict) and mine["kind"] == "map":
        yield from shapes(f"{path}{{}}", typing.get_args(hint)[1], mine["element"], sending=sending)
    elif mine["kind"] == "object" and inspect.isclass(hint) and hint not in SCALARS:
        if sending:
            yield from sent(path, hint, mine["properties"])
        else:
            yield from read(path, hint, mine["properties"])
    elif SCALARS.get(hint) != mine["kind"]:
        yield f"{path}: {hint} in the SDK, {mine['kind']} in the plugin"


def bare(hint: Any) -> Any:
    """The annotation without Optional, Input, Output, Awaitable and the dictionary form of an argument class."""
    origin = typing.get_origin(hint)
    if origin is pulumi.Output or origin is collections.abc.Awaitable:
        return bare(typing.get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        parts = [
            part
            for part in typing.get_args(hint)
            if part is not type(None)
            and typing.get_origin(part) not in (pulumi.Output, collections.abc.Awaitable)
            and not typing.is_typeddict(part)
        ]
        return bare(parts[0])
    return hint
