/* A server that behaves as the one of OSTEP's assignment does once it has threads: GET alone, files and CGI
 * programs below DIR, one request a connection; as there, a failed read or write ends the process.
 *
 * cc -O2 -pthread -o wserver ostep-webserver.c && ./wserver -d DIR -p PORT -t THREADS -b BUFFERS */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static int *buffer, size = 1, first, count;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void put(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = write(fd, bytes, length);
        if (sent < 0) die("write");
        bytes += sent;
        length -= sent;
    }
}

static void say(int fd, const char *status, const char *body) {
    char reply[256];
    const char *form = "HTTP/1.0 %s\r\nContent-Length: %zu\r\n\r\n%s";
    put(fd, reply, snprintf(reply, sizeof reply, form, status, strlen(body), body));
}

/* Up to and with the empty line, a byte at a time: nothing behind it is taken. Returns 0 at an early end. */
static int read_head(int fd, char *head, size_t room) {
    for (size_t have = 0; have + 1 < room;) {
        ssize_t got = read(fd, head + have, 1);
        if (got < 0) die("read");
        if (got == 0) return 0;
        head[++have] = 0;
        if (have >= 4 && !strcmp(head + have - 4, "\r\n\r\n")) return 1;
    }
    return 0;
}

static void run_program(int fd, const char *path, const char *query) {
    const char *status = "HTTP/1.0 200 OK\r\n";
    put(fd, status, strlen(status));
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        setenv("QUERY_STRING", query, 1);
        dup2(fd, STDOUT_FILENO);
        execl(path, path, (char *)NULL);
        _exit(1);
    }
    waitpid(child, NULL, 0);
}

static void send_file(int fd, const char *path, size_t length) {
    char block[16384], head[128];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) die("open");
    put(fd, head, snprintf(head, sizeof head, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n", length));
    for (ssize_t got; (got = read(file, block, sizeof block)) > 0;) put(fd, block, got);
    close(file);
}

static void serve(int fd) {
    char head[8192], method[16], uri[4096], path[4200];
    struct stat about;
    if (!read_head(fd, head, sizeof head)) return;
    if (sscanf(head, "%15s %4095s", method, uri) != 2) return say(fd, "400 Bad Request", "no request");
    if (strcmp(method, "GET")) return say(fd, "501 Not Implemented", "GET alone");
    char *query = strchr(uri, '?');
    if (query) *query++ = 0;
    snprintf(path, sizeof path, ".%s", uri);
    if (strstr(uri, "..")) return say(fd, "403 Forbidden", "no");
    if (stat(path, &about) < 0 || !S_ISREG(about.st_mode)) return say(fd, "404 Not Found", "no such file");
    if (strstr(uri, "cgi")) return run_program(fd, path, query ? query : "");
    send_file(fd, path, about.st_size);
}

static void *work(void *unused) {
    for (;;) {
        pthread_mutex_lock(&lock);
        while (count == 0) pthread_cond_wait(&filled, &lock);
        int fd = buffer[first];
        first = (first + 1) % size;
        count--;
        pthread_cond_signal(&emptied);
        pthread_mutex_unlock(&lock);
        serve(fd);
        close(fd);
    }
    return unused;
}

int main(int argc, char **argv) {
    int port = 10000, threads = 1, one = 1;
    for (int option; (option = getopt(argc, argv, "d:p:t:b:s:")) != -1;) {
        if (option == 'd' && chdir(optarg) < 0) die(optarg);
        if (option == 'p') port = atoi(optarg);
        if (option == 't') threads = atoi(optarg);
        if (option == 'b') size = atoi(optarg);
    }
    buffer = calloc(size, sizeof *buffer);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024)) die("listen");
    for (pthread_t thread; threads-- > 0;)
        if (pthread_create(&thread, NULL, work, NULL)) die("thread");
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) die("accept");
        pthread_mutex_lock(&lock);
        while (count == size) pthread_cond_wait(&emptied, &lock);
        buffer[(first + count++) % size] = fd;
        pthread_cond_signal(&filled);
        pthread_mutex_unlock(&lock);
    }
}
