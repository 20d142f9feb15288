/* A collection's description as the dict that pymilvus's describe_collection gives. */
#include <string.h>

#include "json.h"
#include "schema.h"

/* dict[key] = value; takes over `value`, which may be NULL with an exception set. */
static int put(PyObject *dict, const char *key, PyObject *value)
{
    int status = value == NULL ? -1 : PyDict_SetItemString(dict, key, value);
    Py_XDECREF(value);
    return status;
}

static int put_text(PyObject *dict, const char *key, const char *text)
{
    return put(dict, key, PyUnicode_FromString(text));
}

static int put_int(PyObject *dict, const char *key, int64_t value)
{
    return put(dict, key, PyLong_FromLongLong(value));
}

/* Keys that pymilvus leaves out when they are false, zero or empty. */
static int put_flag(PyObject *dict, const char *key, protobuf_c_boolean flag)
{
    return flag ? put(dict, key, Py_NewRef(Py_True)) : 0;
}

/* dict[key] = a list of `count` items, each made by `make`. */
typedef PyObject *(*item_maker)(const void *context, size_t index);

static int put_list(PyObject *dict, const char *key, size_t count, item_maker make,
                    const void *context)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = make(context, i);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return put(dict, key, list);
}

static PyObject *text_item(const void *context, size_t index)
{
    return PyUnicode_FromString(((char *const *)context)[index]);
}

static PyObject *int_item(const void *context, size_t index)
{
    return PyLong_FromLongLong(((const int64_t *)context)[index]);
}

static PyObject *default_value(const Mvn__ValueField *value)
{
    switch (value->data_case) {
    case MVN__VALUE_FIELD__DATA_BOOL_DATA:
        return PyBool_FromLong(value->bool_data);
    case MVN__VALUE_FIELD__DATA_INT_DATA:
    case MVN__VALUE_FIELD__DATA_DATE_DATA:
        return PyLong_FromLong(value->int_data);
    case MVN__VALUE_FIELD__DATA_LONG_DATA:
    case MVN__VALUE_FIELD__DATA_TIMESTAMPTZ_DATA:
    case MVN__VALUE_FIELD__DATA_TIME_DATA:
        return PyLong_FromLongLong(value->long_data);
    case MVN__VALUE_FIELD__DATA_FLOAT_DATA:
        return PyFloat_FromDouble((double)value->float_data);
    case MVN__VALUE_FIELD__DATA_DOUBLE_DATA:
        return PyFloat_FromDouble(value->double_data);
    case MVN__VALUE_FIELD__DATA_STRING_DATA:
        return PyUnicode_DecodeUTF8((const char *)value->string_data.data,
                                    (Py_ssize_t)value->string_data.len, "replace");
    case MVN__VALUE_FIELD__DATA_BYTES_DATA:
        return PyBytes_FromStringAndSize((const char *)value->bytes_data.data,
                                         (Py_ssize_t)value->bytes_data.len);
    default:
        return Py_NewRef(Py_None);
    }
}

/* One type parameter of a field: numbers where pymilvus makes them numbers. */
static int put_type_param(PyMvn_State *state, PyObject *params, const Mvn__KeyValuePair *param,
                          int32_t type)
{
    const char *key = param->key, *value = param->value;
    if (strcmp(key, "params") == 0) {
        return put(params, key, PyMvn_Json_Loads(state, value, (Py_ssize_t)strlen(value)));
    }
    if (strcmp(key, "mmap.enabled") == 0) {
        bool off = value[0] == '\0' || PyOS_stricmp(value, "false") == 0;
        return put(params, "mmap_enabled", PyBool_FromLong(!off));
    }
    bool number = strcmp(key, "dim") == 0;
    number = number || (strcmp(key, "max_length") == 0 &&
                        (type == MVN_TYPE_VARCHAR || type == MVN_TYPE_ARRAY));
    number = number || (strcmp(key, "max_capacity") == 0 &&
                        (type == MVN_TYPE_ARRAY || type == MVN_TYPE_ARRAY_OF_VECTOR));
    return number ? put(params, key, PyLong_FromString(value, NULL, 10))
                  : put_text(params, key, value);
}

/* Takes over `name`, which may be NULL with an exception set. */
static PyObject *field_dict(PyMvn_State *state, const Mvn__FieldSchema *field, PyObject *name,
                            bool function_output)
{
    PyObject *dict = name == NULL ? NULL : PyDict_New();
    PyObject *params = dict == NULL ? NULL : PyDict_New();
    if (params == NULL) {
        goto fail;
    }
    for (size_t i = 0; i < field->n_type_params; i++) {
        if (put_type_param(state, params, field->type_params[i], field->data_type) < 0) {
            goto fail;
        }
    }
    if (PyDict_SetItemString(dict, "name", name) < 0 || put_int(dict, "field_id", field->field_id) < 0 ||
        put_text(dict, "description", field->description) < 0 ||
        put_int(dict, "type", field->data_type) < 0 ||
        put(dict, "params", Py_NewRef(params)) < 0 ||
        (field->default_value != NULL &&
         field->default_value->data_case != MVN__VALUE_FIELD__DATA__NOT_SET &&
         put(dict, "default_value", default_value(field->default_value)) < 0) ||
        (field->element_type != 0 && put_int(dict, "element_type", field->element_type) < 0) ||
        put_flag(dict, "is_partition_key", field->is_partition_key) < 0 ||
        put_flag(dict, "is_dynamic", field->is_dynamic) < 0 ||
        put_flag(dict, "auto_id", field->auto_id) < 0 ||
        put_flag(dict, "nullable", field->nullable) < 0 ||
        put_flag(dict, "is_primary", field->is_primary_key) < 0 ||
        put_flag(dict, "is_clustering_key", field->is_clustering_key) < 0 ||
        put_flag(dict, "is_function_output", function_output) < 0 ||
        (field->external_field[0] != '\0' &&
         put_text(dict, "external_field", field->external_field) < 0)) {
        goto fail;
    }
    goto done;
fail:
    Py_CLEAR(dict);
done:
    Py_XDECREF(name);
    Py_XDECREF(params);
    return dict;
}

/* What the item makers need beside their own message. */
typedef struct {
    PyMvn_State *state;
    const Mvn__CollectionSchema *schema;
    const Mvn__StructArrayFieldSchema *parent; /* sub_field_item only */
} dict_context;

static PyObject *field_item(const void *context, size_t index)
{
    const dict_context *c = context;
    const Mvn__FieldSchema *field = c->schema->fields[index];
    bool output =
        field->is_function_output || PyMvn_Schema_IsFunctionOutput(c->schema, field->name);
    return field_dict(c->state, field, PyUnicode_FromString(field->name), output);
}

static PyObject *sub_field_item(const void *context, size_t index)
{
    const dict_context *c = context;
    const Mvn__FieldSchema *field = c->parent->fields[index];
    return field_dict(c->state, field, PyMvn_Schema_BareName(c->parent->name, field->name),
                      field->is_function_output);
}

/* JSON where it is JSON, text where it is not. */
static PyObject *loose_value(PyMvn_State *state, const char *text)
{
    PyObject *value = PyMvn_Json_Loads(state, text, (Py_ssize_t)strlen(text));
    if (value == NULL && PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();
        value = PyUnicode_FromString(text);
    }
    return value;
}

static int put_struct_params(PyMvn_State *state, PyObject *dict,
                             const Mvn__StructArrayFieldSchema *raw)
{
    if (raw->n_type_params == 0) {
        return 0;
    }
    PyObject *params = PyDict_New();
    for (size_t i = 0; params != NULL && i < raw->n_type_params; i++) {
        const Mvn__KeyValuePair *param = raw->type_params[i];
        const char *key = strcmp(param->key, "mmap.enabled") == 0 ? "mmap_enabled" : param->key;
        if (put(params, key, loose_value(state, param->value)) < 0) {
            Py_CLEAR(params);
        }
    }
    return put(dict, "params", params);
}

static PyObject *struct_item(const void *context, size_t index)
{
    dict_context c = *(const dict_context *)context;
    const Mvn__StructArrayFieldSchema *raw = c.schema->struct_array_fields[index];
    PyObject *dict = PyDict_New();
    c.parent = raw;
    if (dict == NULL || put_int(dict, "field_id", raw->field_id) < 0 ||
        put_text(dict, "name", raw->name) < 0 ||
        put_text(dict, "description", raw->description) < 0 ||
        put_int(dict, "type", MVN_TYPE_ARRAY_OF_STRUCT) < 0 ||
        put_list(dict, "fields", raw->n_fields, sub_field_item, &c) < 0 ||
        put_flag(dict, "nullable", raw->nullable) < 0 ||
        put_struct_params(c.state, dict, raw) < 0) {
        Py_CLEAR(dict);
    }
    return dict;
}

/* dict of str to str; a key that comes twice keeps its last value. */
static PyObject *pairs(size_t count, Mvn__KeyValuePair **items)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < count; i++) {
        if (put_text(dict, items[i]->key, items[i]->value) < 0) {
            Py_CLEAR(dict);
        }
    }
    return dict;
}

static PyObject *function_item(const void *context, size_t index)
{
    const Mvn__FunctionSchema *raw =
        ((const dict_context *)context)->schema->functions[index];
    PyObject *dict = PyDict_New();
    if (dict == NULL || put_text(dict, "name", raw->name) < 0 || put_int(dict, "id", raw->id) < 0 ||
        put_text(dict, "description", raw->description) < 0 ||
        put_int(dict, "type", raw->type) < 0 ||
        put(dict, "params", pairs(raw->n_params, raw->params)) < 0 ||
        put_list(dict, "input_field_names", raw->n_input_field_names, text_item,
                 raw->input_field_names) < 0 ||
        put_list(dict, "input_field_ids", raw->n_input_field_ids, int_item,
                 raw->input_field_ids) < 0 ||
        put_list(dict, "output_field_names", raw->n_output_field_names, text_item,
                 raw->output_field_names) < 0 ||
        put_list(dict, "output_field_ids", raw->n_output_field_ids, int_item,
                 raw->output_field_ids) < 0) {
        Py_CLEAR(dict);
    }
    return dict;
}

static PyObject *level_name(int32_t level)
{
    static const char *const names[] = {"Strong", "Session", "Bounded", "Eventually",
                                        "Customized"};
    if (level >= 0 && (size_t)level < sizeof(names) / sizeof(names[0])) {
        return PyUnicode_FromString(names[level]);
    }
    return PyUnicode_FromFormat("%d", (int)level);
}

static bool any_auto_id(const Mvn__CollectionSchema *schema)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        if (schema->fields[i]->auto_id) {
            return true;
        }
    }
    return false;
}

PyObject *PyMvn_Schema_ToDict(PyMvn_State *state, const Mvn__DescribeCollectionResponse *reply)
{
    static const Mvn__CollectionSchema none = MVN__COLLECTION_SCHEMA__INIT;
    const Mvn__CollectionSchema *schema = reply->schema == NULL ? &none : reply->schema;
    dict_context context = {state, schema, NULL};
    PyObject *dict = PyDict_New();

    if (dict == NULL || put_text(dict, "collection_name", schema->name) < 0 ||
        put(dict, "auto_id", PyBool_FromLong(any_auto_id(schema))) < 0 ||
        put_int(dict, "num_shards", reply->shards_num) < 0 ||
        put_text(dict, "description", schema->description) < 0 ||
        put_list(dict, "fields", schema->n_fields, field_item, &context) < 0 ||
        put_list(dict, "struct_array_fields", schema->n_struct_array_fields, struct_item,
                 &context) < 0 ||
        put_list(dict, "functions", schema->n_functions, function_item, &context) < 0 ||
        put_list(dict, "aliases", reply->n_aliases, text_item, reply->aliases) < 0 ||
        put_int(dict, "collection_id", reply->collection_id) < 0 ||
        put_int(dict, "consistency_level", reply->consistency_level) < 0 ||
        put(dict, "consistency_level_name", level_name(reply->consistency_level)) < 0 ||
        put(dict, "properties", pairs(reply->n_properties, reply->properties)) < 0 ||
        put_int(dict, "num_partitions", reply->num_partitions) < 0 ||
        put(dict, "enable_dynamic_field", PyBool_FromLong(schema->enable_dynamic_field)) < 0 ||
        put(dict, "enable_namespace", PyBool_FromLong(schema->enable_namespace)) < 0 ||
        put_int(dict, "schema_version", schema->version) < 0 ||
        (schema->external_source[0] != '\0' &&
         put_text(dict, "external_source", schema->external_source) < 0) ||
        (schema->external_spec[0] != '\0' &&
         put_text(dict, "external_spec", schema->external_spec) < 0) ||
        (reply->created_timestamp != 0 &&
         put(dict, "created_timestamp",
             PyLong_FromUnsignedLongLong(reply->created_timestamp)) < 0) ||
        (reply->update_timestamp != 0 &&
         put(dict, "update_timestamp",
             PyLong_FromUnsignedLongLong(reply->update_timestamp)) < 0)) {
        Py_CLEAR(dict);
    }
    return dict;
}
