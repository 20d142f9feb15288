/* libFuzzer target: a server that says anything at all, to a client with calls under way.
 *
 * The input is a script of steps, each a byte and its operands: bytes of the server's, raw or with a
 * frame header that is nearly right, mixed with what a client does. Besides what the sanitizers see,
 * every call must finish exactly once and every message must be released. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../core/mem.h"
#include "../rpc/connection.h"
#include "../rpc/metadata.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    int held;
    int released;
    int submitted;
    int finished;
} tally;

static uint8_t message[20000];

static uint8_t *allocate(void *context, size_t size, void **handle)
{
    *handle = mvn_malloc_array(size, 1);
    ((tally *)context)->held += *handle != NULL;
    return *handle;
}

static void release(void *context, void *handle)
{
    ((tally *)context)->held--;
    mvn_free(handle);
}

static void on_released(void *context, void *user)
{
    (void)user;
    ((tally *)context)->released++;
}

static uint8_t next(const uint8_t **data, size_t *size)
{
    if (*size == 0) {
        return 0;
    }
    (*size)--;
    return *(*data)++;
}

static void submit(mvn_connection *client, tally *t, size_t length)
{
    mvn_span part = {message, length};
    mvn_metadata pair = {text("key"), text("value")};
    mvn_call_request request = {.path = text("/s/m"),
                                .metadata = &pair,
                                .metadata_count = 1,
                                .message = &part,
                                .message_count = 1,
                                .timeout = 5,
                                .deadline = 1000};
    uint64_t id;
    t->submitted += mvn_connection_submit(client, &request, &id, NULL) == MVN_OK;
}

static void collect(mvn_connection *client, tally *t)
{
    for (mvn_call *call; (call = mvn_connection_finished(client)) != NULL;) {
        mvn_metadata pair;
        size_t cursor = 0;
        while (mvn_metadata_next(&call->reply.metadata, &cursor, &pair)) {
        }
        if (call->code == MVN_GRPC_OK && call->reply.handle == NULL) {
            abort();
        }
        t->finished++;
        mvn_connection_return(client, call);
    }
}

/* True if the connection still lives. */
static int receive(mvn_connection *client, const uint8_t *bytes, size_t size)
{
    return mvn_connection_receive(client, bytes, size) == MVN_OK;
}

static int receive_frame(mvn_connection *client, const uint8_t **data, size_t *size)
{
    uint8_t type = next(data, size) % 11, flags = next(data, size), stream = next(data, size) % 16;
    size_t length = next(data, size);
    length = length < *size ? length : *size;
    uint8_t header[9] = {0, 0, (uint8_t)length, type, flags, 0, 0, 0, stream};
    int alive = receive(client, header, 9) && receive(client, *data, length);
    *data += length;
    *size -= length;
    return alive;
}

/* A header block of pairs whose names matter to us and whose values come from the input. */
static int receive_headers(mvn_connection *client, const uint8_t **data, size_t *size)
{
    static const char *const names[] = {
        ":status",      "content-type", "grpc-status", "grpc-message", "grpc-encoding",
        "trace-bin",    "other",        "grpc-accept-encoding",
    };
    static const char *const values[] = {"200", "103", "503", "application/grpc", "text/html",
                                         "0",   "5",   "gzip", "identity", "snappy",
                                         "Zm9v,Zg==", "a%20%b"};
    uint8_t frame[9 + 1024], flags = next(data, size), stream = next(data, size) % 16;
    size_t at = 9;
    for (unsigned pairs = next(data, size) % 6; pairs > 0; pairs--) {
        uint8_t choice = next(data, size);
        const char *name = names[choice % 8];
        mvn_span value = text(values[choice / 8 % 12]);
        if (choice >= 96) {
            value.size = next(data, size) % 64;
            value.size = value.size < *size ? value.size : *size;
            value.data = *data;
            *data += value.size;
            *size -= value.size;
        }
        frame[at++] = 0; /* literal, not indexed, new name */
        frame[at++] = (uint8_t)strlen(name);
        memcpy(frame + at, name, strlen(name));
        at += strlen(name);
        frame[at++] = (uint8_t)value.size;
        if (value.size != 0) {
            memcpy(frame + at, value.data, value.size);
        }
        at += value.size;
    }
    size_t length = at - 9;
    memcpy(frame, (uint8_t[]){0, (uint8_t)(length >> 8), (uint8_t)length, 1,
                              (uint8_t)(4 | (flags & 1)), 0, 0, 0, stream},
           9);
    return receive(client, frame, at);
}

/* DATA with a message of its own prefix, compressed or not, perhaps damaged. */
static int receive_message(mvn_connection *client, const uint8_t **data, size_t *size)
{
    uint8_t frame[9 + 5 + 1024], kind = next(data, size), stream = next(data, size) % 16;
    size_t length = next(data, size);
    uLongf packed = 1000;
    length = length < *size ? length : *size;
    if (kind % 4 == 0) {
        z_stream z = {0};
        z.next_in = (z_const Bytef *)(uintptr_t)*data;
        z.avail_in = (uInt)length;
        z.next_out = frame + 14;
        z.avail_out = 1000;
        if (deflateInit2(&z, 1, Z_DEFLATED, kind & 16 ? 31 : 15, 8, 0) != Z_OK ||
            deflate(&z, Z_FINISH) != Z_STREAM_END) {
            abort();
        }
        deflateEnd(&z);
        packed = 1000 - z.avail_out;
        if (kind & 32) {
            frame[14 + kind % packed] ^= kind;
        }
    } else {
        packed = length;
        memcpy(frame + 14, *data, length);
    }
    *data += length;
    *size -= length;
    memcpy(frame, (uint8_t[]){0, (uint8_t)((packed + 5) >> 8), (uint8_t)(packed + 5), 0,
                              (uint8_t)(kind >> 7), 0, 0, 0, stream,
                              (uint8_t)(kind % 4 == 0), 0, 0, (uint8_t)(packed >> 8),
                              (uint8_t)(packed + (kind % 32 == 3))},
           14);
    return receive(client, frame, 14 + packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    /* :status 200, content-type application/grpc, gzip or not; grpc-status 0: no Huffman codes. */
    static const char headers[] = "\x88\x0f\x10\x10" "application/grpc"
                                  "\x00\x0dgrpc-encoding\x04gzip";
    static const char trailers[] = "\x00\x0bgrpc-status\x01" "0";
    tally t = {0};
    mvn_connection *client;
    int64_t now = 0;
    mvn_connection_config config = {
        .origin = {text("http"), text("localhost"), text("fuzz")},
        .stream_window = 1 << 16,
        .connection_window = 1 << 17,
        .send_batch = 1 << 14,
        .limits = {1 << 16, 4096, {allocate, release, &t}},
        .keepalive = {100, 50},
        .released = on_released,
        .context = &t,
    };
    if (mvn_connection_new(&config, &client, NULL) != MVN_OK) {
        return 0;
    }
    submit(client, &t, 10);
    submit(client, &t, sizeof(message));
    mvn_connection_consume(client, mvn_connection_pull(client));
    if (next(&data, &size) % 8 != 0) {
        (void)receive(client, settings, sizeof(settings));
    }
    while (size != 0) {
        uint8_t step = next(&data, &size), operand;
        switch (step % 12) {
        case 0: {
            size_t length = next(&data, &size);
            length = length < size ? length : size;
            (void)receive(client, data, length);
            data += length;
            size -= length;
            break;
        }
        case 1:
        case 2:
            (void)receive_frame(client, &data, &size);
            break;
        case 3:
        case 4: {
            bool first = step % 12 == 3;
            operand = next(&data, &size);
            size_t length = first ? sizeof(headers) - 1 : sizeof(trailers) - 1;
            length -= first && operand < 128 ? 20 : 0; /* without the encoding */
            uint8_t header[9] = {0, 0, (uint8_t)length, 1, first ? 4 : 5, 0, 0, 0, operand % 16};
            (void)receive(client, header, 9);
            (void)receive(client, (const uint8_t *)(first ? headers : trailers), length);
            break;
        }
        case 5:
            submit(client, &t, next(&data, &size) * 70u);
            break;
        case 6:
            (void)mvn_connection_cancel(client, next(&data, &size) % 16, MVN_GRPC_CANCELLED, "no");
            break;
        case 7:
            now += next(&data, &size);
            (void)mvn_connection_tick(client, now);
            break;
        case 8: {
            size_t ready = mvn_connection_pull(client), part = next(&data, &size) * 100u;
            mvn_connection_consume(client, part < ready ? part : ready);
            break;
        }
        case 9:
            (void)receive_headers(client, &data, &size);
            break;
        case 10:
            (void)receive_message(client, &data, &size);
            break;
        default:
            collect(client, &t);
            break;
        }
    }
    mvn_chunk chunks[3];
    (void)mvn_connection_pull(client);
    (void)mvn_connection_peek(client, chunks, 3);
    mvn_connection_lost(client, "over");
    collect(client, &t);
    mvn_connection_free(client);
    if (t.held != 0 || t.finished != t.submitted || t.released != t.submitted) {
        abort();
    }
    return 0;
}
