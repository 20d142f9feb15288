#include "metadata.h"

#include <string.h>

#include "base64.h"

bool mvn_span_is(mvn_span span, const char *text)
{
    size_t size = strlen(text);
    return span.size == size && memcmp(span.data, text, size) == 0;
}

static bool is_one_of(mvn_span name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (mvn_span_is(name, names[i])) {
            return true;
        }
    }
    return false;
}

bool mvn_metadata_is_binary(mvn_span name)
{
    return name.size >= 4 && memcmp(name.data + name.size - 4, "-bin", 4) == 0;
}

mvn_status mvn_metadata_check(const mvn_metadata *pair, mvn_error *error)
{
    /* What the engine writes itself, and what HTTP/2 forbids. */
    static const char *const reserved[] = {
        "te",           "content-type",         "user-agent",       "grpc-timeout",
        "grpc-encoding", "grpc-accept-encoding", "connection",       "host",
        "keep-alive",   "proxy-connection",     "transfer-encoding", "upgrade",
        "content-length",
    };
    mvn_span name = pair->name;

    if (name.size == 0) {
        return mvn_fail(error, MVN_EFORMAT, "a metadata name is empty");
    }
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
              c == '.')) {
            return mvn_fail(error, MVN_EFORMAT,
                            "a metadata name has byte 0x%02x at %zu; 0-9 a-z _ - . are allowed", c,
                            i);
        }
    }
    if (is_one_of(name, reserved, sizeof(reserved) / sizeof(reserved[0]))) {
        return mvn_fail(error, MVN_EFORMAT, "metadata name %.*s is set by the transport",
                        (int)name.size, (const char *)name.data);
    }
    if (mvn_metadata_is_binary(name)) {
        return MVN_OK;
    }
    for (size_t i = 0; i < pair->value.size; i++) {
        uint8_t c = pair->value.data[i];
        if (c < 0x20 || c > 0x7e) {
            return mvn_fail(error, MVN_EFORMAT,
                            "the value of metadata %.*s has byte 0x%02x at %zu; only printable "
                            "ASCII is allowed",
                            (int)(name.size > 64 ? 64 : name.size), (const char *)name.data, c, i);
        }
    }
    return MVN_OK;
}

bool mvn_metadata_changes(mvn_span name)
{
    static const char *const names[] = {
        "client-request-id", "client-request-unixmsec", "traceparent",
        "tracestate",        "idempotency-key",
    };
    return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

/* One pair in the store: two sizes, then the bytes. */
typedef struct {
    size_t name;
    size_t value;
} pair_head;

static mvn_status store_one(mvn_buffer *store, mvn_span name, mvn_span value, bool binary)
{
    pair_head head = {name.size, value.size};
    /* Decoding needs less room than the text takes, two bytes apart. */
    mvn_status status = mvn_buffer_reserve(store, sizeof(head) + name.size + value.size + 2);
    if (status != MVN_OK) {
        return status;
    }
    uint8_t *at = store->data + store->size;
    if (name.size != 0) {
        memcpy(at + sizeof(head), name.data, name.size);
    }
    if (binary) {
        if (mvn_base64_decode(value.data, value.size, at + sizeof(head) + name.size,
                              &head.value) != MVN_OK) {
            return MVN_OK;
        }
    } else if (value.size != 0) {
        memcpy(at + sizeof(head) + name.size, value.data, value.size);
    }
    memcpy(at, &head, sizeof(head));
    store->size += sizeof(head) + head.name + head.value;
    return MVN_OK;
}

mvn_status mvn_metadata_store(mvn_buffer *store, mvn_span name, mvn_span value)
{
    size_t before = store->size;
    if (!mvn_metadata_is_binary(name)) {
        return store_one(store, name, value, false);
    }
    for (;;) {
        const uint8_t *comma = value.size == 0 ? NULL : memchr(value.data, ',', value.size);
        mvn_span part = {value.data, comma == NULL ? value.size : (size_t)(comma - value.data)};
        mvn_status status = store_one(store, name, part, true);
        if (status != MVN_OK) {
            store->size = before;
            return status;
        }
        if (comma == NULL) {
            return MVN_OK;
        }
        value.data = comma + 1;
        value.size -= part.size + 1;
    }
}

bool mvn_metadata_next(const mvn_buffer *store, size_t *cursor, mvn_metadata *pair)
{
    if (*cursor >= store->size) {
        return false;
    }
    pair_head head;
    const uint8_t *at = store->data + *cursor;
    memcpy(&head, at, sizeof(head));
    pair->name.data = at + sizeof(head);
    pair->name.size = head.name;
    pair->value.data = pair->name.data + head.name;
    pair->value.size = head.value;
    *cursor += sizeof(head) + head.name + head.value;
    return true;
}
