#include "schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "errors.h"

bool PyMvn_Schema_IsFunctionOutput(const Mvn__CollectionSchema *schema, const char *name)
{
    for (size_t i = 0; i < schema->n_functions; i++) {
        const Mvn__FunctionSchema *function = schema->functions[i];
        for (size_t j = 0; j < function->n_output_field_names; j++) {
            if (strcmp(function->output_field_names[j], name) == 0) {
                return true;
            }
        }
    }
    return false;
}

PyObject *PyMvn_Schema_BareName(const char *parent, const char *name)
{
    size_t prefix = strlen(parent), size = strlen(name);
    if (size > prefix + 1 && strncmp(name, parent, prefix) == 0 && name[prefix] == '[' &&
        name[size - 1] == ']') {
        return PyUnicode_FromStringAndSize(name + prefix + 1, (Py_ssize_t)(size - prefix - 2));
    }
    return PyUnicode_FromString(name);
}

/* The value of an integer parameter: `missing` when it is absent or no number. */
static int64_t int_param(size_t n_params, Mvn__KeyValuePair **params, const char *key,
                         int64_t missing)
{
    for (size_t i = 0; i < n_params; i++) {
        if (strcmp(params[i]->key, key) == 0) {
            char *end = NULL;
            errno = 0;
            long long value = strtoll(params[i]->value, &end, 10);
            if (errno == 0 && end != params[i]->value && *end == '\0') {
                return value;
            }
        }
    }
    return missing;
}

/* Takes over `name`, which may be NULL with an exception set. */
static int set_name(PyMvn_Field *field, PyObject *name)
{
    Py_ssize_t size = 0;
    if (name == NULL) {
        return -1;
    }
    PyUnicode_InternInPlace(&name);
    field->name = name;
    field->name_utf8 = PyUnicode_AsUTF8AndSize(name, &size);
    field->name_size = (size_t)size;
    return field->name_utf8 == NULL ? -1 : 0;
}

static int compile_field(PyMvn_Field *field, const Mvn__FieldSchema *raw, PyObject *name)
{
    field->type = raw->data_type;
    field->element_type = raw->element_type;
    field->dim = int_param(raw->n_type_params, raw->type_params, "dim", 0);
    field->max_length = int_param(raw->n_type_params, raw->type_params, "max_length", -1);
    field->max_capacity = int_param(raw->n_type_params, raw->type_params, "max_capacity", -1);
    field->primary = raw->is_primary_key;
    field->auto_id = raw->auto_id;
    field->nullable = raw->nullable;
    field->has_default = raw->default_value != NULL &&
                         raw->default_value->data_case != MVN__VALUE_FIELD__DATA__NOT_SET;
    field->function_output = raw->is_function_output;
    field->codec = PyMvn_Codec_Find(field->type);
    return set_name(field, name);
}

static bool is_vector(int32_t type)
{
    return type >= MVN_TYPE_BINARY_VECTOR && type <= MVN_TYPE_INT8_VECTOR;
}

/* A struct array stores each sub-field as an ARRAY or an ARRAY_OF_VECTOR; some servers describe
 * the element's type instead. */
static int compile_sub_field(PyMvn_Field *field, const Mvn__FieldSchema *raw, const char *parent)
{
    if (compile_field(field, raw, PyMvn_Schema_BareName(parent, raw->name)) < 0) {
        return -1;
    }
    if (field->type != MVN_TYPE_ARRAY && field->type != MVN_TYPE_ARRAY_OF_VECTOR) {
        field->element_type = field->type;
        field->type = is_vector(field->type) ? MVN_TYPE_ARRAY_OF_VECTOR : MVN_TYPE_ARRAY;
        field->codec = PyMvn_Codec_Find(field->type);
    }
    return 0;
}

static int compile_struct(PyMvn_Field *field, const Mvn__StructArrayFieldSchema *raw)
{
    field->type = MVN_TYPE_ARRAY_OF_STRUCT;
    field->nullable = raw->nullable;
    field->max_length = -1;
    field->max_capacity = int_param(raw->n_type_params, raw->type_params, "max_capacity", -1);
    field->codec = PyMvn_Codec_Find(field->type);
    if (set_name(field, PyUnicode_FromString(raw->name)) < 0) {
        return -1;
    }
    field->sub_fields = PyMem_Calloc(raw->n_fields + 1, sizeof(PyMvn_Field));
    if (field->sub_fields == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    field->n_sub_fields = (Py_ssize_t)raw->n_fields;
    for (size_t i = 0; i < raw->n_fields; i++) {
        if (compile_sub_field(&field->sub_fields[i], raw->fields[i], raw->name) < 0) {
            return -1;
        }
    }
    return 0;
}

static int compile_meta(PyMvn_State *state, PyMvn_Field *meta)
{
    meta->type = MVN_TYPE_JSON;
    meta->max_length = -1;
    meta->max_capacity = -1;
    meta->dynamic = true;
    meta->codec = PyMvn_Codec_Find(MVN_TYPE_JSON);
    return set_name(meta, Py_NewRef(state->str_meta));
}

static int compile_fields(PyMvn_State *state, PyMvn_Schema *self,
                          const Mvn__CollectionSchema *raw)
{
    self->primary = -1;
    self->fields =
        PyMem_Calloc(raw->n_fields + raw->n_struct_array_fields + 1, sizeof(PyMvn_Field));
    if (self->fields == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < raw->n_fields; i++) {
        if (raw->fields[i]->is_dynamic) {
            continue; /* servers hide it; the $meta column below stands for it */
        }
        PyMvn_Field *field = &self->fields[self->n_fields++];
        if (compile_field(field, raw->fields[i], PyUnicode_FromString(raw->fields[i]->name)) < 0) {
            return -1;
        }
        if (PyMvn_Schema_IsFunctionOutput(raw, raw->fields[i]->name)) {
            field->function_output = true;
        }
        if (field->primary && self->primary < 0) {
            self->primary = self->n_fields - 1;
        }
        self->auto_id = self->auto_id || field->auto_id;
    }
    self->n_plain = self->n_fields;
    for (size_t i = 0; i < raw->n_struct_array_fields; i++) {
        if (compile_struct(&self->fields[self->n_fields++], raw->struct_array_fields[i]) < 0) {
            return -1;
        }
    }
    return self->enable_dynamic_field ? compile_meta(state, &self->meta) : 0;
}

static int compile_names(PyMvn_Schema *self)
{
    self->field_names = PyTuple_New(self->n_fields);
    if (self->field_names == NULL || (self->lookup = PyDict_New()) == NULL) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < self->n_fields; i++) {
        PyTuple_SET_ITEM(self->field_names, i, Py_NewRef(self->fields[i].name));
    }
    for (Py_ssize_t i = self->meta.name == NULL ? 0 : MVN_META_INDEX; i < self->n_fields; i++) {
        PyObject *index = PyLong_FromSsize_t(i);
        PyObject *name = i == MVN_META_INDEX ? self->meta.name : self->fields[i].name;
        int status = index == NULL ? -1 : PyDict_SetItem(self->lookup, name, index);
        Py_XDECREF(index);
        if (status < 0) {
            return -1;
        }
    }
    return 0;
}

static PyObject *strings(size_t count, char **texts)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *text = PyUnicode_FromString(texts[i]);
        if (text == NULL) {
            Py_CLEAR(tuple);
            break;
        }
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, text);
    }
    return tuple;
}

static int compile(PyMvn_State *state, PyMvn_Schema *self,
                   const Mvn__DescribeCollectionResponse *raw)
{
    static const Mvn__CollectionSchema none = MVN__COLLECTION_SCHEMA__INIT;
    const Mvn__CollectionSchema *schema = raw->schema == NULL ? &none : raw->schema;

    self->collection_name = PyUnicode_FromString(schema->name);
    if (self->collection_name == NULL ||
        (self->db_name = PyUnicode_FromString(raw->db_name)) == NULL ||
        (self->aliases = strings(raw->n_aliases, raw->aliases)) == NULL) {
        return -1;
    }
    self->collection_id = raw->collection_id;
    self->created_timestamp = raw->created_timestamp;
    self->update_timestamp = raw->update_timestamp;
    self->consistency_level = raw->consistency_level;
    self->enable_dynamic_field = schema->enable_dynamic_field;
    if (compile_fields(state, self, schema) < 0) {
        return -1;
    }
    return compile_names(self);
}

static Mvn__DescribeCollectionResponse *unpack(PyMvn_State *state, PyObject *reply)
{
    return PyMvn_Control_Unpack(state, &mvn__describe_collection_response__descriptor, reply,
                                "DescribeCollectionResponse");
}

PyObject *PyMvn_Schema_FromReply(PyMvn_State *state, PyObject *reply)
{
    Mvn__DescribeCollectionResponse *raw = NULL;
    PyMvn_Schema *self = NULL;
    PyTypeObject *type = state->schema_type;

    if (!PyBytes_CheckExact(reply)) {
        return PyErr_Format(PyExc_TypeError, "reply must be bytes, not %.200s",
                            Py_TYPE(reply)->tp_name);
    }
    raw = unpack(state, reply);
    if (raw == NULL) {
        return NULL;
    }
    if (PyMvn_Control_CheckStatus(state, raw->status) < 0) {
        goto fail;
    }
    self = (PyMvn_Schema *)type->tp_alloc(type, 0);
    if (self == NULL) {
        goto fail;
    }
    self->reply = Py_NewRef(reply);
    if (compile(state, self, raw) < 0) {
        if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
            PyErr_Clear();
            (void)PyMvn_RaiseStatus(state, MVN_EFORMAT, NULL, "DescribeCollectionResponse");
        }
        goto fail;
    }
    PyMvn_Control_Free(raw);
    return (PyObject *)self;
fail:
    PyMvn_Control_Free(raw);
    Py_XDECREF(self);
    return NULL;
}

static void field_clear(PyMvn_Field *field)
{
    for (Py_ssize_t i = 0; i < field->n_sub_fields; i++) {
        field_clear(&field->sub_fields[i]);
    }
    PyMem_Free(field->sub_fields);
    Py_XDECREF(field->name);
}

/* No reference cycle can pass through a Schema: it holds only str, bytes, and containers of str
 * and int that nobody else can reach. */
static void schema_dealloc(PyObject *object)
{
    PyMvn_Schema *self = (PyMvn_Schema *)object;
    PyTypeObject *type = Py_TYPE(object);
    for (Py_ssize_t i = 0; i < self->n_fields; i++) {
        field_clear(&self->fields[i]);
    }
    PyMem_Free(self->fields);
    field_clear(&self->meta);
    Py_XDECREF(self->reply);
    Py_XDECREF(self->collection_name);
    Py_XDECREF(self->db_name);
    Py_XDECREF(self->aliases);
    Py_XDECREF(self->field_names);
    Py_XDECREF(self->lookup);
    type->tp_free(object);
    Py_DECREF(type);
}

PyDoc_STRVAR(from_reply_doc,
             "from_reply(reply, /)\n--\n\n"
             "Compile the bytes of a DescribeCollectionResponse. StatusError if its status is an\n"
             "error, DecodeError if the bytes are malformed.");

static PyObject *schema_from_reply(PyObject *cls, PyObject *reply)
{
    return PyMvn_Schema_FromReply(PyMvn_StateOfType((PyTypeObject *)cls), reply);
}

const PyMvn_Field *PyMvn_Schema_FindSubField(const PyMvn_Schema *self, const char *text,
                                             size_t size, const PyMvn_Field **parent)
{
    for (Py_ssize_t i = self->n_plain; i < self->n_fields; i++) {
        const PyMvn_Field *field = &self->fields[i];
        size_t prefix = field->name_size;
        if (size < prefix + 2 || memcmp(field->name_utf8, text, prefix) != 0 ||
            text[prefix] != '[' || text[size - 1] != ']') {
            continue;
        }
        for (Py_ssize_t j = 0; j < field->n_sub_fields; j++) {
            const PyMvn_Field *sub = &field->sub_fields[j];
            if (sub->name_size == size - prefix - 2 &&
                memcmp(sub->name_utf8, text + prefix + 1, sub->name_size) == 0) {
                *parent = field;
                return sub;
            }
        }
    }
    return NULL;
}

/* The field called `name`, or the sub-field "struct[sub]"; NULL if there is none, with an exception
 * only when `name` is no proper str. */
static const PyMvn_Field *find(const PyMvn_Schema *self, PyObject *name, bool *is_sub)
{
    Py_ssize_t size = 0;
    const char *text = NULL;
    *is_sub = false;
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "a field name is a str, not %.200s",
                     Py_TYPE(name)->tp_name);
        return NULL;
    }
    text = PyUnicode_AsUTF8AndSize(name, &size);
    if (text == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < self->n_fields; i++) {
        const PyMvn_Field *field = &self->fields[i];
        if (field->name_size == (size_t)size && memcmp(field->name_utf8, text, (size_t)size) == 0) {
            return field;
        }
    }
    const PyMvn_Field *parent = NULL;
    const PyMvn_Field *sub = PyMvn_Schema_FindSubField(self, text, (size_t)size, &parent);
    *is_sub = sub != NULL;
    return sub;
}

PyDoc_STRVAR(field_type_doc,
             "field_type($self, name, /)\n--\n\n"
             "DataType of a field as int, None if there is no such field. For \"struct[sub]\" the\n"
             "type of the sub-field's elements.");

static PyObject *schema_field_type(PyObject *self, PyObject *name)
{
    bool is_sub = false;
    const PyMvn_Field *field = find((PyMvn_Schema *)self, name, &is_sub);
    if (field == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    return PyLong_FromLong(is_sub ? field->element_type : field->type);
}

PyDoc_STRVAR(field_dim_doc,
             "field_dim($self, name, /)\n--\n\n"
             "Dimension of a vector field (or \"struct[sub]\" of vectors), None if it has none.");

static PyObject *schema_field_dim(PyObject *self, PyObject *name)
{
    bool is_sub = false;
    const PyMvn_Field *field = find((PyMvn_Schema *)self, name, &is_sub);
    if (field == NULL || field->dim == 0) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    return PyLong_FromLongLong(field->dim);
}

PyDoc_STRVAR(to_dict_doc,
             "to_dict($self, /)\n--\n\n"
             "The description as the dict of pymilvus's describe_collection: types as int, a\n"
             "default_value as the plain Python value. A new dict at each call.");

static PyObject *schema_to_dict(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    PyMvn_Schema *self = (PyMvn_Schema *)object;
    PyMvn_State *state = PyMvn_StateOfType(Py_TYPE(object));
    Mvn__DescribeCollectionResponse *raw = unpack(state, self->reply);
    if (raw == NULL) {
        return NULL;
    }
    PyObject *dict = PyMvn_Schema_ToDict(state, raw);
    PyMvn_Control_Free(raw);
    return dict;
}

static PyObject *schema_repr(PyObject *object)
{
    PyMvn_Schema *self = (PyMvn_Schema *)object;
    return PyUnicode_FromFormat("<Schema of %R: %zd fields>", self->collection_name,
                                self->n_fields);
}

size_t PyMvn_Schema_Size(const PyMvn_Schema *self)
{
    Py_ssize_t fields = self->n_fields;
    for (Py_ssize_t i = 0; i < self->n_fields; i++) {
        fields += self->fields[i].n_sub_fields;
    }
    return sizeof(PyMvn_Schema) + (size_t)fields * sizeof(PyMvn_Field) +
           (size_t)PyBytes_GET_SIZE(self->reply);
}

#define GETTER(name, expression)                                                                  \
    static PyObject *get_##name(PyObject *object, void *unused)                                   \
    {                                                                                             \
        const PyMvn_Schema *self = (const PyMvn_Schema *)object;                                  \
        (void)unused;                                                                             \
        return expression;                                                                        \
    }

GETTER(collection_name, Py_NewRef(self->collection_name))
GETTER(db_name, Py_NewRef(self->db_name))
GETTER(aliases, Py_NewRef(self->aliases))
GETTER(field_names, Py_NewRef(self->field_names))
GETTER(collection_id, PyLong_FromLongLong(self->collection_id))
GETTER(created_timestamp, PyLong_FromUnsignedLongLong(self->created_timestamp))
GETTER(update_timestamp, PyLong_FromUnsignedLongLong(self->update_timestamp))
GETTER(consistency_level, PyLong_FromLong(self->consistency_level))
GETTER(enable_dynamic_field, PyBool_FromLong(self->enable_dynamic_field))
GETTER(auto_id, PyBool_FromLong(self->auto_id))
GETTER(primary_field, self->primary < 0 ? PyUnicode_FromString("")
                                        : Py_NewRef(self->fields[self->primary].name))
GETTER(primary_type, PyLong_FromLong(self->primary < 0 ? 0 : self->fields[self->primary].type))
GETTER(nbytes, PyLong_FromSize_t(PyMvn_Schema_Size(self)))
#undef GETTER


static PyGetSetDef schema_getset[] = {
    {"collection_name", get_collection_name, NULL, "The collection's own name.", NULL},
    {"db_name", get_db_name, NULL, "Its database, as the server says it.", NULL},
    {"aliases", get_aliases, NULL, "Tuple of str.", NULL},
    {"field_names", get_field_names, NULL, "Fields in schema order, then struct arrays.", NULL},
    {"collection_id", get_collection_id, NULL, "Id given by the server.", NULL},
    {"created_timestamp", get_created_timestamp, NULL, "Hybrid timestamp.", NULL},
    {"update_timestamp", get_update_timestamp, NULL, "Hybrid timestamp, sent with writes.", NULL},
    {"consistency_level", get_consistency_level, NULL, "ConsistencyLevel as int.", NULL},
    {"enable_dynamic_field", get_enable_dynamic_field, NULL, "Whether $meta takes keys.", NULL},
    {"auto_id", get_auto_id, NULL, "Whether the server makes primary keys.", NULL},
    {"primary_field", get_primary_field, NULL, "Name of the primary key, or ''.", NULL},
    {"primary_type", get_primary_type, NULL, "DataType of the primary key as int, or 0.", NULL},
    {"nbytes", get_nbytes, NULL, "Memory that this schema takes, roughly.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef schema_methods[] = {
    {"from_reply", schema_from_reply, METH_O | METH_CLASS, from_reply_doc},
    {"field_type", schema_field_type, METH_O, field_type_doc},
    {"field_dim", schema_field_dim, METH_O, field_dim_doc},
    {"to_dict", schema_to_dict, METH_NOARGS, to_dict_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(schema_doc, "A collection's description, compiled for the encoder. Immutable.");

static PyType_Slot schema_slots[] = {
    {Py_tp_doc, (void *)schema_doc},       {Py_tp_dealloc, schema_dealloc},
    {Py_tp_repr, schema_repr},             {Py_tp_methods, schema_methods},
    {Py_tp_getset, schema_getset},         {0, NULL},
};

static PyType_Spec schema_spec = {
    .name = "milvus_native._core.Schema",
    .basicsize = sizeof(PyMvn_Schema),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = schema_slots,
};

PyDoc_STRVAR(describe_request_doc,
             "describe_request(collection_name, /)\n--\n\n"
             "DescribeCollectionRequest for a collection or alias, as bytes.");

static PyObject *describe_request(PyObject *module, PyObject *name)
{
    (void)module;
    Mvn__DescribeCollectionRequest request = MVN__DESCRIBE_COLLECTION_REQUEST__INIT;
    const char *utf8 = PyMvn_Control_Name(name);
    if (utf8 == NULL) {
        return NULL;
    }
    request.collection_name = (char *)utf8; /* packed, not kept */
    return PyMvn_Control_Pack(&request.base);
}

static PyMethodDef functions[] = {
    {"describe_request", describe_request, METH_O, describe_request_doc},
    {NULL, NULL, 0, NULL},
};

int PyMvn_Schema_Init(PyObject *module, PyMvn_State *state)
{
    state->schema_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &schema_spec, NULL);
    if (state->schema_type == NULL || PyModule_AddType(module, state->schema_type) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
