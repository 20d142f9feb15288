#include "request_headers.h"

#include <stdio.h>
#include <string.h>

#include "base64.h"

#define LARGEST INT64_C(99999999) /* eight digits */

size_t mvn_grpc_timeout(int64_t timeout, char text[MVN_GRPC_TIMEOUT_ROOM])
{
    static const struct {
        int64_t nanoseconds;
        char name;
    } units[] = {
        {1, 'n'},
        {1000, 'u'},
        {1000000, 'm'},
        {INT64_C(1000000000), 'S'},
        {INT64_C(60000000000), 'M'},
        {INT64_C(3600000000000), 'H'},
    };
    int64_t value = timeout < 1 ? 1 : timeout;
    char unit = 'n';
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        int64_t base = timeout < 1 ? 1 : timeout;
        value = base / units[i].nanoseconds + (base % units[i].nanoseconds != 0);
        unit = units[i].name;
        if (value <= LARGEST) {
            break;
        }
    }
    value = value > LARGEST ? LARGEST : value;
    int length = snprintf(text, MVN_GRPC_TIMEOUT_ROOM, "%u%c", (unsigned)value, unit);
    return (size_t)length;
}

static mvn_status check_path(mvn_span path, mvn_error *error)
{
    bool ok = path.size != 0 && path.data[0] == '/';
    for (size_t i = 0; ok && i < path.size; i++) {
        ok = path.data[i] > 0x20 && path.data[i] < 0x7f;
    }
    return ok ? MVN_OK : mvn_fail(error, MVN_EFORMAT, "a method is not of the form /service/name");
}

static size_t value_size(const mvn_metadata *pair)
{
    return mvn_metadata_is_binary(pair->name) ? mvn_base64_encoded_size(pair->value.size)
                                              : pair->value.size;
}

#define FIXED_HEADERS 8 /* all but grpc-timeout and metadata */
#define FIXED_TEXT 160  /* no less than the names and constant values of those, and grpc-timeout */

mvn_status mvn_request_headers_measure(const mvn_request_origin *origin,
                                       const mvn_request_head *head, size_t limit, size_t *count,
                                       size_t *text_size, mvn_error *error)
{
    mvn_status status = check_path(head->path, error);
    if (status != MVN_OK) {
        return status;
    }
    size_t text = head->path.size + MVN_GRPC_TIMEOUT_ROOM;
    size_t list = (FIXED_HEADERS + 1) * 32 + FIXED_TEXT + head->path.size + origin->authority.size +
                  origin->user_agent.size;
    for (size_t i = 0; i < head->metadata_count; i++) {
        const mvn_metadata *pair = &head->metadata[i];
        if (pair->name.size > limit || pair->value.size > limit) {
            list = limit + 1;
            break;
        }
        status = mvn_metadata_check(pair, error);
        if (status != MVN_OK) {
            return status;
        }
        text += pair->name.size + value_size(pair);
        list += pair->name.size + value_size(pair) + 32;
        if (list > limit) {
            break;
        }
    }
    if (list > limit) {
        return mvn_fail(error, MVN_ETOOBIG, "the metadata of a call is larger than %zu bytes",
                        limit);
    }
    *count = FIXED_HEADERS + (head->timeout >= 0 ? 1u : 0u) + head->metadata_count;
    *text_size = text;
    return MVN_OK;
}

static nghttp2_nv header(mvn_span name, mvn_span value, bool indexed)
{
    /* nghttp2 takes pointers to non-const bytes, and does not write to them. */
    nghttp2_nv nv = {
        .name = (uint8_t *)(uintptr_t)name.data,
        .value = (uint8_t *)(uintptr_t)value.data,
        .namelen = name.size,
        .valuelen = value.size,
        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
    };
    if (!indexed) {
        nv.flags |= NGHTTP2_NV_FLAG_NO_INDEX;
    }
    return nv;
}

static mvn_span constant(const char *text)
{
    mvn_span span = {(const uint8_t *)text, strlen(text)};
    return span;
}

static mvn_span copy_text(uint8_t **text, mvn_span from)
{
    mvn_span copy = {*text, from.size};
    if (from.size != 0) {
        memcpy(*text, from.data, from.size);
    }
    *text += from.size;
    return copy;
}

static mvn_span encode_text(uint8_t **text, mvn_span from)
{
    mvn_span copy = {*text, mvn_base64_encoded_size(from.size)};
    mvn_base64_encode(from.data, from.size, *text);
    *text += copy.size;
    return copy;
}

void mvn_request_headers_write(const mvn_request_origin *origin, const mvn_request_head *head,
                               nghttp2_nv *headers, uint8_t *text)
{
    /* Pseudo-headers first, then grpc-timeout, then the rest of the call, then metadata. */
    *headers++ = header(constant(":method"), constant("POST"), true);
    *headers++ = header(constant(":scheme"), origin->scheme, true);
    *headers++ = header(constant(":path"), copy_text(&text, head->path), true);
    *headers++ = header(constant(":authority"), origin->authority, true);
    if (head->timeout >= 0) {
        char timeout[MVN_GRPC_TIMEOUT_ROOM];
        mvn_span value = {(const uint8_t *)timeout, mvn_grpc_timeout(head->timeout, timeout)};
        *headers++ = header(constant("grpc-timeout"), copy_text(&text, value), false);
    }
    *headers++ = header(constant("te"), constant("trailers"), true);
    *headers++ = header(constant("content-type"), constant("application/grpc"), true);
    *headers++ = header(constant("user-agent"), origin->user_agent, true);
    *headers++ = header(constant("grpc-accept-encoding"), constant("identity, gzip"), true);
    for (size_t i = 0; i < head->metadata_count; i++) {
        mvn_metadata pair = head->metadata[i];
        mvn_span name = copy_text(&text, pair.name);
        mvn_span value = mvn_metadata_is_binary(pair.name) ? encode_text(&text, pair.value)
                                                           : copy_text(&text, pair.value);
        *headers++ = header(name, value, !mvn_metadata_changes(pair.name));
    }
}
