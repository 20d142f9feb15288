/* ARRAY_OF_STRUCT: each cell is a list of dicts with exactly the sub-fields as keys.
 *
 * On the wire a struct array is columns again: StructArrayField{fields: one FieldData for each
 * sub-field}. So each row's dicts are turned into one list per sub-field, and those are columns of
 * ARRAY or ARRAY_OF_VECTOR. Since the sub-fields follow one another, writing rows [begin, end)
 * writes that share of all rows of all sub-fields. */
#include "codec.h"

#include "../compat.h"
#include "../errors.h"

/* Field numbers of StructArrayField and FieldData. */
#define STRUCT_FIELDS 1
#define FIELD_TYPE 1
#define FIELD_NAME 2
#define FIELD_VALID_DATA 7

typedef struct {
    PyMvn_Column column;
    uint8_t *end; /* where its payload must end, while it is written */
} Sub;

typedef struct {
    Sub *subs; /* one for each sub-field, with cells of their own */
    Py_ssize_t n_subs;
} Struct;

static void struct_release(PyMvn_Column *column)
{
    Struct *all = column->scratch;
    column->scratch = NULL;
    if (all == NULL) {
        return;
    }
    for (Py_ssize_t i = 0; all->subs != NULL && i < all->n_subs; i++) {
        PyMvn_Column *sub = &all->subs[i].column;
        if (sub->field->codec != NULL && sub->field->codec->release != NULL) {
            sub->field->codec->release(sub);
        }
        for (Py_ssize_t row = 0; sub->cells != NULL && row < sub->n_rows; row++) {
            Py_XDECREF(sub->cells[row]);
        }
        PyMem_Free(sub->cells);
    }
    PyMem_Free(all->subs);
    PyMem_Free(all);
}

static Struct *struct_of(PyMvn_Column *column)
{
    const PyMvn_Field *field = column->field;
    Struct *all = column->scratch;
    if (all != NULL) {
        return all;
    }
    all = PyMem_Calloc(1, sizeof(*all));
    if (all == NULL) {
        goto fail;
    }
    column->scratch = all;
    all->subs = PyMem_Calloc((size_t)field->n_sub_fields + 1, sizeof(*all->subs));
    if (all->subs == NULL) {
        goto fail;
    }
    for (Py_ssize_t i = 0; i < field->n_sub_fields; i++) {
        PyMvn_Column *sub = &all->subs[i].column;
        sub->state = column->state;
        sub->field = &field->sub_fields[i];
        sub->n_rows = column->n_rows;
        sub->n_valid = column->n_valid;
        sub->columnar = column->columnar;
        sub->parent = column;
        all->n_subs++;
        sub->cells = PyMem_Calloc((size_t)column->n_rows + 1, sizeof(PyObject *));
        if (sub->cells == NULL) {
            goto fail;
        }
        if (sub->field->codec == NULL) {
            PyMvn_Column_Fail(sub, 0, "ParamError", "Unsupported data type: %d",
                              (int)sub->field->type);
            return NULL;
        }
    }
    return all;
fail:
    PyErr_NoMemory(); /* what was made is freed by release */
    return NULL;
}

/* --- rows to sub-columns --- */

/* Fails with the cell's own text; steals `text`, which may be NULL. */
static int fail_row(const PyMvn_Column *column, Py_ssize_t row, PyObject *value, PyObject *text)
{
    const char *detail = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    if (detail != NULL) {
        PyMvn_Column_Mismatch(column, row, value, detail);
    }
    Py_XDECREF(text);
    return -1;
}

/* The keys of a dict are not those of the struct: says which. */
static int fail_keys(const PyMvn_Column *column, Py_ssize_t row, PyObject *value,
                     Py_ssize_t index, PyObject *dict)
{
    PyObject *given = PySet_New(dict), *expected = given == NULL ? NULL : PySet_New(NULL);
    PyObject *difference = NULL, *text = NULL;
    const char *what = "missing required fields";

    if (expected == NULL) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < column->field->n_sub_fields; i++) {
        if (PySet_Add(expected, column->field->sub_fields[i].name) < 0) {
            goto done;
        }
    }
    difference = PyNumber_Subtract(expected, given);
    if (difference != NULL && PySet_GET_SIZE(difference) == 0) {
        what = "has unexpected fields";
        Py_SETREF(difference, PyNumber_Subtract(given, expected));
    }
    if (difference != NULL) {
        text = PyUnicode_FromFormat("Field '%U': Element at index %zd %s: %S",
                                    column->field->name, index, what, difference);
    }
done:
    Py_XDECREF(expected);
    Py_XDECREF(given);
    Py_XDECREF(difference);
    return fail_row(column, row, value, text);
}

/* Puts the values of one dict into the sub-columns' lists. */
static int take_dict(PyMvn_Column *column, Py_ssize_t row, PyObject *value, Py_ssize_t index,
                     PyObject *dict)
{
    const PyMvn_Field *field = column->field;
    Struct *all = column->scratch;

    if (!PyDict_Check(dict)) {
        return fail_row(column, row, value,
                        PyUnicode_FromFormat("Field '%U': Element at index %zd must be dict, got "
                                             "%s",
                                             field->name, index, Py_TYPE(dict)->tp_name));
    }
    if (PyDict_Size(dict) != field->n_sub_fields) {
        return fail_keys(column, row, value, index, dict);
    }
    for (Py_ssize_t i = 0; i < field->n_sub_fields; i++) {
        PyObject *name = field->sub_fields[i].name, *item = NULL; /* name borrowed from schema */
        int found = PyMvn_Dict_Get(dict, name, &item);
        if (found <= 0) {
            return found < 0 ? -1 : fail_keys(column, row, value, index, dict);
        }
        if (item == Py_None) {
            Py_DECREF(item);
            return fail_row(column, row, value,
                            PyUnicode_FromFormat("Field '%U': Field '%U' in element at index %zd "
                                                 "cannot be None",
                                                 field->name, name, index));
        }
        PyList_SET_ITEM(all->subs[i].column.cells[row], index, item);
    }
    return 0;
}

/* The cell as a list that nobody else changes; NULL when it is none, or with an exception. */
static PyObject *list_of_cell(PyObject *value)
{
    if (PyList_Check(value)) {
        return PySequence_List(value);
    }
    if (PyObject_CheckBuffer(value) && PyMvn_HasAttribute(value, "tolist") > 0) {
        PyObject *list = PyObject_CallMethod(value, "tolist", NULL); /* an array of dicts */
        if (list != NULL && !PyList_CheckExact(list)) {
            Py_CLEAR(list);
        }
        return list;
    }
    return NULL;
}

static int take_row(PyMvn_Column *column, Py_ssize_t row)
{
    const PyMvn_Field *field = column->field;
    Struct *all = column->scratch;
    PyObject *value = column->cells[row]; /* borrowed: the cells are the encoder's own */
    PyObject *list = list_of_cell(value);

    if (list == NULL) {
        if (PyErr_Occurred()) {
            return -1;
        }
        return fail_row(column, row, value,
                        PyUnicode_FromFormat("Field '%U': Expected list, got %s", field->name,
                                             Py_TYPE(value)->tp_name));
    }
    int status = 0;
    Py_ssize_t count = PyList_GET_SIZE(list);
    for (Py_ssize_t i = 0; status == 0 && i < all->n_subs; i++) {
        all->subs[i].column.cells[row] = PyList_New(count);
        status = all->subs[i].column.cells[row] == NULL ? -1 : 0;
    }
    for (Py_ssize_t index = 0; status == 0 && index < count; index++) {
        status = take_dict(column, row, value, index, PyList_GET_ITEM(list, index));
    }
    Py_DECREF(list);
    return status;
}

static int struct_measure(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end)
{
    Struct *all = struct_of(column);
    if (all == NULL) {
        return -1;
    }
    for (Py_ssize_t row = begin; row < end; row++) {
        if (column->cells[row] != NULL && take_row(column, row) < 0) {
            return -1;
        }
    }
    for (Py_ssize_t i = 0; i < all->n_subs; i++) {
        PyMvn_Column *sub = &all->subs[i].column;
        if (sub->field->codec->measure(sub, begin, end) < 0) {
            return -1;
        }
    }
    return 0;
}

/* --- sub-columns to bytes --- */

/* Bytes of the payload message; a sub-field without a value has none. */
static size_t payload_size(const PyMvn_Column *sub)
{
    return sub->n_valid == 0 ? 0 : sub->field->codec->size(sub);
}

/* Bytes of the sub-field's FieldData. */
static size_t body_size(const PyMvn_Column *sub)
{
    size_t payload = payload_size(sub);
    size_t size = mvn_varint_field_size(FIELD_TYPE, (uint64_t)sub->field->type) +
                  mvn_bytes_field_size(FIELD_NAME, sub->field->name_size);
    if (payload != 0) {
        size += mvn_bytes_field_size((uint32_t)sub->field->codec->slot, payload);
    }
    if (sub->field->nullable) {
        size += mvn_bytes_field_size(FIELD_VALID_DATA, (size_t)sub->n_rows);
    }
    return size;
}

static size_t struct_size(const PyMvn_Column *column)
{
    const Struct *all = column->scratch;
    size_t size = 0;
    for (Py_ssize_t i = 0; all != NULL && i < all->n_subs; i++) {
        size += mvn_bytes_field_size(STRUCT_FIELDS, body_size(&all->subs[i].column));
    }
    return size;
}

static int struct_open(PyMvn_Column *column, mvn_writer *out)
{
    (void)column;
    (void)out;
    return 0;
}

static int open_sub(Sub *sub, mvn_writer *out)
{
    PyMvn_Column *column = &sub->column;
    const PyMvn_Field *field = column->field;
    size_t payload = payload_size(column);

    mvn_write_bytes_header(out, STRUCT_FIELDS, body_size(column));
    mvn_write_varint_field(out, FIELD_TYPE, (uint64_t)field->type);
    mvn_write_bytes_field(out, FIELD_NAME, field->name_utf8, field->name_size);
    if (field->nullable) {
        mvn_write_bytes_header(out, FIELD_VALID_DATA, (size_t)column->n_rows);
        MVN_WRITER_ROOM(out, column->n_rows);
        for (Py_ssize_t row = 0; row < column->n_rows; row++) {
            *out->pos++ = column->cells[row] != NULL;
        }
    }
    if (payload == 0) {
        sub->end = out->pos;
        return 0;
    }
    mvn_write_bytes_header(out, (uint32_t)field->codec->slot, payload);
    sub->end = out->pos + payload;
    return field->codec->open(column, out);
}

/* Writes rows [begin, end) of one sub-field. */
static int write_sub(Sub *sub, Py_ssize_t begin, Py_ssize_t end, mvn_writer *out)
{
    PyMvn_Column *column = &sub->column;
    if (begin == 0 && open_sub(sub, out) < 0) {
        return -1;
    }
    if (column->n_valid != 0 && column->field->codec->write(column, begin, end, out) < 0) {
        return -1;
    }
    if (end == column->n_rows && out->pos != sub->end) {
        PyErr_Format(PyExc_SystemError, "sub-field %R has another size than was measured",
                     column->field->name);
        return -1;
    }
    return 0;
}

static int struct_write(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end, mvn_writer *out)
{
    Struct *all = column->scratch;
    Py_ssize_t n_rows = column->n_rows;
    if (all == NULL) { /* no rows */
        return 0;
    }
    /* Rows of all sub-fields in one row, of which this call writes [from, to). */
    Py_ssize_t from = begin * all->n_subs, to = end * all->n_subs;
    while (from < to) {
        Py_ssize_t i = from / n_rows, first = from % n_rows;
        Py_ssize_t last = to - i * n_rows < n_rows ? to - i * n_rows : n_rows;
        if (write_sub(&all->subs[i], first, last, out) < 0) {
            return -1;
        }
        from += last - first;
    }
    return 0;
}

const PyMvn_Codec PyMvn_Codec_StructArray = {
    .label = "struct array",
    .slot = MVN_SLOT_STRUCT_ARRAYS,
    .measure = struct_measure,
    .size = struct_size,
    .open = struct_open,
    .write = struct_write,
    .release = struct_release,
};
