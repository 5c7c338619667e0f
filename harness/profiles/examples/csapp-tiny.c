/* A server that behaves as CS:APP's tiny does: one client after the other, GET alone, HTTP/1.0, files below
 * the current directory, programs below cgi-bin; as there, a failed read or write ends the process. With
 * -DMENDED it ends the connection, which the book makes an exercise; with -DNO_WAIT programs are not waited
 * for.
 *
 * cc -O2 -o tiny csapp-tiny.c && cd DIR && tiny PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MENDED
#define MENDED 0
#endif

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void put(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = write(fd, bytes, length);
        if (sent < 0 && !MENDED) die("write");
        if (sent < 0) return;
        bytes += sent;
        length -= sent;
    }
}

static void refuse(int fd, const char *status) {
    char reply[256];
    put(fd, reply, snprintf(reply, sizeof reply, "HTTP/1.0 %s\r\nContent-length: 0\r\n\r\n", status));
}

static void run_program(int fd, const char *path, const char *query) {
    const char *status = "HTTP/1.0 200 OK\r\n";
    put(fd, status, strlen(status));
    if (fork() == 0) {
        setenv("QUERY_STRING", query, 1);
        dup2(fd, STDOUT_FILENO);
        execl(path, path, (char *)NULL);
        _exit(1);
    }
#ifndef NO_WAIT
    wait(NULL);
#endif
}

static void send_file(int fd, const char *path, size_t length) {
    char head[128];
    const char *form = "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-length: ";
    put(fd, head, snprintf(head, sizeof head, "%s%zu\r\n\r\n", form, length));
    int file = open(path, O_RDONLY);
    void *bytes = length ? mmap(NULL, length, PROT_READ, MAP_PRIVATE, file, 0) : NULL;
    close(file);
    if (bytes == MAP_FAILED) die("mmap");
    put(fd, bytes, length);
    if (length) munmap(bytes, length);
}

static void serve(int fd) {
    char line[8192], method[16] = "", uri[4096] = "", path[4200];
    struct stat about;
    FILE *input = fdopen(dup(fd), "r");
    if (fgets(line, sizeof line, input) && sscanf(line, "%15s %4095s", method, uri) != 2) *method = 0;
    while (fgets(line, sizeof line, input) && strcmp(line, "\r\n")) continue;
    int failed = ferror(input), ended = feof(input);
    fclose(input);
    if (failed && !MENDED) die("read");
    if (failed || ended) return;
    if (strcmp(method, "GET")) return refuse(fd, "501 Not implemented");
    char *query = strchr(uri, '?');
    if (query) *query++ = 0;
    snprintf(path, sizeof path, ".%s%s", uri, uri[strlen(uri) - 1] == '/' ? "home.html" : "");
    if (stat(path, &about) < 0) return refuse(fd, "404 Not found");
    if (!S_ISREG(about.st_mode)) return refuse(fd, "403 Forbidden");
    if (strstr(uri, "cgi-bin")) return run_program(fd, path, query ? query : "");
    send_file(fd, path, about.st_size);
}

int main(int argc, char **argv) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 8080)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (MENDED) signal(SIGPIPE, SIG_IGN);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024)) die("listen");
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) die("accept");
        serve(fd);
        close(fd);
    }
}
