/* An echo server with a thread for each client: cc -O2 -pthread -o echo echo-server.c && ./echo PORT */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void *echo(void *connection) {
    int fd = (intptr_t)connection;
    char buffer[4096];
    ssize_t got;
    pthread_detach(pthread_self());
    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        /* write() may take a part only. */
        for (ssize_t sent = 0, now; sent < got; sent += now)
            if ((now = write(fd, buffer + sent, got - sent)) <= 0) goto end;
    }
end:
    close(fd);
    return NULL;
}

int main(int argc, char **argv) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 7007)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024))
        return perror("listen"), 1;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;
        if (fd < 0)
            usleep(100000); /* no descriptor is free: an end may free one */
        else if (pthread_create(&thread, NULL, echo, (void *)(intptr_t)fd))
            close(fd);
    }
}
