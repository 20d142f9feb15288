/* The physical floor as a peer of the benchmarks: a C client on nghttp2 that sends requests which
 * are ready beforehand and looks at replies no closer than counting their bytes.
 *
 * Usage: floor PORT REQUESTS     does the work it is told on standard input, line by line, and
 * answers each line with a JSON object; see ../../work.py and ../python_worker.py. `width` calls
 * are in flight on one connection and one thread. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WINDOW (1 << 30)
#define READ_SIZE (1 << 18)
#define HEADER(name, value)                                                                       \
    {(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, strlen(value), NGHTTP2_NV_FLAG_NONE}

typedef struct {
    size_t sent, received;
    double begun;
} call;

typedef struct {
    char op[16], form[16], fields[16], mode[16];
    int dim, rows, nq, k, width;
    double seconds;
} work;

static int sock;
static nghttp2_session *session;
static char path[96];
static uint8_t *request; /* a gRPC frame, or only its vectors in another one's place */
static size_t request_size;
static double end;
static double *latencies;
static size_t n_calls, room;
static int in_flight;

static void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static ssize_t read_request(nghttp2_session *s, int32_t id, uint8_t *buf, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *user)
{
    call *c = source->ptr;
    size_t left = request_size - c->sent, n = left < size ? left : size;
    (void)s, (void)id, (void)user;
    memcpy(buf, request + c->sent, n);
    c->sent += n;
    if (c->sent == request_size) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

static void submit(call *c)
{
    nghttp2_nv headers[] = {
        HEADER(":method", "POST"),     HEADER(":scheme", "http"),
        HEADER(":path", path),         HEADER(":authority", "127.0.0.1"),
        HEADER("te", "trailers"),      HEADER("content-type", "application/grpc"),
        HEADER("user-agent", "floor"), HEADER("dbname", ""),
    };
    nghttp2_data_provider provider = {.source = {.ptr = c}, .read_callback = read_request};
    c->sent = c->received = 0;
    c->begun = now();
    if (nghttp2_submit_request(session, NULL, headers, 8, &provider, c) < 0) {
        die("submit");
    }
    in_flight++;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
                   void *user)
{
    call *c = nghttp2_session_get_stream_user_data(s, id);
    (void)flags, (void)data, (void)user;
    c->received += size;
    return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t error, void *user)
{
    call *c = nghttp2_session_get_stream_user_data(s, id);
    double ended = now();
    (void)user;
    if (error != 0 || c->received <= 5) {
        errno = EPROTO;
        die("a call failed");
    }
    if (n_calls == room) {
        room = room == 0 ? 4096 : 2 * room;
        latencies = realloc(latencies, room * sizeof(*latencies));
        if (latencies == NULL) {
            die("latencies");
        }
    }
    latencies[n_calls++] = ended - c->begun;
    in_flight--;
    if (ended < end) {
        submit(c);
    }
    return 0;
}

static void send_all(const uint8_t *data, size_t size)
{
    while (size != 0) {
        ssize_t n = send(sock, data, size, MSG_NOSIGNAL);
        if (n < 0) {
            die("send");
        }
        data += n;
        size -= (size_t)n;
    }
}

/* Small frames are gathered into one system call. */
static void flush(void)
{
    static uint8_t gathered[1 << 18];
    size_t have = 0;
    const uint8_t *data;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(session, &data)) > 0) {
        if (have + (size_t)n > sizeof(gathered)) {
            send_all(gathered, have);
            have = 0;
        }
        memcpy(gathered + have, data, (size_t)n);
        have += (size_t)n;
    }
    if (n < 0) {
        die("nghttp2_session_mem_send");
    }
    send_all(gathered, have);
}

/* Keeps `width` calls in flight until `end`; then until the last one has ended. */
static void run_calls(int width)
{
    static uint8_t data[READ_SIZE];
    call *calls = calloc((size_t)width, sizeof(*calls));
    if (calls == NULL) {
        die("calls");
    }
    n_calls = 0;
    for (int i = 0; i < width; i++) {
        submit(&calls[i]);
    }
    while (in_flight != 0) {
        flush();
        ssize_t n = recv(sock, data, sizeof(data), 0);
        if (n <= 0 || nghttp2_session_mem_recv(session, data, (size_t)n) < 0) {
            die("recv");
        }
    }
    flush();
    free(calls);
}

static void dial(const char *port)
{
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    nghttp2_session_callbacks *callbacks;
    sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0) {
        die("connect");
    }
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        die("nghttp2");
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_client_new(&session, callbacks, NULL);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, 1);
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, WINDOW);
}

static void load_request(const char *folder, const work *w)
{
    char name[4096];
    if (strcmp(w->op, "insert") == 0) {
        snprintf(name, sizeof(name), "%s/insert-%d-%d-%s", folder, w->rows, w->dim, w->form);
    } else {
        snprintf(name, sizeof(name), "%s/%s-%d-%d-%d-%s-%d", folder, w->op, w->nq, w->k, w->rows,
                 w->fields, w->dim);
    }
    snprintf(path, sizeof(path), "/milvus.proto.milvus.MilvusService/%s",
             strcmp(w->op, "insert") == 0   ? "Insert"
             : strcmp(w->op, "search") == 0 ? "Search"
                                            : "Query");
    FILE *file = fopen(name, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        die(name);
    }
    size_t size = (size_t)ftell(file);
    rewind(file);
    free(request);
    request_size = size + 5;
    request = malloc(request_size);
    if (request == NULL || fread(request + 5, 1, size, file) != size) {
        die(name);
    }
    fclose(file);
    request[0] = 0;
    for (int i = 0; i < 4; i++) {
        request[1 + i] = (uint8_t)(size >> (24 - 8 * i));
    }
}

static void read_item(work *w, const char *key, const char *value)
{
    struct {
        const char *key;
        char *text;
        int *number;
    } places[] = {
        {"op", w->op, NULL},     {"form", w->form, NULL}, {"fields", w->fields, NULL},
        {"mode", w->mode, NULL}, {"dim", NULL, &w->dim},  {"rows", NULL, &w->rows},
        {"nq", NULL, &w->nq},    {"k", NULL, &w->k},      {"width", NULL, &w->width},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (strcmp(places[i].key, key) == 0) {
            if (places[i].text != NULL) {
                snprintf(places[i].text, sizeof(w->op), "%s", value);
            } else {
                *places[i].number = atoi(value);
            }
        }
    }
    if (strcmp(key, "seconds") == 0) {
        w->seconds = atof(value);
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(double p)
{
    return latencies[(size_t)((double)(n_calls - 1) * p + 0.5)];
}

int main(int argc, char **argv)
{
    char line[1024];
    if (argc != 3) {
        fprintf(stderr, "usage: floor PORT REQUESTS\n");
        return 2;
    }
    dial(argv[1]);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        work w = {.width = 1};
        char *rest = line, *item;
        while ((item = strsep(&rest, " \n")) != NULL) {
            char *value = strchr(item, '=');
            if (value != NULL) {
                *value = '\0';
                read_item(&w, item, value + 1);
            }
        }
        load_request(argv[2], &w);
        end = 0; /* one call for each in flight, to warm up */
        run_calls(w.width);
        struct rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        double begun = now();
        end = begun + w.seconds;
        run_calls(w.width);
        double wall = now() - begun;
        getrusage(RUSAGE_SELF, &after);
        qsort(latencies, n_calls, sizeof(*latencies), by_size);
        double system = seconds_of(after.ru_stime) - seconds_of(before.ru_stime);
        printf("{\"calls\": %zu, \"cpu\": %.6f, \"system\": %.6f, \"wall\": %.6f, \"p50\": %.7f, "
               "\"p95\": %.7f, \"p99\": %.7f, \"digest\": null}\n",
               n_calls, system + seconds_of(after.ru_utime) - seconds_of(before.ru_utime), system,
               wall, percentile(0.5), percentile(0.95), percentile(0.99));
        fflush(stdout);
    }
    return 0;
}
