// The lab's routes on Node's http, one thread: node server.js PORT
const http = require("http");

const server = http.createServer((request, response) => {
  const [, route, value] = request.url.split("/");
  const reply = (status, body) => {
    // The last reply of a connection says so, or the connection would stay open for 5 s more.
    const last = server.listening ? {} : { Connection: "close" };
    response.writeHead(status, { "Content-Length": body.length, ...last });
    response.end(body);
  };
  if (request.method === "GET" && request.url === "/") {
    reply(200, "Hello, World!");
  } else if (request.method === "GET" && route === "bytes" && /^\d+$/.test(value)) {
    reply(200, Buffer.alloc(Number(value), "x"));
  } else if (request.method === "GET" && route === "sleep" && /^\d+$/.test(value)) {
    setTimeout(() => reply(200, "slept"), Number(value));
  } else if (request.method === "POST" && request.url === "/echo") {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => reply(200, Buffer.concat(parts)));
  } else {
    reply(404, "not found");
  }
});

// SIGTERM: no new connections, none that is idle; what is in flight is answered.
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    process.once(signal, () => process.exit(143));
  });
}
server.listen(Number(process.argv[2]));
