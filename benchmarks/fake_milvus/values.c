#include "values.h"

#include <stdio.h>
#include <string.h>

enum { /* schema.proto's DataType */
    BOOL = 1,
    INT8 = 2,
    INT16 = 3,
    INT32 = 4,
    INT64 = 5,
    FLOAT = 10,
    DOUBLE = 11,
    VARCHAR = 21,
    JSON = TYPE_JSON,
    BINARY_VECTOR = 100,
    FLOAT_VECTOR = 101,
    FLOAT16_VECTOR = 102,
    INT8_VECTOR = 105,
};

/* splitmix64: bits that look random, from a counter. */
static uint64_t mix(uint64_t n)
{
    n = (n + 1) * 0x9e3779b97f4a7c15u;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
    return n ^ (n >> 31);
}

uint64_t value_key(uint64_t row)
{
    return mix(row) >> 24; /* 40 bits, as many as a key of a large table has */
}

void value_float32(uint8_t bytes[4], float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(bits >> (8 * i));
    }
}

static mvn_status append_fixed(mvn_buffer *out, const field_kind *field, uint64_t row)
{
    uint8_t bytes[8];
    if (field->type == FLOAT) {
        value_float32(bytes, (float)row / 7.0f);
        return mvn_buffer_append(out, bytes, 4);
    }
    double value = (double)row / 7.0;
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(bits >> (8 * i));
    }
    return mvn_buffer_append(out, bytes, 8);
}

static mvn_status append_text(mvn_buffer *out, const field_kind *field, uint64_t row, int dynamic)
{
    char text[160];
    int size;
    if (field->type == VARCHAR) {
        size = snprintf(text, sizeof(text), "document %llu: %016llx%016llx",
                        (unsigned long long)row, (unsigned long long)mix(row),
                        (unsigned long long)mix(~row));
    } else if (dynamic) {
        size = snprintf(text, sizeof(text), "{\"color\": \"%s\", \"weight\": %.3f}",
                        row % 3 == 0 ? "red" : "blue", (double)(row % 1000) / 8);
    } else {
        size = snprintf(text, sizeof(text),
                        "{\"source\": \"page-%llu\", \"rank\": %llu, \"tags\": [\"a\", \"b\"]}",
                        (unsigned long long)row, (unsigned long long)(row % 97));
    }
    return mvn_buffer_append_bytes_field(out, 1, text, (size_t)size);
}

/* The payload of a ScalarField's array, `data = 1` in each of them. */
static mvn_status append_scalars(mvn_buffer *out, const field_kind *field, uint64_t rows,
                                 int dynamic)
{
    int text = field->type == VARCHAR || field->type == JSON;
    size_t mark = 0;
    mvn_status status = text ? MVN_OK : mvn_buffer_begin(out, 1, &mark);
    for (uint64_t row = 0; row < rows && status == MVN_OK; row++) {
        if (text) {
            status = append_text(out, field, row, dynamic);
        } else if (field->type == FLOAT || field->type == DOUBLE) {
            status = append_fixed(out, field, row);
        } else {
            uint64_t value = field->type == BOOL    ? row % 2
                             : field->type == INT64 ? value_key(row)
                                                    : row % 100;
            status = mvn_buffer_append_varint(out, value);
        }
    }
    if (status == MVN_OK && !text) {
        status = mvn_buffer_end(out, mark);
    }
    return status;
}

/* The number that the array of this type has in ScalarField. */
static uint32_t scalar_at(uint32_t type)
{
    switch (type) {
    case BOOL:
        return 1;
    case INT8:
    case INT16:
    case INT32:
        return 2;
    case INT64:
        return 3;
    case FLOAT:
        return 4;
    case DOUBLE:
        return 5;
    case VARCHAR:
        return 6;
    case JSON:
        return 9;
    default:
        return 0;
    }
}

static mvn_status append_vectors(mvn_buffer *out, const field_kind *field, uint64_t rows)
{
    size_t vectors, mark;
    mvn_status status = mvn_buffer_begin(out, 4, &vectors);
    if (status == MVN_OK) {
        status = mvn_buffer_append_varint_field(out, 1, field->dim);
    }
    if (status != MVN_OK) {
        return status;
    }
    if (field->type == FLOAT_VECTOR) {
        size_t inner;
        status = mvn_buffer_begin(out, 2, &mark);
        if (status == MVN_OK) {
            status = mvn_buffer_begin(out, 1, &inner);
        }
        for (uint64_t i = 0; i < rows * field->dim && status == MVN_OK; i++) {
            uint8_t bytes[4];
            value_float32(bytes, (float)(mix(i) >> 40) / (float)(1 << 24));
            status = mvn_buffer_append(out, bytes, 4);
        }
        if (status == MVN_OK) {
            status = mvn_buffer_end(out, inner);
        }
        return status != MVN_OK || (status = mvn_buffer_end(out, mark)) != MVN_OK
                   ? status
                   : mvn_buffer_end(out, vectors);
    }
    uint64_t size = field->type == BINARY_VECTOR    ? field->dim / 8
                    : field->type == FLOAT16_VECTOR ? field->dim * 2
                                                    : field->dim;
    uint32_t at = field->type == BINARY_VECTOR ? 3 : field->type == FLOAT16_VECTOR ? 4 : 7;
    status = mvn_buffer_begin(out, at, &mark);
    for (uint64_t i = 0; i < rows * size && status == MVN_OK; i++) {
        uint8_t byte = (uint8_t)(mix(i) & 0x3b); /* no NaN in halves */
        status = mvn_buffer_append(out, &byte, 1);
    }
    return status != MVN_OK || (status = mvn_buffer_end(out, mark)) != MVN_OK
               ? status
               : mvn_buffer_end(out, vectors);
}

mvn_status value_column(mvn_buffer *out, uint32_t at, const field_kind *field, uint64_t rows,
                        int dynamic)
{
    size_t column, scalars, array;
    uint32_t number = scalar_at(field->type);
    mvn_status status;
    if ((status = mvn_buffer_begin(out, at, &column)) != MVN_OK ||
        (status = mvn_buffer_append_varint_field(out, 1, field->type)) != MVN_OK ||
        (status = mvn_buffer_append_bytes_field(out, 2, field->name, strlen(field->name))) !=
            MVN_OK) {
        return status;
    }
    if (number == 0) {
        status = append_vectors(out, field, rows);
    } else if ((status = mvn_buffer_begin(out, 3, &scalars)) == MVN_OK &&
               (status = mvn_buffer_begin(out, number, &array)) == MVN_OK &&
               (status = append_scalars(out, field, rows, dynamic)) == MVN_OK &&
               (status = mvn_buffer_end(out, array)) == MVN_OK) {
        status = mvn_buffer_end(out, scalars);
    }
    if (status == MVN_OK) {
        status = mvn_buffer_append_varint_field(out, 5, field->id);
    }
    if (status == MVN_OK && dynamic) {
        status = mvn_buffer_append_varint_field(out, 6, 1);
    }
    return status != MVN_OK ? status : mvn_buffer_end(out, column);
}
