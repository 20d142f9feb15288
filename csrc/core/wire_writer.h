/* Forward writer into memory whose exact size was computed beforehand (see wire.h).
 *
 * Nothing here checks for room in release builds: the caller sized the output. A debug build
 * (MVN_DEBUG) asserts it. Not thread-safe; one writer, one thread. */
#ifndef MVN_CORE_WIRE_WRITER_H
#define MVN_CORE_WIRE_WRITER_H

#include <assert.h>
#include <string.h>

#include "wire.h"

typedef struct {
    uint8_t *pos; /* next byte to write */
    uint8_t *end; /* one past the last writable byte */
} mvn_writer;

#ifdef MVN_DEBUG
#define MVN_WRITER_ROOM(w, n) assert((size_t)((w)->end - (w)->pos) >= (size_t)(n))
#else
#define MVN_WRITER_ROOM(w, n) ((void)0)
#endif

static inline mvn_writer mvn_writer_over(uint8_t *data, size_t size)
{
    mvn_writer writer = {data, data + size};
    return writer;
}

static inline size_t mvn_writer_left(const mvn_writer *w)
{
    return (size_t)(w->end - w->pos);
}

static inline void mvn_write_varint(mvn_writer *w, uint64_t value)
{
    MVN_WRITER_ROOM(w, mvn_varint_size(value));
    while (value >= 0x80) {
        *w->pos++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *w->pos++ = (uint8_t)value;
}

static inline void mvn_write_tag(mvn_writer *w, uint32_t field, mvn_wire_type type)
{
    mvn_write_varint(w, mvn_tag(field, type));
}

static inline void mvn_write_raw(mvn_writer *w, const void *data, size_t size)
{
    MVN_WRITER_ROOM(w, size);
    if (size != 0) {
        memcpy(w->pos, data, size);
        w->pos += size;
    }
}

/* Tag and length of a length-delimited field; the payload follows by other calls. */
static inline void mvn_write_bytes_header(mvn_writer *w, uint32_t field, size_t payload)
{
    mvn_write_tag(w, field, MVN_WIRE_BYTES);
    mvn_write_varint(w, payload);
}

static inline void mvn_write_bytes_field(mvn_writer *w, uint32_t field, const void *data,
                                         size_t size)
{
    mvn_write_bytes_header(w, field, size);
    mvn_write_raw(w, data, size);
}

static inline void mvn_write_varint_field(mvn_writer *w, uint32_t field, uint64_t value)
{
    mvn_write_tag(w, field, MVN_WIRE_VARINT);
    mvn_write_varint(w, value);
}

/* Little-endian fixed32 and fixed64 payloads, whatever the machine's byte order. */
static inline void mvn_write_u32le(mvn_writer *w, uint32_t value)
{
    MVN_WRITER_ROOM(w, 4);
    w->pos[0] = (uint8_t)value;
    w->pos[1] = (uint8_t)(value >> 8);
    w->pos[2] = (uint8_t)(value >> 16);
    w->pos[3] = (uint8_t)(value >> 24);
    w->pos += 4;
}

static inline void mvn_write_u64le(mvn_writer *w, uint64_t value)
{
    mvn_write_u32le(w, (uint32_t)value);
    mvn_write_u32le(w, (uint32_t)(value >> 32));
}

#endif
