/* libFuzzer target: the cursor over protobuf bytes, and what is built on it alone.
 *
 * Besides what the sanitizers see: the cursor never leaves its bytes and always moves forward, a
 * count is what a walk finds, skipping a field ends where reading it ends, and text that was sized
 * is written in that size. */
#include <stdlib.h>
#include <string.h>

#include "../core/aggregation.h"
#include "../core/mem.h"
#include "../core/runs.h"
#include "../core/sparse.h"
#include "../core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

/* Field by field, each read in the way of its wire type and stepped over as well. */
static void walk_fields(mvn_span bytes)
{
    mvn_reader reader = mvn_reader_of(bytes);
    while (!mvn_reader_done(&reader)) {
        const uint8_t *before = reader.pos;
        uint32_t field = 0, narrow;
        uint64_t wide;
        mvn_wire_type type;
        mvn_span span = {NULL, 0};
        mvn_status status = MVN_OK;
        if (mvn_read_tag(&reader, &field, &type) != MVN_OK) {
            return;
        }
        require(field >= 1 && field < 1u << 29 && reader.pos > before);
        mvn_reader skipped = reader;
        mvn_status skip_status = mvn_skip(&skipped, field, type);
        switch (type) {
        case MVN_WIRE_VARINT:
            status = mvn_read_varint(&reader, &wide);
            break;
        case MVN_WIRE_FIXED32:
            status = mvn_read_fixed32(&reader, &narrow);
            break;
        case MVN_WIRE_FIXED64:
            status = mvn_read_fixed64(&reader, &wide);
            break;
        case MVN_WIRE_BYTES:
            status = mvn_read_span(&reader, &span);
            require(status != MVN_OK || span.size <= bytes.size);
            break;
        default:
            reader = skipped;
            status = skip_status;
            break;
        }
        require((status == MVN_OK) == (skip_status == MVN_OK));
        if (status != MVN_OK) {
            return;
        }
        require(reader.pos == skipped.pos && reader.pos > before && reader.pos <= reader.end);
    }
}

static void count_numbers(mvn_span bytes)
{
    size_t count = 0, found = 0;
    mvn_reader reader = mvn_reader_of(bytes);
    if (mvn_count_varints(bytes, &count) != MVN_OK) {
        return;
    }
    uint64_t value;
    mvn_status status = MVN_OK;
    while (!mvn_reader_done(&reader) && (status = mvn_read_varint(&reader, &value)) == MVN_OK) {
        found++;
    }
    /* One that is too long, or exceeds 64 bits, counts, and is refused when it is read. */
    require(status == MVN_OK ? found == count : found < count);
}

static void join_runs(mvn_span bytes, mvn_wire_type element)
{
    mvn_arena arena;
    mvn_run run = {{NULL, 0}, 0};
    mvn_reader reader = mvn_reader_of(bytes);
    mvn_numbers numbers;
    mvn_bits bits;
    uint32_t field;
    mvn_wire_type type;

    mvn_arena_init(&arena);
    while (!mvn_reader_done(&reader) && mvn_read_tag(&reader, &field, &type) == MVN_OK) {
        if (type != MVN_WIRE_BYTES && type != element) {
            break;
        }
        if (mvn_run_read_numbers(&arena, &run, &reader, type, element) != MVN_OK) {
            break;
        }
    }
    require(run.span.size <= bytes.size);
    if (mvn_run_numbers(&run, element, &numbers) == MVN_OK) {
        require(numbers.count <= bytes.size);
    }
    if (element == MVN_WIRE_VARINT && mvn_run_bits(&arena, &run, &bits) == MVN_OK) {
        unsigned sum = 0;
        for (size_t i = 0; i < bits.count; i++) {
            sum += bits.data[i];
        }
        require(sum <= 255u * bytes.size);
    }
    mvn_arena_reset(&arena);
}

static void sort_sparse(mvn_span bytes)
{
    size_t count;
    if (mvn_sparse_count(bytes, &count) != MVN_OK || count == 0) {
        return;
    }
    uint8_t *copy = mvn_malloc_array(bytes.size, 1);
    require(copy != NULL);
    memcpy(copy, bytes.data, bytes.size);
    require(mvn_sparse_sort(copy, count) == MVN_OK);
    mvn_span sorted = {copy, bytes.size};
    for (size_t i = 1; i < count; i++) {
        require(mvn_sparse_index(sorted, i - 1) <= mvn_sparse_index(sorted, i));
    }
    mvn_free(copy);
}

static void encode_text(mvn_span bytes, int width)
{
    size_t count = bytes.size / (size_t)width, size = 0;
    uint32_t *points = mvn_malloc_array(bytes.size, 1); /* as aligned as a str's */
    require(points != NULL);
    if (bytes.size > 0) {
        memcpy(points, bytes.data, bytes.size);
    }
    if (mvn_utf8_size(points, width, count, &size) == MVN_OK) {
        uint8_t *out = mvn_malloc_array(size, 1);
        require(out != NULL && mvn_utf8_encode(points, width, count, out) == out + size);
        mvn_free(out);
    } else {
        require(size < count);
    }
    mvn_free(points);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    mvn_span bytes = {data + 1, size - 1};
    switch (data[0] % 9) {
    case 0:
        walk_fields(bytes);
        break;
    case 1:
        count_numbers(bytes);
        break;
    case 2:
        join_runs(bytes, MVN_WIRE_VARINT);
        break;
    case 3:
        join_runs(bytes, MVN_WIRE_FIXED32);
        break;
    case 4:
        join_runs(bytes, MVN_WIRE_FIXED64);
        break;
    case 5:
        sort_sparse(bytes);
        break;
    case 6:
        encode_text(bytes, 1);
        break;
    case 7:
        encode_text(bytes, 2);
        break;
    default:
        encode_text(bytes, 4);
        break;
    }
    return 0;
}
