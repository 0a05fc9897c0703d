"""A mutation tool: every small change of meaning that the source of a module allows, one at a time.

Operators: comparisons moved by one or reversed, `and` for `or`, a `not` left out, numbers raised by one,
an element of a tuple left out or exchanged with its neighbour, a key of a place left out, branches of a
conditional expression exchanged, `lower` for `upper`. Left alone: annotations, docstrings, and what only
words a reason, because no catalog is held to it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_WORDING: Final = frozenset({"Problem", "SkippedCheckpoint", "Rule", "isinstance"})
_WORDING_FUNCTIONS: Final = frozenset({"_described", "__repr__", "_note"})


@dataclass(frozen=True, slots=True)
class Mutation:
    """One changed source: where (line of the sound one), what was there, and what is there now."""

    line: int
    before: str
    after: str
    source: str


Site = tuple[int, int]
"""A place in a module where something can be changed, and which of the changes is meant."""


def sites(source: str) -> list[Site]:
    """Every site of a module, in the order of its text."""
    nodes = enumerate(_nodes(ast.parse(source)))
    return [(place, number) for place, node in nodes for number in range(len(list(_changes(node))))]


def mutated(source: str, site: Site) -> Mutation | None:
    """The module changed at one site, `None` where that leaves its text as it is."""
    tree = ast.parse(source)
    target = list(_nodes(tree))[site[0]]
    before, line = ast.unparse(target), getattr(target, "lineno", 0)
    list(_changes(target))[site[1]]()
    after = ast.unparse(target)
    if after == before:
        return None
    return Mutation(line, *_where_they_part(before, after), ast.unparse(ast.fix_missing_locations(tree)))


def _where_they_part(before: str, after: str) -> tuple[str, str]:
    """Both texts from a little before their first difference, at a length that a line holds."""
    pairs = enumerate(zip(before, after, strict=False))
    shared = next((place for place, (one, other) in pairs if one != other), min(len(before), len(after)))
    start = max(0, shared - 20)
    return before[start : start + 70], after[start : start + 70]


def _nodes(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions that mean something to an answer."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef) and child.name in _WORDING_FUNCTIONS:
            continue
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id in _WORDING:
            continue
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.expr):
            yield child
        yield from _nodes(_bare(child))


def _bare(node: ast.AST) -> ast.AST:
    """A node without its annotations and decorators; the parts themselves are the node's own."""
    if isinstance(node, ast.AnnAssign):
        return ast.Expr(node.value) if node.value is not None else ast.Pass()
    if isinstance(node, ast.FunctionDef):
        return ast.Module(body=[*map(ast.Expr, node.args.defaults), *node.body], type_ignores=[])
    if isinstance(node, ast.ClassDef):
        return ast.Module(body=node.body, type_ignores=[])
    return node


def _changes(node: ast.expr) -> Iterator[Callable[[], None]]:
    """What can be done to one expression, in place."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            yield lambda place=place, operator=operator: node.ops.__setitem__(  # type: ignore[misc]  # its own defaults
                place, _COMPARISONS[type(operator)]()
            )
    elif isinstance(node, ast.BoolOp):
        yield lambda: setattr(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield lambda: setattr(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield lambda: setattr(node, "value", int(str(node.value)) + 1)
    elif isinstance(node, ast.IfExp):
        yield lambda: _exchange(node)
    elif isinstance(node, ast.Attribute) and node.attr in {"lower", "upper"}:
        yield lambda: setattr(node, "attr", "upper" if node.attr == "lower" else "lower")
    elif isinstance(node, ast.Tuple) and len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
        yield from _of_list(node.elts, 0)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_place":
        yield from _of_list(node.args, 1)


def _exchange(node: ast.IfExp) -> None:
    node.body, node.orelse = node.orelse, node.body


def _of_list(elements: list[ast.expr], first: int) -> Iterator[Callable[[], None]]:
    for place in range(first, len(elements)):
        if len(elements) - first > 1:
            yield lambda place=place: elements.__delitem__(place)  # type: ignore[misc]  # its own default
    for place in range(first, len(elements) - 1):
        yield (
            lambda place=place: elements.__setitem__(  # type: ignore[misc]  # its own default
                slice(place, place + 2), elements[place : place + 2][::-1]
            )
        )
