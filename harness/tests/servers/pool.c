/* The blocking starter with a pool of 8 threads behind a queue of 64. Not to begin from: it is here to be
 * judged. */
#define main one_after_the_other
#include "../../starters/c-blocking/server.c"
#undef main
#include <pthread.h>

enum { WORKERS = 8, ROOM = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static int queue[ROOM], first, count;

static void *work(void *unused) {
    for (;;) {
        pthread_mutex_lock(&lock);
        while (count == 0) pthread_cond_wait(&filled, &lock);
        int fd = queue[first];
        first = (first + 1) % ROOM;
        count--;
        pthread_cond_signal(&emptied);
        pthread_mutex_unlock(&lock);
        serve(fd);
        close(fd);
    }
    return unused;
}

int main(int argc, char **argv) {
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 8080);
    pthread_t thread;
    for (int i = 0; i < WORKERS; i++) pthread_create(&thread, NULL, work, NULL);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            usleep(50000); /* out of descriptors: an end may free one */
            continue;
        }
        pthread_mutex_lock(&lock);
        while (count == ROOM) pthread_cond_wait(&emptied, &lock);
        queue[(first + count++) % ROOM] = fd;
        pthread_cond_signal(&filled);
        pthread_mutex_unlock(&lock);
    }
}
