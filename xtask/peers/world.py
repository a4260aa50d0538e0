"""Billfold and its sandboxes as processes on this machine, and a place that receives webhooks."""

import http.server
import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time

import requests

PATIENCE = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, look, seconds=PATIENCE):
    """Waits for something to be true, and gives it."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} seconds")
        time.sleep(0.05)


def whole(path):
    """The JSON in a file; `None` while it is being written."""
    with open(path, encoding="utf-8") as text:
        try:
            return json.load(text)
        except json.JSONDecodeError:
            return None


class Receiver:
    """A webhook endpoint that takes everything, as it came over the wire."""

    def __init__(self):
        deliveries = self.deliveries = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                deliveries.put((dict(self.headers.items()), body))
                self.send_response(200)
                self.end_headers()
                # One of the gateways goes on until it reads this.
                self.wfile.write(b"[accepted]")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, count):
        """The next webhooks: headers by lower-case name, and the body's bytes."""
        found = [self.deliveries.get(timeout=PATIENCE) for _ in range(count)]
        return [({name.lower(): value for name, value in headers.items()}, body) for headers, body in found]


class Process:
    def __init__(self, command, log):
        self.log = log
        with open(log, "ab") as err, open(f"{log}.out", "ab") as out:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def ready(self, url):
        def answers():
            if self.child.poll() is not None:
                with open(self.log, encoding="utf-8", errors="replace") as text:
                    raise AssertionError(f"it ended: {text.read()[-2000:]}")
            try:
                return requests.get(url, timeout=2).status_code
            except requests.RequestException:
                return None

        until(f"{url} answers", answers)

    def end(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


class Sandbox:
    """One of Billfold's local gateways, with its control API."""

    def __init__(self, world, kind):
        self.kind, port = kind, free_port()
        self.url = f"http://127.0.0.1:{port}"
        log = os.path.join(world.folder, f"sandbox-{kind}.log")
        command = [world.billfold, "sandbox", "--gateway", kind, "--listen", f"127.0.0.1:{port}", "--json"]
        world.start(command, log).ready(f"{self.url}/_sandbox/sessions")
        # It answers before it has said how.
        told = until("the sandbox tells its settings", lambda: whole(f"{log}.out"))
        self.settings, self.secret_key, self.secret = told["settings"], told["secret_key"], told["callback_token"]

    def control(self, method, path, **body):
        answer = requests.request(method, f"{self.url}/_sandbox/{path}", json=body or None, timeout=PATIENCE)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def send_webhooks_to(self, url):
        self.control("PUT", "webhook", url=url)

    def session_of(self, reference):
        """The gateway's id of the session that carries Billfold's id."""
        of = [one for one in self.control("GET", "sessions") if reference in json.dumps(one)]
        return of[-1]["id"]

    def complete(self, session, **what):
        return self.control("POST", f"sessions/{session}/complete", **({"channel_code": None} | what))

    def requests(self):
        """Billfold's requests, and those of others, which say who they are, as they were received."""
        ours, others = [], []
        for one in self.control("GET", "requests"):
            agent = one["headers"].get("user-agent", "").lower()
            (ours if agent.startswith("billfold") else others).append(one)
        return ours, others

    def same_version(self, version):
        """Billfold and others ask for the same version of the API; `version` finds it in a request."""
        of_ours, of_others = ({version(one) for one in some if one["status"] < 400} for some in self.requests())
        if len(of_ours) != 1 or of_ours != of_others:
            raise AssertionError(f"Billfold asks for {of_ours}, others for {of_others}")


class Billfold:
    """`billfold serve` over a new database, with gateways given as (name, provider, settings)."""

    def __init__(self, world, name, gateways, ask_after_seconds):
        folder = os.path.join(world.folder, name)
        os.makedirs(folder)
        self.config, port = os.path.join(folder, "billfold.toml"), free_port()
        self.url, self.program = f"http://127.0.0.1:{port}", world.billfold
        key = os.path.join(folder, "root.key")
        subprocess.run([world.billfold, "keys", "init", "--file", key], check=True, capture_output=True)
        text = (
            f'[server]\nlisten = "127.0.0.1:{port}"\npublic_url = "{self.url}"\ndevelopment = true\n\n'
            f'[database]\nurl = "sqlite://{folder}/billfold.db"\n\n[vault]\nroot_key_file = "{key}"\n\n'
            f"[workers]\ninterval_ms = 100\nask_after_seconds = {ask_after_seconds}\n\n"
            "[webhooks]\nallow_private_networks = true\n"
        )
        for gateway, provider, settings in gateways:
            table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
            text += f'\n[gateways.{gateway}]\nprovider = "{provider}"\nmode = "test"\n\n'
            text += f"[gateways.{gateway}.settings]\n{table}"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        made = self.command("keys", "create", "--name", "peers", "--scope", "payments", "--scope", "charge",
                            "--scope", "webhooks")
        self.headers = {"Authorization": f"Bearer {made['secret']}"}
        serve = [world.billfold, "serve", "--config", self.config]
        world.start(serve, os.path.join(folder, "serve.log")).ready(f"{self.url}/readyz")

    def command(self, *args):
        command = [self.program, *args, "--json", "--config", self.config]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(args)}: {done.stderr[-600:]}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def call(self, method, path, body=None):
        url = f"{self.url}{path}"
        answer = requests.request(method, url, json=body, headers=self.headers, timeout=PATIENCE)
        if not answer.ok:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text[:400]}")
        return answer.json() if answer.content else None

    def start(self, gateway, reference, currency, country, **more):
        """A session; its customer has a whole profile, so that everything of it is sent."""
        profile = {"given_names": "Lorem", "surname": "Ipsum", "email": "lorem@example.com"}
        request = {
            "gateway": gateway,
            "customer": {"reference": reference, "mobile_number": "+4915112345678", **profile},
            "usage": "recurring",
            "currency": currency,
            "country": country,
            "metadata": {"cart": "7"},
            "return_url": "http://127.0.0.1:9/wallet",
        }
        return self.call("POST", "/v1/sessions", request | more)

    def session(self, session):
        return self.call("GET", f"/v1/sessions/{session['id']}")

    def methods(self, session):
        return [self.call("GET", f"/v1/payment-methods/{id}") for id in self.session(session)["payment_methods"]]

    def settled(self, session, status, via):
        """Waits until a session has ended, so and by that way."""
        ended = until(f"the session is {status}", lambda: (now := self.session(session))["status"] == status and now)
        if ended["settled_via"] != via:
            raise AssertionError(f"settled by {ended['settled_via']}, expected {via}")
        return ended

    def deliver(self, gateway, headers, body):
        """Sends a webhook as it is; gives the answer."""
        sent = {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")}
        sent.setdefault("content-type", "application/json")
        return requests.post(f"{self.url}/webhooks/{gateway}", data=body, headers=sent, timeout=PATIENCE)


class World:
    def __init__(self, billfold, folder):
        self.billfold, self.folder, self.processes = billfold, folder, []
        self.receiver = Receiver()

    def start(self, command, log):
        process = Process(command, log)
        self.processes.append(process)
        return process

    def end(self):
        for process in reversed(self.processes):
            process.end()
        self.receiver.server.shutdown()


def changed(body):
    """A body with one character of a text in it changed, so that it is still JSON."""
    at = body.rindex(b'"')
    while not (97 <= body[at - 1] <= 122 or 65 <= body[at - 1] <= 90 or 48 <= body[at - 1] <= 57):
        at = body.rindex(b'"', 0, at)
    other = b"b" if body[at - 1 : at] == b"a" else b"a"
    return body[: at - 1] + other + body[at:]
