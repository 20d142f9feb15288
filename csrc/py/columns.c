/* Columns to cells: telling them from rows, and taking them whole where a codec can. */
#include "compat.h"
#include "errors.h"
#include "row_encoder.h"

/* An attribute whose lookup fails is not there. */
static int has(PyObject *value, const char *name)
{
    int found = PyMvn_HasAttribute(value, name);
    return found < 0 ? PyMvn_ForgetException() : found;
}

/* What follows tells columns from rows: 1, 0, or -1 with an exception, for want of memory and for
 * interrupts alone. Whatever else a value's own code raises means no. */

/* A class with __getitem__ that is a mapping. (A pandas Series has keys(), too, but is an array.) */
static int is_mapping(PyObject *value)
{
    int keys = has(value, "keys");
    int array = keys > 0 ? has(value, "__array__") : 0;
    return array != 0 ? (array < 0 ? -1 : 0) : keys;
}

/* Whether `value` is several values: a sequence other than text, bytes and dict. An array of no
 * dimension is a scalar. */
static int is_sequence(PyObject *value)
{
    if (PyList_Check(value) || PyTuple_Check(value)) {
        return 1;
    }
    if (PyUnicode_Check(value) || PyBytes_Check(value) || PyByteArray_Check(value) ||
        PyDict_Check(value) || !PySequence_Check(value)) {
        return 0;
    }
    int mapping = is_mapping(value);
    if (mapping != 0) {
        return mapping < 0 ? -1 : 0;
    }
    return PySequence_Size(value) < 0 ? PyMvn_ForgetException() : 1;
}

/* Number of rows of a two-dimensional object that says its shape (NumPy, SciPy's sparse matrices):
 * 1, 0 if it is none, -1. */
static int matrix_rows(PyObject *value, Py_ssize_t *rows)
{
    if (PyList_CheckExact(value) || PyTuple_CheckExact(value) || PyDict_CheckExact(value) ||
        PyUnicode_CheckExact(value) || PyBytes_CheckExact(value)) {
        return 0;
    }
    PyObject *shape = PyObject_GetAttrString(value, "shape");
    if (shape == NULL) {
        return PyMvn_ForgetException();
    }
    *rows = PyTuple_Check(shape) && PyTuple_GET_SIZE(shape) == 2
                ? PyLong_AsSsize_t(PyTuple_GET_ITEM(shape, 0))
                : -1;
    Py_DECREF(shape);
    if (*rows < 0) {
        return PyErr_Occurred() ? PyMvn_ForgetException() : 0;
    }
    return 1;
}

static int is_sparse_matrix(PyObject *value, Py_ssize_t *rows)
{
    int sequence = is_sequence(value);
    return sequence != 0 ? (sequence < 0 ? -1 : 0) : matrix_rows(value, rows);
}

/* First item of a list or tuple that is not None, None if all are: 1 with a new reference; 0 if it
 * is empty or no such sequence, -1. */
static int first_of(PyObject *value, PyObject **first)
{
    *first = NULL;
    if (!PyList_Check(value) && !PyTuple_Check(value)) {
        return 0;
    }
    for (Py_ssize_t i = 0; *first == NULL || *first == Py_None; i++) {
        PyObject *next = PySequence_GetItem(value, i);
        if (next == NULL) { /* the end */
            if (PyMvn_ForgetException() < 0) {
                Py_CLEAR(*first);
                return -1;
            }
            break;
        }
        Py_XSETREF(*first, next);
    }
    return *first != NULL;
}

/* A sparse vector is a dict, or pairs of index and value, or a matrix of one row. */
static int is_sparse_column(PyObject *value)
{
    PyObject *item = NULL, *inner = NULL;
    Py_ssize_t rows = 0;
    int answer = first_of(value, &item);
    if (answer == 0) {
        answer = is_sparse_matrix(value, &rows);
        return answer > 0 ? rows != 1 : answer;
    }
    if (answer > 0 && item != Py_None && !PyDict_Check(item)) {
        answer = is_sparse_matrix(item, &rows);
        if (answer == 0 && (PyList_Check(item) || PyTuple_Check(item))) {
            answer = first_of(item, &inner);
            answer = answer < 0 ? -1 : answer == 0 || PyList_Check(inner) || PyTuple_Check(inner);
        }
    }
    Py_XDECREF(item);
    Py_XDECREF(inner);
    return answer;
}

/* Whether the value of a field can only be a column of it. A dense vector, an array and a struct
 * array are sequences themselves, so a column of them holds sequences (or bytes). */
static int is_column_of(const PyMvn_Field *field, PyObject *value)
{
    PyObject *item = NULL;
    Py_ssize_t rows = 0;
    if (field->type == MVN_TYPE_SPARSE_FLOAT_VECTOR) {
        return is_sparse_column(value);
    }
    int answer = matrix_rows(value, &rows);
    if (answer == 0) {
        answer = first_of(value, &item);
        if (answer > 0 && PyBytes_Check(item)) {
            answer = field->type != MVN_TYPE_ARRAY; /* of which bytes are a text */
        } else if (answer > 0 && item != Py_None && !PyByteArray_Check(item)) {
            answer = is_sequence(item);
        }
    }
    Py_XDECREF(item);
    return answer;
}

static bool is_scalar(int32_t type)
{
    return type < MVN_TYPE_BINARY_VECTOR && type != MVN_TYPE_ARRAY && type != MVN_TYPE_JSON;
}

typedef enum { SAYS_ERROR = -1, SAYS_ROW, SAYS_COLUMNS, SAYS_NOTHING } verdict;

static verdict verdict_of(const PyMvn_Field *field, PyObject *value)
{
    if (value == NULL || value == Py_None || field->type == MVN_TYPE_JSON) {
        return SAYS_NOTHING;
    }
    bool scalar = is_scalar(field->type);
    int columns = scalar ? is_sequence(value) : is_column_of(field, value);
    if (columns == 0) {
        return scalar ? SAYS_ROW : SAYS_NOTHING;
    }
    return columns < 0 ? SAYS_ERROR : SAYS_COLUMNS;
}

/* The primary key decides; then the first other scalar; then the first vector or array whose value
 * is too deep for a single row. */
static int is_column_dict(const PyMvn_Schema *schema, PyObject *dict)
{
    for (int pass = 0; pass < 3; pass++) {
        for (Py_ssize_t i = 0; i < schema->n_fields; i++) {
            const PyMvn_Field *field = &schema->fields[i];
            if (pass == 0 ? i != schema->primary : is_scalar(field->type) != (pass == 1)) {
                continue;
            }
            PyObject *value = NULL;
            if (PyMvn_Dict_Get(dict, field->name, &value) < 0) {
                return -1;
            }
            verdict says = verdict_of(field, value);
            Py_XDECREF(value);
            if (says != SAYS_NOTHING) {
                return (int)says;
            }
        }
    }
    return 0;
}

/* A list whose first item is a dict is rows; one that holds nothing but sequences is columns. */
static int is_column_list(PyObject *list)
{
    Py_ssize_t rows = 0;
    PyObject *items = PySequence_Tuple(list);
    int answer = items == NULL ? -1 : PyTuple_GET_SIZE(items) != 0;
    for (Py_ssize_t i = 0; answer == 1 && i < PyTuple_GET_SIZE(items); i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i); /* borrowed from our tuple */
        answer = is_sequence(item);
        if (answer == 0) {
            answer = matrix_rows(item, &rows);
        }
    }
    Py_XDECREF(items);
    return answer;
}

int PyMvn_Columns_Check(const PyMvn_RowEncoder *self, PyObject *data)
{
    if (PyDict_Check(data)) {
        return is_column_dict(self->schema, data);
    }
    PyObject *first = NULL;
    int found = first_of(data, &first);
    bool rows = found > 0 && PyDict_Check(first);
    Py_XDECREF(first);
    if (found < 0) {
        return -1;
    }
    return rows ? 0 : is_column_list(data);
}

/* Number of values in a column. -1 with DataNotMatchException for what is no column. */
static Py_ssize_t count_rows(PyObject *column, PyObject *name)
{
    Py_ssize_t rows = 0;
    int sequence = is_sequence(column);
    if (sequence != 0) {
        return sequence < 0 ? -1 : PySequence_Size(column);
    }
    int matrix = matrix_rows(column, &rows);
    if (matrix == 0) {
        (void)PyMvn_RaiseMilvus("DataNotMatchException",
                                "data[\"%S\"]: expected a column (a list, tuple or array), got %R",
                                name, (PyObject *)Py_TYPE(column));
    }
    return matrix > 0 ? rows : -1;
}

/* Checks that a column is as long as those before it. */
static int agree_on_rows(PyMvn_RowEncoder *self, PyObject *column, PyObject *name)
{
    Py_ssize_t rows = count_rows(column, name);
    if (rows < 0) {
        return -1;
    }
    if (self->n_rows >= 0 && rows != self->n_rows) {
        (void)PyMvn_RaiseMilvus("ParamError",
                                "data[\"%S\"]: Field data size misaligned for field [%S] got "
                                "size=[%zd] alignment size=[%zd]",
                                name, name, rows, self->n_rows);
        return -1;
    }
    self->n_rows = rows;
    return 0;
}

static int assign_item(PyMvn_RowEncoder *self, PyObject *name, PyObject *column)
{
    Py_ssize_t slot = PyMvn_Gather_FindSlot(self, 0, name);
    if (slot == MVN_NO_SLOT) {
        return -1;
    }
    if (column == Py_None && slot != MVN_DYNAMIC_KEY) {
        return 0; /* as if it were not there: a column of nulls, or an error that says so */
    }
    if (agree_on_rows(self, column, name) < 0) {
        return -1;
    }
    if (slot == MVN_DYNAMIC_KEY) {
        PyObject *values = PyMvn_Sequence(column, "expected a list, tuple or array");
        int status = values == NULL ? -1 : PyDict_SetItem(self->extras, name, values);
        Py_XDECREF(values);
        return status;
    }
    Py_XSETREF(self->slots[slot].source, Py_NewRef(column));
    return 0;
}

static int assign_dict(PyMvn_RowEncoder *self, PyObject *dict)
{
    PyObject *items = PyMapping_Items(dict);
    int status = items == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; status == 0 && i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i); /* borrowed: `items` is ours alone */
        status = PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2
                     ? assign_item(self, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1))
                     : -1;
    }
    Py_XDECREF(items);
    if (status < 0 && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "items() of a dict must give pairs");
    }
    return status;
}

/* Columns without names stand for the fields to be inserted, in schema order. */
static int assign_list(PyMvn_RowEncoder *self, PyObject *list)
{
    PyObject *columns = PySequence_Tuple(list);
    Py_ssize_t expected = self->n_named - (self->key_slot >= 0 ? 1 : 0), next = 0;
    int status = columns == NULL ? -1 : 0;
    if (status == 0 && PyTuple_GET_SIZE(columns) != expected) {
        (void)PyMvn_RaiseMilvus("ParamError",
                                "The data fields number is not match with schema., expected %zd "
                                "fields, got %zd",
                                expected, PyTuple_GET_SIZE(columns));
        status = -1;
    }
    for (Py_ssize_t i = 0; status == 0 && i < self->n_slots; i++) {
        if (i == self->meta_slot || i == self->key_slot) {
            continue;
        }
        PyMvn_Slot *slot = &self->slots[i];
        PyObject *column = PyTuple_GET_ITEM(columns, next++); /* borrowed from our tuple */
        slot->source = Py_NewRef(column);
        status = agree_on_rows(self, column, slot->column.field->name);
    }
    Py_XDECREF(columns);
    return status;
}

int PyMvn_Columns_Assign(PyMvn_RowEncoder *self, PyObject *data)
{
    self->n_rows = -1;
    self->extras = PyDict_New();
    if (self->extras == NULL) {
        return -1;
    }
    int status = PyDict_Check(data) ? assign_dict(self, data) : assign_list(self, data);
    if (status == 0 && self->n_rows < 0) {
        (void)PyMvn_RaiseMilvus("DataNotMatchException", "data: no column is given");
        status = -1;
    }
    return status;
}

/* A column that was not given. */
static int leave_out(PyMvn_RowEncoder *self, PyMvn_Slot *slot)
{
    bool optional = self->key_slot >= 0 && slot == &self->slots[self->key_slot];
    if (self->partial || optional) {
        return 0;
    }
    slot->present = true;
    if (slot->null_ok) {
        return PyMvn_Slot_MakeCells(slot);
    }
    (void)PyMvn_RaiseMilvus("DataNotMatchException",
                            "data: Insert missed an field `%U` to collection without set "
                            "nullable==true or set default_value",
                            slot->column.field->name);
    return -1;
}

static int take_cells(PyMvn_RowEncoder *self, PyMvn_Slot *slot)
{
    PyObject *values = PyMvn_Sequence(slot->source, "expected a list, tuple or array");
    int status = values == NULL ? -1 : PyMvn_Slot_MakeCells(slot);
    if (values == NULL) {
        return PyMvn_Column_Mismatch(&slot->column, 0, slot->source, NULL);
    }
    /* A list of the caller's may change while numbers are made of other columns. */
    if (status == 0 && PySequence_Fast_GET_SIZE(values) != self->n_rows) {
        status = PyMvn_Column_Fail(&slot->column, 0, "DataNotMatchException",
                                   "the column has %zd values, not %zd",
                                   PySequence_Fast_GET_SIZE(values), self->n_rows);
    }
    for (Py_ssize_t row = 0; status == 0 && row < self->n_rows; row++) {
        status = PyMvn_Slot_Store(slot, row, PySequence_Fast_GET_ITEM(values, row));
    }
    Py_DECREF(values);
    return status;
}

int PyMvn_Columns_Gather(PyMvn_RowEncoder *self, PyMvn_Slot *slot)
{
    PyMvn_Column *column = &slot->column;
    int taken = 0;
    if (slot->source == NULL) {
        return leave_out(self, slot);
    }
    slot->present = true;
    if (column->field->codec != NULL && column->field->codec->adopt != NULL) {
        column->whole = Py_NewRef(slot->source);
        taken = column->field->codec->adopt(column, slot->source);
        if (taken == 1) {
            column->n_valid = self->n_rows;
        } else {
            Py_CLEAR(column->whole);
        }
    }
    if (taken < 0 || (taken == 0 && take_cells(self, slot) < 0)) {
        return -1;
    }
    Py_CLEAR(slot->source);
    return 0;
}

int PyMvn_Columns_EndColumns(PyMvn_RowEncoder *self)
{
    if (self->meta_slot < 0) {
        return 0;
    }
    self->slots[self->meta_slot].present = true;
    self->document = PyDict_New();
    return self->document == NULL ? -1 : 0;
}

int PyMvn_Columns_Document(PyMvn_RowEncoder *self, Py_ssize_t row)
{
    Py_ssize_t pos = 0;
    PyObject *name = NULL, *values = NULL; /* borrowed from `extras`, which is ours alone */
    while (PyDict_Next(self->extras, &pos, &name, &values)) {
        if (row >= PySequence_Fast_GET_SIZE(values)) {
            PyErr_SetString(PyExc_RuntimeError, "a column shrank while it was encoded");
            return -1;
        }
        if (PyDict_SetItem(self->document, name, PySequence_Fast_GET_ITEM(values, row)) < 0) {
            return -1;
        }
    }
    return PyMvn_Gather_Document(self, row, self->document);
}
