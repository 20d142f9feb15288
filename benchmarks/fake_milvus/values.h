/* Field values: functions of the row's number, so that every run serves the same bytes. */
#ifndef FAKE_MILVUS_VALUES_H
#define FAKE_MILVUS_VALUES_H

#include "../../csrc/core/buffer.h"
#include "shape.h"

#define TYPE_JSON 23 /* schema.proto's DataType */

typedef struct {
    char name[NAME_SIZE];
    uint64_t id;
    uint32_t type; /* schema.proto's DataType */
    uint32_t dim;
    int primary;
} field_kind;

uint64_t value_key(uint64_t row);

/* Little-endian. */
void value_float32(uint8_t bytes[4], float value);

/* Appends one FieldData of `rows` rows under the number `at`. */
MVN_MUST_CHECK mvn_status value_column(mvn_buffer *out, uint32_t at, const field_kind *field,
                                       uint64_t rows, int dynamic);

#endif
