"""What is measured, and that every claim and state has its row."""

from __future__ import annotations

from bench.claims import BY_NAME
from bench.equality import ENTRY_FIELDS
from bench.scenario import ADAPTER, LEGACY, READ_FLOOR, SCENARIOS, SETTINGS, V2, V2_AGAIN, chosen_settings


def test_every_claim_has_a_row() -> None:
    assert {one.claim for one in SCENARIOS.values()} == set(BY_NAME)


def test_scenarios_have_names_of_their_own() -> None:
    assert len(SCENARIOS) == sum(len(setting.scenarios) for setting in SETTINGS)


def test_cold_and_warm_never_meet_in_one_setting() -> None:
    for setting in SETTINGS:
        assert all(one.name.endswith("cold") is setting.is_cold for one in setting.scenarios)


def test_legacy_takes_part_in_every_setting_once() -> None:
    for setting in SETTINGS:
        assert [one.name for one in setting.contestants].count("legacy") == 1


def test_the_run_measures_v2_against_itself() -> None:
    (setting,) = [one for one in SETTINGS if V2_AGAIN in one.contestants]
    assert V2 in setting.contestants
    assert V2_AGAIN.target == V2.target


def test_the_adapter_is_compared_with_and_without_sidecars() -> None:
    assert {one.sidecar_share for one in SETTINGS if ADAPTER in one.contestants} == {0.0, 0.5, 1.0}


def test_floors_are_not_compared_and_the_adapter_has_fewer_fields() -> None:
    assert READ_FLOOR.is_floor
    assert ADAPTER.has_old_records
    assert LEGACY.fields == ENTRY_FIELDS
    assert not LEGACY.has_old_records


def test_legacy_never_asks_wandb() -> None:
    (setting,) = [one for one in SETTINGS if one.name == "wandb"]
    assert [one.latency_ms for one in setting.contestants if one.is_asking_wandb] == [0, 20, 100]
    assert not LEGACY.is_asking_wandb


def test_the_first_call_of_a_process_is_a_setting_of_its_own() -> None:
    (setting,) = [one for one in SETTINGS if one.is_first_call]
    assert [one.latency_ms for one in setting.contestants if one.is_asking_wandb] == [20]


def test_without_cold_no_setting_is_cold() -> None:
    warm = chosen_settings(is_cold_wanted=False, is_quick=False, is_first_tree=True)
    assert not any(one.is_cold for one in warm)
    every = chosen_settings(is_cold_wanted=True, is_quick=False, is_first_tree=True)
    assert every == SETTINGS
    assert sum(one.is_cold for one in every) == 3


def test_later_trees_have_the_rows_that_grow_with_size() -> None:
    later = chosen_settings(is_cold_wanted=True, is_quick=False, is_first_tree=False)
    assert [one.name for one in later] == ["sidecars-warm", "sidecars-cold", "mix-warm", "header-warm"]


def test_a_quick_run_still_has_every_claim() -> None:
    chosen = chosen_settings(is_cold_wanted=True, is_quick=True, is_first_tree=True)
    assert {one.claim for setting in chosen for one in setting.scenarios} == set(BY_NAME)
    assert sum(len(one.scenarios) for one in chosen if one.name == "wandb") == 1
