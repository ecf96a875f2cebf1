"""A small signalling service: rooms over WebSocket in front of a forwarder's control API.

Clients speak the messages of README.md and never see the forwarder's API or its key. The service keeps nothing but who is
connected: rooms, negotiation and subscriptions are the forwarder's business.
"""

import argparse
import asyncio
import json
import logging
import os

from aiohttp import ClientSession, ClientTimeout, WSMsgType, web

log = logging.getLogger("signalling")

MESSAGE_LIMIT = 128 * 1024
JOIN_TIMEOUT = 10


class Refused(Exception):
    """The forwarder said no; `problem` is its problem document (RFC 9457)."""

    def __init__(self, status, problem):
        super().__init__(problem.get("title", str(status)))
        self.status = status
        self.problem = problem


class Forwarder:
    """The calls of the control API that a room needs."""

    def __init__(self, http, url, key):
        self.http = http
        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def call(self, method, path, body=None):
        async with self.http.request(method, self.url + path, json=body, headers=self.headers) as answer:
            text = await answer.text()
            document = json.loads(text) if text else None
            if answer.status >= 400:
                raise Refused(answer.status, document or {"title": answer.reason})
            return document

    async def events(self, session):
        """The session's events as they come: pairs of type and data. Resumes where it broke off."""
        last = None
        while True:
            headers = dict(self.headers, Accept="text/event-stream")
            if last is not None:
                headers["Last-Event-ID"] = last
            path = f"{self.url}/v0/sessions/{session}/events"
            async with self.http.get(path, headers=headers, timeout=ClientTimeout(total=None)) as answer:
                if answer.status != 200:
                    return
                fields = {}
                async for line in answer.content:
                    line = line.decode().rstrip("\n")
                    if line.startswith(":"):
                        continue
                    if line:
                        name, _, value = line.partition(":")
                        fields[name] = value.removeprefix(" ")
                    elif fields:
                        last = fields.get("id", last)
                        if "data" in fields:
                            yield fields.get("event", "message"), json.loads(fields["data"])
                        fields = {}
            await asyncio.sleep(0.2)


class Member:
    """One WebSocket, and its session once it has joined."""

    def __init__(self, forwarder, socket):
        self.forwarder = forwarder
        self.socket = socket
        self.session = None
        self.following = None

    async def run(self):
        try:
            first = await self.socket.receive(timeout=JOIN_TIMEOUT)
            if first.type is not WSMsgType.TEXT or not await self.answer(first.data, self.join):
                return
            self.following = asyncio.create_task(self.follow())
            async for message in self.socket:
                if message.type is not WSMsgType.TEXT:
                    break
                await self.answer(message.data, self.act)
        except asyncio.TimeoutError:
            pass
        finally:
            await self.leave()

    async def answer(self, text, handler):
        """Carries one message out. What is wrong with it is told to the client; the connection goes on."""
        reply_to = None
        try:
            message = json.loads(text)
            reply_to = message.get("id")
            result = await handler(message)
            if result is not None or reply_to is not None:
                await self.send({"type": "result", "id": reply_to, **(result or {})})
            return True
        except Refused as refused:
            await self.send({"type": "error", "id": reply_to, "problem": refused.problem})
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            await self.send({"type": "error", "id": reply_to, "problem": {"title": f"not understood: {error!r}"}})
        return False

    async def join(self, message):
        if message["type"] != "join":
            raise ValueError("the first message is a join")
        created = await self.forwarder.call(
            "POST",
            "/v0/sessions",
            {"room": message["room"], "name": message["name"], "offer": message["sdp"]},
        )
        self.session = created["id"]
        log.info("%s is session %s in room %s", message["name"], self.session, message["room"])
        return {"session": self.session, "sdp": created["answer"]}

    async def act(self, message):
        path = f"/v0/sessions/{self.session}"
        match message["type"]:
            case "offer":
                answer = await self.forwarder.call("POST", f"{path}/offer", {"sdp": message["sdp"]})
                return {"sdp": answer["sdp"]}
            case "answer":
                body = {"sdp": message["sdp"], "version": message["version"]}
                await self.forwarder.call("PUT", f"{path}/answer", body)
            case "candidates":
                body = {"candidates": message["candidates"], "end_of_candidates": message.get("end", False)}
                await self.forwarder.call("POST", f"{path}/candidates", body)
            case "wishes":
                await self.forwarder.call("PUT", f"{path}/wishes", message["wishes"])
            case other:
                raise ValueError(f"no message of type {other!r}")

    async def follow(self):
        """Hands the forwarder's offers and the room's events on."""
        async for kind, data in self.forwarder.events(self.session):
            if kind == "offer":
                await self.send({"type": "offer", "sdp": data["sdp"], "version": data["version"]})
            else:
                await self.send({"type": "event", "event": kind, "data": data})
            if kind == "session.closed" and data.get("session") == self.session:
                break
        await self.socket.close()

    async def leave(self):
        if self.following:
            self.following.cancel()
        if self.session is None:
            return
        try:
            await self.forwarder.call("DELETE", f"/v0/sessions/{self.session}")
        except Refused as refused:
            # It has ended by itself: the peer was lost, or a moderator removed it.
            if refused.status != 404:
                log.warning("session %s: %s", self.session, refused)

    async def send(self, message):
        if not self.socket.closed:
            await self.socket.send_json(message)


async def connect(request):
    socket = web.WebSocketResponse(heartbeat=15, max_msg_size=MESSAGE_LIMIT)
    await socket.prepare(request)
    await Member(request.app["forwarder"], socket).run()
    return socket


def application(url, key):
    app = web.Application()
    app.router.add_get("/ws", connect)

    async def forwarder(app):
        async with ClientSession() as http:
            app["forwarder"] = Forwarder(http, url, key)
            yield

    app.cleanup_ctx.append(forwarder)
    return app


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forwarder", default="http://127.0.0.1:7600", help="address of the control API (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (default: %(default)s)")
    parser.add_argument("--key-variable", default="FORWARDER_KEY", help="environment variable with the API's key (default: %(default)s)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    web.run_app(
        application(arguments.forwarder, os.environ.get(arguments.key_variable)),
        host=arguments.host,
        port=arguments.port,
        print=lambda text: None,
    )


if __name__ == "__main__":
    main()
