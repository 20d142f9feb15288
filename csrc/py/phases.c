/* The phases of a RowEncoder: each call does some of the work of one of them and returns what it
 * cost in bytes, or -1 with an exception set. */
#include "errors.h"
#include "row_encoder.h"

#define REQUEST_FIELDS_DATA 5 /* of InsertRequest and UpsertRequest */

/* Work is counted in bytes of the request. These are what cells cost of which no size is known. */
#define CELL_COST 32        /* gathering or measuring a number or a short text */
#define DOCUMENT_COST 512   /* making a JSON document */
#define ROWS_UNMEASURED 64  /* rows of unknown size that are measured before looking again */

static void next_phase(PyMvn_RowEncoder *self, PyMvn_Phase phase)
{
    self->phase = phase;
    self->slot = 0;
    self->row = 0;
}

static Py_ssize_t at_least_one(Py_ssize_t budget, Py_ssize_t cost)
{
    return budget < cost ? 1 : budget / cost;
}

static Py_ssize_t least_of(Py_ssize_t a, Py_ssize_t b)
{
    return a < b ? a : b;
}

static Py_ssize_t gather_rows(PyMvn_RowEncoder *self, Py_ssize_t budget)
{
    Py_ssize_t cost = CELL_COST * (self->n_slots + 1) + (self->meta_slot >= 0 ? DOCUMENT_COST : 0);
    Py_ssize_t rows = least_of(at_least_one(budget, cost), self->n_rows - self->row);
    for (Py_ssize_t end = self->row + rows; self->row < end; self->row++) {
        if (PyMvn_Gather_Row(self, self->row) < 0) {
            return -1;
        }
    }
    if (self->row == self->n_rows) {
        PyMvn_Gather_EndRows(self);
        next_phase(self, MVN_MEASURE);
    }
    return rows * cost;
}

static Py_ssize_t gather_columns(PyMvn_RowEncoder *self)
{
    if (self->slot < self->n_slots) {
        if (self->slot != self->meta_slot &&
            PyMvn_Columns_Gather(self, &self->slots[self->slot]) < 0) {
            return -1;
        }
        self->slot++;
        return CELL_COST / 2 * (self->n_rows + 1);
    }
    if (PyMvn_Columns_EndColumns(self) < 0) {
        return -1;
    }
    next_phase(self, self->meta_slot >= 0 ? MVN_GATHER_DOCUMENTS : MVN_MEASURE);
    return 0;
}

static Py_ssize_t gather_documents(PyMvn_RowEncoder *self, Py_ssize_t budget)
{
    Py_ssize_t rows =
        least_of(at_least_one(budget, DOCUMENT_COST), self->n_rows - self->row);
    for (Py_ssize_t end = self->row + rows; self->row < end; self->row++) {
        if (PyMvn_Columns_Document(self, self->row) < 0) {
            return -1;
        }
    }
    if (self->row == self->n_rows) {
        Py_CLEAR(self->extras);
        Py_CLEAR(self->document);
        next_phase(self, MVN_MEASURE);
    }
    return rows * DOCUMENT_COST;
}

/* What measuring a row costs, where the schema tells; 0 where only the cells do. */
static Py_ssize_t known_cost(const PyMvn_Field *field)
{
    switch (field->type) {
    case MVN_TYPE_FLOAT_VECTOR:
    case MVN_TYPE_FLOAT16_VECTOR:
    case MVN_TYPE_BFLOAT16_VECTOR:
        return (Py_ssize_t)least_of((Py_ssize_t)field->dim, INT32_MAX / 8) * 4 + CELL_COST;
    case MVN_TYPE_INT8_VECTOR:
    case MVN_TYPE_BINARY_VECTOR:
        return (Py_ssize_t)least_of((Py_ssize_t)field->dim, INT32_MAX / 8) + CELL_COST;
    case MVN_TYPE_JSON:
        return field->dynamic ? CELL_COST : 0;
    case MVN_TYPE_ARRAY:
    case MVN_TYPE_SPARSE_FLOAT_VECTOR:
    case MVN_TYPE_ARRAY_OF_STRUCT:
        return 0;
    default:
        return CELL_COST;
    }
}

/* All is measured: makes the request, and writes what precedes the columns. */
static int allocate(PyMvn_RowEncoder *self)
{
    size_t total = self->head.size + self->tail.size;
    for (Py_ssize_t i = 0; i < self->n_slots; i++) {
        const PyMvn_Slot *slot = &self->slots[i];
        if (!slot->present) {
            continue;
        }
        if (slot->payload > MVN_MAX_MESSAGE || slot->body > MVN_MAX_MESSAGE ||
            mvn_bytes_field_size(REQUEST_FIELDS_DATA, slot->body) > MVN_MAX_MESSAGE - total) {
            return PyMvn_Column_Status(MVN_ETOOBIG);
        }
        total += mvn_bytes_field_size(REQUEST_FIELDS_DATA, slot->body);
    }
    self->out = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)total);
    if (self->out == NULL) {
        return -1;
    }
    self->writer = mvn_writer_over((uint8_t *)PyBytes_AS_STRING(self->out), total);
    mvn_write_raw(&self->writer, self->head.data, self->head.size);
    return 0;
}

static int begin_measuring(PyMvn_Slot *slot)
{
    if (slot->column.field->codec == NULL) {
        (void)PyMvn_RaiseMilvus("ParamError", "Unsupported data type: %d of field %U",
                                (int)slot->column.field->type, slot->column.field->name);
        return -1;
    }
    bool cells = slot->column.whole == NULL && !slot->column.field->dynamic;
    return cells ? PyMvn_Slot_MakeCells(slot) : 0;
}

static Py_ssize_t measure(PyMvn_RowEncoder *self, Py_ssize_t budget)
{
    if (self->slot == self->n_slots) {
        if (allocate(self) < 0) {
            return -1;
        }
        next_phase(self, MVN_WRITE);
        return 0;
    }
    PyMvn_Slot *slot = &self->slots[self->slot];
    if (!slot->present) {
        self->slot++;
        return 0;
    }
    if (self->row == 0 && begin_measuring(slot) < 0) {
        return -1;
    }
    const PyMvn_Codec *codec = slot->column.field->codec;
    Py_ssize_t known = known_cost(slot->column.field), left = self->n_rows - self->row;
    Py_ssize_t rows = known != 0 ? at_least_one(budget, known) : ROWS_UNMEASURED;
    rows = least_of(rows, left);
    size_t before = known == 0 && self->row != 0 ? codec->size(&slot->column) : 0;
    if (rows != 0 && codec->measure(&slot->column, self->row, self->row + rows) < 0) {
        return -1;
    }
    self->row += rows;
    Py_ssize_t cost = rows * known;
    if (known == 0) {
        cost = rows * CELL_COST + (Py_ssize_t)(codec->size(&slot->column) - before);
    }
    if (self->row == self->n_rows) {
        PyMvn_Slot_Size(slot);
        self->slot++;
        self->row = 0;
    }
    return cost;
}

static int finish_writing(PyMvn_RowEncoder *self)
{
    mvn_write_raw(&self->writer, self->tail.data, self->tail.size);
    if (mvn_writer_left(&self->writer) != 0) {
        PyErr_SetString(PyExc_SystemError, "the request has another size than was measured");
        return -1;
    }
    next_phase(self, MVN_DONE);
    return 0;
}

static Py_ssize_t write_columns(PyMvn_RowEncoder *self, Py_ssize_t budget)
{
    if (self->slot == self->n_slots) {
        return finish_writing(self);
    }
    PyMvn_Slot *slot = &self->slots[self->slot];
    if (!slot->present) {
        self->slot++;
        return 0;
    }
    if (self->row == 0 && PyMvn_Slot_Open(slot, REQUEST_FIELDS_DATA, &self->writer,
                                          &self->slot_end) < 0) {
        return -1;
    }
    Py_ssize_t average = self->n_rows == 0 ? 1 : (Py_ssize_t)slot->payload / self->n_rows + 1;
    Py_ssize_t rows = least_of(at_least_one(budget, average), self->n_rows - self->row);
    if (slot->payload != 0 && rows != 0) {
        mvn_writer out = {self->writer.pos, self->slot_end};
        int status = slot->column.field->codec->write(&slot->column, self->row, self->row + rows,
                                                      &out);
        self->writer.pos = out.pos;
        if (status < 0) {
            return -1;
        }
    }
    self->row += rows;
    if (self->row == self->n_rows) {
        if (self->writer.pos != self->slot_end) {
            PyErr_Format(PyExc_RuntimeError, "field %R changed while it was encoded",
                         slot->column.field->name);
            return -1;
        }
        PyMvn_Slot_Release(slot);
        self->slot++;
        self->row = 0;
    }
    return rows * average;
}

Py_ssize_t PyMvn_RowEncoder_Advance(PyMvn_RowEncoder *self, Py_ssize_t budget)
{
    switch (self->phase) {
    case MVN_GATHER_ROWS:
        return gather_rows(self, budget);
    case MVN_GATHER_COLUMNS:
        return gather_columns(self);
    case MVN_GATHER_DOCUMENTS:
        return gather_documents(self, budget);
    case MVN_MEASURE:
        return measure(self, budget);
    case MVN_WRITE:
        return write_columns(self, budget);
    default:
        return 0;
    }
}
