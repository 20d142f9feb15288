#include "grpc_status.h"

#include <nghttp2/nghttp2.h>

mvn_grpc_code mvn_grpc_from_http(int http_status)
{
    switch (http_status) {
    case 400:
        return MVN_GRPC_INTERNAL;
    case 401:
        return MVN_GRPC_UNAUTHENTICATED;
    case 403:
        return MVN_GRPC_PERMISSION_DENIED;
    case 404:
        return MVN_GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return MVN_GRPC_UNAVAILABLE;
    default:
        return MVN_GRPC_UNKNOWN;
    }
}

mvn_grpc_code mvn_grpc_from_h2(uint32_t error_code)
{
    switch (error_code) {
    case NGHTTP2_REFUSED_STREAM:
        return MVN_GRPC_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return MVN_GRPC_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return MVN_GRPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return MVN_GRPC_PERMISSION_DENIED;
    default:
        return MVN_GRPC_INTERNAL;
    }
}

const char *mvn_h2_error_name(uint32_t error_code)
{
    return nghttp2_http2_strerror(error_code);
}

mvn_grpc_code mvn_grpc_parse_status(const uint8_t *text, size_t size)
{
    unsigned value = 0;
    if (size == 0 || size > 2) {
        return MVN_GRPC_UNKNOWN;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return MVN_GRPC_UNKNOWN;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    return value <= MVN_GRPC_UNAUTHENTICATED ? (mvn_grpc_code)value : MVN_GRPC_UNKNOWN;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

size_t mvn_percent_decode(uint8_t *text, size_t size)
{
    size_t out = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '%' && size - i > 2) {
            int high = hex_digit(text[i + 1]);
            int low = hex_digit(text[i + 2]);
            if (high >= 0 && low >= 0) {
                text[out++] = (uint8_t)(high * 16 + low);
                i += 2;
                continue;
            }
        }
        text[out++] = text[i];
    }
    return out;
}
