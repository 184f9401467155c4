"""What is said on connecting to clusters, as JSON. A process of its own: libraries leave sockets open in it.

Arguments: the addresses of a scheduler with two workers, of one without, and of one whose workers may be dismissed.
"""

import asyncio
import json
import sys
import time
from unittest import mock

from distributed import Client

from nofcore.errors import InputError
from nofcore.report import pool

NO_SCHEDULER = ("tcp://127.0.0.1:1", "no address", "", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "inproc://x")
WAYS = ("tls", "http", "ws", "wss", "ucx", "inproc", "x")


def refused(address: str) -> str | None:
    try:
        with pool.cluster(address):
            return None
    except InputError as error:
        return str(error)


def without_scheduler(idle: str) -> dict[str, str | None]:
    """No client is made, which would write about its own end, 20 s later."""
    others = (way + idle.removeprefix("tcp") for way in WAYS)
    with mock.patch.object(pool, "CONNECT_TIMEOUT", 0.5), mock.patch("distributed.Client", None):
        return {address: refused(address) for address in (*NO_SCHEDULER, *others)}


def of_a_worker(scheduler: str) -> str | None:
    with Client(scheduler, set_as_default=False) as client:
        worker = next(iter(client.nthreads()))
    return refused(worker)


def counted(scheduler: str) -> list[str]:
    said = []
    with pool.cluster(scheduler, said.append):
        return said


async def counted_within_a_loop(scheduler: str) -> list[str]:
    return counted(scheduler)


def without_workers(idle: str) -> str | None:
    with mock.patch.object(pool, "WORKERS_TIMEOUT", 0.5):
        return refused(idle)


def dismissed(address: str) -> list[str]:
    """What is told when all workers have gone, and a second later."""
    told = []
    with mock.patch.object(pool, "WORKERS_TIMEOUT", 0.2), pool.cluster(address, told.append):
        with Client(address, set_as_default=False) as client:
            client.retire_workers(close_workers=True, remove=True)
        end = time.monotonic() + 20
        while len(told) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(1)
    return told


if __name__ == "__main__":
    scheduler, idle, brief = sys.argv[1:]
    said = {
        "no scheduler": without_scheduler(idle),
        "a worker": of_a_worker(scheduler),
        "counted": counted(scheduler),
        "counted within a loop": asyncio.run(counted_within_a_loop(scheduler)),
        "no workers": without_workers(idle),
        "dismissed": dismissed(brief),
    }
    print(json.dumps(said))
