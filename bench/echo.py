"""The yardstick of HTTP: a bare FastAPI echo of the same validated body, served the same way."""

import socket

import uvicorn
from fastapi import FastAPI

from domain.sales.tips import SendTip

app = FastAPI()


@app.post("/echo", status_code=201)
async def echo(command: SendTip) -> SendTip:
    """The command that was sent."""
    return command


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_level="warning", loop="uvloop", http="httptools")
    uvicorn.Server(config).run(sockets=[listening])
