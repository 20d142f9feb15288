/* The protobuf wire format, as numbers: wire types, tags, and the sizes of encoded values.
 * Source: protobuf.dev, "Encoding". Pure functions, all inline. */
#ifndef MVN_CORE_WIRE_H
#define MVN_CORE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define MVN_MAX_VARINT 10 /* bytes of the longest varint */
#define MVN_MAX_DEPTH 64  /* nesting that the readers accept */
#define MVN_MAX_MESSAGE ((size_t)INT32_MAX) /* protobuf's own limit for one message */

typedef enum {
    MVN_WIRE_VARINT = 0,
    MVN_WIRE_FIXED64 = 1,
    MVN_WIRE_BYTES = 2,
    MVN_WIRE_START_GROUP = 3,
    MVN_WIRE_END_GROUP = 4,
    MVN_WIRE_FIXED32 = 5
} mvn_wire_type;

/* A run of bytes that somebody else owns. */
typedef struct {
    const uint8_t *data;
    size_t size;
} mvn_span;

static inline uint32_t mvn_tag(uint32_t field, mvn_wire_type type)
{
    return (field << 3) | (uint32_t)type;
}

/* Bytes that `value` takes as a varint, 1 to 10. */
static inline size_t mvn_varint_size(uint64_t value)
{
#if defined(__GNUC__)
    /* 7 payload bits a byte: ceil(bits / 7), without the division. */
    unsigned bits = 63u - (unsigned)__builtin_clzll(value | 1u);
    return (bits * 9u + 73u) / 64u;
#else
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
#endif
}

/* Tag, length and payload of a length-delimited field. */
static inline size_t mvn_bytes_field_size(uint32_t field, size_t payload)
{
    return mvn_varint_size(mvn_tag(field, MVN_WIRE_BYTES)) + mvn_varint_size(payload) + payload;
}

/* Tag and value of a varint field. */
static inline size_t mvn_varint_field_size(uint32_t field, uint64_t value)
{
    return mvn_varint_size(mvn_tag(field, MVN_WIRE_VARINT)) + mvn_varint_size(value);
}

#endif
