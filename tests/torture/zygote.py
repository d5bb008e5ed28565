"""A process that has imported the server and does nothing else, until it is told to become one.

python -m tests.torture.zygote SOCKET_FD

A server's start is nine tenths imports. The zygote has done them, and has no thread, no event loop, no open file and no
lock; a fork of it is a process with its own pid, session and memory, that goes through every line of the server's start
from the reading of the settings on, and that a signal ends like any other. What a fork leaves out is the interpreter's
own start, in which no data folder is touched yet. So that this stays an argument and no article of faith, a share of
the lives are new interpreters: the same fork, followed by an exec of Python.

Requests are one packet each: `{"start": ORDERS}` with two descriptors, for `ready` and for the log, answered with the
pid; `{"reap": PID}`, answered with the exit status once the process has ended. Until it is reaped, its pid is nobody
else's. Whoever is forked dies with the zygote.
"""

import ctypes
import gc
import json
import os
import random
import signal
import socket
import sys
import traceback

from tests.torture.life import live
from tests.torture.orders import Orders

_PR_SET_PDEATHSIG = 1
_PACKET_BYTES = 65_536
_LIBC = ctypes.CDLL(None, use_errno=True)


def _begin(orders: Orders, channel: socket.socket, ready: int, log: int) -> None:
    """Become a server; never returns."""
    status = 1
    try:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        channel.close()
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        if orders.fresh:
            os.set_inheritable(ready, True)  # noqa: FBT003
            os.execv(  # noqa: S606
                sys.executable, [sys.executable, "-m", "tests.torture.life", str(ready), orders.to_json()]
            )
        random.seed()
        live(orders, ready)
        status = 0
    except BaseException:  # noqa: BLE001 - this process is a copy: nothing of the zygote's own may run in it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _start(orders: Orders, channel: socket.socket, descriptors: list[int]) -> int:
    ready, log = descriptors
    pid = os.fork()
    if pid == 0:
        _begin(orders, channel, ready, log)
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def main() -> None:
    """Fork on request until the other end of the socket is closed."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    gc.collect()
    gc.freeze()
    channel.send(b"0")
    while True:
        packet, descriptors, _, _ = socket.recv_fds(channel, _PACKET_BYTES, 2)
        if not packet:
            return
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)  # noqa: FBT003
        request = json.loads(packet)
        if "start" in request:
            answer = _start(Orders.from_json(request["start"]), channel, descriptors)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["reap"], 0)[1])
        channel.send(str(answer).encode())


if __name__ == "__main__":
    main()
