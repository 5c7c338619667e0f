"""The lab's routes on Python's http.server, a thread for each connection: python3 server.py PORT"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open
    disable_nagle_algorithm = True

    def do_GET(self):
        parts = self.path.split("/")
        if self.path == "/":
            self.reply(200, b"Hello, World!")
        elif len(parts) == 3 and parts[1] == "bytes" and parts[2].isdigit():
            self.reply(200, b"x" * int(parts[2]))
        elif len(parts) == 3 and parts[1] == "sleep" and parts[2].isdigit():
            time.sleep(int(parts[2]) / 1000)
            self.reply(200, b"slept")
        else:
            self.reply(404, b"not found")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.reply(200, body) if self.path == "/echo" else self.reply(404, b"not found")

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
