"""Every call that vaurienclient makes, against the API of the first argument,
of a proxy at the second.

vaurienclient itself is written for Python 2 and needs a library besides. Client
makes its calls: the same paths and fields, no Content-Type, the reading of
errors, and its with_behavior, which restores the name of a behavior and not its
options.
"""

import contextlib
import http.client
import json
import socket
import sys
import time


class Client(object):
    def __init__(self, host="localhost", port=8080, scheme="http"):
        self.host, self.port = host, port

    def _call(self, method, path, body=None):
        conn = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            conn.request(method, path, None if body is None else json.dumps(body))
            response = conn.getresponse()
            answer = json.loads(response.read())
        finally:
            conn.close()
        if response.status == 400 and answer.get("status", "error") == "error":
            error = answer.get("errors", [])[0]
            if error["name"] == "name":
                raise ValueError(error["description"])
        if response.status >= 400:
            raise RuntimeError(response.status, answer)
        return answer

    def set_behavior(self, behavior, **options):
        options["name"] = behavior
        return self._call("PUT", "/behavior", options)

    def get_behavior(self):
        return self._call("GET", "/behavior")["behavior"]

    def list_behaviors(self):
        return self._call("GET", "/behaviors")["behaviors"]

    @contextlib.contextmanager
    def with_behavior(self, behavior, **options):
        current = self.get_behavior()
        self.set_behavior(behavior, **options)
        try:
            yield
        finally:
            self.set_behavior(current)


def main(api, proxy):
    host, port = api.rsplit("/", 1)[-1].rsplit(":", 1)
    client = Client(host, int(port))
    at = proxy.rsplit(":", 1)

    def exchange():
        """How long a line takes there and back; None if it is not what comes."""
        start = time.monotonic()
        try:
            with socket.create_connection((at[0], int(at[1])), timeout=10) as conn:
                conn.sendall(b"hello\n")
                if conn.recv(64) != b"hello\n":
                    return None
        except ConnectionError:
            return None
        return time.monotonic() - start

    assert client.list_behaviors() == [
        "abort", "blackout", "delay", "dummy", "error", "hang", "transient",
    ], client.list_behaviors()
    assert client.get_behavior() == "dummy"
    assert exchange() < 5

    assert client.set_behavior("delay", sleep=0.2) == {"status": "ok"}
    assert client.get_behavior() == "delay"
    assert exchange() >= 0.2
    with client.with_behavior("blackout"):
        assert client.get_behavior() == "blackout"
        assert exchange() is None
        with client.with_behavior("error", inject=True, warmup=0):
            assert client.get_behavior() == "error"
        assert client.get_behavior() == "blackout"
    assert client.get_behavior() == "delay"
    assert exchange() >= 0.2, "restored by its name, the delay has lost its seconds"

    with client.with_behavior("abort"):
        assert exchange() is None
    with client.with_behavior("transient", agitate=1):
        assert exchange() is None
        assert exchange() is not None, "a transient error does not heal"
    try:
        with client.with_behavior("dummy"):
            raise KeyError
    except KeyError:
        assert client.get_behavior() == "delay", "not restored after an exception"

    client.set_behavior("100:dummy")
    with client.with_behavior("hang"):
        pass
    assert client.get_behavior() == "100:dummy"
    assert exchange() < 5

    try:
        client.set_behavior("x")
        raise AssertionError("a behavior that does not exist is taken")
    except ValueError as error:
        assert str(error) == "the 'x' behavior does not exist", error
    try:
        client.set_behavior("delay", sleep="long")
        raise AssertionError("a delay of \"long\" is taken")
    except RuntimeError as error:
        assert error.args[0] == 400 and error.args[1]["errors"][0]["name"] == "sleep", error

    # What people have called with curl: vaurienclient has no call for it.
    backend = client._call("GET", "/backend")["backend"]
    assert client._call("PUT", "/backend", {"backend": "127.0.0.1:1"}) == {"status": "ok"}
    assert client._call("GET", "/backend") == {"backend": "127.0.0.1:1"}
    assert exchange() is None
    client._call("PUT", "/backend", {"backend": backend})
    assert exchange() < 5
    print("session complete")


main(*sys.argv[1:])
