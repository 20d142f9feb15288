#include "row_encoder.h"

#include "compat.h"
#include "errors.h"

/* Field numbers of InsertRequest and UpsertRequest (the same up to schema_timestamp). */
enum {
    REQUEST_COLLECTION_NAME = 3,
    REQUEST_PARTITION_NAME = 4,
    REQUEST_NUM_ROWS = 7,
    REQUEST_SCHEMA_TIMESTAMP = 8,
    INSERT_NAMESPACE = 9,
    UPSERT_PARTIAL_UPDATE = 9,
    UPSERT_NAMESPACE = 10,
    UPSERT_FIELD_OPS = 11
};

/* Field numbers of FieldPartialUpdateOp. */
enum { OP_FIELD_NAME = 1, OP_OP = 2 };

/* Dynamic keys of a row whose position is remembered. */
#define SPARE_GUESSES 16

static int append_text(mvn_buffer *buffer, uint32_t field, PyObject *text)
{
    Py_ssize_t size = 0;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    if (utf8 == NULL) {
        return -1;
    }
    return PyMvn_Column_Status(mvn_buffer_append_bytes_field(buffer, field, utf8, (size_t)size));
}

static int append_number(mvn_buffer *buffer, uint32_t field, uint64_t value)
{
    return value == 0 ? 0
                      : PyMvn_Column_Status(mvn_buffer_append_varint_field(buffer, field, value));
}

/* One (name, op) pair. */
static int append_op(mvn_buffer *buffer, PyObject *pair)
{
    PyObject *name = NULL; /* borrowed */
    int op = 0;
    size_t mark = 0;
    if (!PyTuple_Check(pair) || !PyArg_ParseTuple(pair, "Ui;field_ops are (str, int)", &name, &op)) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "field_ops must be a list of (str, int)");
        }
        return -1;
    }
    if (PyMvn_Column_Status(mvn_buffer_begin(buffer, UPSERT_FIELD_OPS, &mark)) < 0 ||
        append_text(buffer, OP_FIELD_NAME, name) < 0 ||
        append_number(buffer, OP_OP, (uint64_t)(int64_t)op) < 0) {
        return -1;
    }
    return PyMvn_Column_Status(mvn_buffer_end(buffer, mark));
}

static int append_ops(mvn_buffer *buffer, PyObject *ops)
{
    PyObject *items = PySequence_Tuple(ops);
    int status = items == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; status == 0 && i < PyTuple_GET_SIZE(items); i++) {
        status = append_op(buffer, PyTuple_GET_ITEM(items, i));
    }
    Py_XDECREF(items);
    return status;
}

typedef struct {
    PyObject *collection_name, *partition_name, *name_space, *field_ops; /* borrowed or NULL */
} request_names;

static int make_head(PyMvn_RowEncoder *self, const request_names *names)
{
    if (append_text(&self->head, REQUEST_COLLECTION_NAME, names->collection_name) < 0) {
        return -1;
    }
    if (names->partition_name == NULL || PyUnicode_GetLength(names->partition_name) == 0) {
        return 0;
    }
    return append_text(&self->head, REQUEST_PARTITION_NAME, names->partition_name);
}

static int make_tail(PyMvn_RowEncoder *self, const request_names *names)
{
    mvn_buffer *tail = &self->tail;
    if (append_number(tail, REQUEST_NUM_ROWS, (uint64_t)self->n_rows) < 0 ||
        append_number(tail, REQUEST_SCHEMA_TIMESTAMP, self->schema->update_timestamp) < 0 ||
        append_number(tail, UPSERT_PARTIAL_UPDATE, self->upsert && self->partial) < 0) {
        return -1;
    }
    uint32_t field = self->upsert ? UPSERT_NAMESPACE : INSERT_NAMESPACE;
    if (names->name_space != NULL && append_text(tail, field, names->name_space) < 0) {
        return -1;
    }
    return names->field_ops == NULL ? 0 : append_ops(tail, names->field_ops);
}

static Py_ssize_t add_slot(PyMvn_RowEncoder *self, const PyMvn_Field *field)
{
    PyMvn_Slot *slot = &self->slots[self->n_slots];
    slot->column.state = self->state;
    slot->column.field = field;
    slot->null_ok = field->nullable || field->has_default;
    return self->n_slots++;
}

/* The columns of the request in wire order: the fields, a primary key that the server would make
 * otherwise, the dynamic keys, the struct arrays. */
static int make_slots(PyMvn_RowEncoder *self)
{
    PyMvn_Schema *schema = self->schema;
    size_t n_fields = (size_t)schema->n_fields;
    self->slots = PyMem_Calloc(n_fields + 1, sizeof(PyMvn_Slot));
    self->slot_of = PyMem_Calloc(n_fields + 1, sizeof(Py_ssize_t));
    self->guesses = PyMem_Calloc(n_fields + SPARE_GUESSES, sizeof(PyMvn_Guess));
    if (self->slots == NULL || self->slot_of == NULL || self->guesses == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->n_guesses = schema->n_fields + SPARE_GUESSES;
    self->meta_slot = self->key_slot = -1;
    for (Py_ssize_t i = 0; i < schema->n_plain; i++) {
        const PyMvn_Field *field = &schema->fields[i];
        bool optional = field->auto_id && !self->upsert;
        self->slot_of[i] =
            field->function_output || optional ? MVN_NO_SLOT : add_slot(self, field);
    }
    Py_ssize_t primary = schema->primary;
    if (primary >= 0 && schema->fields[primary].auto_id && !self->upsert) {
        self->key_slot = self->slot_of[primary] = add_slot(self, &schema->fields[primary]);
    }
    if (schema->meta.name != NULL) {
        self->meta_slot = add_slot(self, &schema->meta);
    }
    for (Py_ssize_t i = schema->n_plain; i < schema->n_fields; i++) {
        self->slot_of[i] = add_slot(self, &schema->fields[i]);
    }
    self->n_named = self->n_slots - (self->meta_slot >= 0 ? 1 : 0);
    return 0;
}

/* Keeps rows, or hands columns to their slots. */
static int take_data(PyMvn_RowEncoder *self, PyObject *data)
{
    if (!PyDict_Check(data) && !PyList_Check(data)) {
        PyErr_Format(PyExc_TypeError,
                     "wrong type of argument 'data',expected 'Dict' or list of 'Dict', got '%s'",
                     Py_TYPE(data)->tp_name);
        return -1;
    }
    int columns = PyMvn_Columns_Check(self, data);
    if (columns < 0) {
        return -1;
    }
    if (columns) {
        self->phase = MVN_GATHER_COLUMNS;
        if (PyMvn_Columns_Assign(self, data) < 0) {
            return -1;
        }
    } else if (PyDict_Check(data)) {
        self->data = PyList_New(1);
        if (self->data == NULL) {
            return -1;
        }
        PyList_SET_ITEM(self->data, 0, Py_NewRef(data));
        self->n_rows = 1;
    } else {
        self->data = Py_NewRef(data);
        self->n_rows = PyList_GET_SIZE(data);
    }
    if ((size_t)self->n_rows > MVN_MAX_MESSAGE) { /* a row takes a byte at least */
        return PyMvn_Column_Status(MVN_ETOOBIG);
    }
    for (Py_ssize_t i = 0; i < self->n_slots; i++) {
        self->slots[i].column.n_rows = self->n_rows;
        self->slots[i].column.columnar = columns != 0;
    }
    return 0;
}

static int or_none(PyObject **argument, const char *name)
{
    if (*argument == Py_None) {
        *argument = NULL;
    }
    if (*argument != NULL && !PyUnicode_Check(*argument)) {
        PyErr_Format(PyExc_TypeError, "%s must be a str or None, not %.200s", name,
                     Py_TYPE(*argument)->tp_name);
        return -1;
    }
    return 0;
}

static PyObject *encoder_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *const keywords[] = {"schema",    "data",   "collection_name", "partition_name",
                                     "namespace", "upsert", "partial_update",  "field_ops",
                                     NULL};
    PyMvn_State *state = PyMvn_StateOfType(type);
    PyObject *schema = NULL, *data = NULL; /* borrowed */
    request_names names = {NULL, NULL, NULL, NULL};
    int upsert = 0, partial = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O|$UOOppO:RowEncoder", (char **)keywords,
                                     state->schema_type, &schema, &data, &names.collection_name,
                                     &names.partition_name, &names.name_space, &upsert, &partial,
                                     &names.field_ops) ||
        or_none(&names.partition_name, "partition_name") < 0 ||
        or_none(&names.name_space, "namespace") < 0) {
        return NULL;
    }
    if (names.collection_name == NULL) {
        PyErr_SetString(PyExc_TypeError, "RowEncoder needs collection_name");
        return NULL;
    }
    if (names.field_ops != NULL) {
        int some = names.field_ops == Py_None ? 0 : PyObject_IsTrue(names.field_ops);
        if (some < 0) {
            return NULL;
        }
        names.field_ops = some ? names.field_ops : NULL;
    }
    PyMvn_RowEncoder *self = (PyMvn_RowEncoder *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = state;
    self->schema = (PyMvn_Schema *)Py_NewRef(schema);
    self->upsert = upsert;
    self->partial = upsert && (partial || names.field_ops != NULL);
    self->phase = MVN_GATHER_ROWS;
    self->no_document = PyBytes_FromString("{}");
    if (self->no_document == NULL || make_slots(self) < 0 || take_data(self, data) < 0 ||
        make_head(self, &names) < 0 || make_tail(self, &names) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* Drops everything but the finished request. */
static void let_go(PyMvn_RowEncoder *self)
{
    Py_CLEAR(self->data);
    Py_CLEAR(self->extras);
    Py_CLEAR(self->document);
    for (Py_ssize_t i = 0; i < self->n_slots; i++) {
        PyMvn_Slot_Release(&self->slots[i]);
    }
    for (Py_ssize_t i = 0; i < self->n_guesses; i++) {
        Py_CLEAR(self->guesses[i].key);
    }
}

/* Claims the encoder for the caller. 0 or -1. */
static int enter(PyMvn_RowEncoder *self)
{
    const char *refusal = NULL;
    MVN_BEGIN_CRITICAL_SECTION((PyObject *)self);
    if (self->busy) {
        refusal = "the encoder is already at work";
    } else if (self->phase == MVN_FAILED) {
        refusal = "the encoder has failed before";
    } else {
        self->busy = true;
    }
    MVN_END_CRITICAL_SECTION();
    if (refusal != NULL) {
        PyErr_SetString(PyExc_RuntimeError, refusal);
        return -1;
    }
    return 0;
}

static void leave(PyMvn_RowEncoder *self)
{
    MVN_BEGIN_CRITICAL_SECTION((PyObject *)self);
    self->busy = false;
    MVN_END_CRITICAL_SECTION();
}

/* Works until done or until `budget` is spent. 1 when done, 0, or -1: then it stays failed. */
static int work(PyMvn_RowEncoder *self, Py_ssize_t budget)
{
    int status = 0;
    if (enter(self) < 0) {
        return -1;
    }
    while (self->phase != MVN_DONE && budget > 0) {
        Py_ssize_t cost = PyMvn_RowEncoder_Advance(self, budget);
        if (cost < 0) {
            status = -1;
            break;
        }
        budget -= cost;
    }
    if (status < 0) {
        PyObject *error = PyMvn_TakeException();
        self->phase = MVN_FAILED;
        let_go(self);
        Py_CLEAR(self->out);
        PyMvn_RestoreException(error);
    } else if (self->phase == MVN_DONE) {
        let_go(self);
        status = 1;
    }
    leave(self);
    return status;
}

PyDoc_STRVAR(step_doc,
             "step($self, budget, /)\n--\n\n"
             "Do about `budget` bytes of work; True when the request is complete. An exception\n"
             "about the data names the place, and the encoder is of no use after it.");

static PyObject *encoder_step(PyObject *object, PyObject *argument)
{
    PyMvn_RowEncoder *self = (PyMvn_RowEncoder *)object;
    Py_ssize_t budget = PyNumber_AsSsize_t(argument, PyExc_OverflowError);
    if (budget == -1 && PyErr_Occurred()) {
        return NULL;
    }
    int done = work(self, budget < 1 ? 1 : budget);
    return done < 0 ? NULL : PyBool_FromLong(done);
}

PyDoc_STRVAR(finish_doc,
             "finish($self, /)\n--\n\n"
             "The whole request as bytes; does what step has not done yet.");

static PyObject *encoder_finish(PyObject *object, PyObject *unused)
{
    PyMvn_RowEncoder *self = (PyMvn_RowEncoder *)object;
    (void)unused;
    int done = 0;
    while (done == 0) {
        done = work(self, (Py_ssize_t)MVN_MAX_MESSAGE);
    }
    return done < 0 ? NULL : Py_NewRef(self->out);
}

static PyObject *encoder_rows(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromSsize_t(((PyMvn_RowEncoder *)object)->n_rows);
}

static int encoder_traverse(PyObject *object, visitproc visit, void *arg)
{
    PyMvn_RowEncoder *self = (PyMvn_RowEncoder *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->data);
    Py_VISIT(self->extras);
    Py_VISIT(self->document);
    for (Py_ssize_t i = 0; i < self->n_slots; i++) {
        const PyMvn_Column *column = &self->slots[i].column;
        Py_VISIT(self->slots[i].source);
        Py_VISIT(column->whole);
        for (Py_ssize_t row = 0; column->cells != NULL && row < column->n_rows; row++) {
            Py_VISIT(column->cells[row]);
        }
    }
    return 0;
}

static int encoder_clear(PyObject *object)
{
    PyMvn_RowEncoder *self = (PyMvn_RowEncoder *)object;
    if (!self->busy) {
        if (self->phase != MVN_DONE) {
            self->phase = MVN_FAILED;
        }
        let_go(self);
    }
    return 0;
}

static void encoder_dealloc(PyObject *object)
{
    PyMvn_RowEncoder *self = (PyMvn_RowEncoder *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    let_go(self);
    PyMem_Free(self->slots);
    PyMem_Free(self->slot_of);
    PyMem_Free(self->guesses);
    mvn_buffer_reset(&self->head);
    mvn_buffer_reset(&self->tail);
    Py_XDECREF(self->no_document);
    Py_XDECREF(self->out);
    Py_XDECREF(self->schema);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef encoder_methods[] = {
    {"step", encoder_step, METH_O, step_doc},
    {"finish", encoder_finish, METH_NOARGS, finish_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef encoder_getset[] = {
    {"rows", encoder_rows, NULL, "Number of rows.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(encoder_doc,
             "RowEncoder(schema, data, *, collection_name, partition_name='', namespace=None, "
             "upsert=False, partial_update=False, field_ops=None)\n--\n\n"
             "Encodes an InsertRequest, or an UpsertRequest. `data` is a list of dict rows, a list\n"
             "of columns in schema order, a dict of columns, or a dict that is one row. field_ops\n"
             "is a list of (field name, operation number), and makes the update a partial one.");

static PyType_Slot encoder_slots[] = {
    {Py_tp_doc, (void *)encoder_doc},
    {Py_tp_new, encoder_new},
    {Py_tp_dealloc, encoder_dealloc},
    {Py_tp_traverse, encoder_traverse},
    {Py_tp_clear, encoder_clear},
    {Py_tp_methods, encoder_methods},
    {Py_tp_getset, encoder_getset},
    {0, NULL},
};

static PyType_Spec encoder_spec = {
    .name = "milvus_native._core.RowEncoder",
    .basicsize = sizeof(PyMvn_RowEncoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = encoder_slots,
};

PyDoc_STRVAR(encode_rows_doc,
             "encode_rows(schema, data, *, collection_name, partition_name='', namespace=None, "
             "upsert=False, partial_update=False, field_ops=None)\n--\n\n"
             "RowEncoder of the same arguments, finished at once.");

static PyObject *encode_rows(PyObject *module, PyObject *args, PyObject *kwargs)
{
    PyMvn_State *state = PyMvn_StateOfModule(module);
    PyObject *encoder = encoder_new(state->row_encoder_type, args, kwargs);
    PyObject *request = encoder == NULL ? NULL : encoder_finish(encoder, NULL);
    Py_XDECREF(encoder);
    return request;
}

static PyMethodDef functions[] = {
    {"encode_rows", (PyCFunction)(void (*)(void))encode_rows, METH_VARARGS | METH_KEYWORDS,
     encode_rows_doc},
    {NULL, NULL, 0, NULL},
};

int PyMvn_RowEncoder_Init(PyObject *module, PyMvn_State *state)
{
    state->row_encoder_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &encoder_spec, NULL);
    if (state->row_encoder_type == NULL ||
        PyModule_AddType(module, state->row_encoder_type) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
