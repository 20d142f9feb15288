/* Cells of struct arrays: columns of sub-fields, turned into a list of dicts a row. */
#include "cells.h"

#include <string.h>

/* The values that one sub-field has in one row. */
typedef struct {
    bool present;     /* the column reaches this row */
    PyObject *values; /* strong: list, one value a struct; shorter means None for the rest */
    size_t structs;   /* how many structs there are, as far as this sub-field knows */
} sub_values;

static int read_array(PyMvn_Cells *sub, mvn_span item, sub_values *out)
{
    mvn_scalars scalars;
    mvn_status status = mvn_index_scalars(sub->scratch, item, &scalars);
    if (status == MVN_OK) {
        out->values = PyMvn_Scalars_List(sub->state, &scalars);
        out->structs = out->values == NULL ? 0 : (size_t)PyList_GET_SIZE(out->values);
    } else {
        PyMvn_RaiseStatus(sub->state, status, NULL, "struct array");
    }
    mvn_arena_reset(sub->scratch);
    return out->values == NULL ? -1 : 0;
}

static int read_vectors(PyMvn_Cells *sub, mvn_span item, sub_values *out)
{
    int32_t declared = sub->column->vectors.element_type, type = declared;
    mvn_vectors vectors;
    size_t count;
    mvn_status status = mvn_index_vectors(sub->scratch, item, &vectors);
    if (status != MVN_OK) {
        PyMvn_RaiseStatus(sub->state, status, NULL, "struct array");
    } else if (PyMvn_Vectors_Count(&vectors, &type, &count) && declared != 0) {
        out->values = PyMvn_Vectors_List(&vectors, type, count, PyMvn_VECTORS_NUMBERS);
        out->structs = out->values == NULL ? 0 : (size_t)PyList_GET_SIZE(out->values);
    } else { /* without a declared type the values are unreadable, though they count */
        out->values = PyList_New(0);
        out->structs = count;
    }
    mvn_arena_reset(sub->scratch);
    return out->values == NULL ? -1 : 0;
}

/* Takes the next row of a sub-field. */
static int read_sub_field(PyMvn_Cells *sub, sub_values *out)
{
    mvn_span item = {NULL, 0};
    bool array = sub->column->type == MVN_TYPE_ARRAY;
    out->present = sub->row++ < sub->count;
    out->values = NULL;
    out->structs = 0;
    if (!out->present) {
        return 0;
    }
    mvn_status status =
        mvn_items_next(&sub->reader,
                       array ? sub->column->scalars.items.number
                             : sub->column->vectors.items.number,
                       &item);
    if (status != MVN_OK) {
        PyMvn_RaiseStatus(sub->state, status, NULL, "struct array");
        return -1;
    }
    return array ? read_array(sub, item, out) : read_vectors(sub, item, out);
}

static bool is_sub_type(int32_t type)
{
    return type == MVN_TYPE_ARRAY || type == MVN_TYPE_ARRAY_OF_VECTOR;
}

static PyObject *one_struct(const PyMvn_Cells *cells, const sub_values *subs, size_t index)
{
    PyObject *dict = PyDict_New();
    for (size_t f = 0; dict != NULL && f < cells->n_fields; f++) {
        const sub_values *sub = &subs[f];
        if (!is_sub_type(cells->fields[f].column->type)) {
            PyMvn_RaiseMilvus("ParamError",
                              "struct field %R: sub-field %R has type %d, not an array",
                              cells->name, cells->fields[f].name,
                              (int)cells->fields[f].column->type);
            Py_CLEAR(dict);
            break;
        }
        if (!sub->present) {
            continue;
        }
        PyObject *value = index < (size_t)PyList_GET_SIZE(sub->values)
                              ? PyList_GET_ITEM(sub->values, (Py_ssize_t)index) /* borrowed */
                              : Py_None;
        if (PyDict_SetItem(dict, cells->fields[f].name, value) < 0) {
            Py_CLEAR(dict);
        }
    }
    return dict;
}

static PyObject *structs_of_row(PyMvn_Cells *cells, const sub_values *subs, bool null)
{
    size_t count = 0;
    if (null) {
        return Py_NewRef(Py_None);
    }
    /* The first sub-field that has any says how many; all should have the same. */
    for (size_t f = 0; f < cells->n_fields && count == 0; f++) {
        count = subs[f].structs;
    }
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *dict = one_struct(cells, subs, i);
        if (dict == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, dict);
    }
    return list;
}

static int next_structs(PyMvn_Cells *cells, PyObject **value)
{
    sub_values few[16], *subs = few;
    size_t row = cells->row++, taken = 0;
    bool null = false;
    int result = -1;

    *value = NULL;
    if (cells->n_fields > sizeof(few) / sizeof(few[0])) {
        subs = PyMem_Calloc(cells->n_fields, sizeof(*subs));
        if (subs == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    for (; taken < cells->n_fields; taken++) {
        const mvn_bits *valid = &cells->fields[taken].column->valid;
        null = null || (row < valid->count && valid->data[row] == 0);
        if (read_sub_field(&cells->fields[taken], &subs[taken]) < 0) {
            goto done;
        }
    }
    *value = structs_of_row(cells, subs, null);
    result = *value == NULL ? -1 : 1;
done:
    for (size_t f = 0; f < taken; f++) {
        Py_XDECREF(subs[f].values);
    }
    if (subs != few) {
        PyMem_Free(subs);
    }
    return result;
}

/* Sub-fields may be called "struct[field]": the dicts have the inner name. */
static mvn_span inner_name(mvn_span name)
{
    const uint8_t *left = name.size == 0 ? NULL : memchr(name.data, '[', name.size);
    if (left == NULL || left == name.data || name.data[name.size - 1] != ']') {
        return name;
    }
    mvn_span inner = {left + 1, (size_t)(name.data + name.size - 1 - (left + 1))};
    return inner;
}

int PyMvn_StructCells_Open(PyMvn_Cells *cells)
{
    cells->next = next_structs;
    for (size_t f = 0; f < cells->n_fields; f++) {
        PyMvn_Cells *sub = &cells->fields[f];
        const mvn_column *column = sub->column;
        sub->name = PyMvn_Reply_Name(sub->state, inner_name(column->name));
        if (sub->name == NULL) {
            return -1;
        }
        if (column->type == MVN_TYPE_ARRAY && column->scalars.kind == MVN_SCALARS_ARRAY) {
            sub->count = column->scalars.count;
            sub->reader = mvn_reader_of(column->scalars.items.message);
        } else if (column->type == MVN_TYPE_ARRAY_OF_VECTOR &&
                   column->vectors.kind == MVN_VECTORS_ARRAY) {
            sub->count = column->vectors.items.count;
            sub->reader = mvn_reader_of(column->vectors.items.message);
        }
    }
    return 0;
}
