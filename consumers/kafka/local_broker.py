"""A real broker on this machine: Apache Kafka in KRaft mode, one node, on loopback ports.

For tests, demo and benchmarks; an operator brings a cluster. The jars come from Maven
(`make kafka`), the data lie in a directory that the caller gives and may throw away. The JVM hangs
on to its parent by a pipe: however the parent ends, the broker ends with it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Where `make kafka` puts the jars.
JARS = Path(sys.prefix) / "kafka"
START_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
_HOST = "127.0.0.1"
#: The shell ends the JVM when its own standard input ends.
_TIED = 'java "$@" </dev/null & echo $! >"$PID_FILE"; cat >/dev/null; kill -9 $!; wait $!'
_SMALL = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes=2097152
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
"""


class BrokerFailed(Exception):
    """The local broker cannot be started."""


def missing() -> str | None:
    """What keeps a broker from being started here, in a sentence; None if nothing does."""
    if shutil.which("java") is None:
        return "there is no Java"
    if not any(JARS.glob("kafka_2.13-*.jar")):
        return "Kafka's jars are not installed (`make kafka` does it)"
    return None


class Broker:
    """One broker whose data and logs are in `directory`; its ports stay the same for its life."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._data = directory / "data"
        self._config = directory / "server.properties"
        self.port, self._controller = free_ports(2)
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return f"{_HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The JVM's process id."""
        return int((self._directory / "pid").read_text())

    def start(self) -> "Broker":
        """Start it, formatted first if there is no data; answers when it accepts connections."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._config.write_text(
            _PROPERTIES.format(
                host=_HOST, port=self.port, controller=self._controller, data=self._data
            )
        )
        if not self._data.exists():
            cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            self._format(cluster)
        with (self._directory / "broker.log").open("ab") as log:
            self._running = subprocess.Popen(
                ["sh", "-c", _TIED, "sh", *java("kafka.Kafka", str(self._config))],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "PID_FILE": str(self._directory / "pid")},
                start_new_session=True,
            )
        self._await_port()
        return self

    def stop(self) -> None:
        """Let it end in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As the kernel or a power cut would end it."""
        self._end(signal.SIGKILL)

    def wipe(self) -> None:
        """Throw its data away; the next start begins an empty cluster of another id."""
        shutil.rmtree(self._data, ignore_errors=True)

    def _format(self, cluster: str) -> None:
        arguments = ("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._config))
        done = subprocess.run(
            ["java", *java(*arguments)], capture_output=True, timeout=START_WITHIN_S, check=False
        )
        if done.returncode:
            raise BrokerFailed(done.stderr.decode(errors="replace") or "format failed")

    def _await_port(self) -> None:
        assert self._running is not None
        give_up_at = time.monotonic() + START_WITHIN_S
        while time.monotonic() < give_up_at:
            if self._running.poll() is not None:
                break
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex((_HOST, self.port)) == 0:
                    return
            time.sleep(0.05)
        self.kill()
        tail = (self._directory / "broker.log").read_text(errors="replace")[-2_000:]
        raise BrokerFailed(f"no broker on port {self.port}: {tail}")

    def _end(self, number: signal.Signals) -> None:
        shell = self._running
        if shell is None:
            return
        self._running = None
        assert shell.stdin is not None
        try:
            pid = self.pid
            os.kill(pid, number)
            give_up_at = time.monotonic() + STOP_WITHIN_S
            while Path(f"/proc/{pid}").exists() and time.monotonic() < give_up_at:
                if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                    break
                time.sleep(0.02)
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended by itself
        finally:
            shell.stdin.close()
            shell.wait(STOP_WITHIN_S)


def java(main: str, *arguments: str) -> list[str]:
    """Arguments of `java` that run a class out of the jars."""
    return [*_SMALL, "-cp", f"{JARS}/*", main, *arguments]


@contextmanager
def running(directory: Path) -> Iterator[Broker]:
    """A broker as long as the block; its data are thrown away."""
    broker = Broker(directory).start()
    try:
        yield broker
    finally:
        broker.stop()
        broker.wipe()


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((_HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
