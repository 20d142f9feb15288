#include "aggregation.h"

static const mvn_value no_value;

/* Reads the field under the cursor as a value of `kind`, or skips it when its wire type is not that
 * of the kind. */
static mvn_status read_value(mvn_reader *reader, uint32_t field, mvn_wire_type type,
                             mvn_value_kind kind, mvn_value *value)
{
    mvn_value read = no_value;
    uint64_t bits64 = 0;
    uint32_t bits32 = 0;
    mvn_status status;
    read.kind = kind;
    if ((kind == MVN_VALUE_INT || kind == MVN_VALUE_BOOL) && type == MVN_WIRE_VARINT) {
        status = mvn_read_varint(reader, &bits64);
        read.integer = kind == MVN_VALUE_BOOL ? bits64 != 0 : (int64_t)bits64;
    } else if (kind == MVN_VALUE_FLOAT && type == MVN_WIRE_FIXED32) {
        float narrow;
        status = mvn_read_fixed32(reader, &bits32);
        memcpy(&narrow, &bits32, sizeof(narrow));
        read.number = (double)narrow;
    } else if (kind == MVN_VALUE_DOUBLE && type == MVN_WIRE_FIXED64) {
        status = mvn_read_fixed64(reader, &bits64);
        memcpy(&read.number, &bits64, sizeof(read.number));
    } else if ((kind == MVN_VALUE_STRING || kind == MVN_VALUE_BYTES) && type == MVN_WIRE_BYTES) {
        status = mvn_read_span(reader, &read.bytes);
    } else {
        return mvn_skip(reader, field, type);
    }
    if (status == MVN_OK) {
        *value = read;
    }
    return status;
}

/* A message whose fields `first` and up are the members of one oneof, of the kinds given; below
 * them may come 1: field_id and 2: field_name. */
static mvn_status read_members(mvn_span message, uint32_t first, const mvn_value_kind *kinds,
                               uint32_t n_kinds, mvn_agg_field *out)
{
    static const mvn_agg_field nothing;
    mvn_reader reader = mvn_reader_of(message);
    *out = nothing;
    while (!mvn_reader_done(&reader)) {
        uint32_t field;
        mvn_wire_type type;
        uint64_t bits = 0;
        mvn_status status = mvn_read_tag(&reader, &field, &type);
        if (status == MVN_OK) {
            if (field >= first && field - first < n_kinds) {
                status = read_value(&reader, field, type, kinds[field - first], &out->value);
            } else if (field == 1 && type == MVN_WIRE_VARINT) {
                status = mvn_read_varint(&reader, &bits);
                out->field_id = (int64_t)bits;
            } else if (field == 2 && type == MVN_WIRE_BYTES) {
                status = mvn_read_span(&reader, &out->field_name);
            } else {
                status = mvn_skip(&reader, field, type);
            }
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    return MVN_OK;
}

#define READ_MEMBERS(message, first, kinds, out)                                                  \
    read_members(message, first, kinds, sizeof(kinds) / sizeof((kinds)[0]), out)

mvn_status mvn_read_bucket_key(mvn_span message, mvn_agg_field *out)
{
    static const mvn_value_kind kinds[] = {MVN_VALUE_INT, MVN_VALUE_STRING, MVN_VALUE_BOOL};
    return READ_MEMBERS(message, 3, kinds, out);
}

mvn_status mvn_read_agg_hit_field(mvn_span message, mvn_agg_field *out)
{
    static const mvn_value_kind kinds[] = {MVN_VALUE_INT,    MVN_VALUE_BOOL,   MVN_VALUE_FLOAT,
                                           MVN_VALUE_DOUBLE, MVN_VALUE_STRING, MVN_VALUE_BYTES};
    return READ_MEMBERS(message, 3, kinds, out);
}

mvn_status mvn_read_metric(mvn_span entry, mvn_span *alias, mvn_value *value)
{
    static const mvn_value_kind kinds[] = {MVN_VALUE_INT, MVN_VALUE_DOUBLE, MVN_VALUE_STRING,
                                           MVN_VALUE_BOOL};
    mvn_span message = {NULL, 0};
    mvn_agg_field metric;
    mvn_status status = mvn_read_map_entry(entry, alias, &message);
    if (status != MVN_OK) {
        return status;
    }
    status = READ_MEMBERS(message, 1, kinds, &metric);
    *value = metric.value;
    return status;
}

mvn_status mvn_read_agg_hit(mvn_span message, mvn_agg_hit *out)
{
    static const mvn_agg_hit nothing;
    mvn_reader reader = mvn_reader_of(message);
    mvn_value score = no_value;
    *out = nothing;
    while (!mvn_reader_done(&reader)) {
        uint32_t field;
        mvn_wire_type type;
        mvn_status status = mvn_read_tag(&reader, &field, &type);
        if (status == MVN_OK) {
            if (field == 1 || field == 2) {
                status = read_value(&reader, field, type,
                                    field == 1 ? MVN_VALUE_INT : MVN_VALUE_STRING, &out->pk);
            } else if (field == 3) {
                status = read_value(&reader, field, type, MVN_VALUE_FLOAT, &score);
            } else {
                status = mvn_skip(&reader, field, type);
            }
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    out->score = (float)score.number;
    return mvn_items_in(message, 4, &out->fields);
}

mvn_status mvn_read_agg_bucket(mvn_span message, mvn_agg_bucket *out)
{
    static const mvn_agg_bucket nothing;
    mvn_reader reader = mvn_reader_of(message);
    mvn_value count = no_value;
    mvn_items *const lists[] = {NULL, &out->keys, NULL, &out->metrics, &out->hits,
                                &out->sub_groups};
    const uint32_t n_lists = sizeof(lists) / sizeof(lists[0]);
    *out = nothing;
    while (!mvn_reader_done(&reader)) {
        uint32_t field;
        mvn_wire_type type;
        mvn_status status = mvn_read_tag(&reader, &field, &type);
        if (status == MVN_OK) {
            if (field == 2) {
                status = read_value(&reader, field, type, MVN_VALUE_INT, &count);
            } else {
                if (field < n_lists && lists[field] != NULL && type == MVN_WIRE_BYTES) {
                    lists[field]->count++;
                }
                status = mvn_skip(&reader, field, type);
            }
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    out->count = count.integer;
    for (uint32_t field = 1; field < n_lists; field++) {
        if (lists[field] != NULL) {
            lists[field]->message = message;
            lists[field]->number = field;
        }
    }
    return MVN_OK;
}
