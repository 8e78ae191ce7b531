"""The operating system account that Postgres runs as, since it refuses to run as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine that root hands a server to."""

    uid: int
    gid: int

    @classmethod
    def for_data(cls, data: Path) -> Self | None:
        """Return who shall run the server that owns this data directory; None is the user of this process.

        Root hands the server to the owner of existing data and to `nobody` otherwise. That account exists
        everywhere, so nothing is added to the machine.
        """
        if os.geteuid() != 0:
            return None
        if data.exists() and data.stat().st_uid != 0:
            return cls(data.stat().st_uid, data.stat().st_gid)
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)

    def own(self, directory: Path) -> None:
        """Give an (empty) directory to the account, and let it walk there."""
        os.chown(directory, self.uid, self.gid)
        self.reach(directory)

    def reach(self, path: Path) -> None:
        """Let the account walk to a path: adds the right to pass, not to list, to directories that deny it."""
        for directory in path.resolve().parents:
            mode = stat.S_IMODE(directory.stat().st_mode)
            if not mode & stat.S_IXOTH and directory.stat().st_uid != self.uid:
                directory.chmod(mode | stat.S_IXOTH)

    def read(self, tree: Path) -> None:
        """Let the account read and run what lies in a tree, as after an installation under a strict umask."""
        self.reach(tree)
        if tree.stat().st_mode & stat.S_IXOTH:
            return
        for path in (tree, *tree.rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
            if mode != wanted:
                path.chmod(wanted)
