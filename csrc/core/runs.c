#include "runs.h"

mvn_status mvn_run_add(mvn_arena *arena, mvn_run *run, mvn_span piece)
{
    if (run->span.size == 0) {
        run->span = piece;
        run->room = 0;
        return MVN_OK;
    }
    if (piece.size == 0) {
        return MVN_OK;
    }
    size_t total = run->span.size + piece.size; /* both lie in one message, so no overflow */
    if (total > run->room) {
        uint8_t *joined = mvn_arena_alloc(arena, total, 2);
        if (joined == NULL) {
            return MVN_ENOMEM;
        }
        memcpy(joined, run->span.data, run->span.size);
        run->span.data = joined;
        run->room = 2 * total;
    }
    /* The block behind the span is the run's own. */
    memcpy((uint8_t *)(uintptr_t)run->span.data + run->span.size, piece.data, piece.size);
    run->span.size = total;
    return MVN_OK;
}

static size_t fixed_size(mvn_wire_type element)
{
    return element == MVN_WIRE_FIXED32 ? 4 : element == MVN_WIRE_FIXED64 ? 8 : 0;
}

mvn_status mvn_run_read_numbers(mvn_arena *arena, mvn_run *run, mvn_reader *reader,
                                mvn_wire_type seen, mvn_wire_type element)
{
    mvn_span piece;
    mvn_status status;
    if (seen == MVN_WIRE_BYTES) {
        status = mvn_read_span(reader, &piece);
        if (status != MVN_OK) {
            return status;
        }
        size_t width = fixed_size(element);
        if (width != 0 ? piece.size % width != 0
                       : piece.size != 0 && piece.data[piece.size - 1] >= 0x80) {
            return MVN_EFORMAT;
        }
    } else {
        piece.data = reader->pos;
        status = mvn_skip(reader, 1, seen);
        if (status != MVN_OK) {
            return status;
        }
        piece.size = (size_t)(reader->pos - piece.data);
    }
    return mvn_run_add(arena, run, piece);
}

mvn_status mvn_run_numbers(const mvn_run *run, mvn_wire_type element, mvn_numbers *numbers)
{
    size_t width = fixed_size(element);
    numbers->span = run->span;
    if (width != 0) {
        numbers->count = run->span.size / width;
        return MVN_OK;
    }
    return mvn_count_varints(run->span, &numbers->count);
}

mvn_status mvn_read_number_array(mvn_arena *arena, mvn_span message, mvn_wire_type element,
                                 mvn_numbers *numbers)
{
    mvn_reader reader = mvn_reader_of(message);
    mvn_run run = {{NULL, 0}, 0};
    while (!mvn_reader_done(&reader)) {
        uint32_t field;
        mvn_wire_type type;
        mvn_status status = mvn_read_tag(&reader, &field, &type);
        if (status == MVN_OK) {
            status = field == 1 && (type == MVN_WIRE_BYTES || type == element)
                         ? mvn_run_read_numbers(arena, &run, &reader, type, element)
                         : mvn_skip(&reader, field, type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    return mvn_run_numbers(&run, element, numbers);
}

mvn_status mvn_run_bits(mvn_arena *arena, const mvn_run *run, mvn_bits *bits)
{
    size_t count;
    mvn_status status = mvn_count_varints(run->span, &count);
    if (status != MVN_OK) {
        return status;
    }
    bits->data = run->span.data;
    bits->count = count;
    if (count == run->span.size) {
        return MVN_OK;
    }
    uint8_t *plain = mvn_arena_alloc(arena, count, 1);
    if (plain == NULL) {
        return MVN_ENOMEM;
    }
    mvn_reader reader = mvn_reader_of(run->span);
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        status = mvn_read_varint(&reader, &value);
        if (status != MVN_OK) {
            return status;
        }
        plain[i] = value != 0;
    }
    bits->data = plain;
    return MVN_OK;
}

mvn_status mvn_items_next(mvn_reader *reader, uint32_t number, mvn_span *item)
{
    while (!mvn_reader_done(reader)) {
        uint32_t field;
        mvn_wire_type type;
        mvn_status status = mvn_read_tag(reader, &field, &type);
        if (status != MVN_OK) {
            return status;
        }
        if (field == number && type == MVN_WIRE_BYTES) {
            return mvn_read_span(reader, item);
        }
        status = mvn_skip(reader, field, type);
        if (status != MVN_OK) {
            return status;
        }
    }
    return MVN_ETRUNCATED;
}

mvn_status mvn_items_in(mvn_span message, uint32_t number, mvn_items *items)
{
    mvn_reader reader = mvn_reader_of(message);
    size_t count = 0;
    while (!mvn_reader_done(&reader)) {
        uint32_t field;
        mvn_wire_type type;
        mvn_status status = mvn_read_tag(&reader, &field, &type);
        if (status == MVN_OK) {
            count += field == number && type == MVN_WIRE_BYTES;
            status = mvn_skip(&reader, field, type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    items->message = message;
    items->number = number;
    items->count = count;
    return MVN_OK;
}

mvn_status mvn_read_map_entry(mvn_span entry, mvn_span *key, mvn_span *value)
{
    mvn_reader reader = mvn_reader_of(entry);
    key->size = 0;
    value->size = 0;
    while (!mvn_reader_done(&reader)) {
        uint32_t field;
        mvn_wire_type type;
        mvn_status status = mvn_read_tag(&reader, &field, &type);
        if (status == MVN_OK) {
            status = (field == 1 || field == 2) && type == MVN_WIRE_BYTES
                         ? mvn_read_span(&reader, field == 1 ? key : value)
                         : mvn_skip(&reader, field, type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    return MVN_OK;
}

mvn_status mvn_spans_add(mvn_arena *arena, mvn_spans *spans, mvn_span span)
{
    if (spans->count == spans->room) {
        size_t room = spans->room == 0 ? 8 : 2 * spans->room;
        mvn_span *items = mvn_arena_alloc(arena, room, sizeof(mvn_span));
        if (items == NULL) {
            return MVN_ENOMEM;
        }
        if (spans->count != 0) {
            memcpy(items, spans->items, spans->count * sizeof(mvn_span));
        }
        spans->items = items;
        spans->room = room;
    }
    spans->items[spans->count++] = span;
    return MVN_OK;
}
