#include "shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/core/wire_reader.h"

/* Numbers of the fields that a message kind has under a name; 0 where it has none. */
typedef struct {
    const char *method;
    uint32_t fields, params, expr, rows, nq, requests;
    const char *limit;
} layout;

static const layout LAYOUTS[] = {
    {"Search", 8, 9, 0, 0, 12, 0, "topk"},
    {"HybridSearch", 10, 6, 0, 0, 0, 5, "limit"},
    {"Query", 5, 9, 4, 0, 0, 0, "limit"},
    {"Insert", 0, 0, 0, 7, 0, 0, ""},
    {"Upsert", 0, 0, 0, 7, 0, 0, ""},
    {"Delete", 0, 0, 5, 0, 0, 0, ""},
};
static const layout NO_LAYOUT = {"", 0, 0, 0, 0, 0, 0, ""};

#define COLLECTION_NAME 3 /* in all of them */

static const layout *layout_of(const char *method)
{
    for (size_t i = 0; i < sizeof(LAYOUTS) / sizeof(LAYOUTS[0]); i++) {
        if (strcmp(LAYOUTS[i].method, method) == 0) {
            return &LAYOUTS[i];
        }
    }
    return &NO_LAYOUT;
}

static void copy_text(char *out, size_t out_size, mvn_span text)
{
    size_t size = text.size < out_size ? text.size : out_size - 1;
    memcpy(out, text.data, size);
    out[size] = '\0';
}

/* The value of a KeyValuePair whose key is `wanted`, as a number; otherwise `*out` stays. */
static void read_pair(mvn_span pair, const char *wanted, uint64_t *out)
{
    mvn_reader r = mvn_reader_of(pair);
    uint32_t field;
    mvn_wire_type type;
    mvn_span value, key = {NULL, 0};
    while (!mvn_reader_done(&r) && mvn_read_tag(&r, &field, &type) == MVN_OK &&
           type == MVN_WIRE_BYTES && mvn_read_span(&r, &value) == MVN_OK) {
        char digits[24];
        if (field == 1) {
            key = value;
        } else if (field == 2 && key.size == strlen(wanted) &&
                   memcmp(key.data, wanted, key.size) == 0) {
            copy_text(digits, sizeof(digits), value);
            *out = strtoull(digits, NULL, 10);
        }
    }
}

/* How many keys `id in [1, 2, 3]` names. */
static uint64_t count_keys(mvn_span expr)
{
    const uint8_t *pos = memchr(expr.data, '[', expr.size);
    const uint8_t *end = expr.data + expr.size;
    uint64_t count = 1;
    if (pos == NULL || pos + 1 == end || pos[1] == ']') {
        return 0;
    }
    for (; pos < end && *pos != ']'; pos++) {
        count += *pos == ',';
    }
    return count;
}

int shape_read(shape *out, const char *method, const uint8_t *message, size_t size)
{
    const layout *at = layout_of(method);
    mvn_reader r = mvn_reader_over(message, size);
    memset(out, 0, sizeof(*out));
    snprintf(out->method, sizeof(out->method), "%s", method);
    while (!mvn_reader_done(&r)) {
        uint32_t field;
        mvn_wire_type type;
        uint64_t number;
        mvn_span span;
        if (mvn_read_tag(&r, &field, &type) != MVN_OK) {
            return -1;
        }
        if (type == MVN_WIRE_VARINT) {
            if (mvn_read_varint(&r, &number) != MVN_OK) {
                return -1;
            }
            if (field == at->rows) {
                out->rows = number;
            } else if (field == at->nq) {
                out->nq = number;
            }
            continue;
        }
        if (type != MVN_WIRE_BYTES) {
            if (mvn_skip(&r, field, type) != MVN_OK) {
                return -1;
            }
            continue;
        }
        if (mvn_read_span(&r, &span) != MVN_OK) {
            return -1;
        }
        if (field == COLLECTION_NAME) {
            copy_text(out->collection, sizeof(out->collection), span);
        } else if (field == at->fields) {
            size_t have = strlen(out->fields);
            if (have + span.size + 2 > sizeof(out->fields)) {
                return -1;
            }
            if (have != 0) {
                out->fields[have++] = ',';
            }
            copy_text(out->fields + have, sizeof(out->fields) - have, span);
        } else if (field == at->params) {
            read_pair(span, at->limit, &out->limit);
        } else if (field == at->expr) {
            out->rows = count_keys(span);
        } else if (field == at->requests && out->nq == 0) {
            shape first; /* a hybrid search has as many queries as its first part */
            if (shape_read(&first, "Search", span.data, span.size) < 0) {
                return -1;
            }
            out->nq = first.nq;
        }
    }
    return 0;
}
