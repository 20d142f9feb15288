#include "slot.h"

/* Field numbers of FieldData. */
enum { FIELD_TYPE = 1, FIELD_NAME = 2, FIELD_IS_DYNAMIC = 6, FIELD_VALID_DATA = 7 };

int PyMvn_Slot_MakeCells(PyMvn_Slot *slot)
{
    if (slot->column.cells == NULL) {
        slot->column.cells = PyMem_Calloc((size_t)slot->column.n_rows + 1, sizeof(PyObject *));
        if (slot->column.cells == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

#define NOT_NULLABLE "the field is not nullable and has no default value"

/* Of float vectors with Milvus's words as well, since programs look for them. */
static int refuse_null(const PyMvn_Slot *slot, Py_ssize_t row, PyObject *value)
{
    const PyMvn_Field *field = slot->column.field;
    if (field->type != MVN_TYPE_FLOAT_VECTOR) {
        return PyMvn_Column_Mismatch(&slot->column, row, value, NOT_NULLABLE);
    }
    PyObject *text = PyUnicode_FromFormat(
        NOT_NULLABLE ": float vector field '%U' is illegal, array type mismatch: "
        "invalid parameter[expected=need float vector][actual=got nil]", field->name);
    const char *detail = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    if (detail != NULL) {
        (void)PyMvn_Column_Mismatch(&slot->column, row, value, detail);
    }
    Py_XDECREF(text);
    return -1;
}

int PyMvn_Slot_Store(PyMvn_Slot *slot, Py_ssize_t row, PyObject *value)
{
    if (MVN_UNLIKELY(value == Py_None)) {
        return slot->null_ok ? 0 : refuse_null(slot, row, value);
    }
    slot->column.cells[row] = Py_NewRef(value);
    slot->column.n_valid++;
    return 0;
}

/* Struct arrays tell their nulls in the sub-fields. */
static bool sends_valid_data(const PyMvn_Slot *slot)
{
    return slot->null_ok && slot->column.n_rows != 0 &&
           slot->column.field->codec->slot != MVN_SLOT_STRUCT_ARRAYS;
}

void PyMvn_Slot_Size(PyMvn_Slot *slot)
{
    const PyMvn_Column *column = &slot->column;
    const PyMvn_Field *field = column->field;
    slot->payload = column->n_rows == 0 ? 0 : field->codec->size(column);
    slot->body = mvn_varint_field_size(FIELD_TYPE, (uint64_t)field->type) +
                 mvn_bytes_field_size(FIELD_NAME, field->name_size);
    if (field->dynamic) {
        slot->body += mvn_varint_field_size(FIELD_IS_DYNAMIC, 1);
    }
    if (sends_valid_data(slot)) {
        slot->body += mvn_bytes_field_size(FIELD_VALID_DATA, (size_t)column->n_rows);
    }
    if (slot->payload != 0) {
        slot->body += mvn_bytes_field_size((uint32_t)field->codec->slot, slot->payload);
    }
}

static void write_valid_data(const PyMvn_Column *column, mvn_writer *out)
{
    mvn_write_bytes_header(out, FIELD_VALID_DATA, (size_t)column->n_rows);
    MVN_WRITER_ROOM(out, column->n_rows);
    for (Py_ssize_t row = 0; row < column->n_rows; row++) {
        *out->pos++ = column->whole != NULL || column->cells[row] != NULL;
    }
}

int PyMvn_Slot_Open(PyMvn_Slot *slot, uint32_t field_number, mvn_writer *out, uint8_t **end)
{
    const PyMvn_Field *field = slot->column.field;
    mvn_write_bytes_header(out, field_number, slot->body);
    mvn_write_varint_field(out, FIELD_TYPE, (uint64_t)field->type);
    mvn_write_bytes_field(out, FIELD_NAME, field->name_utf8, field->name_size);
    if (field->dynamic) {
        mvn_write_varint_field(out, FIELD_IS_DYNAMIC, 1);
    }
    if (sends_valid_data(slot)) {
        write_valid_data(&slot->column, out);
    }
    if (slot->payload == 0) {
        *end = out->pos;
        return 0;
    }
    mvn_write_bytes_header(out, (uint32_t)field->codec->slot, slot->payload);
    *end = out->pos + slot->payload;
    return field->codec->open(&slot->column, out);
}

void PyMvn_Slot_Release(PyMvn_Slot *slot)
{
    PyMvn_Column *column = &slot->column;
    PyObject **cells = column->cells;
    if (column->field != NULL && column->field->codec != NULL &&
        column->field->codec->release != NULL) {
        column->field->codec->release(column);
    }
    column->cells = NULL; /* before Python code runs, which a last reference may do */
    for (Py_ssize_t row = 0; cells != NULL && row < column->n_rows; row++) {
        Py_XDECREF(cells[row]);
    }
    PyMem_Free(cells);
    Py_CLEAR(column->whole);
    Py_CLEAR(slot->source);
}
