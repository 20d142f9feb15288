/* Cells of scalar columns, JSON and ARRAY. Rows and stored values run in step: a null row has a
 * placeholder in the payload. */
#include "cells.h"

#include "json.h"

typedef enum {
    CELL_ABSENT, /* the column ended before this row */
    CELL_NULL,
    CELL_VALUE
} cell_state;

/* Takes one row; `*stored` tells whether the payload has an entry for it, null or not. */
static cell_state take_row(PyMvn_Cells *cells, bool *stored)
{
    const mvn_bits *valid = &cells->column->valid;
    size_t row = cells->row++;
    *stored = row < cells->count;
    if (valid->count != 0) {
        if (row >= valid->count) {
            return CELL_ABSENT;
        }
        if (valid->data[row] == 0) {
            return CELL_NULL;
        }
    }
    return *stored ? CELL_VALUE : CELL_ABSENT;
}

static int give(PyObject *object, PyObject **value)
{
    *value = object;
    return object == NULL ? -1 : 1;
}

static int give_none(PyObject **value)
{
    return give(Py_NewRef(Py_None), value);
}

static int malformed(PyMvn_Cells *cells, mvn_status status)
{
    mvn_error error;
    (void)mvn_fail(&error, status, "row %zu", cells->row - 1);
    PyMvn_RaiseStatus(cells->state, status, &error, "column of scalars");
    return -1;
}

static int next_bool(PyMvn_Cells *cells, PyObject **value)
{
    bool stored;
    size_t row = cells->row;
    switch (take_row(cells, &stored)) {
    case CELL_ABSENT:
        return 0;
    case CELL_NULL:
        return give_none(value);
    default:
        return give(PyBool_FromLong(cells->column->scalars.bools.data[row] != 0), value);
    }
}

static int next_varint(PyMvn_Cells *cells, PyObject **value, bool narrow)
{
    bool stored;
    uint64_t bits = 0;
    cell_state state = take_row(cells, &stored);
    if (stored) {
        mvn_status status = mvn_read_varint(&cells->reader, &bits);
        if (status != MVN_OK) {
            return malformed(cells, status);
        }
    }
    switch (state) {
    case CELL_ABSENT:
        return 0;
    case CELL_NULL:
        return give_none(value);
    default:
        return give(PyLong_FromLongLong(narrow ? (int32_t)(uint32_t)bits : (int64_t)bits), value);
    }
}

static int next_int(PyMvn_Cells *cells, PyObject **value)
{
    return next_varint(cells, value, true);
}

static int next_long(PyMvn_Cells *cells, PyObject **value)
{
    return next_varint(cells, value, false);
}

static int next_float(PyMvn_Cells *cells, PyObject **value)
{
    bool stored;
    const uint8_t *numbers = cells->column->scalars.numbers.data;
    size_t row = cells->row;
    switch (take_row(cells, &stored)) {
    case CELL_ABSENT:
        return 0;
    case CELL_NULL:
        return give_none(value);
    default:
        return give(PyFloat_FromDouble((double)mvn_load_f32le(numbers + 4 * row)), value);
    }
}

static int next_double(PyMvn_Cells *cells, PyObject **value)
{
    bool stored;
    const uint8_t *numbers = cells->column->scalars.numbers.data;
    size_t row = cells->row;
    switch (take_row(cells, &stored)) {
    case CELL_ABSENT:
        return 0;
    case CELL_NULL:
        return give_none(value);
    default:
        return give(PyFloat_FromDouble(mvn_load_f64le(numbers + 8 * row)), value);
    }
}

/* Like take_row, with the row's bytes if it has any. */
static int take_item(PyMvn_Cells *cells, cell_state *state, mvn_span *item)
{
    bool stored;
    *state = take_row(cells, &stored);
    if (stored) {
        mvn_status status =
            mvn_items_next(&cells->reader, cells->column->scalars.items.number, item);
        if (status != MVN_OK) {
            return malformed(cells, status);
        }
    }
    return 0;
}

static int next_string(PyMvn_Cells *cells, PyObject **value)
{
    cell_state state;
    mvn_span item = {NULL, 0};
    if (take_item(cells, &state, &item) < 0) {
        return -1;
    }
    switch (state) {
    case CELL_ABSENT:
        return 0;
    case CELL_NULL:
        return give_none(value);
    default:
        return give(PyMvn_Reply_Text(cells->state, item), value);
    }
}

/* A row that has validity but lies beyond it. JSON, arrays and vectors do not pass over that. */
static int beyond_validity(const PyMvn_Cells *cells)
{
    size_t valid = cells->column->valid.count;
    return valid != 0 && cells->row > valid;
}

static int next_json(PyMvn_Cells *cells, PyObject **value)
{
    cell_state state;
    mvn_span item = {NULL, 0};
    if (take_item(cells, &state, &item) < 0) {
        return -1;
    }
    if (beyond_validity(cells)) {
        return malformed(cells, MVN_ETRUNCATED);
    }
    if (state != CELL_VALUE) {
        return give_none(value);
    }
    *value = PyMvn_Json_Loads(cells->state, (const char *)item.data, (Py_ssize_t)item.size);
    if (*value != NULL) {
        return 1;
    }
    if (PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();
        PyMvn_Reply_Malformed(cells->state, "field %R, row %zu: not valid JSON", cells->name,
                              cells->row - 1);
    }
    return -1;
}

static PyObject *numbers_list(const mvn_scalars *scalars, size_t index)
{
    if (scalars->kind == MVN_SCALARS_BOOL) {
        return PyBool_FromLong(scalars->bools.data[index] != 0);
    }
    if (scalars->kind == MVN_SCALARS_FLOAT) {
        return PyFloat_FromDouble((double)mvn_load_f32le(scalars->numbers.data + 4 * index));
    }
    return PyFloat_FromDouble(mvn_load_f64le(scalars->numbers.data + 8 * index));
}

/* One element; the cursor moves on whether or not it is null. */
static PyObject *element(PyMvn_State *state, const mvn_scalars *scalars, mvn_reader *reader,
                         size_t index)
{
    bool null = scalars->valid.count != 0 && scalars->valid.data[index] == 0;
    mvn_status status = MVN_OK;
    mvn_span item = {NULL, 0};
    uint64_t bits = 0;
    if (scalars->kind == MVN_SCALARS_INT || scalars->kind == MVN_SCALARS_LONG) {
        status = mvn_read_varint(reader, &bits);
    } else if (scalars->kind == MVN_SCALARS_STRING) {
        status = mvn_items_next(reader, scalars->items.number, &item);
    }
    if (status != MVN_OK) {
        return PyMvn_RaiseStatus(state, status, NULL, "array");
    }
    if (null) {
        return Py_NewRef(Py_None);
    }
    switch (scalars->kind) {
    case MVN_SCALARS_INT:
        return PyLong_FromLong((int32_t)(uint32_t)bits);
    case MVN_SCALARS_LONG:
        return PyLong_FromLongLong((int64_t)bits);
    case MVN_SCALARS_STRING:
        return PyMvn_Reply_Text(state, item);
    default:
        return numbers_list(scalars, index);
    }
}

PyObject *PyMvn_Scalars_List(PyMvn_State *state, const mvn_scalars *scalars)
{
    mvn_reader reader = mvn_reader_of(scalars->kind == MVN_SCALARS_STRING
                                          ? scalars->items.message
                                          : scalars->numbers);
    if (scalars->kind < MVN_SCALARS_BOOL || scalars->kind > MVN_SCALARS_STRING) {
        return PyList_New(0);
    }
    if (scalars->valid.count != 0 && scalars->valid.count != scalars->count) {
        return PyMvn_Reply_Malformed(state, "an array of %zu elements has validity for %zu",
                                     scalars->count, scalars->valid.count);
    }
    PyObject *list = PyList_New((Py_ssize_t)scalars->count);
    for (size_t i = 0; list != NULL && i < scalars->count; i++) {
        PyObject *item = element(state, scalars, &reader, i);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

static int next_array(PyMvn_Cells *cells, PyObject **value)
{
    cell_state state;
    mvn_span item = {NULL, 0};
    mvn_scalars scalars;
    if (take_item(cells, &state, &item) < 0) {
        return -1;
    }
    if (beyond_validity(cells)) {
        return malformed(cells, MVN_ETRUNCATED);
    }
    if (state != CELL_VALUE) {
        return give_none(value);
    }
    if (cells->element == MVN_SCALARS_NONE) {
        PyMvn_RaiseMilvus("MilvusException", "Unsupported data type: %d",
                          (int)cells->column->scalars.element_type);
        return -1;
    }
    mvn_status status = mvn_index_scalars(cells->scratch, item, &scalars);
    if (status != MVN_OK) {
        *value = NULL;
        (void)malformed(cells, status);
    } else if (scalars.kind != cells->element) {
        *value = PyList_New(0);
    } else {
        *value = PyMvn_Scalars_List(cells->state, &scalars);
    }
    mvn_arena_reset(cells->scratch);
    return *value == NULL ? -1 : 1;
}

/* The member of ScalarField in which values of a type travel; NONE for no scalar type. */
static mvn_scalars_kind member_of(int32_t type)
{
    switch (type) {
    case MVN_TYPE_BOOL:
        return MVN_SCALARS_BOOL;
    case MVN_TYPE_INT8:
    case MVN_TYPE_INT16:
    case MVN_TYPE_INT32:
        return MVN_SCALARS_INT;
    case MVN_TYPE_INT64:
        return MVN_SCALARS_LONG;
    case MVN_TYPE_FLOAT:
        return MVN_SCALARS_FLOAT;
    case MVN_TYPE_DOUBLE:
        return MVN_SCALARS_DOUBLE;
    case MVN_TYPE_STRING:
    case MVN_TYPE_VARCHAR:
    case MVN_TYPE_TEXT:
        return MVN_SCALARS_STRING;
    default:
        return MVN_SCALARS_NONE;
    }
}

int PyMvn_ScalarCells_Open(PyMvn_Cells *cells)
{
    const mvn_scalars *scalars = &cells->column->scalars;
    mvn_scalars_kind kind = member_of(cells->column->type);
    switch (cells->column->type) {
    case MVN_TYPE_TIMESTAMPTZ:
        kind = MVN_SCALARS_STRING;
        break;
    case MVN_TYPE_GEOMETRY:
        kind = MVN_SCALARS_GEOMETRY_WKT;
        break;
    case MVN_TYPE_JSON:
        kind = MVN_SCALARS_JSON;
        break;
    case MVN_TYPE_ARRAY:
        kind = MVN_SCALARS_ARRAY;
        cells->element = member_of(scalars->element_type);
        break;
    default:
        break;
    }
    /* A payload of another kind than the type calls for counts as none. */
    cells->count = scalars->kind == kind ? scalars->count : 0;
    switch (kind) {
    case MVN_SCALARS_BOOL:
        cells->next = next_bool;
        break;
    case MVN_SCALARS_INT:
        cells->next = next_int;
        break;
    case MVN_SCALARS_LONG:
        cells->next = next_long;
        break;
    case MVN_SCALARS_FLOAT:
        cells->next = next_float;
        break;
    case MVN_SCALARS_DOUBLE:
        cells->next = next_double;
        break;
    case MVN_SCALARS_JSON:
        cells->next = next_json;
        break;
    case MVN_SCALARS_ARRAY:
        cells->next = next_array;
        break;
    default:
        cells->next = next_string;
        break;
    }
    cells->reader = mvn_reader_of(cells->count == 0 ? (mvn_span){NULL, 0}
                                  : kind == MVN_SCALARS_INT || kind == MVN_SCALARS_LONG
                                      ? scalars->numbers
                                      : scalars->items.message);
    return 0;
}
