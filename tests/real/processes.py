"""Starts and stops real servers on free ports. Kills nothing that it did not start."""

import os
import shutil
import socket
import subprocess
import tempfile
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("MEMVAULT_BINARY", os.path.join(REPOSITORY, "target", "debug", "memvault"))
DEADLINE = 60.0
"""Seconds after which waiting for anything counts as a failure; generous, as machines are slow."""


def free_ports(count):
    """Ports that were free a moment ago, each different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def have(tool):
    """Whether a program of this name is installed."""
    return shutil.which(tool) is not None


class Server:
    """A running server process that takes RESP on `port`."""

    def __init__(self, arguments, port):
        self.port = port
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            arguments, stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def output(self):
        """What the process has printed so far."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def connect(self):
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)

    def wait_until(self, request, expected):
        """Waits until `request` gets the reply `expected` (both bytes)."""
        end = time.monotonic() + DEADLINE
        reply = b""
        while time.monotonic() < end:
            if self.process.poll() is not None:
                # Its output tells why, for instance that the port was taken meanwhile.
                raise RuntimeError(f"server ended with {self.process.returncode}:\n{self.output()}")
            try:
                with self.connect() as connection:
                    connection.sendall(request)
                    reply = connection.recv(len(expected))
                    if reply == expected:
                        return self
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"no {expected!r} within {DEADLINE} s, last was {reply!r}:\n{self.output()}")

    def stop(self):
        """Ends the process."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def start(arguments, port):
    """A server that answers PING."""
    server = Server(arguments, port)
    try:
        return server.wait_until(b"PING\r\n", b"+PONG\r\n")
    except RuntimeError:
        server.stop()
        raise


def start_redis():
    """The redis-server that others are compared with: nothing saved, nothing remembered."""
    [port] = free_ports(1)
    arguments = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return start(arguments, port)


def start_serve(*flags):
    """One `memvault serve`, ready."""
    [port] = free_ports(1)
    return start([BINARY, "serve", "--port", str(port), *flags], port)


class Cluster:
    """Members and a gateway, all ready."""

    def __init__(self, count=3, flags=()):
        """`flags` are one more flag, or a list of them, for each member, and for the gateway; none by default."""
        *flags, last = [[flag] if isinstance(flag, str) else flag for flag in flags] or [[]] * (count + 1)
        *ports, gateway = free_ports(count + 1)
        members = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.members = [
            Server([BINARY, "serve", "--port", str(port), "--cluster", members, *flag], port)
            for port, flag in zip(ports, flags)]
        self.gateway = Server([BINARY, "gateway", "--port", str(gateway), "--cluster", members, *last], gateway)
        try:
            for server in [*self.members, self.gateway]:
                server.wait_until(b"SET a-probe x\r\n", b"+OK\r\n")
        except RuntimeError:
            self.stop()
            raise

    def stop(self):
        """Ends all processes."""
        self.gateway.stop()
        self.stop_members()

    def stop_members(self):
        """Ends the members, and lets the gateway be."""
        for server in self.members:
            server.stop()
