/* decode_search: the reply of search and hybrid_search. */
#include <math.h>

#include "aggregation.h"
#include "cells.h"
#include "hit.h"
#include "results.h"

/* A HighlightResult: one HighlightData a hit. */
typedef struct {
    PyObject *field; /* strong */
    mvn_reader datas;
} highlight;

/* Everything that moves along while hits are made. */
typedef struct {
    PyMvn_State *state;
    const mvn_search_reply *reply;
    PyMvn_Table table;
    PyObject *pk_name;       /* strong */
    PyObject *dynamic_names; /* strong: set of the output fields that are no columns */
    mvn_reader ids;
    mvn_reader offsets;
    highlight *highlights;
    size_t hit;    /* hits made so far */
    long decimals; /* digits to round distances to; 0 for none */
} decoder;

/* Names in output_fields that no column has: the dynamic fields that were asked for. */
static PyObject *dynamic_names(PyMvn_State *state, const mvn_search_reply *reply)
{
    PyObject *names = PySet_New(NULL);
    for (size_t i = 0; names != NULL && i < reply->output_fields.count; i++) {
        const mvn_span *wanted = &reply->output_fields.items[i];
        bool column = false;
        for (size_t c = 0; c < reply->n_columns && !column; c++) {
            const mvn_span *name = &reply->columns[c].name;
            column = name->size == wanted->size &&
                     (name->size == 0 || memcmp(name->data, wanted->data, name->size) == 0);
        }
        if (column) {
            continue;
        }
        PyObject *name = PyMvn_Reply_Name(state, *wanted);
        if (name == NULL || PySet_Add(names, name) < 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(name);
    }
    return names;
}

/* Rejects a reply that announces more hits than it has keys, scores, offsets or highlights for. */
static int check_topks(PyMvn_State *state, const mvn_search_reply *reply)
{
    mvn_reader topks = mvn_reader_of(reply->topks.span);
    uint64_t total = 0;
    for (size_t i = 0; i < reply->topks.count; i++) {
        uint64_t topk = 0;
        mvn_status status = mvn_read_varint(&topks, &topk);
        if (status != MVN_OK) {
            PyMvn_RaiseStatus(state, status, NULL, "topks");
            return -1;
        }
        if (topk > reply->ids.count - total) { /* a negative one is above all counts */
            PyMvn_Reply_Malformed(state, "search results: topks say more hits than the %zu keys",
                                  reply->ids.count);
            return -1;
        }
        total += topk;
    }
    if (total > reply->scores.count) {
        PyMvn_Reply_Malformed(state, "search results: %zu scores for %llu hits",
                              reply->scores.count, (unsigned long long)total);
        return -1;
    }
    if (reply->element_indices.count != 0 && total > reply->element_indices.count) {
        PyMvn_Reply_Malformed(state, "search results: %zu element indices for %llu hits",
                              reply->element_indices.count, (unsigned long long)total);
        return -1;
    }
    return 0;
}

static PyObject *pk_name(PyMvn_State *state, const mvn_search_reply *reply)
{
    return reply->primary_field_name.size == 0
               ? Py_NewRef(state->str_id)
               : PyMvn_Reply_Name(state, reply->primary_field_name);
}

static int open_highlights(decoder *self)
{
    const mvn_spans *messages = &self->reply->highlights;
    if (messages->count == 0) {
        return 0;
    }
    self->highlights = PyMem_Calloc(messages->count, sizeof(highlight));
    if (self->highlights == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < messages->count; i++) {
        mvn_span field = {NULL, 0};
        mvn_items datas;
        mvn_status status = mvn_read_highlight(messages->items[i], &field, &datas);
        if (status != MVN_OK) {
            PyMvn_RaiseStatus(self->state, status, NULL, "highlight results");
            return -1;
        }
        self->highlights[i].field = PyMvn_Reply_Name(self->state, field);
        if (self->highlights[i].field == NULL) {
            return -1;
        }
        self->highlights[i].datas = mvn_reader_of(datas.message);
    }
    return 0;
}

/* {"fragments": [str], "scores": [float]} */
static PyObject *highlight_data(decoder *self, mvn_span message)
{
    mvn_items fragments;
    mvn_numbers scores;
    PyObject *texts = NULL, *numbers = NULL, *data = NULL;
    mvn_status status =
        mvn_read_highlight_data(&self->table.scratch, message, &fragments, &scores);
    if (status != MVN_OK) {
        PyMvn_RaiseStatus(self->state, status, NULL, "highlight results");
        goto done;
    }
    mvn_reader reader = mvn_reader_of(fragments.message);
    texts = PyMvn_Reply_Texts(self->state, &reader, fragments.number, fragments.count);
    if (texts == NULL) {
        goto done;
    }
    numbers = PyMvn_Reply_Floats(scores.span.data, scores.count);
    if (numbers == NULL) {
        goto done;
    }
    data = PyDict_New();
    if (data != NULL && (PyDict_SetItem(data, self->state->str_fragments, texts) < 0 ||
                         PyDict_SetItem(data, self->state->str_scores, numbers) < 0)) {
        Py_CLEAR(data);
    }
done:
    mvn_arena_reset(&self->table.scratch);
    Py_XDECREF(texts);
    Py_XDECREF(numbers);
    return data;
}

static int add_highlights(decoder *self, PyObject *hit)
{
    PyObject *all = PyDict_New();
    for (size_t i = 0; all != NULL && i < self->reply->highlights.count; i++) {
        mvn_span message = {NULL, 0};
        PyObject *data = NULL;
        mvn_status status = mvn_items_next(&self->highlights[i].datas, 2, &message);
        if (status == MVN_OK) {
            data = highlight_data(self, message);
        } else {
            PyMvn_RaiseStatus(self->state, status, NULL, "highlight results");
        }
        if (data == NULL || PyDict_SetItem(all, self->highlights[i].field, data) < 0) {
            Py_CLEAR(all);
        }
        Py_XDECREF(data);
    }
    if (all == NULL) {
        return -1;
    }
    int failed = PyDict_SetItem(hit, self->state->str_highlight, all);
    Py_DECREF(all);
    return failed;
}

/* The next element of the reply's offsets, as {"offset": n}. */
static int add_offset(decoder *self, PyObject *hit)
{
    uint64_t bits = 0;
    mvn_status status = mvn_read_varint(&self->offsets, &bits);
    if (status != MVN_OK) {
        PyMvn_RaiseStatus(self->state, status, NULL, "element indices");
        return -1;
    }
    PyObject *offset = PyLong_FromLongLong((int64_t)bits);
    if (offset == NULL) {
        return -1;
    }
    int failed = PyDict_SetItem(hit, self->state->str_offset, offset);
    Py_DECREF(offset);
    return failed;
}

/* The next hit. Keys in pymilvus's order: key, distance, offset, entity, highlight. */
static PyObject *make_hit(decoder *self, PyObject *id, PyObject *distance)
{
    PyMvn_State *state = self->state;
    PyObject *entity = NULL;
    PyObject *hit = PyMvn_Hit_New(state, self->pk_name);
    if (hit == NULL) {
        return NULL;
    }
    if (PyDict_SetItem(hit, self->pk_name, id) < 0 ||
        PyDict_SetItem(hit, state->str_distance, distance) < 0) {
        goto fail;
    }
    if (self->reply->element_indices.count != 0 && add_offset(self, hit) < 0) {
        goto fail;
    }
    entity = PyDict_New();
    if (entity == NULL || PyMvn_Table_NextRow(&self->table, entity) < 0 ||
        PyDict_SetItem(hit, state->str_entity, entity) < 0) {
        goto fail;
    }
    if (self->reply->highlights.count != 0 && add_highlights(self, hit) < 0) {
        goto fail;
    }
    Py_DECREF(entity);
    return hit;
fail:
    Py_XDECREF(entity);
    Py_DECREF(hit);
    return NULL;
}

/* round(score, decimals): correctly rounded through the decimal digits, as float.__round__ is. */
static int rounded(double score, long decimals, double *result)
{
    *result = score;
    if (!isfinite(score) || decimals > 323) { /* no double has more digits */
        return 0;
    }
    char *digits = PyOS_double_to_string(score, 'f', (int)decimals, 0, NULL);
    if (digits == NULL) {
        return -1;
    }
    *result = PyOS_string_to_double(digits, NULL, NULL);
    PyMem_Free(digits);
    return *result == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static PyObject *distances_list(const decoder *self, size_t count)
{
    const uint8_t *scores = self->reply->scores.span.data;
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        double score = (double)mvn_load_f32le(scores + 4 * (self->hit + i));
        PyObject *item = NULL;
        if (self->decimals == 0 || rounded(score, self->decimals, &score) == 0) {
            item = PyFloat_FromDouble(score);
        }
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

/* Results of one query vector: HybridHits with its attributes. */
static PyObject *make_hits(decoder *self, size_t count)
{
    PyMvn_State *state = self->state;
    const mvn_ids *keys = &self->reply->ids;
    PyObject *ids = NULL, *distances = NULL, *rows = NULL, *start = NULL, *names = NULL;
    PyObject *hits = NULL;

    start = PyLong_FromSize_t(self->hit);
    if (start == NULL) {
        goto done;
    }
    ids = keys->kind == MVN_IDS_STRING
              ? PyMvn_Reply_Texts(state, &self->ids, keys->strings.number, count)
              : PyMvn_Reply_Ints(state, &self->ids, count);
    if (ids == NULL) {
        goto done;
    }
    distances = distances_list(self, count);
    if (distances == NULL) {
        goto done;
    }
    rows = PyList_New((Py_ssize_t)count);
    if (rows == NULL) {
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *hit = make_hit(self, PyList_GET_ITEM(ids, (Py_ssize_t)i),
                                 PyList_GET_ITEM(distances, (Py_ssize_t)i));
        if (hit == NULL) {
            goto done;
        }
        PyList_SET_ITEM(rows, (Py_ssize_t)i, hit);
        self->hit++;
    }
    names = PySet_New(self->dynamic_names); /* of its own: callers may change it */
    if (names == NULL) {
        goto done;
    }
    hits = PyMvn_ResultList(state, PyMvn_HITS, rows);
    if (hits != NULL && (PyObject_SetAttr(hits, state->str_ids, ids) < 0 ||
                         PyObject_SetAttr(hits, state->str_distances, distances) < 0 ||
                         PyObject_SetAttr(hits, state->str_start, start) < 0 ||
                         PyObject_SetAttr(hits, state->str_dynamic_fields, names) < 0)) {
        Py_CLEAR(hits);
    }
done:
    Py_XDECREF(ids);
    Py_XDECREF(distances);
    Py_XDECREF(rows);
    Py_XDECREF(start);
    Py_XDECREF(names);
    return hits;
}

static int open_decoder(decoder *self)
{
    const mvn_search_reply *reply = self->reply;
    self->pk_name = pk_name(self->state, reply);
    if (self->pk_name == NULL) {
        return -1;
    }
    self->dynamic_names = dynamic_names(self->state, reply);
    if (self->dynamic_names == NULL) {
        return -1;
    }
    self->ids = mvn_reader_of(reply->ids.kind == MVN_IDS_STRING ? reply->ids.strings.message
                                                                : reply->ids.numbers);
    self->offsets = mvn_reader_of(reply->element_indices.span);
    PyMvn_CellRules rules = {false, false, self->dynamic_names};
    /* Without a query vector no column is looked at, not even at its type. */
    if (PyMvn_Table_Open(&self->table, self->state, &rules, reply->columns,
                         reply->topks.count == 0 ? 0 : reply->n_columns) < 0) {
        return -1;
    }
    return open_highlights(self);
}

static void close_decoder(decoder *self)
{
    if (self->highlights != NULL) {
        for (size_t i = 0; i < self->reply->highlights.count; i++) {
            Py_XDECREF(self->highlights[i].field);
        }
        PyMem_Free(self->highlights);
    }
    PyMvn_Table_Close(&self->table);
    Py_CLEAR(self->pk_name);
    Py_CLEAR(self->dynamic_names);
}

/* A list of HybridHits, one for each query vector. */
static PyObject *all_hits(decoder *self)
{
    mvn_reader topks = mvn_reader_of(self->reply->topks.span);
    PyObject *list = PyList_New((Py_ssize_t)self->reply->topks.count);
    for (size_t i = 0; list != NULL && i < self->reply->topks.count; i++) {
        uint64_t topk = 0;
        PyObject *hits = NULL;
        if (mvn_read_varint(&topks, &topk) == MVN_OK) { /* check_topks read it before */
            hits = make_hits(self, (size_t)topk);
        }
        if (hits == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, hits);
    }
    return list;
}

/* Sets `name` to `value`, which is stolen and may be NULL with an exception set. */
static int set_stolen(PyObject *object, PyObject *name, PyObject *value)
{
    int failed = value == NULL ? -1 : PyObject_SetAttr(object, name, value);
    Py_XDECREF(value);
    return failed;
}

static int set_iterator(PyMvn_State *state, const mvn_search_reply *reply, PyObject *result)
{
    PyObject *token = PyMvn_Reply_Text(state, reply->iterator_token);
    if (token == NULL) {
        return -1;
    }
    PyObject *iterator = PyObject_CallFunction(PyMvn_ResultType(state, PyMvn_ITERATOR), "Od",
                                               token, (double)reply->iterator_bound);
    Py_DECREF(token);
    return set_stolen(result, state->str_search_iterator, iterator);
}

static int set_aggregation(PyMvn_State *state, const mvn_search_reply *reply, PyObject *result)
{
    PyObject *buckets = NULL, *topks = NULL, *done = NULL;
    mvn_reader reader = mvn_reader_of(reply->agg_topks.span);
    buckets = PyMvn_Aggregation_Buckets(state, &reply->agg_buckets);
    if (buckets == NULL) {
        return -1;
    }
    topks = PyMvn_Reply_Ints(state, &reader, reply->agg_topks.count);
    if (topks != NULL) {
        done = PyObject_CallMethod(result, "_set_agg_buckets", "OOL", buckets, topks,
                                   (long long)reply->num_queries);
    }
    Py_DECREF(buckets);
    Py_XDECREF(topks);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* The attributes of a SearchResult; those that are rare have defaults in the class. */
static int set_attributes(PyMvn_State *state, const mvn_search_reply *reply, PyObject *result)
{
    if (set_stolen(result, state->str_extra, PyMvn_Reply_Extra(state, &reply->status, false)) <
        0) {
        return -1;
    }
    if (set_stolen(result, state->str_session_ts,
                   PyLong_FromUnsignedLongLong(reply->session_ts)) < 0) {
        return -1;
    }
    if (reply->recalls.count != 0 &&
        set_stolen(result, state->str_recalls,
                   PyMvn_Reply_Floats(reply->recalls.span.data, reply->recalls.count)) < 0) {
        return -1;
    }
    if (reply->has_iterator && set_iterator(state, reply, result) < 0) {
        return -1;
    }
    return reply->agg_buckets.count == 0 ? set_stolen(result, state->str_agg_buckets, PyList_New(0))
                                         : set_aggregation(state, reply, result);
}

static PyObject *make_result(decoder *self)
{
    PyObject *lists = NULL, *result = NULL;
    if (check_topks(self->state, self->reply) < 0 || open_decoder(self) < 0) {
        return NULL;
    }
    int held = PyMvn_Collector_Hold();
    lists = all_hits(self);
    PyMvn_Collector_Resume(held);
    if (lists == NULL) {
        return NULL;
    }
    result = PyMvn_ResultList(self->state, PyMvn_SEARCH_RESULT, lists);
    Py_DECREF(lists);
    if (result != NULL && set_attributes(self->state, self->reply, result) < 0) {
        Py_CLEAR(result);
    }
    return result;
}

/* round_decimal as pymilvus reads it: an int above 0 counts, anything else does not. */
static int read_decimals(PyObject *round_decimal, long *decimals)
{
    int overflow = 0;
    *decimals = 0;
    if (round_decimal == NULL || !PyLong_Check(round_decimal)) {
        return 0;
    }
    *decimals = PyLong_AsLongAndOverflow(round_decimal, &overflow);
    if (*decimals == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (overflow > 0) {
        *decimals = LONG_MAX;
    } else if (overflow < 0 || *decimals < 0) {
        *decimals = 0;
    }
    return 0;
}

PyObject *PyMvn_DecodeSearch(PyObject *module, PyObject *const *args, Py_ssize_t n_args,
                             PyObject *keywords)
{
    PyMvn_State *state = PyMvn_StateOfModule(module);
    PyObject *round_decimal = NULL, *result = NULL; /* round_decimal is borrowed */
    mvn_search_reply reply;
    mvn_error error;
    mvn_arena arena;
    Py_buffer buffer;
    decoder self;

    if (PyMvn_Reply_Arguments("decode_search", args, n_args, keywords, "round_decimal", &buffer,
                              &round_decimal) < 0) {
        return NULL;
    }
    memset(&self, 0, sizeof(self));
    self.state = state;
    self.reply = &reply;
    mvn_arena_init(&arena);
    mvn_arena_init(&self.table.scratch);
    mvn_span bytes = {buffer.buf, (size_t)buffer.len};
    mvn_status status = mvn_index_search(&arena, bytes, &reply, &error);
    if (status != MVN_OK) {
        PyMvn_RaiseStatus(state, status, &error, "search results");
    } else if (PyMvn_Reply_CheckStatus(state, &reply.status) == 0 &&
               read_decimals(round_decimal, &self.decimals) == 0 &&
               PyMvn_Results_Ready(state) == 0) {
        result = make_result(&self);
    }
    if (status == MVN_OK) {
        close_decoder(&self);
    }
    mvn_arena_reset(&arena);
    PyBuffer_Release(&buffer);
    return result;
}
