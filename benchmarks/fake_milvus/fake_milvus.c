/* A canned Milvus for benchmarks: gRPC over cleartext HTTP/2 (nghttp2), one thread, epoll.
 *
 * It answers from a folder of reply files made beforehand, so that the client is what is weighed.
 * A request is looked up by the parts of it that shape its answer:
 *     Insert-<num_rows>   Upsert-<num_rows>   Delete   DescribeCollection   Connect
 *     Search-<nq>-<topk>-<output fields>   HybridSearch-<limit>-<output fields>
 *     Query-<limit>-<output fields>        (fields joined by ",")
 * Anything that has no file is answered with NOT_FOUND and the name that was looked for. The
 * method Stats answers with the number of calls and the server's own CPU time, as JSON text.
 *
 * Usage: fake_milvus FOLDER [PORT]     prints "PORT n" when it listens on 127.0.0.1:n. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../csrc/core/buffer.h"
#include "../../csrc/core/wire_reader.h"

#define SERVICE "/milvus.proto.milvus.MilvusService/"
#define NAME_SIZE 512
#define WINDOW (1 << 30)
#define READ_SIZE (1 << 18)

typedef struct {
    char *name;
    uint8_t *data; /* gRPC frame: 5 bytes of header, then the message */
    size_t size;
    unsigned long calls;
} reply;

typedef struct stream {
    int32_t id;
    char method[64];
    mvn_buffer body;
    const uint8_t *answer;
    size_t answer_size, answer_sent;
    uint8_t *owned; /* an answer made for this call */
    char error[NAME_SIZE];
} stream;

typedef struct {
    int fd;
    nghttp2_session *session;
    int closing, want_write;
} connection;

static reply *replies;
static size_t n_replies;
static unsigned long n_calls;
static int epoll_fd;

static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* ---- replies ---- */

static uint8_t *frame_of(const void *message, size_t size)
{
    uint8_t *frame = malloc(size + 5);
    if (frame == NULL) {
        die("out of memory");
    }
    frame[0] = 0;
    frame[1] = (uint8_t)(size >> 24);
    frame[2] = (uint8_t)(size >> 16);
    frame[3] = (uint8_t)(size >> 8);
    frame[4] = (uint8_t)size;
    memcpy(frame + 5, message, size);
    return frame;
}

static void load_replies(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    if (dir == NULL) {
        die("cannot open %s", folder);
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
            die("cannot read %s", path);
        }
        size_t size = (size_t)ftell(file);
        rewind(file);
        uint8_t *data = malloc(size + 1);
        if (data == NULL || fread(data, 1, size, file) != size) {
            die("cannot read %s", path);
        }
        fclose(file);
        replies = realloc(replies, (n_replies + 1) * sizeof(*replies));
        if (replies == NULL) {
            die("out of memory");
        }
        replies[n_replies++] = (reply){strdup(entry->d_name), frame_of(data, size), size + 5, 0};
        free(data);
    }
    closedir(dir);
}

/* The last one found moves to the front: a benchmark asks the same thing again and again. */
static reply *find_reply(const char *name)
{
    for (size_t i = 0; i < n_replies; i++) {
        if (strcmp(replies[i].name, name) == 0) {
            if (i != 0) {
                reply found = replies[i];
                replies[i] = replies[0];
                replies[0] = found;
            }
            return &replies[0];
        }
    }
    return NULL;
}

/* ---- requests ---- */

/* What of a request picks its reply. */
typedef struct {
    uint64_t rows, nq;
    char limit[24];
    char fields[256];
} shape;

static void read_pair(mvn_span pair, const char *wanted, char *out, size_t out_size)
{
    mvn_reader r = mvn_reader_of(pair);
    uint32_t field;
    mvn_wire_type type;
    mvn_span value, key = {NULL, 0};
    while (!mvn_reader_done(&r) && mvn_read_tag(&r, &field, &type) == MVN_OK &&
           type == MVN_WIRE_BYTES && mvn_read_span(&r, &value) == MVN_OK) {
        if (field == 1) {
            key = value;
        } else if (field == 2 && key.size == strlen(wanted) &&
                   memcmp(key.data, wanted, key.size) == 0 && value.size < out_size) {
            memcpy(out, value.data, value.size);
            out[value.size] = '\0';
        }
    }
}

static int read_shape(const stream *s, shape *out)
{
    int search = strcmp(s->method, "Search") == 0;
    int hybrid = strcmp(s->method, "HybridSearch") == 0;
    int query = strcmp(s->method, "Query") == 0;
    uint32_t fields_at = search ? 8 : hybrid ? 10 : query ? 5 : 0;
    uint32_t params_at = search ? 9 : hybrid ? 6 : query ? 9 : 0;
    const char *limit_key = search ? "topk" : "limit";
    mvn_reader r;
    if (s->body.size < 5) {
        return -1;
    }
    memset(out, 0, sizeof(*out));
    r = mvn_reader_over(s->body.data + 5, s->body.size - 5);
    while (!mvn_reader_done(&r)) {
        uint32_t field;
        mvn_wire_type type;
        uint64_t number = 0;
        mvn_span span = {NULL, 0};
        if (mvn_read_tag(&r, &field, &type) != MVN_OK) {
            return -1;
        }
        if (type == MVN_WIRE_VARINT) {
            if (mvn_read_varint(&r, &number) != MVN_OK) {
                return -1;
            }
            if (field == 7) {
                out->rows = number;
            }
            if (field == 12) {
                out->nq = number;
            }
        } else if (type == MVN_WIRE_BYTES) {
            if (mvn_read_span(&r, &span) != MVN_OK) {
                return -1;
            }
            if (fields_at != 0 && field == fields_at) {
                size_t have = strlen(out->fields);
                snprintf(out->fields + have, sizeof(out->fields) - have, "%s%.*s",
                         have == 0 ? "" : ",", (int)span.size, (const char *)span.data);
            } else if (params_at != 0 && field == params_at) {
                read_pair(span, limit_key, out->limit, sizeof(out->limit));
            }
        } else if (mvn_skip(&r, field, type) != MVN_OK) {
            return -1;
        }
    }
    return 0;
}

static void answer_stats(stream *s)
{
    struct rusage usage;
    char text[256];
    getrusage(RUSAGE_SELF, &usage);
    int size = snprintf(text, sizeof(text), "{\"calls\": %lu, \"cpu\": %.6f}", n_calls,
                        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    s->owned = frame_of(text, (size_t)size);
    s->answer = s->owned;
    s->answer_size = (size_t)size + 5;
}

static void choose_answer(stream *s)
{
    char name[NAME_SIZE];
    shape sh;
    if (strcmp(s->method, "Stats") == 0) {
        answer_stats(s);
        return;
    }
    n_calls++;
    if (read_shape(s, &sh) < 0) {
        snprintf(s->error, sizeof(s->error), "request does not parse");
        return;
    }
    if (strcmp(s->method, "Insert") == 0 || strcmp(s->method, "Upsert") == 0) {
        snprintf(name, sizeof(name), "%s-%lu", s->method, (unsigned long)sh.rows);
    } else if (strcmp(s->method, "Search") == 0) {
        snprintf(name, sizeof(name), "Search-%lu-%s-%s", (unsigned long)sh.nq, sh.limit,
                 sh.fields);
    } else if (strcmp(s->method, "HybridSearch") == 0 || strcmp(s->method, "Query") == 0) {
        snprintf(name, sizeof(name), "%s-%s-%s", s->method, sh.limit, sh.fields);
    } else {
        snprintf(name, sizeof(name), "%s", s->method);
    }
    reply *found = find_reply(name);
    if (found == NULL) {
        snprintf(s->error, sizeof(s->error), "no reply file named %.400s", name);
        return;
    }
    found->calls++;
    s->answer = found->data;
    s->answer_size = found->size;
}

/* ---- HTTP/2 ---- */

#define HEADER(name, value)                                                                       \
    {(uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *buf, size_t size,
                           uint32_t *flags, nghttp2_data_source *source, void *user)
{
    stream *s = source->ptr;
    (void)user;
    size_t left = s->answer_size - s->answer_sent;
    size_t n = left < size ? left : size;
    memcpy(buf, s->answer + s->answer_sent, n);
    s->answer_sent += n;
    if (s->answer_sent == s->answer_size) {
        nghttp2_nv trailers[] = {HEADER("grpc-status", "0")};
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, id, trailers, 1) != 0) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)n;
}

static int answer(nghttp2_session *session, stream *s)
{
    choose_answer(s);
    mvn_buffer_reset(&s->body);
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
    (void)flags, (void)user;
    if (s == NULL) {
        return 0;
    }
    return mvn_buffer_append(&s->body, data, size) == MVN_OK ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)user;
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (s != NULL) {
            return answer(session, s);
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
    close(c->fd);
    free(c);
}

static void watch(connection *c, int op)
{
    struct epoll_event event = {.events = EPOLLIN | (c->want_write ? EPOLLOUT : 0u),
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
        die("out of memory");
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
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 20},
    };
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 3);
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
        die("usage: fake_milvus FOLDER [PORT]");
    }
    signal(SIGPIPE, SIG_IGN);
    load_replies(argv[1]);
    address.sin_port = htons((uint16_t)(argc > 2 ? atoi(argv[2]) : 0));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 1024) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        die("cannot listen: %s", strerror(errno));
    }
    printf("PORT %d\n", ntohs(address.sin_port));
    fflush(stdout);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event first = {.events = EPOLLIN, .data = {.ptr = NULL}};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &first);
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                accept_one(listener);
            } else {
                serve(events[i].data.ptr);
            }
        }
    }
}
