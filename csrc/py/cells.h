/* From the columns of a reply to Python objects, row by row.
 *
 * A PyMvn_Cells is a cursor over one column that makes the object of the next row; a PyMvn_Table is
 * the cursors of all columns of a reply. Both borrow the indexed reply, which must outlive them.
 * Not thread-safe; they live within one call. */
#ifndef MVN_PY_CELLS_H
#define MVN_PY_CELLS_H

#include "reply.h"
#include "codecs/codec.h"

typedef struct PyMvn_Cells PyMvn_Cells;

/* What differs between search and query. */
typedef struct {
    bool query;              /* byte vectors come in a list; a missing scalar is an error */
    bool strict_float32;     /* FLOAT_VECTOR as numpy.float32 arrays */
    PyObject *dynamic_names; /* borrowed set: the dynamic fields asked for; empty means all */
} PyMvn_CellRules;

/* Puts a new reference to the next row's value in `*value`: 1; 0 when the column ended before this
 * row and has nothing to say of it (scalars only); -1 with an exception set. */
typedef int (*PyMvn_NextCell)(PyMvn_Cells *cells, PyObject **value);

struct PyMvn_Cells {
    PyMvn_State *state;       /* borrowed */
    const mvn_column *column; /* borrowed */
    const PyMvn_CellRules *rules;
    mvn_arena *scratch; /* for the messages inside one cell; empty between cells */
    PyObject *name;     /* strong: the field's name, interned */
    PyMvn_NextCell next;
    size_t row;        /* rows taken so far */
    size_t stored;     /* vectors taken so far; null rows of a column store none */
    size_t count;      /* values, or vectors, that the payload holds */
    size_t width;      /* of a dense vector: elements for FLOAT, bytes for the others */
    mvn_reader reader; /* next value, for what cannot be indexed by row */
    mvn_scalars_kind element; /* ARRAY: the member its cells use */
    PyObject *matrix;         /* strong: all vectors as one array, with strict_float32 */
    PyMvn_Cells *fields;      /* of a struct array: borrowed, part of the table's block */
    size_t n_fields;
};

typedef struct {
    PyMvn_Cells *cells; /* the columns, in the order in which they set keys */
    size_t n_columns;
    size_t n_cells;     /* with the sub-fields of struct arrays, which follow the columns */
    PyMvn_Cells *saved; /* room for PyMvn_Table_Save */
    PyMvn_CellRules rules;
    mvn_arena scratch;
} PyMvn_Table;

/* Makes the cursors. pymilvus's exceptions for types that it does not know. 0, or -1 with an
 * exception set; close the table in either case. Must not be moved afterwards. */
int PyMvn_Table_Open(PyMvn_Table *table, PyMvn_State *state, const PyMvn_CellRules *rules,
                     const mvn_column *columns, size_t n_columns);
void PyMvn_Table_Close(PyMvn_Table *table);

/* Puts the next row's fields into `row`, a dict that no other code has. Dynamic fields are spread
 * over the dict. 0 or -1. */
int PyMvn_Table_NextRow(PyMvn_Table *table, PyObject *row);

/* Rewind goes back to where Save was called last, so that a row can be made several times. Save: 0,
 * or -1 with MemoryError. */
int PyMvn_Table_Save(PyMvn_Table *table);
void PyMvn_Table_Rewind(PyMvn_Table *table);

/* Choose `next` and prepare the cursor for a column of their family. 0 or -1. */
int PyMvn_ScalarCells_Open(PyMvn_Cells *cells); /* scalars, JSON, ARRAY (scalar_cells.c) */
int PyMvn_VectorCells_Open(PyMvn_Cells *cells); /* all vectors, ARRAY_OF_VECTOR (vector_cells.c) */
int PyMvn_StructCells_Open(PyMvn_Cells *cells); /* ARRAY_OF_STRUCT; `fields` are open
                                                   (struct_cells.c) */

/* A list of the values of one ScalarField; empty for members that no array has. None where
 * ScalarField.valid_data says null. (scalar_cells.c) */
PyObject *PyMvn_Scalars_List(PyMvn_State *state, const mvn_scalars *scalars);

/* How the vectors of one VectorField inside a VectorArray are listed. (vector_cells.c) */
typedef enum {
    PyMvn_VECTORS_RAW,     /* FLOAT as lists, the others as bytes: a column of vector arrays */
    PyMvn_VECTORS_NUMBERS, /* lists of numbers, BINARY as [bytes]: sub-fields of structs */
} PyMvn_VectorListing;

/* How many vectors the message holds. `*element_type` is the VectorArray's; when it is 0 it becomes
 * what the payload is. 1, or 0 when the type or the dimension allows no counting. */
int PyMvn_Vectors_Count(const mvn_vectors *vectors, int32_t *element_type, size_t *count);

/* A list of the `count` vectors that PyMvn_Vectors_Count found, None where
 * VectorField.valid_data says null. NULL with an exception set on failure. */
PyObject *PyMvn_Vectors_List(const mvn_vectors *vectors, int32_t element_type, size_t count,
                             PyMvn_VectorListing listing);

/* Raises what pymilvus raises where PyMvn_Vectors_Count gave 0. Always returns NULL. */
PyObject *PyMvn_Vectors_RaiseUncountable(const mvn_vectors *vectors, int32_t element_type);

#endif
