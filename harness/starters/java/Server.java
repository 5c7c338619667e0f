// The lab's routes on com.sun.net.httpserver with a pool of 32 threads: java Server.java PORT
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.concurrent.Executors;

public class Server {
    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[0]);
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.createContext("/", Server::handle);
        server.setExecutor(Executors.newFixedThreadPool(32));
        server.start();
    }

    static void handle(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        byte[] body = exchange.getRequestBody().readAllBytes();
        boolean isGet = exchange.getRequestMethod().equals("GET");
        try {
            if (isGet && path.equals("/")) {
                reply(exchange, 200, "Hello, World!".getBytes());
            } else if (isGet && path.startsWith("/bytes/")) {
                byte[] filler = new byte[Integer.parseInt(path.substring(7))];
                Arrays.fill(filler, (byte) 'x');
                reply(exchange, 200, filler);
            } else if (isGet && path.startsWith("/sleep/")) {
                Thread.sleep(Integer.parseInt(path.substring(7)));
                reply(exchange, 200, "slept".getBytes());
            } else if (exchange.getRequestMethod().equals("POST") && path.equals("/echo")) {
                reply(exchange, 200, body);
            } else {
                reply(exchange, 404, "not found".getBytes());
            }
        } catch (NumberFormatException | InterruptedException e) {
            reply(exchange, 404, "not found".getBytes());
        }
    }

    static void reply(HttpExchange exchange, int status, byte[] body) throws IOException {
        // -1: no body; 0 would mean one of unknown length, in chunks.
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
