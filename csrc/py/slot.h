/* One column of a request under construction: its cells, its place in the request, its sizes. */
#ifndef MVN_PY_SLOT_H
#define MVN_PY_SLOT_H

#include "codecs/codec.h"

typedef struct {
    PyMvn_Column column;
    PyObject *source;     /* columns only: what the caller gave for it, or NULL */
    Py_ssize_t last_row;  /* rows only: one past the last row that gave it, 0 before the first */
    bool null_ok;         /* None and absence are nulls, told by valid_data */
    bool present;         /* takes part in the request; known once all is gathered */
    size_t payload;       /* bytes of the payload message's body */
    size_t body;          /* bytes of the FieldData message's body */
} PyMvn_Slot;

/* Makes the cells, all null. Does nothing when they exist. 0 or -1. */
int PyMvn_Slot_MakeCells(PyMvn_Slot *slot);

/* Puts `value` (borrowed) into an empty cell; None becomes a null, or DataNotMatchException where
 * nulls are not allowed. 0 or -1. */
int PyMvn_Slot_Store(PyMvn_Slot *slot, Py_ssize_t row, PyObject *value);

/* Once all rows are measured: finds out `payload` and `body`. */
void PyMvn_Slot_Size(PyMvn_Slot *slot);

/* Writes the FieldData message up to the first cell; the payload comes last, so that writing ends
 * with the last cell. *end is where it must end. 0 or -1. */
int PyMvn_Slot_Open(PyMvn_Slot *slot, uint32_t field_number, mvn_writer *out, uint8_t **end);

/* Drops the cells and all that the codec made of them. Harmless in any state. */
void PyMvn_Slot_Release(PyMvn_Slot *slot);

#endif
