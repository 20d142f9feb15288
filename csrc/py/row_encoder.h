/* RowEncoder: InsertRequest and UpsertRequest bytes from rows or columns, in slices.
 *
 *   gather   every cell is put into its column (gather.c for rows, columns.c for columns)
 *   measure  the codecs check the cells and find out their sizes
 *   write    the request is allocated, once, and the codecs write it
 *
 * An encoder belongs to one caller at a time: entering it while it works, from another thread or
 * from Python code that a cell runs, raises RuntimeError. */
#ifndef MVN_PY_ROW_ENCODER_H
#define MVN_PY_ROW_ENCODER_H

#include "../core/buffer.h"
#include "schema.h"
#include "slot.h"

/* What position j of the previous row's dict was: rows of one batch mostly have the same keys in
 * the same order, and then no key is looked up. */
typedef struct {
    PyObject *key;   /* strong */
    Py_ssize_t slot; /* or MVN_DYNAMIC_KEY */
} PyMvn_Guess;

#define MVN_DYNAMIC_KEY (-1) /* no field: goes into $meta */
#define MVN_NO_SLOT (-2)     /* a function's output, which is not sent; or an exception */

typedef enum {
    MVN_GATHER_ROWS,
    MVN_GATHER_COLUMNS,
    MVN_GATHER_DOCUMENTS, /* columns only: the extra columns, row by row, into $meta */
    MVN_MEASURE,
    MVN_WRITE,
    MVN_DONE,
    MVN_FAILED
} PyMvn_Phase;

typedef struct {
    PyObject_HEAD
    PyMvn_State *state;      /* borrowed: the type holds the module */
    PyMvn_Schema *schema;    /* strong */
    PyObject *data;          /* the list of rows, while rows are gathered; strong */
    PyObject *extras;        /* columns only: dict of name to column of the dynamic keys; strong */
    PyObject *document;      /* dict under construction of one row's dynamic keys; strong */
    PyObject *no_document;   /* b"{}" */
    PyObject *out;           /* the request; strong */
    Py_ssize_t n_rows;
    bool upsert;
    bool partial;
    bool busy;
    PyMvn_Slot *slots;
    Py_ssize_t n_slots;
    Py_ssize_t n_named;      /* slots that a row can name: all but $meta */
    Py_ssize_t meta_slot;    /* or -1 */
    Py_ssize_t key_slot;     /* of a primary key that the server would make, on insert; or -1 */
    Py_ssize_t *slot_of;     /* by index in schema->fields; MVN_NO_SLOT for fields not sent */
    PyMvn_Guess *guesses;
    Py_ssize_t n_guesses;
    PyMvn_Phase phase;
    Py_ssize_t slot, row;    /* where the phase stands */
    mvn_buffer head, tail;   /* the request before and after fields_data */
    mvn_writer writer;
    uint8_t *slot_end;       /* where the payload being written must end */
} PyMvn_RowEncoder;

/* Does some of the work of the current phase, about `budget` bytes of it. What it cost, or -1.
 * (phases.c) */
Py_ssize_t PyMvn_RowEncoder_Advance(PyMvn_RowEncoder *self, Py_ssize_t budget);

/* The slot of a key (borrowed) of a row or of a dict of columns; MVN_DYNAMIC_KEY; or MVN_NO_SLOT
 * with DataNotMatchException for a key that must not be there. `row` is for the message. Runs
 * Python code only when `key` is no exact str, or when it fails. (gather.c) */
Py_ssize_t PyMvn_Gather_FindSlot(const PyMvn_RowEncoder *self, Py_ssize_t row, PyObject *key);

/* Appends the dynamic keys of the next row (a dict; borrowed) to $meta. 0 or -1. (gather.c) */
int PyMvn_Gather_Document(PyMvn_RowEncoder *self, Py_ssize_t row, PyObject *keys);

/* Gathers row `row` of a list of dicts. 0 or -1. (gather.c) */
int PyMvn_Gather_Row(PyMvn_RowEncoder *self, Py_ssize_t row);

/* Once all rows were gathered: which slots take part. (gather.c) */
void PyMvn_Gather_EndRows(PyMvn_RowEncoder *self);

/* Whether `data` is columns: a dict of them or a list of them. 1, 0, or -1. (columns.c) */
int PyMvn_Columns_Check(const PyMvn_RowEncoder *self, PyObject *data);

/* Hands the columns of `data` to their slots and finds out the number of rows. 0 or -1.
 * (columns.c) */
int PyMvn_Columns_Assign(PyMvn_RowEncoder *self, PyObject *data);

/* Takes the column of one slot, whole or cell by cell. 0 or -1. (columns.c) */
int PyMvn_Columns_Gather(PyMvn_RowEncoder *self, PyMvn_Slot *slot);

/* Once all columns were gathered: makes ready for PyMvn_Columns_Document. 0 or -1. (columns.c) */
int PyMvn_Columns_EndColumns(PyMvn_RowEncoder *self);

/* Appends one row of the dynamic columns to $meta. 0 or -1. (columns.c) */
int PyMvn_Columns_Document(PyMvn_RowEncoder *self, Py_ssize_t row);

/* Adds RowEncoder and encode_rows to the module. 0 or -1. */
int PyMvn_RowEncoder_Init(PyObject *module, PyMvn_State *state);

#endif
