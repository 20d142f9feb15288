/* A FieldData message, indexed: where each part of a result column lies, and how many values it
 * has. Counts come from the bytes, never from a number the message claims. Spans point into the
 * message, or into the arena where pieces had to be joined; both must outlive the column. Pure
 * functions of their input; thread-safe for distinct arenas. */
#ifndef MVN_CORE_COLUMN_H
#define MVN_CORE_COLUMN_H

#include <stdbool.h>

#include "runs.h"

#define MVN_MAX_COLUMNS 16384 /* columns and sub-columns in one reply; Milvus has up to 1024 */

/* The member of ScalarField's oneof: its field number. */
typedef enum {
    MVN_SCALARS_NONE = 0,
    MVN_SCALARS_BOOL = 1,
    MVN_SCALARS_INT = 2,
    MVN_SCALARS_LONG = 3,
    MVN_SCALARS_FLOAT = 4,
    MVN_SCALARS_DOUBLE = 5,
    MVN_SCALARS_STRING = 6,
    MVN_SCALARS_BYTES = 7,
    MVN_SCALARS_ARRAY = 8,
    MVN_SCALARS_JSON = 9,
    MVN_SCALARS_GEOMETRY = 10,
    MVN_SCALARS_TIMESTAMPTZ = 11,
    MVN_SCALARS_GEOMETRY_WKT = 12,
    MVN_SCALARS_MOL = 13,
    MVN_SCALARS_MOL_SMILES = 14,
    MVN_SCALARS_DATE = 15,
    MVN_SCALARS_TIME = 16
} mvn_scalars_kind;

typedef struct {
    mvn_scalars_kind kind;
    size_t count;         /* values, whatever the kind */
    mvn_bits bools;       /* BOOL */
    mvn_span numbers;     /* INT LONG TIMESTAMPTZ DATE TIME: varints; FLOAT, DOUBLE: fixed */
    mvn_items items;      /* STRING BYTES JSON GEOMETRY* MOL*: the values; ARRAY: ScalarFields */
    int32_t element_type; /* ARRAY */
    mvn_bits valid;       /* ScalarField.valid_data; count 0 when absent */
} mvn_scalars;

/* The member of VectorField's oneof: its field number. */
typedef enum {
    MVN_VECTORS_NONE = 0,
    MVN_VECTORS_FLOAT = 2,
    MVN_VECTORS_BINARY = 3,
    MVN_VECTORS_FLOAT16 = 4,
    MVN_VECTORS_BFLOAT16 = 5,
    MVN_VECTORS_SPARSE = 6,
    MVN_VECTORS_INT8 = 7,
    MVN_VECTORS_ARRAY = 8
} mvn_vectors_kind;

typedef struct {
    mvn_vectors_kind kind;
    int64_t dim;          /* as sent: may be 0, negative or absurd */
    mvn_span data;        /* FLOAT: fixed32; BINARY FLOAT16 BFLOAT16 INT8: the bytes */
    mvn_items items;      /* SPARSE: rows; ARRAY: VectorFields, one a row */
    int32_t element_type; /* ARRAY */
    mvn_bits valid;       /* VectorField.valid_data; count 0 when absent */
} mvn_vectors;

/* The member of FieldData's oneof: its field number. */
typedef enum {
    MVN_COLUMN_NONE = 0,
    MVN_COLUMN_SCALARS = 3,
    MVN_COLUMN_VECTORS = 4,
    MVN_COLUMN_STRUCTS = 8
} mvn_column_kind;

typedef struct mvn_column {
    int32_t type;  /* mvn_data_type */
    mvn_span name; /* not checked for UTF-8 */
    bool dynamic;
    /* Validity by row, count 0 when every row is valid: ScalarField.valid_data or
     * VectorField.valid_data where the server sends them, else FieldData.valid_data. */
    mvn_bits valid;
    mvn_column_kind kind;
    mvn_scalars scalars; /* all zero unless kind says so, like the next two */
    mvn_vectors vectors;
    struct mvn_column *fields; /* of a struct array */
    size_t n_fields;
} mvn_column;

/* Indexes one message. On failure `*out` is unspecified; MVN_ETRUNCATED, MVN_EFORMAT, MVN_EDEPTH,
 * MVN_ENOMEM, or MVN_ETOOBIG for more than MVN_MAX_COLUMNS. */
MVN_MUST_CHECK mvn_status mvn_index_scalars(mvn_arena *arena, mvn_span message, mvn_scalars *out);
MVN_MUST_CHECK mvn_status mvn_index_vectors(mvn_arena *arena, mvn_span message, mvn_vectors *out);
MVN_MUST_CHECK mvn_status mvn_index_column(mvn_arena *arena, mvn_span message, mvn_column *out);

/* Indexes each message of `spans` into a new array in the arena. */
MVN_MUST_CHECK mvn_status mvn_index_columns(mvn_arena *arena, const mvn_spans *spans,
                                            mvn_column **columns, size_t *count);

/* Rows of a column: what its payload holds or, for nullable vectors, its validity says. */
typedef enum {
    MVN_ROWS_OK = 0,
    MVN_ROWS_UNKNOWN_FIELD,  /* no payload at all */
    MVN_ROWS_UNKNOWN_SCALAR, /* scalars without a member */
    MVN_ROWS_NO_SUB_FIELD,   /* a struct array without sub-fields */
    MVN_ROWS_BAD_DIM,        /* a dimension that is not positive */
    MVN_ROWS_UNEVEN_FLOAT,   /* the payload is not a whole number of vectors */
    MVN_ROWS_UNEVEN_HALF
} mvn_rows_status;

/* `total` gets the payload's length (elements or bytes) for the last two. */
mvn_rows_status mvn_column_rows(const mvn_column *column, size_t *rows, size_t *total);

#endif
