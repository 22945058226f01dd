"""Writing files that are either the old ones or complete."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: str | bytes, *, force: bool = False) -> Path:
    """Write `content` to `path`, whole or not at all: a temporary file in the same folder, synced, then renamed.

    A link stays a link: the file that it names is written.

    Raises:
        FileExistsError: `path` exists and `force` is False. OSError: it cannot be written; the old file is intact.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder, "a.txt"), "hello").read_text()
    'hello'

    """
    path = Path(path)
    check_free(path, force=force)
    data = content.encode("utf-8") if isinstance(content, str) else content
    target = os.path.realpath(path)
    handle, name = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        if force:
            os.replace(name, target)
        else:
            os.link(name, target)  # unlike a rename, fails if somebody wrote `path` meanwhile
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    return path


def check_free(path: str | os.PathLike[str], *, force: bool) -> None:
    """Raise before long work what would stop writing after it: an existing file, a device, no folder."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(21, "this is a folder; name a file in it", str(path))
    if path.exists() and not path.is_file():
        raise OSError(22, "this is a pipe or device; name a file", str(path))
    if path.exists() and not force:
        raise FileExistsError(17, "exists already; pass --force (force=True) to replace it", str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(2, "its folder does not exist; create it first", str(path))


def _umask() -> int:
    """The mask of this process; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
