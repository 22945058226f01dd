"""Damaged files of every format, read in a process of their own, so that a crash would be seen."""

import subprocess
import sys

import pytest

KINDS = ("csv", "tsv", "csv.gz", "npy", "records.npy", "npz", "parquet", "zstd.parquet", "feather", "plain.feather")

# Every version of the file is read in four ways; what is neither an answer nor our error is printed.
READ = """
import gzip, io, sys
import numpy as np, pyarrow as pa, pyarrow.feather as feather, pyarrow.parquet as parquet
from divergences.errors import DataError
from divergences.files import batches, read_table

kind, flips, path = sys.argv[1], [int(flip) for flip in sys.argv[2].split(",")], sys.argv[3]
frame = pa.table({"x": [1.0, None], "s": ["b", "a"], "d": pa.array(["u", None]).dictionary_encode()})
frame = frame if "." in kind else frame.append_column("t", pa.array([1, None], pa.timestamp("ms")))
buffer = io.BytesIO()
{
    "csv": lambda: buffer.write('a,"b",c\\r\\n1,2020-01-01,é\\n-3e2,,yes\\n'.encode()),
    "tsv": lambda: buffer.write(b"a\\tb\\n1\\ttrue\\n2\\tno\\n"),
    "csv.gz": lambda: buffer.write(gzip.compress(b"a,b\\n1,x\\n2,y\\n")),
    "npy": lambda: np.save(buffer, np.arange(4.0).reshape(2, 2)),
    "records.npy": lambda: np.save(buffer, np.array([(1, 2.5, "x")], [("a", "i4"), ("b", "f8"), ("c", "U2")])),
    "npz": lambda: np.savez_compressed(buffer, a=np.arange(2.0), b=np.array(["x", "y"])),
    "parquet": lambda: parquet.write_table(frame, buffer, store_schema=False),
    "zstd.parquet": lambda: parquet.write_table(
        frame.select(["x", "s"]), buffer, compression="zstd", use_dictionary=False, data_page_version="2.0"
    ),
    "feather": lambda: feather.write_feather(frame.select(["x", "s"]), buffer),
    "plain.feather": lambda: feather.write_feather(frame.select(["d"]), buffer, compression="uncompressed"),
}[kind]()
content = buffer.getvalue()
versions = [content] + [content[:n] for n in range(len(content))]
versions += [content[:k] + bytes([content[k] ^ f]) + content[k + 1 :] for k in range(len(content)) for f in flips]
ways = (
    lambda: [column.present for column in read_table(path, lazy=False).columns],
    lambda: [column.present for column in read_table(path, lazy=True).columns],
    lambda: read_table(path, lazy=True).take(np.array([0])),
    lambda: [table.columns for table in batches(path)],
)
answers = 0
for number, version in enumerate(versions):
    open(path, "wb").write(version)
    for way, read in enumerate(ways):
        try:
            read()
            answers += 1
        except DataError as error:
            assert str(error), number
        except BaseException as error:
            print("version", number, "way", way, repr(error))
        assert answers or number, "the undamaged file is read"
print(len(versions), answers)
"""


def read_all(tmp_path, kind: str, flips: str) -> None:
    path = tmp_path / f"x.{kind}"
    found = subprocess.run([sys.executable, "-c", READ, kind, flips, path], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    versions, answers = (int(word) for word in found.stdout.split())  # anything else is a traceback
    assert 4 <= answers < 4 * versions


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_and_flip_is_an_answer_or_our_error(tmp_path, kind):
    """All bits of each byte turned, and every length: no other exception, no crash of the process."""
    read_all(tmp_path, kind, "255")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_bit_that_flips(tmp_path, kind):
    """The same for each bit alone."""
    read_all(tmp_path, kind, "1,2,4,8,16,32,64,128")
