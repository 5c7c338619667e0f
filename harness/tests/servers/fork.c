/* The blocking starter with a process for each client. Not to begin from: it is here to be judged. */
#define main one_after_the_other
#include "../../starters/c-blocking/server.c"
#undef main
#include <signal.h>

int main(int argc, char **argv) {
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 8080);
    signal(SIGCHLD, SIG_IGN); /* the kernel reaps */
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) continue;
        if (fork() == 0) {
            close(listener);
            serve(fd);
            _exit(0);
        }
        close(fd);
    }
}
