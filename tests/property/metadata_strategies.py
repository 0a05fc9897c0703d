"""Sidecars of schema V1 as Hypothesis draws them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from catalog.schema import (
    CheckpointingConfig,
    CheckpointMetadataV1,
    DecoderInfo,
    EncoderInfo,
    HeadInfo,
    LossInfo,
    MetricsInfo,
    ModelInfo,
    TrainingInfo,
)

COUNTS = st.integers(0, 2**63 - 1)
SHARES = st.floats(0, 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def texts() -> st.SearchStrategy[str]:
    """Names as people write them, and any other text that Unicode knows."""
    return st.from_regex(r"[A-Za-z0-9_./=+:-]{1,40}", fullmatch=True) | st.text(max_size=20)


def params() -> st.SearchStrategy[dict[str, Any]]:
    """Nested mappings of plain values, empty ones among them."""
    scalars = st.none() | st.booleans() | st.integers() | FINITE | texts()
    values = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3),
        max_leaves=8,
    )
    return st.dictionaries(texts(), values, max_size=4)


def moments() -> st.SearchStrategy[str]:
    """Dates and times in ISO 8601, with a zone, without one, and dates alone."""
    times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - naive ones are drawn, too
    return st.one_of(
        times.map(datetime.isoformat),
        times.map(lambda moment: moment.replace(tzinfo=UTC).isoformat()),
        times.map(lambda moment: moment.date().isoformat()),
    )


def v1_models() -> st.SearchStrategy[ModelInfo]:
    """The `model` of a sidecar."""
    channels = st.none() | st.integers(1, 4096)
    optional_params = st.none() | params()
    return st.builds(
        ModelInfo,
        architecture=texts(),
        encoder=st.builds(EncoderInfo, model_name=texts(), pretrained=st.booleans(), frozen=st.booleans()),
        decoder=st.builds(
            DecoderInfo,
            name=texts(),
            in_channels=st.none() | st.lists(st.integers(1, 4096), max_size=5),
            inner_channels=channels,
            output_channels=channels,
            params=optional_params,
        ),
        head=st.builds(HeadInfo, name=texts(), in_channels=channels, params=optional_params),
        loss=st.builds(LossInfo, name=texts(), params=optional_params),
    )


def v1_metrics() -> st.SearchStrategy[MetricsInfo]:
    """The `metrics` of a sidecar, each of them perhaps absent."""
    return st.builds(
        MetricsInfo,
        precision=st.none() | SHARES,
        recall=st.none() | SHARES,
        hmean=st.none() | SHARES,
        validation_loss=st.none() | st.floats(0, allow_nan=False, allow_infinity=False),
        additional_metrics=st.none() | st.dictionaries(texts(), FINITE, max_size=4),
    )


def v1_records() -> st.SearchStrategy[CheckpointMetadataV1]:
    """Whole sidecars that keep the schema."""
    return st.builds(
        CheckpointMetadataV1,
        checkpoint_path=texts(),
        exp_name=texts(),
        created_at=moments(),
        training=st.builds(
            TrainingInfo,
            epoch=COUNTS,
            global_step=COUNTS,
            training_phase=st.sampled_from(["training", "validation", "finetuning"]),
            max_epochs=st.none() | st.integers(1, 2**63 - 1),
        ),
        model=v1_models(),
        metrics=v1_metrics(),
        checkpointing=st.builds(
            CheckpointingConfig,
            monitor=texts(),
            mode=st.sampled_from(["min", "max"]),
            save_top_k=st.integers(-1, 10),
            save_last=st.booleans(),
        ),
        hydra_config_path=st.none() | texts(),
        wandb_run_id=st.none() | texts(),
    )
