"""Sidecars as `yaml.safe_dump` writes them, drawn by Hypothesis."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import yaml
from hypothesis import strategies as st

TRAPS = (
    *("yes", "No", "ON", "true", "~", "null", "NULL", "", " ", "=", "<<", "1e-3", "1.0e-3", "012", "0x1F"),
    *("0b1", "1_000", "12:30:45", "1:30.5", ".inf", "-.INF", ".nan", ".5", "5.", "5e123456", "00019223"),
    *("2025-08-01", "2025-08-01T12:00:00", "2025-8-1 1:00:00.5 Z", "2025-13-45", "20250801_1200", "-0", "+1"),
    *("- a", "a: b", "a #b", "# a", "it's", 'say "a"', "back\\slash", "---", "...", "a\nb", "a\n\n b ", "\ta"),
    *("${now:%Y-%m-%d}", "[a", "{a}", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a", "?a", ":a", "-a", "a:"),
    *("é", "\xa0", "\x85", "\u2028", "\ufeff", "\U0001f600", "\x00", "\x7f", "\ud800", "a number", "a: 12"),
    *("long " * 40, "é" * 60, "word" * 40, "spaces  " * 20, "line: 12\n" * 3, "a: 1 " * 30, "x" * 200),
)
"""Strings that a careless reader takes for something else, or that `safe_dump` folds."""

IDENTIFIERS = ("dbnet", "resnet18", "epoch=3.ckpt", "outputs/a/b.ckpt", "val/hmean", "on", "a b", "layer-1.w")

texts = st.one_of(st.sampled_from(IDENTIFIERS), st.sampled_from(TRAPS), st.text(max_size=100))
names = st.one_of(st.sampled_from(IDENTIFIERS), st.text(min_size=1, max_size=12))
keys = st.one_of(names, st.sampled_from(TRAPS[:30]), st.integers(-3, 2000), st.booleans())
whole_numbers = st.one_of(st.integers(0, 10**6), st.integers())
ratios = st.floats(0, 1)
moments = st.one_of(
    st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)),  # noqa: DTZ001 - as YAML reads them
    st.datetimes(timezones=st.just(dt.UTC)),
    st.dates(),
)
scalars = st.one_of(st.none(), st.booleans(), whole_numbers, st.floats(), texts, moments)
params = st.recursive(
    st.dictionaries(keys, scalars, max_size=4),
    lambda inner: st.dictionaries(keys, st.one_of(inner, st.lists(inner, max_size=3), scalars), max_size=4),
    max_leaves=6,
)
shapes = st.lists(st.one_of(whole_numbers, st.lists(whole_numbers, max_size=3)), max_size=5)


def _part(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


v1_records = _part(
    {
        "schema_version": st.just("1.0"),
        "checkpoint_path": texts,
        "exp_name": texts,
        "created_at": st.one_of(moments, moments.map(lambda moment: moment.isoformat())),
        "training": _part(
            {"epoch": whole_numbers, "global_step": whole_numbers},
            {"training_phase": st.sampled_from(["training", "validation"]), "max_epochs": whole_numbers},
        ),
        "model": _part(
            {
                "architecture": names,
                "encoder": _part({"model_name": names}, {"pretrained": st.booleans(), "frozen": st.booleans()}),
                "decoder": _part({"name": names}, {"in_channels": shapes, "params": params}),
                "head": _part({"name": names}, {"in_channels": shapes, "params": params}),
                "loss": _part({"name": names}, {"params": params}),
            },
            {},
        ),
        "metrics": _part(
            {},
            {
                "precision": ratios,
                "recall": ratios,
                "hmean": ratios,
                "validation_loss": st.floats(0, allow_infinity=False),
                "additional_metrics": st.dictionaries(names, st.floats(), max_size=6),
            },
        ),
        "checkpointing": _part(
            {"monitor": names, "mode": st.sampled_from(["min", "max"])},
            {"save_top_k": st.integers(-1, 5), "save_last": st.booleans()},
        ),
    },
    {"hydra_config_path": texts, "wandb_run_id": st.from_regex(r"[0-9a-f]{8}", fullmatch=True)},
)


def _dump(record: object, sort_keys: bool, allow_unicode: bool, width: float) -> bytes:
    text: str = yaml.safe_dump(record, sort_keys=sort_keys, allow_unicode=allow_unicode, width=width)
    return text.encode()


def dumped(records: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Records as `safe_dump` writes them, with every option that a writer of sidecars may set."""
    return st.builds(_dump, records, st.booleans(), st.booleans(), st.sampled_from([80, 80, 120, math.inf]))
