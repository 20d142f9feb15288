/* decode_query: the reply of query and get. */
#include "cells.h"
#include "results.h"

/* The number of rows, which all columns must agree on. 0, or -1 with pymilvus's exception set. */
static int count_rows(PyMvn_State *state, const mvn_query_reply *reply, size_t *rows)
{
    if (reply->n_columns == 0) {
        PyMvn_RaiseMilvus("MilvusException", "No fields returned");
        return -1;
    }
    for (size_t i = 0; i < reply->n_columns; i++) {
        const mvn_column *column = &reply->columns[i];
        size_t count, total;
        switch (mvn_column_rows(column, &count, &total)) {
        case MVN_ROWS_OK:
            break;
        case MVN_ROWS_UNKNOWN_FIELD:
            PyMvn_RaiseMilvus("MilvusException", "Unknown data type");
            return -1;
        case MVN_ROWS_UNKNOWN_SCALAR:
            PyMvn_RaiseMilvus("MilvusException", "Unsupported scalar type");
            return -1;
        case MVN_ROWS_NO_SUB_FIELD:
            PyMvn_Reply_Malformed(state, "query results: a struct array has no sub-fields");
            return -1;
        case MVN_ROWS_UNEVEN_HALF:
            PyMvn_RaiseMilvus("MilvusException",
                              "Invalid bfloat16 or float16 vector length: total_len=%zu, dim=%lld",
                              total, (long long)column->vectors.dim);
            return -1;
        case MVN_ROWS_UNEVEN_FLOAT:
        case MVN_ROWS_BAD_DIM:
            PyMvn_RaiseMilvus("MilvusException",
                              "Invalid vector length: total_len=%zu, dim=%lld", total,
                              (long long)column->vectors.dim);
            return -1;
        }
        if (i == 0) {
            *rows = count;
        } else if (count != *rows) {
            PyMvn_RaiseMilvus("MilvusException", "The length of fields data is inconsistent");
            return -1;
        }
    }
    if (reply->element_indices.count != 0 && reply->element_indices.count != *rows) {
        PyMvn_RaiseMilvus("MilvusException", "element_indices length (%zu) != num_entities (%zu)",
                          reply->element_indices.count, *rows);
        return -1;
    }
    return 0;
}

static bool same(mvn_span a, mvn_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The set of output fields that are no columns. Empty, which means all dynamic fields, when the
 * dynamic column itself was asked for. */
static PyObject *dynamic_names(PyMvn_State *state, const mvn_query_reply *reply)
{
    const mvn_column *dynamic = NULL;
    PyObject *names = PySet_New(NULL);
    for (size_t c = 0; c < reply->n_columns; c++) {
        if (reply->columns[c].dynamic) {
            dynamic = &reply->columns[c];
        }
    }
    for (size_t i = 0; names != NULL && i < reply->output_fields.count; i++) {
        mvn_span wanted = reply->output_fields.items[i];
        bool column = false;
        if (dynamic != NULL && same(wanted, dynamic->name)) {
            PySet_Clear(names);
            break;
        }
        for (size_t c = 0; c < reply->n_columns && !column; c++) {
            column = same(wanted, reply->columns[c].name);
        }
        if (column) {
            continue;
        }
        PyObject *name = PyMvn_Reply_Name(state, wanted);
        if (name == NULL || PySet_Add(names, name) < 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(name);
    }
    return names;
}

/* A dict with the keys that every row has, in the order of the reply, all None. */
static PyObject *row_template(PyMvn_State *state, const mvn_query_reply *reply)
{
    PyObject *row = PyDict_New();
    bool offset = reply->element_indices.count != 0;
    size_t keys = 0;
    for (size_t c = 0; row != NULL && c < reply->n_columns; c++) {
        PyObject *name = PyMvn_Reply_Name(state, reply->columns[c].name);
        if (name == NULL) {
            Py_CLEAR(row);
            break;
        }
        int meta = PyUnicode_Compare(name, state->str_meta) == 0;
        if (!meta && keys++ == 1 && offset) {
            offset = false;
            if (PyDict_SetItem(row, state->str_offset, Py_None) < 0) {
                Py_CLEAR(row);
            }
        }
        if (!meta && row != NULL && PyDict_SetItem(row, name, Py_None) < 0) {
            Py_CLEAR(row);
        }
        Py_DECREF(name);
    }
    if (row != NULL && offset && PyDict_SetItem(row, state->str_offset, Py_None) < 0) {
        Py_CLEAR(row);
    }
    return row;
}

static PyObject *next_row(PyMvn_Table *table, PyObject *template)
{
    PyObject *row = PyDict_Copy(template);
    if (row != NULL && PyMvn_Table_NextRow(table, row) < 0) {
        Py_CLEAR(row);
    }
    return row;
}

static PyObject *plain_rows(PyMvn_Table *table, PyObject *template, size_t count)
{
    PyObject *rows = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; rows != NULL && i < count; i++) {
        PyObject *row = next_row(table, template);
        if (row == NULL) {
            Py_CLEAR(rows);
            break;
        }
        PyList_SET_ITEM(rows, (Py_ssize_t)i, row);
    }
    return rows;
}

/* Appends one row for each index of an entity's elements, every one with values of its own. */
static int append_elements(PyMvn_State *state, PyMvn_Table *table, PyObject *template,
                           mvn_numbers indices, PyObject *rows)
{
    mvn_reader reader = mvn_reader_of(indices.span);
    if (indices.count == 0) { /* the entity still has to be passed over */
        PyObject *row = next_row(table, template);
        Py_XDECREF(row);
        return row == NULL ? -1 : 0;
    }
    if (indices.count > 1 && PyMvn_Table_Save(table) < 0) {
        return -1;
    }
    for (size_t i = 0; i < indices.count; i++) {
        uint64_t index = 0;
        PyObject *offset = NULL;
        int failed = -1;
        mvn_status status = mvn_read_varint(&reader, &index);
        if (status != MVN_OK) {
            PyMvn_RaiseStatus(state, status, NULL, "element indices");
            return -1;
        }
        if (i != 0) {
            PyMvn_Table_Rewind(table);
        }
        PyObject *row = next_row(table, template);
        if (row != NULL) {
            offset = PyLong_FromLongLong((int64_t)index);
        }
        if (offset != NULL && PyDict_SetItem(row, state->str_offset, offset) == 0) {
            failed = PyList_Append(rows, row);
        }
        Py_XDECREF(row);
        Py_XDECREF(offset);
        if (failed < 0) {
            return -1;
        }
    }
    return 0;
}

static PyObject *element_rows(PyMvn_State *state, PyMvn_Table *table, PyObject *template,
                              const mvn_query_reply *reply)
{
    mvn_reader reader = mvn_reader_of(reply->element_indices.message);
    PyObject *rows = PyList_New(0);
    mvn_arena arena;
    mvn_arena_init(&arena);
    for (size_t i = 0; rows != NULL && i < reply->element_indices.count; i++) {
        mvn_span message = {NULL, 0};
        mvn_numbers indices;
        mvn_status status = mvn_items_next(&reader, reply->element_indices.number, &message);
        if (status == MVN_OK) {
            status = mvn_read_element_indices(&arena, message, &indices);
        }
        if (status != MVN_OK) {
            PyMvn_RaiseStatus(state, status, NULL, "element indices");
            Py_CLEAR(rows);
        } else if (append_elements(state, table, template, indices, rows) < 0) {
            Py_CLEAR(rows);
        }
        mvn_arena_reset(&arena);
    }
    return rows;
}

/* {cost, what the server says of its scan, iterator_session_ts} as the type for it. */
static PyObject *make_extra(PyMvn_State *state, const mvn_query_reply *reply)
{
    PyObject *dict = PyMvn_Reply_Extra(state, &reply->status, true), *extra = NULL;
    PyObject *timestamp = dict == NULL ? NULL : PyLong_FromUnsignedLongLong(reply->session_ts);
    if (timestamp != NULL &&
        PyDict_SetItemString(dict, "iterator_session_ts", timestamp) == 0) {
        extra = PyObject_CallOneArg(PyMvn_ResultType(state, PyMvn_EXTRA), dict);
    }
    Py_XDECREF(dict);
    Py_XDECREF(timestamp);
    return extra;
}

static PyObject *make_result(PyMvn_State *state, const mvn_query_reply *reply, bool strict_float32)
{
    PyObject *names = NULL, *template = NULL, *rows = NULL, *extra = NULL, *result = NULL;
    PyMvn_Table table;
    bool opened = false;
    size_t count = 0;

    if (count_rows(state, reply, &count) < 0) {
        return NULL;
    }
    names = dynamic_names(state, reply);
    if (names == NULL) {
        goto done;
    }
    template = row_template(state, reply);
    if (template == NULL) {
        goto done;
    }
    PyMvn_CellRules rules = {true, strict_float32 && count != 0, names};
    opened = true;
    if (PyMvn_Table_Open(&table, state, &rules, reply->columns, reply->n_columns) < 0) {
        goto done;
    }
    int held = PyMvn_Collector_Hold();
    rows = reply->element_indices.count != 0 ? element_rows(state, &table, template, reply)
                                             : plain_rows(&table, template, count);
    PyMvn_Collector_Resume(held);
    if (rows == NULL) {
        goto done;
    }
    extra = make_extra(state, reply);
    if (extra == NULL) {
        goto done;
    }
    result = PyMvn_ResultList(state, PyMvn_QUERY_RESULT, rows);
    if (result != NULL && PyObject_SetAttr(result, state->str_extra, extra) < 0) {
        Py_CLEAR(result);
    }
done:
    if (opened) {
        PyMvn_Table_Close(&table);
    }
    Py_XDECREF(names);
    Py_XDECREF(template);
    Py_XDECREF(rows);
    Py_XDECREF(extra);
    return result;
}

PyObject *PyMvn_DecodeQuery(PyObject *module, PyObject *const *args, Py_ssize_t n_args,
                            PyObject *keywords)
{
    PyMvn_State *state = PyMvn_StateOfModule(module);
    PyObject *option = NULL, *result = NULL; /* option is borrowed */
    mvn_query_reply reply;
    mvn_error error;
    mvn_arena arena;
    Py_buffer buffer;

    if (PyMvn_Reply_Arguments("decode_query", args, n_args, keywords, "strict_float32", &buffer,
                              &option) < 0) {
        return NULL;
    }
    mvn_arena_init(&arena);
    int strict_float32 = option == NULL ? 0 : PyObject_IsTrue(option);
    mvn_span bytes = {buffer.buf, (size_t)buffer.len};
    mvn_status status = mvn_index_query(&arena, bytes, &reply, &error);
    if (strict_float32 < 0) {
        goto done;
    }
    if (status != MVN_OK) {
        PyMvn_RaiseStatus(state, status, &error, "query results");
    } else if (PyMvn_Reply_CheckStatus(state, &reply.status) == 0 &&
               PyMvn_Results_Ready(state) == 0) {
        result = make_result(state, &reply, strict_float32 != 0);
    }
done:
    mvn_arena_reset(&arena);
    PyBuffer_Release(&buffer);
    return result;
}
