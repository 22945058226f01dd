"""Profile files: what is written is read, and whatever else stands in one is refused in one line."""

import json
import struct
import zlib
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import pytest

from divergences.errors import DataError, FileFormatError
from divergences.files import Column, Table
from divergences.profiles import Profile, load, merge, save
from divergences.profiles import storage as module
from divergences.profiles.comparing import compare_profiles
from divergences.profiles.numbers import NumberProfile
from divergences.profiles.storage import MAGIC, START, from_bytes, to_bytes


def small():
    """One column of each kind, some rows, gaps, awkward names."""
    rng = np.random.default_rng(0)
    n = 40
    return Profile.of(
        Table(
            (
                Column("number", np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))),
                Column('a "name", <b>\x1b[31m\n', np.floor(1e9 * rng.random(n)), "date"),
                Column("word", rng.integers(-1, 3, n).astype(np.int32), "category", ("", "=1+1", "ü\ud800")),
                Column("flag", rng.integers(-1, 2, n).astype(np.int32), "boolean", ("false", "true")),
                Column("empty", np.full(n, np.nan)),
            ),
            "example",
        )
    )


def signed(content):
    """A file with this content and the checksum that fits."""
    return MAGIC + bytes([1]) + blake2b(content, digest_size=16).digest() + content


def test_a_file_gives_the_profile_back(tmp_path):
    profile = small()
    path = save(profile, tmp_path / "a.profile")
    found = load(path)
    assert to_bytes(found) == to_bytes(profile) == path.read_bytes()
    assert found.names == profile.names
    number, before = found.columns["number"], profile.columns["number"]
    assert isinstance(number, NumberProfile)
    assert isinstance(before, NumberProfile)
    assert number.mean == before.mean
    again = merge(found, Profile.of(Table(profile.rows.columns, "other")))
    assert again.n == 80
    with pytest.raises(FileExistsError):
        save(profile, path)
    save(merge(again), path, force=True)
    assert load(path).n == 80


@pytest.mark.parametrize(
    "values", [[1e299, -1e299], [1.7e308, -1.7e308, 0.0], [5e-324, -5e-324, -0.0], [], [np.nan], [1e8 + 1, 1e8]]
)
def test_any_numbers_come_back(values):
    table = Table.numbers(("a",), np.array(values, dtype=float).reshape(-1, 1), "example")
    many = Table.numbers(("a",), np.linspace(-1.0, 1.0, 9000).reshape(-1, 1) * max(map(abs, values), default=1), "more")
    for data in map(to_bytes, (Profile.of(table), merge(Profile.of(table), Profile.of(many)))):
        assert to_bytes(from_bytes(data)) == data


def test_a_profile_takes_kilobytes():
    """A million numbers in 60 kB, of whole numbers and prices less."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(300_000, 1))
    assert len(to_bytes(Profile.of(Table.numbers(("a",), values, "example")))) < 60_000
    assert len(to_bytes(Profile.of(Table.numbers(("a",), np.round(values, 1), "example")))) < 12_000


def test_every_truncation_is_refused():
    data = to_bytes(small())
    for stop in range(len(data)):
        with pytest.raises(FileFormatError):
            from_bytes(data[:stop])


def test_every_flipped_byte_is_refused():
    data = to_bytes(small())
    for place in range(len(data)):
        for mask in (0x01, 0x80, 0xFF):
            with pytest.raises(FileFormatError):
                from_bytes(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])


def answers(data):
    """Whether the file is read; then it can be compared and merged, or is refused as data."""
    try:
        profile = from_bytes(data)
    except FileFormatError:
        return False
    rng = np.random.default_rng(0)
    try:
        compare_profiles(profile, profile, permutations=19, rng=rng)
        to_bytes(merge(profile, replace(profile, labels=("other",))))
    except DataError:
        pass
    return True


def test_forged_bytes_end_in_an_answer_or_our_error():
    """With a checksum that fits."""
    content = to_bytes(small())[START:]
    for place in range(0, len(content), 3):
        answers(signed(content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :]))
    for stop in range(0, len(content), 29):
        assert not answers(signed(content[:stop]))


def blocks(content):
    """The blocks of a file, unpacked: (count, bytes)."""
    place, found = 0, []
    while place < len(content):
        count, packed = struct.unpack_from("<II", content, place)
        found.append((count, zlib.decompress(content[place + 8 : place + 8 + packed])))
        place += 8 + packed
    return found


def packed(parts):
    return signed(b"".join(module._block(count, data) for count, data in parts))


@pytest.mark.parametrize("seed", range(3))
def test_forged_numbers_end_in_an_answer_or_our_error(seed):
    """Bytes changed before they are packed: in starts, counts, sums, words, codes and the header."""
    rng = np.random.default_rng(seed)
    parts = blocks(to_bytes(small())[START:])
    assert answers(packed(parts))
    refused = 0
    for _ in range(90):
        k = int(rng.integers(len(parts)))
        data = bytearray(parts[k][1])
        if not data:
            continue
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] = rng.integers(256)
        refused += not answers(packed([*parts[:k], (parts[k][0], bytes(data)), *parts[k + 1 :]]))
    assert refused > 40  # the rest changed kept rows, which may hold anything


def forged(**changes):
    """A file whose header says something else."""
    parts = blocks(to_bytes(small())[START:])
    head = json.loads(parts[0][1]) | changes
    text = json.dumps(head).encode()
    return packed([(len(text), text), *parts[1:]])


@pytest.mark.parametrize(
    "changes",
    [
        {"n": -1},
        {"n": True},
        {"n": 10**30},
        {"n": 41},
        {"n": None},
        {"seed": -1},
        {"seed": 1.5},
        {"labels": "example"},
        {"labels": ["b", "a"]},
        {"labels": [1]},
        {"columns": []},
        {"columns": None},
        {"columns": [1]},
        {"columns": [{"name": "a"}]},
        {"columns": [{"name": 1, "kind": "number"}]},
        {"more": 1},
    ],
)
def test_a_forged_header_is_refused(changes):
    with pytest.raises(FileFormatError, match="not a sound profile"):
        from_bytes(forged(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"level": 10**9},
        {"level": -206},
        {"level": 2.0},
        {"missing": -1},
        {"missing": "1"},
        {"extremes": [2, 1]},
        {"extremes": ["a", 1]},
        {"extremes": [1]},
        {"kind": "category"},
        {"kind": "matrix"},
        {"kind": []},
    ],
)
def test_a_forged_column_is_refused(changes):
    columns = json.loads(blocks(to_bytes(small())[START:])[0][1])["columns"]
    with pytest.raises(FileFormatError, match="not a sound profile"):
        from_bytes(forged(columns=[columns[0] | changes, *columns[1:]]))


def test_bombs_are_not_unpacked():
    """A block that unpacks to more than it says, or says more than it may."""
    parts = blocks(to_bytes(small())[START:])
    with pytest.raises(FileFormatError):
        from_bytes(packed([(parts[0][0], parts[0][1] + b" " * 10**8), *parts[1:]]))
    with pytest.raises(FileFormatError):
        from_bytes(signed(struct.pack("<II", 2**32 - 1, 10) + b"x" * 10))
    nested = b"[" * 10**6
    with pytest.raises(FileFormatError):
        from_bytes(packed([(len(nested), nested)]))
    digits = b'{"n": ' + b"9" * 10**5 + b"}"
    with pytest.raises(FileFormatError):
        from_bytes(packed([(len(digits), digits)]))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PAR1", "must be a profile"),
        (b"", "must be a profile"),
        (MAGIC + b"\x02" + bytes(40), "of version 1; got 2"),
        (MAGIC + b"\x01", "truncated"),
        (MAGIC + b"\x01" + bytes(40), "damaged"),
    ],
)
def test_other_files_are_refused(data, said):
    with pytest.raises(FileFormatError, match=said):
        from_bytes(data, "evil\x1b.profile")


def test_missing_and_odd_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.profile")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
    with pytest.raises(OSError, match=r"device|pipe"):
        load("/dev/zero")


def test_names_beyond_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_TEXT", 100)
    with pytest.raises(DataError, match="Shorten"):
        to_bytes(small())
