#include "aggregation.h"

#include "results.h"
#include "../core/aggregation.h"

static PyObject *malformed(PyMvn_State *state, mvn_status status)
{
    return PyMvn_RaiseStatus(state, status, NULL, "aggregation bucket");
}

static PyObject *value_object(PyMvn_State *state, const mvn_value *value)
{
    switch (value->kind) {
    case MVN_VALUE_INT:
        return PyLong_FromLongLong(value->integer);
    case MVN_VALUE_BOOL:
        return PyBool_FromLong(value->integer != 0);
    case MVN_VALUE_FLOAT:
    case MVN_VALUE_DOUBLE:
        return PyFloat_FromDouble(value->number);
    case MVN_VALUE_STRING:
        return PyMvn_Reply_Text(state, value->bytes);
    case MVN_VALUE_BYTES:
        return PyBytes_FromStringAndSize((const char *)value->bytes.data,
                                         (Py_ssize_t)value->bytes.size);
    case MVN_VALUE_NONE:
        break;
    }
    return Py_NewRef(Py_None);
}

/* The field's name, or its number as text for servers that send none. */
static PyObject *field_name(PyMvn_State *state, const mvn_agg_field *field)
{
    return field->field_name.size != 0
               ? PyMvn_Reply_Name(state, field->field_name)
               : PyUnicode_FromFormat("%lld", (long long)field->field_id);
}

/* What each_item calls for an item; a new reference, or NULL with an exception set. */
typedef PyObject *(*make_item)(PyMvn_State *state, mvn_span item, int depth);

static PyObject *each_item(PyMvn_State *state, const mvn_items *items, make_item make, int depth)
{
    mvn_reader reader = mvn_reader_of(items->message);
    PyObject *list = PyList_New((Py_ssize_t)items->count);
    for (size_t i = 0; list != NULL && i < items->count; i++) {
        mvn_span item;
        mvn_status status = mvn_items_next(&reader, items->number, &item);
        PyObject *object =
            status == MVN_OK ? make(state, item, depth) : malformed(state, status);
        if (object == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, object);
    }
    return list;
}

static PyObject *make_key(PyMvn_State *state, mvn_span item, int Py_UNUSED(depth))
{
    mvn_agg_field field;
    PyObject *name = NULL, *value = NULL, *result = NULL;
    mvn_status status = mvn_read_bucket_key(item, &field);
    if (status != MVN_OK) {
        return malformed(state, status);
    }
    name = field_name(state, &field);
    if (name == NULL) {
        goto done;
    }
    value = value_object(state, &field.value);
    if (value != NULL) {
        result = Py_BuildValue("{sOsLsO}", "field_name", name, "field_id",
                               (long long)field.field_id, "value", value);
    }
done:
    Py_XDECREF(name);
    Py_XDECREF(value);
    return result;
}

/* Puts the fields of a hit into two dicts: name to value, and name to field id. */
static int hit_fields(PyMvn_State *state, const mvn_items *items, PyObject *values, PyObject *ids)
{
    mvn_reader reader = mvn_reader_of(items->message);
    for (size_t i = 0; i < items->count; i++) {
        mvn_span item = {NULL, 0};
        mvn_agg_field field;
        PyObject *name = NULL, *value = NULL, *id = NULL;
        int failed = -1;
        mvn_status status = mvn_items_next(&reader, items->number, &item);
        if (status == MVN_OK) {
            status = mvn_read_agg_hit_field(item, &field);
        }
        if (status != MVN_OK) {
            malformed(state, status);
            return -1;
        }
        if (field.value.kind == MVN_VALUE_NONE) {
            continue;
        }
        name = field_name(state, &field);
        if (name != NULL) {
            value = value_object(state, &field.value);
            id = PyLong_FromLongLong(field.field_id);
            if (value != NULL && id != NULL && PyDict_SetItem(values, name, value) == 0) {
                failed = PyDict_SetItem(ids, name, id);
            }
        }
        Py_XDECREF(name);
        Py_XDECREF(value);
        Py_XDECREF(id);
        if (failed < 0) {
            return -1;
        }
    }
    return 0;
}

static PyObject *make_hit(PyMvn_State *state, mvn_span item, int Py_UNUSED(depth))
{
    mvn_agg_hit hit;
    PyObject *pk = NULL, *values = NULL, *ids = NULL, *result = NULL;
    mvn_status status = mvn_read_agg_hit(item, &hit);
    if (status != MVN_OK) {
        return malformed(state, status);
    }
    pk = value_object(state, &hit.pk);
    values = PyDict_New();
    ids = PyDict_New();
    if (pk == NULL || values == NULL || ids == NULL ||
        hit_fields(state, &hit.fields, values, ids) < 0) {
        goto done;
    }
    result = PyObject_CallMethod(PyMvn_ResultType(state, PyMvn_AGGREGATION_HIT), "_of", "OdOO", pk,
                                 (double)hit.score, values, ids);
done:
    Py_XDECREF(pk);
    Py_XDECREF(values);
    Py_XDECREF(ids);
    return result;
}

static PyObject *make_metrics(PyMvn_State *state, const mvn_items *items)
{
    mvn_reader reader = mvn_reader_of(items->message);
    PyObject *dict = PyDict_New(), *alias = NULL, *number = NULL;
    for (size_t i = 0; dict != NULL && i < items->count; i++) {
        mvn_span entry = {NULL, 0}, name = {NULL, 0};
        mvn_value value;
        mvn_status status = mvn_items_next(&reader, items->number, &entry);
        if (status == MVN_OK) {
            status = mvn_read_metric(entry, &name, &value);
        }
        if (status != MVN_OK) {
            malformed(state, status);
            goto fail;
        }
        alias = PyMvn_Reply_Text(state, name);
        if (alias == NULL) {
            goto fail;
        }
        number = value_object(state, &value);
        if (number == NULL || PyDict_SetItem(dict, alias, number) < 0) {
            goto fail;
        }
        Py_CLEAR(alias);
        Py_CLEAR(number);
    }
    return dict;
fail:
    Py_XDECREF(alias);
    Py_XDECREF(number);
    Py_XDECREF(dict);
    return NULL;
}

static PyObject *make_bucket(PyMvn_State *state, mvn_span item, int depth)
{
    mvn_agg_bucket bucket;
    PyObject *keys = NULL, *metrics = NULL, *hits = NULL, *groups = NULL, *result = NULL;
    mvn_status status = depth == 0 ? MVN_EDEPTH : mvn_read_agg_bucket(item, &bucket);
    if (status != MVN_OK) {
        return malformed(state, status);
    }
    keys = each_item(state, &bucket.keys, make_key, depth);
    if (keys == NULL) {
        goto done;
    }
    metrics = make_metrics(state, &bucket.metrics);
    if (metrics == NULL) {
        goto done;
    }
    hits = each_item(state, &bucket.hits, make_hit, depth);
    if (hits == NULL) {
        goto done;
    }
    groups = each_item(state, &bucket.sub_groups, make_bucket, depth - 1);
    if (groups == NULL) {
        goto done;
    }
    result = PyObject_CallMethod(PyMvn_ResultType(state, PyMvn_AGGREGATION_BUCKET), "_of", "OLOOO",
                                 keys, (long long)bucket.count, metrics, hits, groups);
done:
    Py_XDECREF(keys);
    Py_XDECREF(metrics);
    Py_XDECREF(hits);
    Py_XDECREF(groups);
    return result;
}

PyObject *PyMvn_Aggregation_Buckets(PyMvn_State *state, const mvn_spans *buckets)
{
    PyObject *list = PyList_New((Py_ssize_t)buckets->count);
    for (size_t i = 0; list != NULL && i < buckets->count; i++) {
        PyObject *bucket = make_bucket(state, buckets->items[i], MVN_MAX_DEPTH);
        if (bucket == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, bucket);
    }
    return list;
}
