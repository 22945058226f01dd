"""Profiles on Dask: the same bits as here, also where a worker is killed in the middle."""

import os
import signal
import time
from threading import Thread

import numpy as np
import pytest

from divergences.errors import DataError
from divergences.files import batches, from_frame
from divergences.profiles import Profile, merge
from divergences.profiles.dask import label_of, merged, profile_of_dask, profile_part
from divergences.profiles.numbers import NumberProfile
from divergences.profiles.storage import to_bytes

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")


@pytest.fixture(scope="module")
def client():
    """Two processes on this machine."""
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, protocol="tcp://"
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture
def paths(tmp_path):
    """Twelve files with numbers, words and gaps."""
    rng = np.random.default_rng(0)
    found = []
    for k in range(12):
        words = np.array(["red", "blue", "NA"])[rng.integers(0, 3, 3000)]
        lines = [f"{size!r},{word}" for size, word in zip(rng.normal(k, 1, 3000).tolist(), words, strict=True)]
        path = tmp_path / f"part{k}.csv"
        path.write_text("size,colour\n" + "\n".join(lines) + "\n")
        found.append(str(path))
    return found


def here(paths):
    return to_bytes(merge(*(Profile.of(batches(path), label=path) for path in paths)))


def test_a_cluster_gives_the_same_bits(client, paths):
    assert to_bytes(profile_of_dask(paths, client=client)) == here(paths)
    assert to_bytes(profile_of_dask(paths[::-1], client=client)) == here(paths)
    assert to_bytes(profile_of_dask(paths, client=client.scheduler.address)) == here(paths)


def test_without_a_cluster(paths):
    """Dask's own scheduler for one thread."""
    with dask.config.set(scheduler="synchronous"):
        assert to_bytes(profile_of_dask(paths)) == here(paths)


def test_a_killed_worker_changes_no_bit(client, tmp_path):
    """SIGKILL while it works on its third part."""
    started = tmp_path / "started"
    started.mkdir()

    def slow(k, folder):
        rng = np.random.default_rng(k)
        with open(os.path.join(folder, f"{k}-{os.getpid()}-{time.time_ns()}"), "w"):
            pass
        time.sleep(0.15)
        return {"size": rng.normal(size=2000), "colour": rng.choice(["red", "blue"], 2000)}

    parts = [dask.delayed(slow)(k, str(started)) for k in range(16)]
    with dask.config.set(scheduler="synchronous"):
        expected = to_bytes(profile_of_dask(parts))
    for file in started.iterdir():
        file.unlink()
    victim = next(iter(client.run(os.getpid).values()))
    future = client.submit(time.sleep, 0)  # the cluster is up
    future.result()

    def kill():
        while sum(f"-{victim}-" in name for name in os.listdir(started)) < 3:
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)

    killer = Thread(target=kill)
    killer.start()
    found = to_bytes(profile_of_dask(parts, client=client))
    killer.join()
    assert found == expected
    done = [int(name.split("-")[0]) for name in os.listdir(started)]
    assert len(done) > len(set(done)) == 16  # what the worker had was made again


def test_a_data_frame_of_dask(client):
    """Its partitions are the parts."""
    frames = pytest.importorskip("dask.dataframe")
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(1)
    frame = pandas.DataFrame({"size": rng.normal(size=5000), "colour": rng.choice(["red", "blue"], 5000)})
    split = frames.from_pandas(frame, npartitions=5)
    found = profile_of_dask(split, client=client, columns=["size"])
    assert found.n == 5000
    one = Profile.of(from_frame(frame, "frame", ["size"]), label="x")
    assert found.names == ("size",)
    size, expected = found.columns["size"], one.columns["size"]
    assert isinstance(size, NumberProfile)
    assert isinstance(expected, NumberProfile)
    assert (size.mean, size.deviation) == (expected.mean, expected.deviation)


def test_errors_of_parts_come_back(client, paths):
    with open(paths[3], "a") as file:
        file.write("typo,red\n")
    with pytest.raises(DataError, match="typo"):
        profile_of_dask(paths, client=client)
    with pytest.raises(FileNotFoundError):
        profile_of_dask([paths[0], paths[0] + ".none.csv"], client=client)
    with pytest.raises(DataError, match="at least one"):
        profile_of_dask([], client=client)


def test_an_address_that_is_none_is_refused(paths):
    with pytest.raises(DataError, match="tcp://host:8786; got 'nonsense'"):
        profile_of_dask(paths, client="nonsense")


def test_what_a_task_does(paths):
    """In this process."""
    parts = [profile_part(path, label_of(path, 0), None, (), 0) for path in paths]
    assert merged(parts) == here(paths)
    assert label_of(object(), 3) == "part 3"
