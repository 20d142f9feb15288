/* How one field of a batch becomes bytes: the contract between the RowEncoder, which walks the rows
 * (see row_encoder.h), and the codec files, one per family of data types.
 *
 * A batch is encoded in four steps, each of which may be taken in slices of rows:
 *   1. gather   the encoder puts a strong reference to every cell into column->cells;
 *   2. measure  the codec checks the cells and finds out how many bytes they take;
 *   3. (the whole request is allocated, exactly once)
 *   4. write    the codec writes the bytes.
 * Between the steps Python code may run (a cell's own __float__, a buffer's exporter), so `write`
 * must not trust what `measure` saw of a mutable object: it checks again and fails cleanly.
 * Failing sets a Python exception that names the place; nothing half-written ever leaves. */
#ifndef MVN_PY_CODECS_CODEC_H
#define MVN_PY_CODECS_CODEC_H

#include <stdbool.h>

#include "../state.h"
#include "../../core/status.h"
#include "../../core/wire_writer.h"

/* DataType of the protocol (milvus-proto schema.proto). */
typedef enum {
    MVN_TYPE_BOOL = 1,
    MVN_TYPE_INT8 = 2,
    MVN_TYPE_INT16 = 3,
    MVN_TYPE_INT32 = 4,
    MVN_TYPE_INT64 = 5,
    MVN_TYPE_FLOAT = 10,
    MVN_TYPE_DOUBLE = 11,
    MVN_TYPE_STRING = 20,
    MVN_TYPE_VARCHAR = 21,
    MVN_TYPE_ARRAY = 22,
    MVN_TYPE_JSON = 23,
    MVN_TYPE_GEOMETRY = 24,
    MVN_TYPE_TEXT = 25,
    MVN_TYPE_TIMESTAMPTZ = 26,
    MVN_TYPE_BINARY_VECTOR = 100,
    MVN_TYPE_FLOAT_VECTOR = 101,
    MVN_TYPE_FLOAT16_VECTOR = 102,
    MVN_TYPE_BFLOAT16_VECTOR = 103,
    MVN_TYPE_SPARSE_FLOAT_VECTOR = 104,
    MVN_TYPE_INT8_VECTOR = 105,
    MVN_TYPE_ARRAY_OF_VECTOR = 106,
    MVN_TYPE_ARRAY_OF_STRUCT = 200,
    MVN_TYPE_STRUCT = 201
} mvn_data_type;

typedef struct PyMvn_Codec PyMvn_Codec;
typedef struct PyMvn_Column PyMvn_Column;

/* A field of a compiled schema. Owned by its Schema and immutable. */
typedef struct PyMvn_Field {
    PyObject *name;          /* interned str */
    const char *name_utf8;   /* the bytes of `name`, owned by it */
    size_t name_size;
    int32_t type;            /* mvn_data_type */
    int32_t element_type;    /* of ARRAY and ARRAY_OF_VECTOR, else 0 */
    int64_t dim;             /* of vectors, else 0 */
    int64_t max_length;      /* of VARCHAR and arrays of it; -1 when the schema has none */
    int64_t max_capacity;    /* of ARRAY; -1 when the schema has none */
    bool primary;
    bool auto_id;
    bool nullable;
    bool has_default;
    bool function_output;
    bool dynamic;            /* the $meta field */
    const PyMvn_Codec *codec;
    /* ARRAY_OF_STRUCT only: its sub-fields, whose types are ARRAY or ARRAY_OF_VECTOR. */
    struct PyMvn_Field *sub_fields;
    Py_ssize_t n_sub_fields;
} PyMvn_Field;

/* Which member of FieldData holds the payload. */
typedef enum {
    MVN_SLOT_SCALARS = 3,
    MVN_SLOT_VECTORS = 4,
    MVN_SLOT_STRUCT_ARRAYS = 8
} mvn_field_slot;

/* One field of one batch. The encoder makes it, fills `cells`, and frees it after `release`. */
struct PyMvn_Column {
    PyMvn_State *state;        /* borrowed: the module outlives the encoder */
    const PyMvn_Field *field;  /* borrowed: the encoder holds the Schema */
    PyObject **cells;          /* n_rows strong references; NULL is a null row */
    PyObject *whole;           /* strong; the whole column, if `adopt` took it, else NULL */
    Py_ssize_t n_rows;
    Py_ssize_t n_valid;        /* rows that are not null */
    bool columnar;             /* the caller gave columns: places read data["f"][i] */
    /* Borrowed; of a sub-field of a struct array: the struct array's column, whose place comes
     * before the sub-field's name (rows[17]["items"]["price"]). Else NULL. */
    const PyMvn_Column *parent;
    void *scratch;             /* the codec's own, NULL at first; freed by `release` */
};

/* Four functions per family, plus two optional ones. Ranges are consecutive and start at row 0.
 * All but `size` may run Python code. int results: 0, or -1 with an exception set. */
struct PyMvn_Codec {
    const char *label;   /* the type's name in error messages: "varchar", "float_vector" */
    mvn_field_slot slot;
    /* Optional. Takes `whole` (a 2-D array, say) without making cells of it. 1: taken, the codec
     * checked that it has n_rows rows; 0: not a form it knows, cells are made instead; -1. */
    int (*adopt)(PyMvn_Column *column, PyObject *whole);
    /* Checks rows [begin, end) and accumulates their size in scratch. */
    int (*measure)(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end);
    /* Bytes of the payload message's body (ScalarField, VectorField or StructArrayField), once
     * every row was measured; 0 leaves the payload message out altogether. Cannot fail. */
    size_t (*size)(const PyMvn_Column *column);
    /* Writes what precedes the first cell: dims, nested tags and lengths. */
    int (*open)(PyMvn_Column *column, mvn_writer *out);
    /* Writes rows [begin, end). After the last row exactly size() bytes were written since open. */
    int (*write)(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end, mvn_writer *out);
    /* Optional. Frees scratch; called once, in any state. */
    void (*release)(PyMvn_Column *column);
};

/* scalar.c */
extern const PyMvn_Codec PyMvn_Codec_Bool, PyMvn_Codec_Int8, PyMvn_Codec_Int16,
    PyMvn_Codec_Int32, PyMvn_Codec_Int64, PyMvn_Codec_Float, PyMvn_Codec_Double;
/* string.c */
extern const PyMvn_Codec PyMvn_Codec_Varchar, PyMvn_Codec_Text, PyMvn_Codec_Geometry,
    PyMvn_Codec_Timestamptz;
/* json.c */
extern const PyMvn_Codec PyMvn_Codec_Json;
/* array.c */
extern const PyMvn_Codec PyMvn_Codec_Array;
/* dense_vector.c */
extern const PyMvn_Codec PyMvn_Codec_FloatVector, PyMvn_Codec_Float16Vector,
    PyMvn_Codec_BFloat16Vector, PyMvn_Codec_Int8Vector, PyMvn_Codec_BinaryVector;
/* sparse_vector.c */
extern const PyMvn_Codec PyMvn_Codec_SparseVector;
/* vector_array.c: the sub-fields of struct arrays that hold vectors */
extern const PyMvn_Codec PyMvn_Codec_VectorArray;
/* struct_array.c */
extern const PyMvn_Codec PyMvn_Codec_StructArray;

/* The functions below are in column.c. */

/* The codec of a data type, or NULL for one that is not known. */
const PyMvn_Codec *PyMvn_Codec_Find(int32_t type);

/* The place of a cell, as a new str: rows[17]["vector"], or data["vector"][17] for columns; NULL
 * with an exception set on failure. */
PyObject *PyMvn_Column_Place(const PyMvn_Column *column, Py_ssize_t row);

/* Raises pymilvus.exceptions.<exception> with "<place>: <text>". If an exception is set it becomes
 * the cause. Always returns -1. */
int PyMvn_Column_Fail(const PyMvn_Column *column, Py_ssize_t row, const char *exception,
                      const char *format, ...);

/* Raises DataNotMatchException with the place of the cell and pymilvus's text for a value of the
 * wrong type ("The Input data type is inconsistent with defined schema, {field} field should be a
 * {label}, but got a {<class>} instead. Detail: ..."). When `detail` is NULL and a TypeError,
 * ValueError, OverflowError or RecursionError is set, its text is the detail and it becomes the
 * cause; any other exception that is set is not about the value and is left as it is. Always
 * returns -1. */
int PyMvn_Column_Mismatch(const PyMvn_Column *column, Py_ssize_t row, PyObject *value,
                          const char *detail);

/* Turns the status of an mvn_buffer call into 0, or -1 with MemoryError, or with ParamError for a
 * request over protobuf's 2 GiB. */
int PyMvn_Column_Status(mvn_status status);

#endif
