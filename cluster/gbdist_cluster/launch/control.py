"""The keeper's control port, and the calls to it: Dask's own server and messages, on the loopback.

It has TLS where the cluster has it. A caller must know the token that only the owner can read from the record; and nothing in a
message is unpickled.
"""

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from distributed.core import Server, rpc

from gbdist_cluster.errors import ClusterError, GbdistError
from gbdist_cluster.launch.certificates import security_for
from gbdist_cluster.launch.records import ClusterRecord

if TYPE_CHECKING:
    from gbdist_cluster.launch.keeper import Keeper

__all__ = ["Control", "call_keeper"]


class Control:
    """The serving end, in the keeper."""

    def __init__(self, keeper: "Keeper") -> None:
        self._keeper = keeper
        self.token = secrets.token_hex(16)
        handlers = {"describe": self.describe, "scale": self.scale, "stop": self.stop}
        self._server = Server(handlers, deserialize=False)

    @property
    def address(self) -> str:
        """Where it listens."""
        return str(self._server.address)

    async def listen(self, security: Any) -> None:
        """Begin to take calls, on a free port of the loopback."""
        arguments = {} if security is None else security.get_listen_args("scheduler")
        await self._server.listen(f"{'tcp' if security is None else 'tls'}://127.0.0.1:0", **arguments)
        await self._server

    async def close(self) -> None:
        """Take no more."""
        await self._server.close()

    async def _answer(self, token: str, work: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
        """Do the work for whoever knows the token; a refusal is an answer too, so that no exception needs unpickling."""
        if not hmac.compare_digest(str(token), self.token):
            return {"refused": "the token of the cluster's record is missing"}
        try:
            return {"answer": await work()}
        except GbdistError as problem:
            return {"refused": str(problem)}
        except (OSError, TimeoutError) as problem:
            return {"refused": f"its scheduler does not answer ({problem or 'too late'})"}
        except Exception as problem:  # of whatever starts its workers: Kubernetes, a queue
            return {"refused": f"{type(problem).__name__}: {problem}"}

    async def describe(self, token: str) -> dict[str, Any]:
        """Say which workers there are, and how many are wanted."""
        return await self._answer(token, self._facts)

    async def scale(self, token: str, workers: int) -> dict[str, Any]:
        """Have so many workers."""
        return await self._answer(token, lambda: self._keeper.scale(workers))

    async def stop(self, token: str) -> dict[str, Any]:
        """End the cluster, soon."""

        async def set_ending() -> None:
            self._keeper.ending.set()

        return await self._answer(token, set_ending)

    async def _facts(self) -> dict[str, Any]:
        identity = await self._keeper.identity()
        workers = [
            {
                "address": address,
                "name": str(worker["name"]),
                "threads": int(worker["nthreads"]),
                "memory": int(worker["memory_limit"] or 0),
                "used": int(worker["metrics"].get("memory", 0)),
            }
            for address, worker in identity["workers"].items()
        ]
        return {"wanted": self._keeper.wanted, "workers": workers}


def call_keeper(record: ClusterRecord, operation: str, seconds: float = 10.0, **fields: Any) -> Any:
    """Call a keeper of this machine and return its answer.

    Raises
    ------
    ClusterError
        If it does not answer within ``seconds``, or refuses.
    """
    try:
        answer = asyncio.run(asyncio.wait_for(_call(record, operation, fields), seconds))
    except (OSError, TimeoutError) as problem:
        raise ClusterError(
            f"The keeper of the cluster {record.name!r}, process {record.pid}, does not answer ({problem or 'too late'})",
            f"See its log: {record.log}; stop it with: gbdist cluster down {record.name}",
        ) from problem
    if "refused" in answer:
        raise ClusterError(
            f"The keeper of the cluster {record.name!r} refuses to {operation}: {answer['refused'].rstrip('.')}",
            f"See: gbdist cluster status {record.name}",
        )
    return answer["answer"]


async def _call(record: ClusterRecord, operation: str, fields: dict[str, Any]) -> Any:
    security = security_for(record.certificates, client_only=True)
    arguments = {} if security is None else security.get_connection_args("client")
    async with rpc(record.control, connection_args=arguments, deserialize=False) as keeper:
        return await getattr(keeper, operation)(token=record.token, **fields)
