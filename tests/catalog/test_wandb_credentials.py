"""Where a key is found, as the real client finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalog.wandb_credentials import access_files, find_access

if TYPE_CHECKING:
    from pathlib import Path

KEY = "k" * 40
ADDRESS = "http://127.0.0.1:9"


def settle(home: Path, text: str) -> dict[str, str]:
    """An environment whose home holds a settings file."""
    folder = home / ".config" / "wandb"
    folder.mkdir(parents=True)
    (folder / "settings").write_text(text)
    return {"HOME": str(home)}


@pytest.mark.parametrize(
    ("machine", "address", "expected"),
    [
        ("api.wandb.ai", None, True),
        ("127.0.0.1:9", "http://127.0.0.1:9", True),
        ("api.wandb.ai", "http://127.0.0.1:9", False),
    ],
)
def test_a_key_in_netrc_counts_for_its_own_server(
    tmp_path: Path, machine: str, address: str | None, expected: bool
) -> None:
    (tmp_path / ".netrc").write_text(f"machine {machine}\n  login user\n  password {'k' * 40}\n")
    (tmp_path / ".netrc").chmod(0o600)
    environ = {"HOME": str(tmp_path)} | ({"WANDB_BASE_URL": address} if address else {})
    assert find_access(environ).can_ask is expected


def test_an_entry_for_every_host_counts_behind_one_of_its_own(tmp_path: Path) -> None:
    text = f"machine 127.0.0.1:9\nlogin user\npassword {KEY}\ndefault\nlogin user\npassword {'d' * 40}\n"
    (tmp_path / ".netrc").write_text(text)
    environ = {"HOME": str(tmp_path)}
    assert find_access(environ | {"WANDB_BASE_URL": ADDRESS}).key == KEY
    assert find_access(environ | {"WANDB_BASE_URL": "http://elsewhere"}).key == "d" * 40
    assert not find_access(environ | {"WANDB_BASE_URL": "nowhere"}).key


def test_a_netrc_by_its_name_on_windows_counts_where_the_usual_one_is_not(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "WANDB_BASE_URL": ADDRESS}
    usual, other = str(tmp_path / ".netrc"), str(tmp_path / "_netrc")
    assert find_access(environ).files[:-1] == (usual, other), "either may come to be"
    (tmp_path / "_netrc").write_text(f"machine 127.0.0.1:9\nlogin user\npassword {KEY}\n")
    assert find_access(environ).key == KEY
    (tmp_path / ".netrc").write_text("")
    assert (find_access(environ).key, find_access(environ).files[:-1]) == ("", (usual,))


def test_a_damaged_netrc_holds_no_key(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_bytes(b"machine \xff\x00 {")
    assert not find_access({"HOME": str(tmp_path)}).can_ask


@pytest.mark.parametrize("address", ["http://[::1", "nowhere", "http://", ""])
def test_an_address_that_is_none_has_no_key_in_netrc(tmp_path: Path, address: str) -> None:
    (tmp_path / ".netrc").write_text(f"machine here\nlogin user\npassword {'k' * 40}\n")
    assert not find_access({"HOME": str(tmp_path), "WANDB_BASE_URL": address}).can_ask


@pytest.mark.parametrize("text", ["", "api_key = x", "[other]\napi_key = x", "[default\n", "\x00"])
def test_a_damaged_settings_file_holds_no_key(tmp_path: Path, text: str) -> None:
    assert not find_access(settle(tmp_path, text)).can_ask


def test_a_key_in_the_settings_file_counts(tmp_path: Path) -> None:
    environ = settle(tmp_path, f"[default]\napi_key = {KEY}\n")
    assert find_access(environ).key == KEY
    assert find_access(environ).can_ask
    assert not find_access(environ | {"WANDB_CONFIG_DIR": str(tmp_path / "elsewhere")}).can_ask


def test_what_was_absent_is_not_read_though_it_has_come(tmp_path: Path) -> None:
    environ = settle(tmp_path, f"[default]\napi_key = {KEY}\n")
    (tmp_path / ".netrc").write_text(f"machine api.wandb.ai\nlogin user\npassword {'n' * 40}\n")
    usual, _, settings = access_files(environ)
    assert find_access(environ).key == "n" * 40
    assert find_access(environ, absent={usual}).key == KEY
    assert not find_access(environ, absent={usual, settings}).key


def test_the_environments_key_stands_before_netrcs_and_that_before_the_settings(tmp_path: Path) -> None:
    environ = settle(tmp_path, f"[default]\napi_key = {KEY}\nbase_url = {ADDRESS}\n")
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1:9\n  login user\n  password {'n' * 40}\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert find_access(environ).key == "n" * 40
    assert find_access(environ | {"WANDB_API_KEY": "e" * 40}).key == "e" * 40


def test_the_settings_file_stands_below_the_environment(tmp_path: Path) -> None:
    environ = settle(tmp_path, f"[default]\nbase_url = {ADDRESS}\nentity = team\nproject = ocr\n")
    told = find_access(environ | {"WANDB_PROJECT": "other"}).environ
    assert (told["WANDB_BASE_URL"], told["WANDB_ENTITY"], told["WANDB_PROJECT"]) == (ADDRESS, "team", "other")


def test_who_set_the_client_offline_is_not_asked_for(tmp_path: Path) -> None:
    environ = settle(tmp_path, f"[default]\napi_key = {KEY}\nmode = offline\n")
    assert not find_access(environ).can_ask
    assert find_access(environ | {"WANDB_MODE": "online"}).can_ask


def test_the_files_are_told_whether_they_are_there_or_not(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    names = (".netrc", "_netrc", ".config/wandb/settings")
    assert find_access(home).files == tuple(f"{tmp_path}/{name}" for name in names)
    chosen = home | {"NETRC": "~/mine", "WANDB_CONFIG_DIR": "~/conf"}
    assert find_access(chosen).files == (f"{tmp_path}/mine", f"{tmp_path}/conf/settings")
