"""The lab's routes in Python on a ThreadPoolExecutor: python3 pool.py PORT WORKERS BACKLOG [closes]

Not to begin from: it is right, and has what right servers were blamed for. Its pool grows to its bound, its
backlog is short, and with `closes` it ends each connection after a reply.
"""

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

port, workers, backlog = (int(word) for word in sys.argv[1:4])
closes = "closes" in sys.argv


def answer(line, body):
    method, path, _ = line.split(" ", 2)
    _, route, *rest = path.split("/")
    if method == "GET" and path == "/":
        return "200 OK", b"Hello, World!"
    if method == "GET" and route == "bytes" and rest[0].isdigit():
        return "200 OK", b"x" * int(rest[0])
    if method == "GET" and route == "sleep" and rest[0].isdigit():
        time.sleep(int(rest[0]) / 1000)
        return "200 OK", b"slept"
    if method == "POST" and path == "/echo":
        return "200 OK", body
    return "404 Not Found", b"not found"


def serve(connection):
    with connection, connection.makefile("rb") as requests:
        while line := requests.readline().decode("latin-1").strip():
            headers = {}
            while header := requests.readline().decode("latin-1").strip():
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip().lower()
            body = requests.read(int(headers.get("content-length", 0)))
            status, reply = answer(line, body)
            last = closes or headers.get("connection") == "close"
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(reply)}\r\n"
            head += "Connection: close\r\n\r\n" if last else "\r\n"
            connection.sendall(head.encode() + reply)
            if last:
                return


def serve_to_the_end(connection):
    try:
        serve(connection)
    except (OSError, ValueError):
        pass


listener = socket.create_server(("127.0.0.1", port), backlog=backlog)
pool = ThreadPoolExecutor(workers)
while True:
    try:
        connection, _ = listener.accept()
    except OSError:
        # Out of descriptors: an end may free one.
        time.sleep(0.05)
        continue
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pool.submit(serve_to_the_end, connection)
