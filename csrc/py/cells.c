#include "cells.h"

#include <string.h>

typedef enum { FAMILY_UNKNOWN, FAMILY_SCALAR, FAMILY_JSON, FAMILY_VECTOR, FAMILY_STRUCT } family;

static family family_of(int32_t type)
{
    switch (type) {
    case MVN_TYPE_BOOL:
    case MVN_TYPE_INT8:
    case MVN_TYPE_INT16:
    case MVN_TYPE_INT32:
    case MVN_TYPE_INT64:
    case MVN_TYPE_FLOAT:
    case MVN_TYPE_DOUBLE:
    case MVN_TYPE_STRING:
    case MVN_TYPE_VARCHAR:
    case MVN_TYPE_TEXT:
    case MVN_TYPE_GEOMETRY:
    case MVN_TYPE_TIMESTAMPTZ:
    case MVN_TYPE_ARRAY:
        return FAMILY_SCALAR;
    case MVN_TYPE_JSON:
        return FAMILY_JSON;
    case MVN_TYPE_BINARY_VECTOR:
    case MVN_TYPE_FLOAT_VECTOR:
    case MVN_TYPE_FLOAT16_VECTOR:
    case MVN_TYPE_BFLOAT16_VECTOR:
    case MVN_TYPE_SPARSE_FLOAT_VECTOR:
    case MVN_TYPE_INT8_VECTOR:
    case MVN_TYPE_ARRAY_OF_VECTOR:
        return FAMILY_VECTOR;
    case MVN_TYPE_ARRAY_OF_STRUCT:
        return FAMILY_STRUCT;
    default:
        return FAMILY_UNKNOWN;
    }
}

static void init_cells(PyMvn_Table *table, PyMvn_Cells *cells, PyMvn_State *state,
                       const mvn_column *column)
{
    cells->state = state;
    cells->column = column;
    cells->rules = &table->rules;
    cells->scratch = &table->scratch;
}

static int open_column(PyMvn_Table *table, PyMvn_Cells *cells, PyMvn_Cells **free_cells)
{
    const mvn_column *column = cells->column;
    cells->name = PyMvn_Reply_Name(cells->state, column->name);
    if (cells->name == NULL) {
        return -1;
    }
    switch (family_of(column->type)) {
    case FAMILY_SCALAR:
    case FAMILY_JSON:
        return PyMvn_ScalarCells_Open(cells);
    case FAMILY_VECTOR:
        return PyMvn_VectorCells_Open(cells);
    case FAMILY_STRUCT:
        cells->fields = *free_cells;
        cells->n_fields = column->n_fields;
        *free_cells += column->n_fields;
        for (size_t f = 0; f < column->n_fields; f++) {
            init_cells(table, &cells->fields[f], cells->state, &column->fields[f]);
        }
        return PyMvn_StructCells_Open(cells);
    case FAMILY_UNKNOWN:
        break;
    }
    return -1;
}

/* A type that a result cannot have is an error in a search; a query leaves its key None. */
static int check_type(const PyMvn_CellRules *rules, int32_t type)
{
    if (rules->query && type == MVN_TYPE_STRING) {
        PyMvn_RaiseMilvus("MilvusException", "Not support string yet");
        return -1;
    }
    if (!rules->query && family_of(type) == FAMILY_UNKNOWN) {
        PyMvn_RaiseMilvus("MilvusException", "Unsupported field type: %d", (int)type);
        return -1;
    }
    return 0;
}

int PyMvn_Table_Open(PyMvn_Table *table, PyMvn_State *state, const PyMvn_CellRules *rules,
                     const mvn_column *columns, size_t n_columns)
{
    memset(table, 0, offsetof(PyMvn_Table, scratch));
    mvn_arena_init(&table->scratch);
    table->rules = *rules;
    size_t n_cells = n_columns;
    for (size_t i = 0; i < n_columns; i++) {
        if (check_type(rules, columns[i].type) < 0) {
            return -1;
        }
        n_cells += columns[i].n_fields;
    }
    table->cells = PyMem_Calloc(n_cells, sizeof(PyMvn_Cells));
    if (table->cells == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    table->n_cells = n_cells;
    PyMvn_Cells *free_cells = table->cells + n_columns;
    /* pymilvus sets scalars and arrays when it parses, and the others afterwards. */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n_columns; i++) {
            family kind = family_of(columns[i].type);
            if (kind == FAMILY_UNKNOWN || (kind == FAMILY_SCALAR) != (pass == 0)) {
                continue;
            }
            PyMvn_Cells *cells = &table->cells[table->n_columns++];
            init_cells(table, cells, state, &columns[i]);
            if (open_column(table, cells, &free_cells) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

void PyMvn_Table_Close(PyMvn_Table *table)
{
    for (size_t i = 0; i < table->n_cells; i++) {
        Py_CLEAR(table->cells[i].name);
        Py_CLEAR(table->cells[i].matrix);
    }
    PyMem_Free(table->cells);
    PyMem_Free(table->saved);
    table->cells = NULL;
    table->saved = NULL;
    table->n_cells = 0;
    table->n_columns = 0;
    mvn_arena_reset(&table->scratch);
}

/* Spreads a row of the dynamic column over the row. In a query, real fields win. */
static int spread(const PyMvn_Cells *cells, PyObject *document, PyObject *row)
{
    PyObject *names = cells->rules->dynamic_names; /* borrowed */
    bool all = names == NULL || PySet_GET_SIZE(names) == 0;
    PyObject *key, *value; /* borrowed: nobody else has the document */
    Py_ssize_t at = 0;
    if (!PyDict_Check(document)) {
        PyMvn_Reply_Malformed(cells->state, "field %R, row %zu: not a JSON object", cells->name,
                              cells->row - 1);
        return -1;
    }
    while (PyDict_Next(document, &at, &key, &value)) {
        int wanted = all ? 1 : PySet_Contains(names, key);
        if (wanted > 0 && cells->rules->query) {
            int taken = PyDict_Contains(row, key);
            wanted = taken < 0 ? -1 : !taken;
        }
        if (wanted < 0 || (wanted > 0 && PyDict_SetItem(row, key, value) < 0)) {
            return -1;
        }
    }
    return 0;
}

int PyMvn_Table_NextRow(PyMvn_Table *table, PyObject *row)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        PyMvn_Cells *cells = &table->cells[i];
        PyObject *value = NULL;
        int got = cells->next(cells, &value), failed;
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            if (cells->rules->query) {
                PyMvn_Reply_Malformed(cells->state, "field %R has no value for row %zu",
                                      cells->name, cells->row - 1);
                return -1;
            }
            continue;
        }
        if (cells->column->dynamic && cells->column->type == MVN_TYPE_JSON && value != Py_None) {
            failed = spread(cells, value, row);
        } else {
            failed = PyDict_SetItem(row, cells->name, value);
        }
        Py_DECREF(value);
        if (failed < 0) {
            return -1;
        }
    }
    return 0;
}

int PyMvn_Table_Save(PyMvn_Table *table)
{
    if (table->saved == NULL) {
        table->saved = PyMem_Calloc(table->n_cells, sizeof(PyMvn_Cells));
        if (table->saved == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    memcpy(table->saved, table->cells, table->n_cells * sizeof(PyMvn_Cells));
    return 0;
}

void PyMvn_Table_Rewind(PyMvn_Table *table)
{
    memcpy(table->cells, table->saved, table->n_cells * sizeof(PyMvn_Cells));
}
