"""The training state as a file of plain arrays, read with suspicion."""

import errno
import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from divergences.errors import FileFormatError
from gan.game import Game
from gan.state import Player, State

VERSION = 2
Form = tuple[np.dtype, tuple[int, ...]]
_HEADER = 4096  # bytes allowed to an array's own header, and to the numbers beside the tensors


def encode(state: State) -> bytes:
    """`state` as NPZ: `critic`, `critic.updates`, `critic.<moment>`; the generator's; `memory.<name>`; some numbers."""
    return packed(_arrays(state))


def packed(arrays: dict[str, np.ndarray]) -> bytes:
    """Named arrays as the bytes of an NPZ file; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: np.asarray(x, order="C") for name, x in arrays.items()})
    return buffer.getvalue()


def unpacked(file: Path | BinaryIO, expected: Mapping[str, Form], where: str) -> dict[str, np.ndarray]:
    """The arrays of an NPZ file, if they have exactly these names, types and shapes.

    Raises OSError for what is no regular file, FileFormatError for a damaged or hostile file, or another run's.
    """
    if isinstance(file, Path) and not file.is_file():
        raise OSError(errno.EINVAL, "this must be a regular file", str(file))
    likes = {f"{name}.npy": (np.dtype(kind), shape) for name, (kind, shape) in expected.items()}
    try:
        with zipfile.ZipFile(file) as archive:
            _check_members(archive, likes, where)
            return {name[:-4]: _array(archive, name, like, where) for name, like in likes.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, FileFormatError | PermissionError):
            raise
        raise FileFormatError(f"{where} must be arrays of a run; it is damaged or something else ({error}).") from None


def decode(file: Path | BinaryIO, game: Game, where: str) -> State:
    """The state in a file, if it is one of this game: same names, shapes and types, finite, nothing else.

    Raises what `unpacked` raises.
    """
    template = {name: (array.dtype, array.shape) for name, array in _arrays(game.start()).items()}
    arrays = unpacked(file, template, where)
    lost = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if lost:
        raise FileFormatError(f"{where} must hold finite numbers; {lost[0]!r} has NaN or infinite values.")
    step, steps = int(arrays["step"]), game.config.steps
    if not 0 <= step <= steps:
        raise FileFormatError(f"{where} must be at a step from 0 to {steps}; it is at {step}.")
    if arrays["seconds"] < 0 or ((arrays["diverged"] < 0) | (arrays["diverged"] > step)).any():
        raise FileFormatError(f"{where} must hold seconds from 0 on, and replicas that diverged by step {step}.")
    for name, each in (("critic", game.critic_steps), ("generator", game.config.generator_steps)):
        if arrays[f"{name}.updates"] != step * each:
            raise FileFormatError(
                f"{where} must hold {step * each} updates of the {name} at step {step}; "
                f"it holds {arrays[f'{name}.updates']}."
            )
    critic, generator = _player("critic", arrays, game), _player("generator", arrays, game)
    memory = {
        name.removeprefix("memory."): _tensor(x, game) for name, x in arrays.items() if name.startswith("memory.")
    }
    return State(step, float(arrays["seconds"]), critic, generator, memory, _tensor(arrays["diverged"], game))


def _arrays(state: State) -> dict[str, np.ndarray]:
    arrays = {"version": np.array(VERSION), "step": np.array(state.step), "seconds": np.array(state.seconds)}
    arrays["diverged"] = state.diverged.cpu().numpy()
    for name, player in (("critic", state.critic), ("generator", state.generator)):
        arrays |= {name: player.parameters.detach().cpu().numpy(), f"{name}.updates": np.array(player.updates)}
        arrays |= {f"{name}.{key}": moment.cpu().numpy() for key, moment in player.moments.items()}
    return arrays | {f"memory.{name}": tensor.cpu().numpy() for name, tensor in state.memory.items()}


def _check_members(archive: zipfile.ZipFile, likes: Mapping[str, Form], where: str) -> None:
    """Refuse other names, and sizes that would fill the memory, before anything is unpacked."""
    members = archive.infolist()
    names = sorted(member.filename for member in members)
    if names != sorted(likes):
        unlike = sorted(set(names) ^ set(likes)) or ["a name twice"]
        raise FileFormatError(f"{where} is of another kind of run: it differs in {unlike[0]!r}.")
    for member in members:
        kind, shape = likes[member.filename]
        if member.file_size > math.prod(shape) * kind.itemsize + _HEADER:
            raise FileFormatError(
                f"{where} holds {member.filename!r} of {member.file_size} bytes, more than it may have."
            )


def _array(archive: zipfile.ZipFile, name: str, like: Form, where: str) -> np.ndarray:
    kind, shape = like
    with archive.open(name) as member:
        if np.lib.format.read_magic(member) != (1, 0):
            raise FileFormatError(f"{where} holds {name!r} in a format that no run writes.")
        got, turned, dtype = np.lib.format.read_array_header_1_0(member)
        if (dtype, got, turned) != (kind, shape, False):  # before anything of that size is read
            raise FileFormatError(
                f"{where} is of another run: {name!r} must be {kind} of shape {shape}; got {dtype} of shape {got}."
            )
        content = member.read()  # to the end, where the checksum is compared
    array = np.frombuffer(content, kind).reshape(shape)
    if name == "version.npy" and array != VERSION:
        raise FileFormatError(f"{where} must be of version {VERSION}; got {array}. Use the release that wrote it.")
    return array


def _player(name: str, arrays: dict[str, np.ndarray], game: Game) -> Player:
    prefix = f"{name}."
    moments = {
        key.removeprefix(prefix): _tensor(array, game)
        for key, array in arrays.items()
        if key.startswith(prefix) and key != f"{name}.updates"
    }
    return Player(_tensor(arrays[name], game), moments, int(arrays[f"{name}.updates"]))


def _tensor(array: np.ndarray, game: Game) -> torch.Tensor:
    return torch.from_numpy(array.copy()).to(game.config.device)
