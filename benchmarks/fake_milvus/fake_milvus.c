/* A canned Milvus for benchmarks: gRPC over cleartext HTTP/2 (nghttp2), one thread, epoll.
 *
 * It answers Connect, DescribeCollection, Insert, Upsert, Delete, Search, HybridSearch and Query
 * with replies of the shape that was asked for (replies.h), so that the client is what is weighed.
 * Anything else is answered with NOT_FOUND. The method Stats answers with the number of calls by
 * method, the bytes received and the server's own CPU time, as JSON text.
 *
 * Usage: fake_milvus FOLDER     FOLDER holds the collections, see replies.h.
 * Prints "PORT n" when it listens on 127.0.0.1:n, and ends when its standard input does. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../csrc/core/buffer.h"
#include "replies.h"
#include "shape.h"

#define SERVICE "/milvus.proto.milvus.MilvusService/"
#define WINDOW (1 << 30)
#define READ_SIZE (1 << 18)
#define MAX_METHODS 32

typedef struct {
    int32_t id;
    char method[METHOD_SIZE];
    mvn_buffer body;
    const frame *answer;
    size_t sent;
    frame *owned; /* an answer made for this call */
    char error[FIELDS_SIZE + NAME_SIZE];
} stream;

typedef struct {
    int fd;
    nghttp2_session *session;
    mvn_buffer spare; /* a body's memory, for the next one */
} connection;

static struct {
    char name[METHOD_SIZE];
    unsigned long calls;
} methods[MAX_METHODS];
static unsigned long long bytes_received;
static int epoll_fd;

static void die(const char *what)
{
    fprintf(stderr, "fake_milvus: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- answers ---- */

/* A call of another service, such as the Node SDK's heartbeat, has no name here. */
static void count_call(const char *method)
{
    if (method[0] == '\0') {
        return;
    }
    for (size_t i = 0; i < MAX_METHODS; i++) {
        if (methods[i].name[0] == '\0') {
            snprintf(methods[i].name, sizeof(methods[i].name), "%s", method);
        }
        if (strcmp(methods[i].name, method) == 0) {
            methods[i].calls++;
            return;
        }
    }
}

static frame *make_stats(void)
{
    struct rusage usage;
    char text[2048];
    getrusage(RUSAGE_SELF, &usage);
    int size = snprintf(text, sizeof(text), "{\"cpu\": %.6f, \"bytes\": %llu, \"calls\": {",
                        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
                        bytes_received);
    for (size_t i = 0; i < MAX_METHODS && methods[i].name[0] != '\0'; i++) {
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%s\"%s\": %lu",
                         i == 0 ? "" : ", ", methods[i].name, methods[i].calls);
    }
    size += snprintf(text + size, sizeof(text) - (size_t)size, "}}");
    return replies_frame(text, (size_t)size);
}

static void choose_answer(stream *s)
{
    shape asked;
    if (strcmp(s->method, "Stats") == 0) {
        s->owned = make_stats();
        s->answer = s->owned;
        return;
    }
    count_call(s->method);
    if (s->body.size < 5 ||
        shape_read(&asked, s->method, s->body.data + 5, s->body.size - 5) < 0) {
        snprintf(s->error, sizeof(s->error), "the request does not parse");
        return;
    }
    s->answer = replies_find(&asked, s->error, sizeof(s->error));
}

/* ---- HTTP/2 ---- */

#define HEADER(name, value)                                                                       \
    {(uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *buf, size_t size,
                           uint32_t *flags, nghttp2_data_source *source, void *user)
{
    stream *s = source->ptr;
    (void)user;
    size_t left = s->answer->size - s->sent;
    size_t n = left < size ? left : size;
    memcpy(buf, s->answer->data + s->sent, n);
    s->sent += n;
    if (s->sent == s->answer->size) {
        nghttp2_nv trailers[] = {HEADER("grpc-status", "0")};
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, id, trailers, 1) != 0) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)n;
}

/* Hands the body's memory on: growing it anew for each megabyte would be the server's main cost. */
static void put_aside(connection *c, mvn_buffer *body)
{
    if (body->capacity > c->spare.capacity) {
        mvn_buffer_reset(&c->spare);
        c->spare = *body;
        c->spare.size = 0;
        mvn_buffer_init(body);
    } else {
        mvn_buffer_reset(body);
    }
}

static int answer(connection *c, nghttp2_session *session, stream *s)
{
    choose_answer(s);
    put_aside(c, &s->body);
    if (s->answer == NULL) {
        nghttp2_nv failed[] = {HEADER(":status", "200"),
                               HEADER("content-type", "application/grpc"),
                               HEADER("grpc-status", "5"), HEADER("grpc-message", s->error)};
        return nghttp2_submit_response(session, s->id, failed, 4, NULL);
    }
    nghttp2_nv headers[] = {HEADER(":status", "200"), HEADER("content-type", "application/grpc")};
    nghttp2_data_provider provider = {.source = {.ptr = s}, .read_callback = read_answer};
    return nghttp2_submit_response(session, s->id, headers, 2, &provider);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)user;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        stream *s = calloc(1, sizeof(*s));
        if (s == NULL) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        s->id = frame->hd.stream_id;
        mvn_buffer_init(&s->body);
        nghttp2_session_set_stream_user_data(session, s->id, s);
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags, (void)user;
    if (s != NULL && name_size == 5 && memcmp(name, ":path", 5) == 0) {
        size_t prefix = strlen(SERVICE);
        if (value_size > prefix && memcmp(value, SERVICE, prefix) == 0 &&
            value_size - prefix < sizeof(s->method)) {
            memcpy(s->method, value + prefix, value_size - prefix);
        }
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t size, void *user)
{
    stream *s = nghttp2_session_get_stream_user_data(session, id);
    connection *c = user;
    (void)flags;
    bytes_received += size;
    if (s == NULL) {
        return 0;
    }
    if (s->body.capacity == 0 && c->spare.capacity != 0) {
        s->body = c->spare;
        mvn_buffer_init(&c->spare);
    }
    return mvn_buffer_append(&s->body, data, size) == MVN_OK ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (s != NULL) {
            return answer(user, session, s);
        }
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
    stream *s = nghttp2_session_get_stream_user_data(session, id);
    (void)error, (void)user;
    if (s != NULL) {
        mvn_buffer_reset(&s->body);
        free(s->owned);
        free(s);
    }
    return 0;
}

static void close_connection(connection *c)
{
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    nghttp2_session_del(c->session);
    mvn_buffer_reset(&c->spare);
    close(c->fd);
    free(c);
}

static void watch(connection *c, int op)
{
    struct epoll_event event = {.events = EPOLLIN,
                                .data = {.ptr = c}};
    epoll_ctl(epoll_fd, op, c->fd, &event);
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t size, int flags,
                       void *user)
{
    connection *c = user;
    (void)session, (void)flags;
    ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);
    if (n < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? NGHTTP2_ERR_WOULDBLOCK
                                                       : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return n;
}

/* Sends what there is, in few system calls: small frames are gathered first. */
static int flush(connection *c)
{
    static uint8_t gathered[1 << 16];
    size_t have = 0;
    for (;;) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(c->session, &data);
        if (n < 0) {
            return -1;
        }
        if (have != 0 && (n == 0 || have + (size_t)n > sizeof(gathered))) {
            size_t sent = 0;
            while (sent < have) {
                ssize_t k = on_send(c->session, gathered + sent, have - sent, 0, c);
                if (k == NGHTTP2_ERR_WOULDBLOCK) {
                    struct timeval tick = {0, 1000};
                    fd_set set;
                    FD_ZERO(&set);
                    FD_SET(c->fd, &set);
                    select(c->fd + 1, NULL, &set, NULL, &tick);
                } else if (k < 0) {
                    return -1;
                } else {
                    sent += (size_t)k;
                }
            }
            have = 0;
        }
        if (n == 0) {
            return 0;
        }
        memcpy(gathered + have, data, (size_t)n);
        have += (size_t)n;
    }
}

static void accept_one(int listener)
{
    int on = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection *c = calloc(1, sizeof(*c));
    nghttp2_session_callbacks *callbacks;
    if (c == NULL || nghttp2_session_callbacks_new(&callbacks) != 0) {
        die("accept");
    }
    c->fd = fd;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_server_new(&c->session, callbacks, c);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 4096},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
    }; /* frames of 16 KiB at most, the protocol's default, as Milvus has it */
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, WINDOW);
    watch(c, EPOLL_CTL_ADD);
    if (flush(c) < 0) {
        close_connection(c);
    }
}

static void serve(connection *c)
{
    static uint8_t data[READ_SIZE];
    for (;;) {
        ssize_t n = recv(c->fd, data, sizeof(data), 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
            close_connection(c);
            return;
        }
        if (n < 0) {
            break;
        }
        if (nghttp2_session_mem_recv(c->session, data, (size_t)n) < 0) {
            close_connection(c);
            return;
        }
        if ((size_t)n < sizeof(data)) {
            break;
        }
    }
    if (flush(c) < 0 ||
        (!nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session))) {
        close_connection(c);
    }
}

int main(int argc, char **argv)
{
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    if (argc < 2) {
        fprintf(stderr, "usage: fake_milvus FOLDER\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    replies_load(argv[1]);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 1024) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        die("listen");
    }
    printf("PORT %d\n", ntohs(address.sin_port));
    fflush(stdout);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event first = {.events = EPOLLIN, .data = {.ptr = NULL}};
    struct epoll_event end = {.events = EPOLLIN, .data = {.ptr = &epoll_fd}};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &first);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &end) < 0) {
        die("standard input must be a pipe");
    }
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &epoll_fd) {
                return 0;
            }
            if (events[i].data.ptr == NULL) {
                accept_one(listener);
            } else {
                serve(events[i].data.ptr);
            }
        }
    }
}
