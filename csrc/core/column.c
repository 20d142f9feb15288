#include "column.h"

/* How the members of ScalarField hold their values. */
static mvn_wire_type element_wire(mvn_scalars_kind kind)
{
    switch (kind) {
    case MVN_SCALARS_FLOAT:
        return MVN_WIRE_FIXED32;
    case MVN_SCALARS_DOUBLE:
        return MVN_WIRE_FIXED64;
    case MVN_SCALARS_BOOL:
    case MVN_SCALARS_INT:
    case MVN_SCALARS_LONG:
    case MVN_SCALARS_TIMESTAMPTZ:
    case MVN_SCALARS_DATE:
    case MVN_SCALARS_TIME:
        return MVN_WIRE_VARINT;
    default:
        return MVN_WIRE_BYTES;
    }
}

/* BoolArray has bits rather than numbers. */
static mvn_status index_bools(mvn_arena *arena, mvn_span message, mvn_bits *bits)
{
    mvn_numbers numbers;
    mvn_status status = mvn_read_number_array(arena, message, MVN_WIRE_VARINT, &numbers);
    if (status != MVN_OK) {
        return status;
    }
    mvn_run run = {numbers.span, 0};
    return mvn_run_bits(arena, &run, bits);
}

/* ArrayArray {1: repeated ScalarField data, 2: DataType element_type}, and VectorArray {1: dim,
 * 2: repeated VectorField data, 3: DataType element_type}. */
static mvn_status index_nested(mvn_span message, uint32_t data_field, uint32_t type_field,
                               mvn_items *items, int32_t *element_type)
{
    mvn_reader reader = mvn_reader_of(message);
    size_t count = 0;
    while (!mvn_reader_done(&reader)) {
        uint32_t field;
        mvn_wire_type type;
        mvn_status status = mvn_read_tag(&reader, &field, &type);
        if (status != MVN_OK) {
            return status;
        }
        if (field == type_field && type == MVN_WIRE_VARINT) {
            uint64_t value;
            status = mvn_read_varint(&reader, &value);
            *element_type = (int32_t)(uint32_t)value;
        } else {
            count += field == data_field && type == MVN_WIRE_BYTES;
            status = mvn_skip(&reader, field, type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    items->message = message;
    items->number = data_field;
    items->count = count;
    return MVN_OK;
}

static mvn_status index_member(mvn_arena *arena, mvn_span message, mvn_scalars *out)
{
    mvn_wire_type element = element_wire(out->kind);
    mvn_numbers numbers;
    mvn_status status;
    if (out->kind == MVN_SCALARS_BOOL) {
        status = index_bools(arena, message, &out->bools);
        out->count = out->bools.count;
    } else if (out->kind == MVN_SCALARS_ARRAY) {
        status = index_nested(message, 1, 2, &out->items, &out->element_type);
        out->count = out->items.count;
    } else if (element == MVN_WIRE_BYTES) {
        status = mvn_items_in(message, 1, &out->items);
        out->count = out->items.count;
    } else {
        numbers.count = 0;
        status = mvn_read_number_array(arena, message, element, &numbers);
        out->numbers = numbers.span;
        out->count = numbers.count;
    }
    return status;
}

mvn_status mvn_index_scalars(mvn_arena *arena, mvn_span message, mvn_scalars *out)
{
    static const mvn_scalars nothing;
    mvn_reader reader = mvn_reader_of(message);
    mvn_run member = {{NULL, 0}, 0}, valid = {{NULL, 0}, 0};
    mvn_span piece;
    mvn_status status;
    *out = nothing;
    while (!mvn_reader_done(&reader)) {
        uint32_t field;
        mvn_wire_type type;
        status = mvn_read_tag(&reader, &field, &type);
        if (status != MVN_OK) {
            return status;
        }
        if (field <= MVN_SCALARS_TIME && type == MVN_WIRE_BYTES) {
            status = mvn_read_span(&reader, &piece);
            if (status == MVN_OK) {
                /* Another member of the oneof drops the one before; the same one merges. */
                if (out->kind != (mvn_scalars_kind)field) {
                    out->kind = (mvn_scalars_kind)field;
                    member.span.size = 0;
                }
                status = mvn_run_add(arena, &member, piece);
            }
        } else if (field == 17 && (type == MVN_WIRE_BYTES || type == MVN_WIRE_VARINT)) {
            status = mvn_run_read_numbers(arena, &valid, &reader, type, MVN_WIRE_VARINT);
        } else {
            status = mvn_skip(&reader, field, type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    status = mvn_run_bits(arena, &valid, &out->valid);
    if (status != MVN_OK || out->kind == MVN_SCALARS_NONE) {
        return status;
    }
    return index_member(arena, member.span, out);
}

mvn_status mvn_index_vectors(mvn_arena *arena, mvn_span message, mvn_vectors *out)
{
    static const mvn_vectors nothing;
    mvn_reader reader = mvn_reader_of(message);
    mvn_run member = {{NULL, 0}, 0}, valid = {{NULL, 0}, 0};
    mvn_numbers numbers;
    mvn_span piece;
    mvn_status status;
    *out = nothing;
    while (!mvn_reader_done(&reader)) {
        uint32_t field;
        mvn_wire_type type;
        status = mvn_read_tag(&reader, &field, &type);
        if (status != MVN_OK) {
            return status;
        }
        if (field == 1 && type == MVN_WIRE_VARINT) {
            uint64_t value = 0;
            status = mvn_read_varint(&reader, &value);
            out->dim = (int64_t)value;
        } else if (field >= MVN_VECTORS_FLOAT && field <= MVN_VECTORS_ARRAY &&
                   type == MVN_WIRE_BYTES) {
            status = mvn_read_span(&reader, &piece);
            if (status == MVN_OK) {
                mvn_vectors_kind kind = (mvn_vectors_kind)field;
                bool merges = kind == MVN_VECTORS_FLOAT || kind == MVN_VECTORS_SPARSE ||
                              kind == MVN_VECTORS_ARRAY;
                if (out->kind != kind || !merges) { /* bytes do not merge: the last wins */
                    out->kind = kind;
                    member.span.size = 0;
                }
                status = mvn_run_add(arena, &member, piece);
            }
        } else if (field == 9 && (type == MVN_WIRE_BYTES || type == MVN_WIRE_VARINT)) {
            status = mvn_run_read_numbers(arena, &valid, &reader, type, MVN_WIRE_VARINT);
        } else {
            status = mvn_skip(&reader, field, type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    status = mvn_run_bits(arena, &valid, &out->valid);
    if (status != MVN_OK) {
        return status;
    }
    switch (out->kind) {
    case MVN_VECTORS_NONE:
        return MVN_OK;
    case MVN_VECTORS_FLOAT:
        status = mvn_read_number_array(arena, member.span, MVN_WIRE_FIXED32, &numbers);
        if (status == MVN_OK) {
            out->data = numbers.span;
        }
        return status;
    case MVN_VECTORS_SPARSE:
        return mvn_items_in(member.span, 1, &out->items);
    case MVN_VECTORS_ARRAY:
        return index_nested(member.span, 2, 3, &out->items, &out->element_type);
    default:
        out->data = member.span;
        return MVN_OK;
    }
}

/* `left` is what remains of MVN_MAX_COLUMNS over all levels, so that a small hostile message cannot
 * ask for much memory. */
static mvn_status index_column(mvn_arena *arena, mvn_span message, mvn_column *out, int depth,
                               size_t *left);

static mvn_status index_columns(mvn_arena *arena, const mvn_spans *spans, mvn_column **columns,
                                size_t *count, int depth, size_t *left)
{
    *columns = NULL;
    *count = spans->count;
    if (spans->count > *left) {
        return MVN_ETOOBIG;
    }
    *left -= spans->count;
    mvn_column *made = mvn_arena_alloc(arena, spans->count, sizeof(mvn_column));
    if (made == NULL) {
        return MVN_ENOMEM;
    }
    for (size_t i = 0; i < spans->count; i++) {
        mvn_status status = index_column(arena, spans->items[i], &made[i], depth, left);
        if (status != MVN_OK) {
            return status;
        }
    }
    *columns = made;
    return MVN_OK;
}

/* StructArrayField {1: repeated FieldData fields}. */
static mvn_status index_structs(mvn_arena *arena, mvn_span message, mvn_column *out, int depth,
                                size_t *left)
{
    mvn_items items;
    mvn_spans spans = {NULL, 0, 0};
    mvn_reader reader = mvn_reader_of(message);
    mvn_status status = mvn_items_in(message, 1, &items);
    for (size_t i = 0; status == MVN_OK && i < items.count; i++) {
        mvn_span item;
        status = mvn_items_next(&reader, 1, &item);
        if (status == MVN_OK) {
            status = mvn_spans_add(arena, &spans, item);
        }
    }
    if (status != MVN_OK) {
        return status;
    }
    return index_columns(arena, &spans, &out->fields, &out->n_fields, depth, left);
}

static mvn_status index_column(mvn_arena *arena, mvn_span message, mvn_column *out, int depth,
                               size_t *left)
{
    static const mvn_column nothing;
    mvn_reader reader = mvn_reader_of(message);
    mvn_run member = {{NULL, 0}, 0}, valid = {{NULL, 0}, 0};
    mvn_status status;
    *out = nothing;
    if (depth == 0) {
        return MVN_EDEPTH;
    }
    while (!mvn_reader_done(&reader)) {
        uint32_t field;
        mvn_wire_type type;
        uint64_t value = 0;
        mvn_span piece;
        status = mvn_read_tag(&reader, &field, &type);
        if (status != MVN_OK) {
            return status;
        }
        if ((field == 1 || field == 6) && type == MVN_WIRE_VARINT) {
            status = mvn_read_varint(&reader, &value);
            if (field == 1) {
                out->type = (int32_t)(uint32_t)value;
            } else {
                out->dynamic = value != 0;
            }
        } else if (field == 2 && type == MVN_WIRE_BYTES) {
            status = mvn_read_span(&reader, &out->name);
        } else if ((field == MVN_COLUMN_SCALARS || field == MVN_COLUMN_VECTORS ||
                    field == MVN_COLUMN_STRUCTS) &&
                   type == MVN_WIRE_BYTES) {
            status = mvn_read_span(&reader, &piece);
            if (status == MVN_OK) {
                if (out->kind != (mvn_column_kind)field) {
                    out->kind = (mvn_column_kind)field;
                    member.span.size = 0;
                }
                status = mvn_run_add(arena, &member, piece);
            }
        } else if (field == 7 && (type == MVN_WIRE_BYTES || type == MVN_WIRE_VARINT)) {
            status = mvn_run_read_numbers(arena, &valid, &reader, type, MVN_WIRE_VARINT);
        } else {
            status = mvn_skip(&reader, field, type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    status = mvn_run_bits(arena, &valid, &out->valid);
    if (status != MVN_OK) {
        return status;
    }
    switch (out->kind) {
    case MVN_COLUMN_NONE:
        return MVN_OK;
    case MVN_COLUMN_SCALARS:
        status = mvn_index_scalars(arena, member.span, &out->scalars);
        if (out->scalars.valid.count != 0) {
            out->valid = out->scalars.valid;
        }
        return status;
    case MVN_COLUMN_VECTORS:
        status = mvn_index_vectors(arena, member.span, &out->vectors);
        if (out->vectors.valid.count != 0) {
            out->valid = out->vectors.valid;
        }
        return status;
    case MVN_COLUMN_STRUCTS:
        return index_structs(arena, member.span, out, depth - 1, left);
    }
    return MVN_EFORMAT;
}

mvn_status mvn_index_column(mvn_arena *arena, mvn_span message, mvn_column *out)
{
    size_t left = MVN_MAX_COLUMNS;
    return index_column(arena, message, out, MVN_MAX_DEPTH, &left);
}

mvn_status mvn_index_columns(mvn_arena *arena, const mvn_spans *spans, mvn_column **columns,
                             size_t *count)
{
    size_t left = MVN_MAX_COLUMNS;
    return index_columns(arena, spans, columns, count, MVN_MAX_DEPTH, &left);
}

/* Whole vectors in `total` units of which one vector takes dim * per_dim / per_unit. */
static mvn_rows_status dense_rows(const mvn_column *column, size_t *rows, size_t *total)
{
    const mvn_vectors *vectors = &column->vectors;
    size_t units = vectors->data.size;
    if (vectors->kind == MVN_VECTORS_FLOAT) {
        units /= 4;
    } else if (vectors->kind == MVN_VECTORS_BINARY) {
        units = units > SIZE_MAX / 8 ? SIZE_MAX : units * 8;
    }
    *total = vectors->kind == MVN_VECTORS_BINARY ? vectors->data.size : units;
    *rows = 0;
    if (units == 0) {
        return MVN_ROWS_OK;
    }
    if (vectors->dim <= 0) {
        return MVN_ROWS_BAD_DIM;
    }
    uint64_t dim = (uint64_t)vectors->dim;
    if (vectors->kind == MVN_VECTORS_FLOAT16 || vectors->kind == MVN_VECTORS_BFLOAT16) {
        if (units % 2 != 0 || units / 2 % dim != 0) {
            return MVN_ROWS_UNEVEN_HALF;
        }
        units /= 2;
    } else if (vectors->kind == MVN_VECTORS_FLOAT && units % dim != 0) {
        return MVN_ROWS_UNEVEN_FLOAT;
    }
    *rows = (size_t)(units / dim);
    return MVN_ROWS_OK;
}

static mvn_rows_status column_rows(const mvn_column *column, size_t *rows, size_t *total)
{
    const mvn_column *inner = column;
    while (inner->kind == MVN_COLUMN_STRUCTS) {
        if (inner->n_fields == 0) {
            return MVN_ROWS_NO_SUB_FIELD;
        }
        inner = inner->fields; /* the first sub-field counts; depth was bounded when indexed */
    }
    if (inner->kind == MVN_COLUMN_NONE) {
        return MVN_ROWS_UNKNOWN_FIELD;
    }
    if (inner->kind == MVN_COLUMN_SCALARS) {
        *rows = inner->scalars.count;
        return inner->scalars.kind == MVN_SCALARS_NONE ? MVN_ROWS_UNKNOWN_SCALAR : MVN_ROWS_OK;
    }
    if (inner->valid.count != 0) {
        *rows = inner->valid.count;
        return MVN_ROWS_OK;
    }
    if (inner->vectors.kind == MVN_VECTORS_SPARSE || inner->vectors.kind == MVN_VECTORS_ARRAY) {
        *rows = inner->vectors.items.count;
        return MVN_ROWS_OK;
    }
    return dense_rows(inner, rows, total);
}

mvn_rows_status mvn_column_rows(const mvn_column *column, size_t *rows, size_t *total)
{
    *rows = 0;
    *total = 0;
    return column_rows(column, rows, total);
}
