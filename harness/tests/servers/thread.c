/* The blocking starter with a thread for each client. Not to begin from: it is here to be judged. */
#define main one_after_the_other
#include "../../starters/c-blocking/server.c"
#undef main
#include <pthread.h>
#include <stdint.h>

static void *work(void *connection) {
    int fd = (intptr_t)connection;
    pthread_detach(pthread_self());
    serve(fd);
    close(fd);
    return NULL;
}

int main(int argc, char **argv) {
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 8080);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;
        if (fd < 0)
            usleep(50000); /* out of descriptors: an end may free one */
        else if (pthread_create(&thread, NULL, work, (void *)(intptr_t)fd))
            close(fd);
    }
}
