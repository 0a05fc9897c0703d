"""Metadata files (sidecars, configs) as plain Python values, within limits that no bytes can pass."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 100_000
MAX_PARTS = 64
"""Of a number in base 60 (`1:30`), which takes PyYAML time by the square of them."""

# Below these a document cannot pass the limits, so that nothing needs counting. A block collection
# inside another one starts at the same column (a sequence in a mapping) or further right; a flow
# collection needs a bracket; a node needs a byte (`{a,a}`: a key and its absent value). So depth
# <= 2 * 24 + 16, and nodes <= bytes.
_MAY_NEST_DEEPLY = re.compile(rb"^[ ?:-]{24}", re.MULTILINE)
_HARMLESS_BRACKETS = 16
_HARMLESS_BYTES = MAX_NODES
_MAY_HAVE_MANY_PARTS = re.compile(rb"(?::[0-9]{1,2}){64}")
_BOM = b"\xef\xbb\xbf"
# What libyaml reads otherwise than the plain loader: an escaped surrogate (it refuses the whole document for
# one value), a tab, a comment right behind `|` or `>`, a tag without a name; between brackets
# a question mark, or a colon before another bracket or a comma.
_READ_OTHERWISE = re.compile(rb"\\(?:u|U0000)[dD][89a-fA-F]|\t|[|>][-+0-9]*#|!(?=[\s,\]}])|:(?=[\[{,\]}])")

_WHOLE_NUMBER = "tag:yaml.org,2002:int"

_REMEDY = "mend or delete the file"


# Without O_NONBLOCK a pipe that stands where a file was expected would block for ever.
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class DocumentError(ValueError):
    """A metadata file that cannot be believed; tells what was expected and found, and what mends it."""

    def __init__(self, expected: str, found: str, remedy: str = _REMEDY) -> None:
        super().__init__(f"expected {expected}, found {found}; {remedy}")
        self.expected = expected
        self.found = found
        self.remedy = remedy


def read_document(path: str) -> object:
    """The plain value of the JSON (by its suffix) or YAML file at `path`; `None` for an empty YAML file.

    Raises `DocumentError` for whatever cannot be read or parsed, or passes a limit.
    """
    try:
        data = read_bytes(path)
    except OSError as error:
        raise unreadable(error) from error
    return parse_document(path, data)


def unreadable(error: OSError) -> DocumentError:
    """The refusal for a file that the operating system does not hand out."""
    found = error.strerror or type(error).__name__
    return DocumentError("a readable file", found, "check its permissions and its disk")


def read_bytes(path: str) -> bytes:
    """The bytes of a file, `MAX_BYTES + 1` of them at most. Raises `OSError`."""
    descriptor = os.open(path, _READ_FLAGS)
    try:
        data = os.read(descriptor, 65536)
        if len(data) < 65536:
            return data
        chunks = [data]
        size_bytes = len(data)
        while size_bytes <= MAX_BYTES and (data := os.read(descriptor, MAX_BYTES + 1 - size_bytes)):
            chunks.append(data)
            size_bytes += len(data)
        return b"".join(chunks)
    finally:
        os.close(descriptor)


def parse_document(name: str, data: bytes) -> object:
    """The plain value of a document; `name` decides between JSON and YAML. Raises `DocumentError`."""
    if len(data) > MAX_BYTES:
        raise DocumentError(f"at most {MAX_BYTES} bytes", "a larger file")
    return _parse_json(data) if name.endswith(".json") else _parse_yaml(data)


def _parse_json(data: bytes) -> object:
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DocumentError("a JSON document in UTF-8", _told(error)) from error
    if len(data) > _HARMLESS_BYTES or data.count(b"[") + data.count(b"{") > _HARMLESS_BRACKETS:
        _check_json(value)
    return value


def _check_json(value: object) -> None:
    """Refuse a parsed JSON value that nests too deeply or is too large."""
    level = [value]
    nodes = depth = 0
    while level:
        nodes += len(level)
        below: list[object] = []
        is_nested = False
        for node in level:
            if isinstance(node, dict):
                nodes += len(node)
                below.extend(node.values())
                is_nested = True
            elif isinstance(node, list):
                below.extend(node)
                is_nested = True
        depth += is_nested
        _check_limits(depth, nodes)
        level = below


def _parse_yaml(data: bytes) -> object:
    import yaml

    try:
        _check_depth(data)
        loader = _loader_class(data)(data)
        try:
            if _is_harmless(data):
                return loader.get_single_data()
            node = loader.get_single_node()
            if node is None:
                return None
            _check_limits(0, _written_out(node, {}))
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except DocumentError:
        raise
    # PyYAML's constructors let ValueError, TypeError, KeyError and others through.
    except Exception as error:
        found = _told(error) if isinstance(error, yaml.YAMLError | ValueError) else type(error).__name__
        raise DocumentError("a YAML document", found) from error


def _is_harmless(data: bytes) -> bool:
    """Whether a document is too short, and its text too plain, to pass a limit of nodes or of parts."""
    if len(data) > _HARMLESS_BYTES or (b"*" in data and b"&" in data):
        return False
    return _is_utf8(data) and _MAY_HAVE_MANY_PARTS.search(data) is None


def _is_utf8(data: bytes) -> bool:
    return not data.startswith((b"\xff\xfe", b"\xfe\xff"))


def _loader_class(data: bytes) -> Any:
    import yaml

    # libyaml is part of PyYAML's wheels; where it was built without, the plain loader answers the same.
    quick = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.SafeLoader if _is_read_otherwise(data) else quick


def _is_read_otherwise(data: bytes) -> bool:
    """Whether libyaml may read a document otherwise than the plain loader, which the contract names."""
    if data.find(_BOM, 1) > 0 or _READ_OTHERWISE.search(data):
        return True
    return b"?" in data and (b"[" in data or b"{" in data)


def _check_depth(data: bytes) -> None:
    """Refuse what nests too deeply before anything recurses over it: libyaml's composer has no limit."""
    brackets = data.count(b"[") + data.count(b"{")
    if _is_utf8(data) and brackets <= _HARMLESS_BRACKETS and not _MAY_NEST_DEEPLY.search(data):
        return
    import yaml

    depth = 0
    for event in yaml.parse(data, Loader=_loader_class(data)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            _check_limits(depth, 0)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _written_out(node: yaml.Node, weights: dict[int, int | None]) -> int:
    """How many nodes stand below `node`, itself included, all aliases written out. Refuses long numbers."""
    known = weights.get(id(node), 0)
    if known is None:
        raise DocumentError("a document without cycles", "an alias inside what it stands for")
    if known:
        return known
    import yaml

    weights[id(node)] = None
    weight = 1
    if isinstance(node, yaml.SequenceNode):
        weight += sum(_written_out(child, weights) for child in node.value)
    elif isinstance(node, yaml.MappingNode):
        weight += sum(_written_out(key, weights) + _written_out(value, weights) for key, value in node.value)
    elif node.tag == _WHOLE_NUMBER and node.value.count(":") >= MAX_PARTS:
        raise DocumentError(f"numbers of at most {MAX_PARTS} parts", "one of more")
    weights[id(node)] = weight
    return weight


def _check_limits(depth: int, nodes: int) -> None:
    if depth > MAX_DEPTH:
        raise DocumentError(f"at most {MAX_DEPTH} collections inside each other", "more")
    if nodes > MAX_NODES:
        raise DocumentError(f"at most {MAX_NODES} nodes, aliases written out", "more")


def _told(error: Exception) -> str:
    """The first line that says where and what; a parser's message can quote a whole hostile document."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem and mark:
        return f"{problem} (line {mark.line + 1})"[:200]
    return (str(error) or type(error).__name__).splitlines()[0][:200]
