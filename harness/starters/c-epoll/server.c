/* The lab's routes in C, all clients in one thread: cc -O2 -o server server.c && ./server PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    int fd, last;             /* last: its last request has been answered */
    char *in, *out;           /* received and not yet answered; due and not yet sent */
    size_t have, room, due, sent;
};

static int poller, listener;

static void wait_for(int how, int fd, unsigned events, void *client) {
    struct epoll_event event = {.events = events, .data.ptr = client};
    epoll_ctl(poller, how, fd, &event);
}

static void forget(struct client *c) {
    close(c->fd), free(c->in), free(c->out), free(c);
    wait_for(EPOLL_CTL_MOD, listener, EPOLLIN, NULL); /* it may have waited for a descriptor */
}

/* Without a body it is n times x. */
static void reply(struct client *c, const char *status, const char *body, size_t n) {
    c->out = realloc(c->out, c->due + n + 128);
    c->due += sprintf(c->out + c->due, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status, n);
    body ? memcpy(c->out + c->due, body, n) : memset(c->out + c->due, 'x', n);
    c->due += n;
}

static void route(struct client *c, const char *head, const char *body, size_t n) {
    unsigned value;
    if (!strncmp(head, "GET / ", 6)) reply(c, "200 OK", "Hello, World!", 13);
    else if (!strncmp(head, "POST /echo ", 11)) reply(c, "200 OK", body, n);
    else if (sscanf(head, "GET /sleep/%u ", &value) == 1)
        usleep(value * 1000), reply(c, "200 OK", "slept", 5);
    else if (sscanf(head, "GET /bytes/%u ", &value) == 1) reply(c, "200 OK", NULL, value);
    else reply(c, "404 Not Found", "not found", 9);
}

/* Answers the requests that are whole, as long as little waits to be sent. */
static int answer(struct client *c) {
    size_t at = 0;
    while (!c->last && c->due < 1 << 20) {
        char *end = memmem(c->in + at, c->have - at, "\r\n\r\n", 4);
        if (!end) break;
        *end = 0;
        char *head = c->in + at, *length = strcasestr(head, "\r\nContent-Length:");
        size_t body = length ? strtoul(length + 17, NULL, 10) : 0, whole = end + 4 - head + body;
        int last = strcasestr(head, "\r\nConnection: close") != NULL;
        *end = '\r';
        if (c->have - at < whole) break;
        route(c, head, end + 4, body);
        c->last = last, at += whole;
    }
    memmove(c->in, c->in + at, c->have -= at);
    return c->due > 0;
}

static void drive(struct client *c) {
    ssize_t n;
    if (c->due == 0) { /* it waits for input; else for room to write, and then it reads nothing */
        if (c->have + 1 >= c->room) c->in = realloc(c->in, c->room = c->room * 2 + 16384);
        n = c->room > 8 << 20 ? 0 : read(c->fd, c->in + c->have, c->room - c->have - 1);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) return forget(c); /* whatever came before the end has been answered */
        c->in[c->have += n] = 0;
        answer(c);
    }
    do {
        for (; c->sent < c->due; c->sent += n)
            if ((n = send(c->fd, c->out + c->sent, c->due - c->sent, MSG_NOSIGNAL)) < 0) {
                if (errno != EAGAIN && errno != EINTR) return forget(c);
                return wait_for(EPOLL_CTL_MOD, c->fd, EPOLLOUT, c);
            }
        free(c->out), c->out = NULL, c->due = c->sent = 0;
        if (c->last) return forget(c);
    } while (answer(c));
    wait_for(EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
}

static void welcome(void) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd >= 0) {
        struct client *c = calloc(1, sizeof *c);
        c->fd = fd;
        wait_for(EPOLL_CTL_ADD, fd, EPOLLIN, c);
    } else if (errno == EMFILE || errno == ENFILE) {
        wait_for(EPOLL_CTL_MOD, listener, 0, NULL); /* until one of the others ends */
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 8080)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    poller = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024))
        return perror("listen"), 1;
    wait_for(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
    for (struct epoll_event events[64];;)
        for (int i = epoll_wait(poller, events, 64, -1); i-- > 0;)
            events[i].data.ptr ? drive(events[i].data.ptr) : welcome();
}
