/* Bounded cursor over protobuf bytes from the network. It never reads outside [pos, end), never
 * allocates, and reports every malformation as a status; the cursor's position after a failure is
 * unspecified. Spans point into the caller's bytes. */
#ifndef MVN_CORE_WIRE_READER_H
#define MVN_CORE_WIRE_READER_H

#include <string.h>

#include "status.h"
#include "wire.h"

typedef struct {
    const uint8_t *pos;
    const uint8_t *end;
} mvn_reader;

static inline mvn_reader mvn_reader_over(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    mvn_reader reader = {bytes, bytes == NULL ? NULL : bytes + size};
    return reader;
}

static inline mvn_reader mvn_reader_of(mvn_span span)
{
    return mvn_reader_over(span.data, span.size);
}

static inline int mvn_reader_done(const mvn_reader *r)
{
    return r->pos == r->end;
}

static inline size_t mvn_reader_left(const mvn_reader *r)
{
    return (size_t)(r->end - r->pos);
}

/* The out-of-line half of mvn_read_varint. */
MVN_MUST_CHECK mvn_status mvn_read_varint_slow(mvn_reader *r, uint64_t *value);

/* At most 10 bytes; bits beyond the 64th are refused. */
MVN_MUST_CHECK static inline mvn_status mvn_read_varint(mvn_reader *r, uint64_t *value)
{
    if (MVN_LIKELY(r->pos != r->end && *r->pos < 0x80)) {
        *value = *r->pos++;
        return MVN_OK;
    }
    return mvn_read_varint_slow(r, value);
}

/* Field number (1 to 2^29 - 1) and wire type of the next field. */
MVN_MUST_CHECK mvn_status mvn_read_tag(mvn_reader *r, uint32_t *field, mvn_wire_type *type);

/* Length and payload of a length-delimited field whose tag was read. */
MVN_MUST_CHECK mvn_status mvn_read_span(mvn_reader *r, mvn_span *span);

MVN_MUST_CHECK mvn_status mvn_read_fixed32(mvn_reader *r, uint32_t *value);
MVN_MUST_CHECK mvn_status mvn_read_fixed64(mvn_reader *r, uint64_t *value);

/* Steps over the value of a field whose tag was read; groups are followed to MVN_MAX_DEPTH. */
MVN_MUST_CHECK mvn_status mvn_skip(mvn_reader *r, uint32_t field, mvn_wire_type type);

/* Number of varints in a packed span; refuses a span whose last byte continues. */
MVN_MUST_CHECK mvn_status mvn_count_varints(mvn_span span, size_t *count);

static inline uint32_t mvn_load_u32le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t mvn_load_u64le(const uint8_t *p)
{
    return (uint64_t)mvn_load_u32le(p) | (uint64_t)mvn_load_u32le(p + 4) << 32;
}

static inline float mvn_load_f32le(const uint8_t *p)
{
    uint32_t bits = mvn_load_u32le(p);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline double mvn_load_f64le(const uint8_t *p)
{
    uint64_t bits = mvn_load_u64le(p);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

#endif
