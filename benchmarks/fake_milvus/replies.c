#include "replies.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/core/buffer.h"
#include "../../csrc/core/wire_reader.h"
#include "values.h"

#define MAX_FIELDS 32
#define TIMESTAMP 457000000

typedef struct {
    char name[NAME_SIZE];
    char key[NAME_SIZE]; /* the primary key's name */
    field_kind fields[MAX_FIELDS];
    size_t n_fields;
    int dynamic;
    frame *description;
} collection;

typedef struct entry {
    shape asked;
    frame *made;
    struct entry *next; /* used before, longest ago last */
} entry;

static collection *collections;
static size_t n_collections;
static entry *entries;

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "fake_milvus: %s %s\n", what, name);
    exit(1);
}

/* Allocation failures and oversized messages end the program: it is a tool of benchmarks. */
static void must(mvn_status status)
{
    if (status != MVN_OK) {
        fail("cannot build a reply:", mvn_status_text(status));
    }
}

frame *replies_frame(const void *message, size_t size)
{
    frame *made = malloc(sizeof(*made) + size + 5);
    if (made == NULL) {
        fail("out of memory", "");
    }
    uint8_t *data = (uint8_t *)(made + 1);
    data[0] = 0; /* not compressed */
    for (int i = 0; i < 4; i++) {
        data[1 + i] = (uint8_t)(size >> (24 - 8 * i));
    }
    memcpy(data + 5, message, size);
    made->data = data;
    made->size = size + 5;
    return made;
}

/* ---- collections ---- */

static void span_text(char *out, size_t out_size, mvn_span text)
{
    snprintf(out, out_size, "%.*s", (int)text.size, (const char *)text.data);
}

static uint32_t read_dim(mvn_span pair)
{
    mvn_reader r = mvn_reader_of(pair);
    uint32_t field;
    mvn_wire_type type;
    mvn_span value;
    char key[16] = "", digits[16] = "0";
    while (!mvn_reader_done(&r) && mvn_read_tag(&r, &field, &type) == MVN_OK &&
           type == MVN_WIRE_BYTES && mvn_read_span(&r, &value) == MVN_OK) {
        span_text(field == 1 ? key : digits, 16, value);
    }
    return strcmp(key, "dim") == 0 ? (uint32_t)strtoul(digits, NULL, 10) : 0;
}

/* Visits the fields of a message; `visit` sees numbers and spans alike. */
typedef void (*visitor)(void *context, uint32_t field, uint64_t number, mvn_span span);

static void visit_message(mvn_span message, visitor visit, void *context)
{
    mvn_reader r = mvn_reader_of(message);
    while (!mvn_reader_done(&r)) {
        uint32_t field;
        mvn_wire_type type;
        uint64_t number = 0;
        mvn_span span = {NULL, 0};
        must(mvn_read_tag(&r, &field, &type));
        if (type == MVN_WIRE_VARINT) {
            must(mvn_read_varint(&r, &number));
        } else if (type == MVN_WIRE_BYTES) {
            must(mvn_read_span(&r, &span));
        } else {
            must(mvn_skip(&r, field, type));
        }
        visit(context, field, number, span);
    }
}

static void see_field(void *context, uint32_t field, uint64_t number, mvn_span span)
{
    collection *c = context;
    field_kind *f = &c->fields[c->n_fields];
    if (field == 1) {
        f->id = number;
    } else if (field == 2) {
        span_text(f->name, sizeof(f->name), span);
    } else if (field == 3 && number) {
        f->primary = 1;
    } else if (field == 5) {
        f->type = (uint32_t)number;
    } else if (field == 6 && read_dim(span) != 0) {
        f->dim = read_dim(span);
    }
}

static void see_schema(void *context, uint32_t field, uint64_t number, mvn_span span)
{
    collection *c = context;
    if (field == 4) {
        if (c->n_fields + 1 == MAX_FIELDS) {
            fail("too many fields in", c->name);
        }
        visit_message(span, see_field, c);
        if (c->fields[c->n_fields].primary) {
            memcpy(c->key, c->fields[c->n_fields].name, sizeof(c->key));
        }
        c->n_fields++;
    } else if (field == 5) {
        c->dynamic = number != 0;
    }
}

static void see_description(void *context, uint32_t field, uint64_t number, mvn_span span)
{
    (void)number;
    if (field == 2) {
        visit_message(span, see_schema, context);
    }
}

static void load_collection(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    static uint8_t data[1 << 20];
    if (file == NULL) {
        fail("cannot read", path);
    }
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    collections = realloc(collections, (n_collections + 1) * sizeof(*collections));
    if (collections == NULL) {
        fail("out of memory", "");
    }
    collection *c = &collections[n_collections++];
    memset(c, 0, sizeof(*c));
    snprintf(c->name, sizeof(c->name), "%s", name);
    c->description = replies_frame(data, size);
    visit_message((mvn_span){data, size}, see_description, c);
}

void replies_load(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *found;
    if (dir == NULL) {
        fail("cannot open", folder);
    }
    while ((found = readdir(dir)) != NULL) {
        if (found->d_name[0] != '.') {
            load_collection(folder, found->d_name);
        }
    }
    closedir(dir);
}

static const collection *find_collection(const char *name)
{
    for (size_t i = 0; i < n_collections; i++) {
        if (strcmp(collections[i].name, name) == 0) {
            return &collections[i];
        }
    }
    return NULL;
}

/* ---- messages ---- */

/* Packed varints: the keys of `rows` rows, or the number of each row. */
static void append_numbers(mvn_buffer *out, uint32_t field, uint64_t rows, int keys)
{
    size_t mark;
    must(mvn_buffer_begin(out, field, &mark));
    for (uint64_t i = 0; i < rows; i++) {
        must(mvn_buffer_append_varint(out, keys ? value_key(i) : i));
    }
    must(mvn_buffer_end(out, mark));
}

static void append_ids(mvn_buffer *out, uint32_t field, uint64_t rows)
{
    size_t ids, numbers;
    must(mvn_buffer_begin(out, field, &ids));
    must(mvn_buffer_begin(out, 1, &numbers)); /* int_id */
    append_numbers(out, 1, rows, 1);
    must(mvn_buffer_end(out, numbers));
    must(mvn_buffer_end(out, ids));
}

static const char *next_name(const char *names, char *name, size_t size)
{
    size_t n = strcspn(names, ",");
    snprintf(name, size, "%.*s", (int)n, names);
    return names + n + (names[n] == ',');
}

/* fields_data for the asked names; a name that no field has is a key of the dynamic field. */
static int append_columns(mvn_buffer *out, uint32_t at, uint32_t names_at, const collection *c,
                          const char *names, uint64_t rows, int with_key)
{
    char name[NAME_SIZE];
    int dynamic_sent = 0, key_seen = 0;
    for (const char *rest = names; *rest != '\0';) {
        const field_kind *found = NULL;
        rest = next_name(rest, name, sizeof(name));
        for (size_t i = 0; i < c->n_fields; i++) {
            if (strcmp(c->fields[i].name, name) == 0) {
                found = &c->fields[i];
            }
        }
        must(mvn_buffer_append_bytes_field(out, names_at, name, strlen(name)));
        if (found != NULL) {
            key_seen |= found->primary;
            must(value_column(out, at, found, rows, 0));
        } else if (!c->dynamic) {
            return -1;
        } else if (!dynamic_sent) {
            static const field_kind META = {.name = "$meta", .type = TYPE_JSON, .id = 1};
            must(value_column(out, at, &META, rows, 1));
            dynamic_sent = 1;
        }
    }
    for (size_t i = 0; with_key && !key_seen && i < c->n_fields; i++) {
        if (c->fields[i].primary) {
            must(value_column(out, at, &c->fields[i], rows, 0));
        }
    }
    return 0;
}

static int build_search(mvn_buffer *out, const shape *asked, const collection *c)
{
    uint64_t nq = asked->nq != 0 ? asked->nq : 1, k = asked->limit, rows = nq * k;
    size_t results, mark;
    must(mvn_buffer_begin(out, 2, &results));
    must(mvn_buffer_append_varint_field(out, 1, nq));
    must(mvn_buffer_append_varint_field(out, 2, k));
    if (append_columns(out, 3, 7, c, asked->fields, rows, 0) < 0) {
        return -1;
    }
    must(mvn_buffer_begin(out, 4, &mark));
    for (uint64_t i = 0; i < rows; i++) {
        uint8_t bytes[4];
        value_float32(bytes, 1.0f - (float)(i % k) / (float)(k + 1));
        must(mvn_buffer_append(out, bytes, 4));
    }
    must(mvn_buffer_end(out, mark));
    append_ids(out, 5, rows);
    must(mvn_buffer_begin(out, 6, &mark));
    for (uint64_t i = 0; i < nq; i++) {
        must(mvn_buffer_append_varint(out, k));
    }
    must(mvn_buffer_end(out, mark));
    must(mvn_buffer_append_bytes_field(out, 13, c->key, strlen(c->key)));
    must(mvn_buffer_end(out, results));
    must(mvn_buffer_append_bytes_field(out, 3, c->name, strlen(c->name)));
    return 0;
}

static int build_query(mvn_buffer *out, const shape *asked, const collection *c)
{
    uint64_t rows = asked->limit != 0 ? asked->limit : asked->rows;
    if (append_columns(out, 2, 4, c, asked->fields, rows, 1) < 0) {
        return -1;
    }
    must(mvn_buffer_append_bytes_field(out, 3, c->name, strlen(c->name)));
    must(mvn_buffer_append_bytes_field(out, 6, c->key, strlen(c->key)));
    return 0;
}

static void build_mutation(mvn_buffer *out, const shape *asked)
{
    if (strcmp(asked->method, "Delete") == 0) {
        must(mvn_buffer_append_varint_field(out, 7, asked->rows != 0 ? asked->rows : 1));
    } else {
        append_ids(out, 2, asked->rows);
        append_numbers(out, 3, asked->rows, 0);
        must(mvn_buffer_append_varint_field(out, 6, asked->rows));
        if (strcmp(asked->method, "Upsert") == 0) {
            must(mvn_buffer_append_varint_field(out, 8, asked->rows));
        }
    }
    must(mvn_buffer_append_varint_field(out, 9, TIMESTAMP));
}

static void build_connect(mvn_buffer *out)
{
    static const char VERSION[] = "2.6.0-fake";
    size_t mark;
    must(mvn_buffer_begin(out, 2, &mark)); /* server_info */
    must(mvn_buffer_append_bytes_field(out, 1, VERSION, strlen(VERSION)));
    must(mvn_buffer_end(out, mark));
    must(mvn_buffer_append_varint_field(out, 3, 7)); /* identifier */
}

static int build(mvn_buffer *out, const shape *asked, const collection *c)
{
    const char *method = asked->method;
    must(mvn_buffer_append_bytes_field(out, 1, "", 0)); /* status: success, but not left out */
    if (strcmp(method, "Connect") == 0) {
        build_connect(out);
    } else if (c == NULL) {
        return -1;
    } else if (strcmp(method, "Search") == 0 || strcmp(method, "HybridSearch") == 0) {
        return build_search(out, asked, c);
    } else if (strcmp(method, "Query") == 0) {
        return build_query(out, asked, c);
    } else if (strcmp(method, "Insert") == 0 || strcmp(method, "Upsert") == 0 ||
               strcmp(method, "Delete") == 0) {
        build_mutation(out, asked);
    } else {
        return -1;
    }
    return 0;
}

/* ---- kept replies ---- */

const frame *replies_find(const shape *asked, char *error, size_t error_size)
{
    const collection *c = find_collection(asked->collection);
    if (c != NULL && strcmp(asked->method, "DescribeCollection") == 0) {
        return c->description;
    }
    for (entry **at = &entries; *at != NULL; at = &(*at)->next) {
        entry *found = *at;
        if (memcmp(&found->asked, asked, sizeof(*asked)) == 0) {
            *at = found->next; /* to the front: a benchmark asks the same again and again */
            found->next = entries;
            entries = found;
            return found->made;
        }
    }
    mvn_buffer message;
    mvn_buffer_init(&message);
    entry *made = NULL;
    if (build(&message, asked, c) < 0) {
        snprintf(error, error_size, "no reply to %s on '%s' with fields '%s'", asked->method,
                 asked->collection, asked->fields);
    } else if ((made = malloc(sizeof(*made))) == NULL) {
        fail("out of memory", "");
    } else {
        made->asked = *asked;
        made->made = replies_frame(message.data, message.size);
        made->next = entries;
        entries = made;
    }
    mvn_buffer_reset(&message);
    return made == NULL ? NULL : made->made;
}
