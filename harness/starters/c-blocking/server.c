/* The lab's routes in C, one client at a time: cc -O2 -o server server.c && ./server PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* send() may take a part only; the rest is still to be sent. */
static int put(int fd, const char *p, size_t n) {
    for (ssize_t w; n > 0; p += w, n -= w)
        if ((w = send(fd, p, n, MSG_NOSIGNAL)) <= 0) return -1;
    return 0;
}

static int reply(int fd, const char *status, const char *body, size_t n) {
    char head[128];
    int h = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status, n);
    return put(fd, head, h) || put(fd, body, n);
}

static int route(int fd, const char *head, const char *body, size_t n) {
    unsigned value;
    if (!strncmp(head, "GET / ", 6)) return reply(fd, "200 OK", "Hello, World!", 13);
    if (!strncmp(head, "POST /echo ", 11)) return reply(fd, "200 OK", body, n);
    if (sscanf(head, "GET /sleep/%u ", &value) == 1) {
        usleep(value * 1000);
        return reply(fd, "200 OK", "slept", 5);
    }
    if (sscanf(head, "GET /bytes/%u ", &value) == 1) {
        char *filler = memset(malloc(value + 1), 'x', value);
        int failed = reply(fd, "200 OK", filler, value);
        free(filler);
        return failed;
    }
    return reply(fd, "404 Not Found", "not found", 9);
}

static void serve(int fd) {
    size_t room = 4 << 20, have = 0;
    char *buf = malloc(room + 1), *end;
    for (;;) { /* read() returns any number of bytes: a request may come in parts, or with the next one */
        buf[have] = 0;
        if ((end = memmem(buf, have, "\r\n\r\n", 4))) {
            char *length = strcasestr(buf, "\r\nContent-Length:");
            size_t head = end + 4 - buf, body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
            if (head + body <= have) {
                char *closes = strcasestr(buf, "\r\nConnection: close");
                int last = closes && closes < end;
                if (route(fd, buf, buf + head, body) || last) break;
                memmove(buf, buf + head + body, have -= head + body);
                continue;
            }
        }
        ssize_t r = have < room ? read(fd, buf + have, room - have) : 0;
        if (r <= 0) break;
        have += r;
    }
    free(buf);
}

static int listen_on(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 128)) perror("listen"), exit(1);
    return listener;
}

int main(int argc, char **argv) {
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 8080);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) continue;
        serve(fd);
        close(fd);
    }
}
