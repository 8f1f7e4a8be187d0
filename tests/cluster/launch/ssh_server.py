"""An SSH server on the loopback that runs what it is asked to, as an ordinary one does, with a key of its own."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh


@dataclass(frozen=True)
class SshServer:
    """How it is reached."""

    port: int
    key: Path
    known_hosts: Path
    commands: list[str]
    """What it was asked to run."""


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """Serve until the block ends; what was started is ended with it."""
    key, host_key = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(folder / "id")
    (folder / "id").chmod(0o600)
    key.write_public_key(folder / "authorized")
    commands: list[str] = []
    children: list[Any] = []
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> Any:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=str(folder / "authorized"),
            process_factory=lambda process: _run(process, commands, children),
        )

    async def stop(server: Any) -> None:
        server.close()
        await server.wait_closed()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(_end(child) for child in children))

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    port = server.sockets[0].getsockname()[1]
    known = folder / "known_hosts"
    public = host_key.export_public_key().decode().strip()
    known.write_text(f"[127.0.0.1]:{port} {public}\n[localhost]:{port} {public}\n")
    try:
        yield SshServer(port, folder / "id", known, commands)
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


async def _run(process: Any, commands: list[str], children: list[Any]) -> None:
    commands.append(process.command)
    child = await asyncio.create_subprocess_shell(
        process.command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    children.append(child)
    # Where the connection is lost the command goes on, and writes to a closed pipe, as with sshd.
    await asyncio.gather(_pass_on(child.stdout, process.stdout), _pass_on(child.stderr, process.stderr))
    process.exit(await child.wait())


async def _pass_on(source: Any, target: Any) -> None:
    try:
        while text := await source.read(65536):
            target.write(text.decode(errors="replace"))
    finally:
        source._transport.close()


async def _end(child: Any) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):  # it ended by itself, which asyncio has not heard yet
            os.killpg(child.pid, signal.SIGKILL)
    await child.wait()
