#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../core/mem.h"
#include "inflate.h"
#include "metadata.h"

#define PREFIX_SIZE 5

void mvn_outcome_set(mvn_outcome *outcome, mvn_grpc_code code, const char *format, ...)
{
    va_list args;
    outcome->code = code;
    va_start(args, format);
    (void)vsnprintf(outcome->text, sizeof(outcome->text), format, args);
    va_end(args);
}

static bool fail_memory(mvn_outcome *outcome)
{
    mvn_outcome_set(outcome, MVN_GRPC_RESOURCE_EXHAUSTED,
                    "there is not enough memory to hold the reply");
    return false;
}

void mvn_reply_init(mvn_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    mvn_buffer_init(&reply->status_text);
    mvn_buffer_init(&reply->metadata);
}

void mvn_reply_reset(mvn_reply *reply, const mvn_reply_limits *limits)
{
    mvn_buffer_reset(&reply->status_text);
    mvn_buffer_reset(&reply->metadata);
    mvn_free(reply->packed);
    if (reply->handle != NULL) {
        limits->memory.release(limits->memory.context, reply->handle);
    }
    mvn_reply_init(reply);
}

void mvn_reply_begin_headers(mvn_reply *reply)
{
    reply->header_list = 0;
    if (reply->http_status >= 100 && reply->http_status < 200) {
        reply->http_status = 0;
        reply->metadata.size = 0;
    }
}

/* The value of a header as text that is fit to print. */
static void copy_printable(char *out, size_t room, mvn_span value)
{
    size_t size = value.size < room - 1 ? value.size : room - 1;
    for (size_t i = 0; i < size; i++) {
        out[i] = value.data[i] >= 0x20 && value.data[i] <= 0x7e ? (char)value.data[i] : '?';
    }
    out[size] = '\0';
}

static bool is_grpc_content_type(mvn_span value)
{
    static const char prefix[] = "application/grpc";
    const size_t size = sizeof(prefix) - 1;
    return value.size >= size && memcmp(value.data, prefix, size) == 0 &&
           (value.size == size || value.data[size] == '+' || value.data[size] == ';');
}

static bool set_status_text(mvn_reply *reply, mvn_span value, mvn_outcome *outcome)
{
    reply->status_text.size = 0;
    if (mvn_buffer_append(&reply->status_text, value.data, value.size) != MVN_OK) {
        return fail_memory(outcome);
    }
    if (value.size != 0) {
        reply->status_text.size = mvn_percent_decode(reply->status_text.data, value.size);
    }
    return true;
}

bool mvn_reply_header(mvn_reply *reply, const mvn_reply_limits *limits, mvn_span name,
                      mvn_span value, mvn_outcome *outcome)
{
    reply->header_list += name.size + value.size + 32;
    if (reply->header_list > limits->max_header_list) {
        mvn_outcome_set(outcome, MVN_GRPC_RESOURCE_EXHAUSTED,
                        "the headers of the reply are larger than %zu bytes",
                        limits->max_header_list);
        return false;
    }
    if (mvn_span_is(name, ":status")) {
        reply->http_status = 0;
        for (size_t i = 0; i < value.size && i < 3; i++) {
            reply->http_status = reply->http_status * 10 + (value.data[i] - '0');
        }
    } else if (mvn_span_is(name, "content-type")) {
        reply->is_grpc = is_grpc_content_type(value);
        copy_printable(reply->content_type, sizeof(reply->content_type), value);
    } else if (mvn_span_is(name, "grpc-status")) {
        reply->has_status = true;
        reply->status = mvn_grpc_parse_status(value.data, value.size);
    } else if (mvn_span_is(name, "grpc-message")) {
        return set_status_text(reply, value, outcome);
    } else if (mvn_span_is(name, "grpc-encoding")) {
        reply->encoding = mvn_span_is(value, "identity") ? MVN_ENCODING_NONE
                          : mvn_span_is(value, "gzip") || mvn_span_is(value, "deflate")
                              ? MVN_ENCODING_ZLIB
                              : MVN_ENCODING_UNKNOWN;
    } else if (!mvn_span_is(name, "grpc-accept-encoding") && name.size != 0 &&
               name.data[0] != ':') {
        if (mvn_metadata_store(&reply->metadata, name, value) != MVN_OK) {
            return fail_memory(outcome);
        }
    }
    return true;
}

/* A response that is not gRPC's, from a proxy or from another kind of server. */
static bool fail_http(const mvn_reply *reply, mvn_outcome *outcome)
{
    if (reply->http_status != 200) {
        mvn_outcome_set(outcome, mvn_grpc_from_http(reply->http_status),
                        "HTTP status %d (content-type: %s) instead of a gRPC reply",
                        reply->http_status,
                        reply->content_type[0] == '\0' ? "none" : reply->content_type);
    } else {
        mvn_outcome_set(outcome, MVN_GRPC_UNKNOWN,
                        "content-type %s instead of application/grpc",
                        reply->content_type[0] == '\0' ? "missing" : reply->content_type);
    }
    return false;
}

bool mvn_reply_end_headers(mvn_reply *reply, mvn_outcome *outcome)
{
    if (reply->headers_done || (reply->http_status >= 100 && reply->http_status < 200)) {
        return true;
    }
    reply->headers_done = true;
    if (reply->has_status || (reply->http_status == 200 && reply->is_grpc)) {
        return true;
    }
    return fail_http(reply, outcome);
}

/* The five bytes before a message are complete: checks them and makes room. */
static bool begin_message(mvn_reply *reply, const mvn_reply_limits *limits, mvn_outcome *outcome)
{
    const uint8_t *prefix = reply->prefix;
    reply->size = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 |
                  prefix[4];
    reply->compressed = prefix[0] == 1;
    if (prefix[0] > 1) {
        mvn_outcome_set(outcome, MVN_GRPC_INTERNAL, "the reply has invalid message flags 0x%02x",
                        prefix[0]);
        return false;
    }
    if (reply->compressed && reply->encoding != MVN_ENCODING_ZLIB) {
        mvn_outcome_set(outcome, MVN_GRPC_INTERNAL,
                        reply->encoding == MVN_ENCODING_NONE
                            ? "the reply is compressed, but no grpc-encoding says how"
                            : "the reply is compressed in a way that was not offered");
        return false;
    }
    if (reply->size > limits->max_message) {
        mvn_outcome_set(outcome, MVN_GRPC_RESOURCE_EXHAUSTED,
                        "the reply has %zu bytes, more than the allowed %zu", reply->size,
                        limits->max_message);
        return false;
    }
    if (reply->compressed) {
        reply->data = reply->packed = mvn_malloc_array(reply->size, 1);
    } else {
        reply->data = limits->memory.allocate(limits->memory.context, reply->size,
                                              &reply->handle);
    }
    return reply->data != NULL || fail_memory(outcome);
}

static bool unpack(mvn_reply *reply, const mvn_reply_limits *limits, mvn_outcome *outcome)
{
    mvn_span packed = {reply->packed, reply->size};
    mvn_buffer out;
    bool ok = false;

    mvn_buffer_init(&out);
    switch (mvn_inflate(packed, limits->max_message, &out)) {
    case MVN_OK:
        break;
    case MVN_ETOOBIG:
        mvn_outcome_set(outcome, MVN_GRPC_RESOURCE_EXHAUSTED,
                        "the reply has more than the allowed %zu bytes when decompressed",
                        limits->max_message);
        goto done;
    case MVN_ENOMEM:
        (void)fail_memory(outcome);
        goto done;
    default:
        mvn_outcome_set(outcome, MVN_GRPC_INTERNAL, "the reply cannot be decompressed");
        goto done;
    }
    reply->data = limits->memory.allocate(limits->memory.context, out.size, &reply->handle);
    if (reply->data == NULL) {
        (void)fail_memory(outcome);
        goto done;
    }
    if (out.size != 0) {
        memcpy(reply->data, out.data, out.size);
    }
    reply->message_size = out.size;
    mvn_free(reply->packed);
    reply->packed = NULL;
    ok = true;
done:
    mvn_buffer_reset(&out);
    return ok;
}

static bool end_message(mvn_reply *reply, const mvn_reply_limits *limits, mvn_outcome *outcome)
{
    reply->complete = true;
    reply->message_size = reply->size;
    return !reply->compressed || unpack(reply, limits, outcome);
}

bool mvn_reply_data(mvn_reply *reply, const mvn_reply_limits *limits, const uint8_t *data,
                    size_t size, mvn_outcome *outcome)
{
    while (size != 0) {
        if (reply->complete) {
            mvn_outcome_set(outcome, MVN_GRPC_UNIMPLEMENTED,
                            "the reply has more than one message");
            return false;
        }
        if (reply->prefix_size < PREFIX_SIZE) {
            reply->prefix[reply->prefix_size++] = *data++;
            size--;
            if (reply->prefix_size < PREFIX_SIZE) {
                continue;
            }
            if (!begin_message(reply, limits, outcome)) {
                return false;
            }
        } else {
            size_t left = reply->size - reply->filled;
            size_t take = size < left ? size : left;
            memcpy(reply->data + reply->filled, data, take);
            reply->filled += take;
            data += take;
            size -= take;
        }
        if (reply->filled == reply->size && !end_message(reply, limits, outcome)) {
            return false;
        }
    }
    return true;
}

bool mvn_reply_end(mvn_reply *reply, mvn_outcome *outcome)
{
    if (!reply->has_status) {
        if (reply->http_status != 200 || !reply->is_grpc) {
            return fail_http(reply, outcome);
        }
        mvn_outcome_set(outcome, MVN_GRPC_UNKNOWN,
                        "the server ended the reply without a grpc-status");
        return false;
    }
    if (reply->status != MVN_GRPC_OK) {
        outcome->code = reply->status;
        outcome->text[0] = '\0';
        return false;
    }
    if (reply->complete) {
        return true;
    }
    if (reply->prefix_size == 0) {
        mvn_outcome_set(outcome, MVN_GRPC_UNIMPLEMENTED,
                        "the reply has status OK but no message");
    } else {
        mvn_outcome_set(outcome, MVN_GRPC_INTERNAL,
                        "the reply was cut short: %zu of %zu bytes of its message came",
                        reply->filled, reply->size);
    }
    return false;
}

void *mvn_reply_take_message(mvn_reply *reply)
{
    void *handle = reply->handle;
    reply->handle = NULL;
    reply->data = NULL;
    return handle;
}
