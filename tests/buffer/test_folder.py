# SPDX-License-Identifier: MIT
"""
A directory of the spool: whom it trusts, and what is a name in it.
"""

from __future__ import annotations

import os
import stat

import pytest
from descriptors import descriptors
from shelves import STRANGER, as_root, at

from ringamp.buffer.folder import Folder
from ringamp.errors import SpoolError


def mode_of(path):
    """
    Return the permission bits of *path*.
    """
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_is_missing_is_made_for_us_alone(tmp_path, umask):
    """
    A directory and its missing parents are made 0700, whatever the umask;
    the parent that was there is left as it was.
    """
    tmp_path.chmod(0o755)
    before = os.umask(umask)
    try:
        Folder.open(f"{tmp_path}/a/b/c/").close()
    finally:
        os.umask(before)

    made = [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]
    assert [mode_of(path) for path in made] == [0o700] * 3
    assert mode_of(tmp_path) == 0o755


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o500, 0o1777, 0o1775])
def test_a_directory_of_the_user_is_taken_as_it_is(tmp_path, mode):
    """
    Others may read it; they may write to it if it is sticky. It is not
    changed.
    """
    path = tmp_path / "spool"
    path.mkdir()
    path.chmod(mode)

    Folder.open(str(path)).close()

    assert mode_of(path) == mode


@pytest.mark.parametrize("mode", [0o770, 0o720, 0o702, 0o777])
def test_a_directory_that_others_write_to_is_refused(tmp_path, folder, mode):
    """
    The user's and ours alike; the words name it and its mode.
    """
    path = at(folder, "wide")
    path.mkdir()
    path.chmod(mode)

    for attempt in (
        lambda: Folder.open(str(path)),
        lambda: folder.child("wide"),
    ):
        with pytest.raises(SpoolError, match=f"wide: .*{mode:04o}.*allowed"):
            attempt()
    assert mode_of(path) == mode


def test_a_sticky_directory_inside_is_refused(folder):
    """
    What we made has no reason to be open to others, sticky or not.
    """
    at(folder, "wide").mkdir()
    at(folder, "wide").chmod(0o1777)

    with pytest.raises(SpoolError, match="others may write"):
        folder.child("wide")


def test_a_child_is_for_us_alone(folder):
    """
    It is made 0700; others' leave to read is taken away.
    """
    folder.child("new").close()
    at(folder, "old").mkdir()
    at(folder, "old").chmod(0o755)
    folder.child("old").close()

    assert mode_of(at(folder, "new")) == 0o700
    assert mode_of(at(folder, "old")) == 0o700


@pytest.mark.parametrize("end", ["", "/", "/.", "//"])
@pytest.mark.parametrize("target", ["real", "nowhere"])
def test_a_link_is_no_directory(folder, end, target):
    """
    Neither the user's path nor a child is followed through a link, also not
    with a slash behind it, and nothing is made where it leads.
    """
    at(folder, "real").mkdir()
    at(folder, "link").symlink_to(at(folder, target))

    with pytest.raises(SpoolError, match=r"link: is a link; .*allowed"):
        Folder.open(f"{at(folder, 'link')}{end}")
    with pytest.raises(SpoolError, match=r"link: is a link; .*allowed"):
        folder.child("link")
    assert folder.names() == ["link", "real"]


def test_a_file_is_no_directory(folder):
    """
    A file where a directory should be is refused.
    """
    folder.write("file", [b"x"])

    with pytest.raises(SpoolError, match="file: is no directory"):
        Folder.open(str(at(folder, "file")))
    with pytest.raises(SpoolError, match="file: is no directory"):
        folder.child("file")
    with pytest.raises(NotADirectoryError):
        Folder.open(str(at(folder, "file/below")))


@as_root
def test_a_directory_of_another_user_is_refused(folder):
    """
    Even root uses its own directories only.
    """
    at(folder, "theirs").mkdir(0o700)
    os.chown(at(folder, "theirs"), STRANGER, -1)

    with pytest.raises(SpoolError, match=f"theirs: .*{STRANGER}.*allowed"):
        Folder.open(str(at(folder, "theirs")))
    with pytest.raises(SpoolError, match=f"theirs: .*{STRANGER}.*allowed"):
        folder.child("theirs")


def test_a_refused_directory_leaves_no_descriptor(folder):
    """
    Each refusal closes what it opened.
    """
    at(folder, "wide").mkdir()
    at(folder, "wide").chmod(0o777)
    before = descriptors()

    for _ in range(5):
        with pytest.raises(SpoolError):
            folder.child("wide")
        with pytest.raises(SpoolError):
            Folder.open(str(at(folder, "wide")))

    assert descriptors() == before


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_no_path_is_refused(path):
    """
    An empty path would be the directory one happens to be in.
    """
    with pytest.raises(SpoolError, match="directory is needed"):
        Folder.open(path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/a", "a\0b"])
def test_a_name_is_no_way_out(folder, name):
    """
    No method takes a path, or what stands for a directory.
    """
    attempts = [
        lambda: folder.child(name),
        lambda: folder.read(name, 10),
        lambda: folder.append(name, b"x\n"),
        lambda: folder.rename(name, "b"),
        lambda: folder.rename("b", name),
        lambda: folder.unlink(name),
        lambda: folder.size(name),
    ]
    folder.write("b", [b"x"])

    for attempt in attempts:
        with pytest.raises(SpoolError, match="is no name"):
            attempt()
    with pytest.raises((SpoolError, OSError)):
        folder.write(name, [b"x"])
    assert folder.names() == ["b"]


def test_gone_is_fine(folder):
    """
    What is missing is removed, has no size and no time; it is not read or
    renamed.
    """
    folder.unlink("nothing")

    assert folder.size("nothing") == 0
    assert folder.modified_ms("nothing") is None
    with pytest.raises(FileNotFoundError):
        folder.read("nothing", 1)
    with pytest.raises(FileNotFoundError):
        folder.rename("nothing", "something")


def test_a_closed_folder_does_nothing(folder):
    """
    Closing twice is fine; then every call is an error of the system.
    """
    assert folder.free_bytes() > 0
    folder.close()
    folder.close()

    for attempt in (
        folder.names,
        folder.free_bytes,
        lambda: folder.write("file", [b"x"]),
        lambda: folder.read("file", 1),
    ):
        with pytest.raises(OSError, match="descriptor"):
            attempt()


def test_no_descriptor_reaches_another_program(folder):
    """
    The directory is closed when a program is started.
    """
    assert not os.get_inheritable(folder.fd)
