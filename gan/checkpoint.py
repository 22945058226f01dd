"""The training state as a file of plain arrays, read with suspicion."""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch

from divergences.errors import FileFormatError
from gan.game import Game
from gan.state import Player, State

VERSION = 2
_HEADER = 4096  # bytes allowed to an array's own header, and to the numbers beside the tensors


def encode(state: State) -> bytes:
    """`state` as NPZ: `critic`, `critic.updates`, `critic.<moment>`, the generator's, `memory.<name>`, and some numbers."""
    return packed(_arrays(state))


def packed(arrays: dict[str, np.ndarray]) -> bytes:
    """Named arrays as the bytes of an NPZ file; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def decode(path: Path, game: Game) -> State:
    """The state in `path`, if it is one of this game: same names, shapes and types, finite, nothing else.

    Raises FileFormatError for a damaged file, another format or another experiment's state.
    """
    expected = {f"{name}.npy": array for name, array in _template(game).items()}
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive, expected)
            arrays = {name[:-4]: _array(path, archive, name, like) for name, like in expected.items()}
    except (zipfile.BadZipFile, EOFError, ValueError, OSError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path} must be a checkpoint; it is damaged or something else ({error}).") from None
    step = int(arrays["step"])
    if not 0 <= step <= game.config.steps:
        raise FileFormatError(f"{path} must be at a step from 0 to {game.config.steps}; it is at {step}.")
    for name, steps in (("critic", step * game.critic_steps), ("generator", step * game.config.generator_steps)):
        if arrays[f"{name}.updates"] != steps:
            raise FileFormatError(
                f"{path} must hold {steps} updates of the {name} at step {step}; it holds {arrays[f'{name}.updates']}."
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


def _template(game: Game) -> dict[str, np.ndarray]:
    """Arrays of the names, shapes and types that a state of this game has."""
    return _arrays(game.start())


def _check_members(path: Path, archive: zipfile.ZipFile, expected: dict[str, np.ndarray]) -> None:
    """Refuse other names, and sizes that would fill the memory, before anything is unpacked."""
    members = archive.infolist()
    names = sorted(member.filename for member in members)
    if names != sorted(expected):
        unlike = sorted(set(names) ^ set(expected)) or ["a name twice"]
        raise FileFormatError(f"{path} is the checkpoint of another kind of run: it differs in {unlike[0]!r}.")
    for member in members:
        if member.file_size > expected[member.filename].nbytes + _HEADER:
            raise FileFormatError(
                f"{path} holds {member.filename!r} of {member.file_size} bytes, more than it may have."
            )


def _array(path: Path, archive: zipfile.ZipFile, name: str, like: np.ndarray) -> np.ndarray:
    with archive.open(name) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        member.read()  # to the end, where the checksum is compared
    if name == "version.npy" and array.ndim == 0 and array != VERSION:
        raise FileFormatError(f"{path} must be of version {VERSION}; got {array}. Use the release that wrote it.")
    if array.shape != like.shape or array.dtype != like.dtype:
        raise FileFormatError(
            f"{path} is the checkpoint of another run: {name!r} must be {like.dtype} of shape {like.shape}; "
            f"got {array.dtype} of shape {array.shape}."
        )
    if not np.isfinite(array).all():
        raise FileFormatError(f"{path} must hold finite numbers; {name!r} has NaN or infinite values.")
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
