"""WHIP and WHEP by the standard library: one POST of an offer, the answer in its reply, one DELETE at the end."""

import urllib.parse
import urllib.request


class Resource:
    """What a POST made."""

    def __init__(self, url, token):
        self.url, self.token = url, token
        # The environment's proxy is none of a namespace's.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def offer(self, sdp):
        """Posts an offer; gives the answer."""
        with self.call("POST", sdp.encode()) as reply:
            self.url = urllib.parse.urljoin(self.url, reply.headers["location"])
            return reply.read().decode()

    def leave(self):
        self.call("DELETE", None).close()

    def call(self, method, body):
        request = urllib.request.Request(self.url, data=body, method=method)
        if body is not None:
            request.add_header("content-type", "application/sdp")
        if self.token:
            request.add_header("authorization", f"Bearer {self.token}")
        return self.opener.open(request, timeout=20)
