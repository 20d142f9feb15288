#include "wire_reader.h"

mvn_status mvn_read_varint_slow(mvn_reader *r, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (r->pos == r->end) {
            return MVN_ETRUNCATED;
        }
        uint8_t byte = *r->pos++;
        if (shift == 63 && byte > 1) {
            return MVN_EFORMAT;
        }
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return MVN_OK;
        }
    }
    return MVN_EFORMAT;
}

mvn_status mvn_read_tag(mvn_reader *r, uint32_t *field, mvn_wire_type *type)
{
    uint64_t tag = 0;
    mvn_status status = mvn_read_varint(r, &tag);
    if (status != MVN_OK) {
        return status;
    }
    if (tag > UINT32_MAX || (tag >> 3) == 0 || (tag & 7) > MVN_WIRE_FIXED32) {
        return MVN_EFORMAT;
    }
    *field = (uint32_t)(tag >> 3);
    *type = (mvn_wire_type)(tag & 7);
    return MVN_OK;
}

mvn_status mvn_read_span(mvn_reader *r, mvn_span *span)
{
    uint64_t size = 0;
    mvn_status status = mvn_read_varint(r, &size);
    if (status != MVN_OK) {
        return status;
    }
    if (size > mvn_reader_left(r)) {
        return MVN_ETRUNCATED;
    }
    span->data = r->pos;
    span->size = (size_t)size;
    r->pos += size;
    return MVN_OK;
}

mvn_status mvn_read_fixed32(mvn_reader *r, uint32_t *value)
{
    if (mvn_reader_left(r) < 4) {
        return MVN_ETRUNCATED;
    }
    *value = mvn_load_u32le(r->pos);
    r->pos += 4;
    return MVN_OK;
}

mvn_status mvn_read_fixed64(mvn_reader *r, uint64_t *value)
{
    if (mvn_reader_left(r) < 8) {
        return MVN_ETRUNCATED;
    }
    *value = mvn_load_u64le(r->pos);
    r->pos += 8;
    return MVN_OK;
}

/* Groups are long deprecated, but an unknown field may be one. The open group numbers are kept on
 * a fixed stack, so hostile nesting costs neither C stack nor heap. */
static mvn_status skip_group(mvn_reader *r, uint32_t field)
{
    uint32_t open[MVN_MAX_DEPTH];
    size_t depth = 0;
    open[depth++] = field;
    while (depth > 0) {
        uint32_t inner;
        mvn_wire_type type;
        mvn_status status = mvn_read_tag(r, &inner, &type);
        if (status != MVN_OK) {
            return status;
        }
        if (type == MVN_WIRE_START_GROUP) {
            if (depth == MVN_MAX_DEPTH) {
                return MVN_EDEPTH;
            }
            open[depth++] = inner;
        } else if (type == MVN_WIRE_END_GROUP) {
            if (open[--depth] != inner) {
                return MVN_EFORMAT;
            }
        } else {
            status = mvn_skip(r, inner, type);
            if (status != MVN_OK) {
                return status;
            }
        }
    }
    return MVN_OK;
}

mvn_status mvn_skip(mvn_reader *r, uint32_t field, mvn_wire_type type)
{
    uint64_t ignored64;
    uint32_t ignored32;
    mvn_span ignored;
    switch (type) {
    case MVN_WIRE_VARINT:
        return mvn_read_varint(r, &ignored64);
    case MVN_WIRE_FIXED64:
        return mvn_read_fixed64(r, &ignored64);
    case MVN_WIRE_BYTES:
        return mvn_read_span(r, &ignored);
    case MVN_WIRE_START_GROUP:
        return skip_group(r, field);
    case MVN_WIRE_END_GROUP:
        return MVN_EFORMAT;
    case MVN_WIRE_FIXED32:
        return mvn_read_fixed32(r, &ignored32);
    }
    return MVN_EFORMAT;
}

mvn_status mvn_count_varints(mvn_span span, size_t *count)
{
    size_t ends = 0;
    for (size_t i = 0; i < span.size; i++) {
        ends += span.data[i] < 0x80;
    }
    if (span.size != 0 && span.data[span.size - 1] >= 0x80) {
        return MVN_ETRUNCATED;
    }
    *count = ends;
    return MVN_OK;
}
