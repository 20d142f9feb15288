#include "hit.h"

#include "arguments.h"
#include "compat.h"

#include <stddef.h>
#include <structmember.h>

/* What PyDict_Type's own functions know of the object ends where `pk_name` begins. */
typedef struct {
    PyDictObject dict;
    PyObject *pk_name;    /* a str, unless somebody sets _pk_name to something else */
    PyObject *attributes; /* __dict__, made by the interpreter when first needed */
    PyObject *weakrefs;
} hit_object;

static void hit_dealloc(PyObject *self);

/* A strong reference to _pk_name, or to None. */
static PyObject *pk_name_of(PyObject *self)
{
    PyObject *name;
    MVN_BEGIN_CRITICAL_SECTION(self);
    name = ((hit_object *)self)->pk_name;
    name = Py_NewRef(name == NULL ? Py_None : name);
    MVN_END_CRITICAL_SECTION();
    return name;
}

static void set_pk_name(PyObject *self, PyObject *name)
{
    PyObject *old;
    MVN_BEGIN_CRITICAL_SECTION(self);
    old = ((hit_object *)self)->pk_name;
    ((hit_object *)self)->pk_name = Py_NewRef(name);
    MVN_END_CRITICAL_SECTION();
    Py_XDECREF(old);
}

/* Whether somebody set an attribute of this one hit, or asked for its __dict__. */
static bool has_dict(PyObject *self)
{
    bool made;
    MVN_BEGIN_CRITICAL_SECTION(self);
    made = ((hit_object *)self)->attributes != NULL;
    MVN_END_CRITICAL_SECTION();
    return made;
}

/* Hit may be subclassed, so the module is found through the base that is Hit itself. */
static PyMvn_State *state_of(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    while (type->tp_dealloc != hit_dealloc) {
        type = type->tp_base;
    }
    return PyMvn_StateOfType(type);
}

static PyObject *hit_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *self = PyDict_Type.tp_new(type, args, kwargs);
    if (self == NULL) {
        return NULL;
    }
    PyObject *name = PyUnicode_FromStringAndSize(NULL, 0);
    if (name == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    ((hit_object *)self)->pk_name = name;
    return self;
}

PyObject *PyMvn_Hit_New(PyMvn_State *state, PyObject *pk_name)
{
    PyObject *self = PyDict_Type.tp_new(state->hit_type, state->empty_tuple, NULL);
    if (self != NULL) {
        ((hit_object *)self)->pk_name = Py_NewRef(pk_name);
    }
    return self;
}

/* Hit(*args, pk_name="", **kwargs): the rest are dict's own arguments. */
static int hit_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *keyword = NULL, *pk_name = NULL, *rest = NULL;
    int result = -1;

    if (kwargs != NULL) {
        rest = PyDict_Copy(kwargs);
        keyword = PyUnicode_FromString("pk_name");
        if (rest == NULL || keyword == NULL || PyMvn_Dict_Get(rest, keyword, &pk_name) < 0) {
            goto done;
        }
        if (pk_name != NULL && PyDict_DelItem(rest, keyword) < 0) {
            goto done;
        }
    }
    if (PyDict_Type.tp_init(self, args, rest) < 0) {
        goto done;
    }
    if (pk_name == NULL) {
        pk_name = PyUnicode_FromStringAndSize(NULL, 0);
        if (pk_name == NULL) {
            goto done;
        }
    }
    set_pk_name(self, pk_name);
    result = 0;
done:
    Py_XDECREF(keyword);
    Py_XDECREF(pk_name);
    Py_XDECREF(rest);
    return result;
}

static int hit_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((hit_object *)self)->pk_name);
    Py_VISIT(((hit_object *)self)->attributes);
    return PyDict_Type.tp_traverse(self, visit, arg);
}

static int hit_clear(PyObject *self)
{
    Py_CLEAR(((hit_object *)self)->pk_name);
    Py_CLEAR(((hit_object *)self)->attributes);
    return PyDict_Type.tp_clear(self);
}

static void hit_dealloc(PyObject *self)
{
    hit_object *hit = (hit_object *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, hit_dealloc)
    if (hit->weakrefs != NULL) {
        PyObject_ClearWeakRefs(self);
    }
    Py_CLEAR(hit->pk_name);
    Py_CLEAR(hit->attributes);
    PyDict_Type.tp_dealloc(self); /* frees through tp_free of the real type */
    Py_DECREF(type);
    Py_TRASHCAN_END
}

/* hit[key]: an item of the hit, else of its entity. */
static PyObject *hit_subscript(PyObject *self, PyObject *key)
{
    PyObject *value, *entity;
    if (PyMvn_Dict_Get(self, key, &value) < 0 || value != NULL) {
        return value;
    }
    PyObject *name = state_of(self)->str_entity;
    if (PyMvn_Dict_Get(self, name, &entity) < 0) {
        return NULL;
    }
    if (entity == NULL) {
        PyErr_SetObject(PyExc_KeyError, name);
        return NULL;
    }
    value = PyObject_GetItem(entity, key);
    Py_DECREF(entity);
    return value;
}

/* hit[key], or a new reference to `fallback` instead of a KeyError. */
static PyObject *get_or(PyObject *self, PyObject *key, PyObject *fallback)
{
    PyObject *value = PyObject_GetItem(self, key);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_KeyError)) {
        PyErr_Clear();
        return Py_NewRef(fallback);
    }
    return value;
}

static PyObject *hit_get(PyObject *self, PyObject *const *args, Py_ssize_t n_args,
                         PyObject *keywords)
{
    static const PyMvn_Parameter parameters[] = {{"key", true}, {"default", false}};
    PyObject *values[2] = {NULL, NULL}; /* borrowed */
    if (PyMvn_Arguments_Read("get", parameters, 2, 2, args, n_args, keywords, values) < 0) {
        return NULL;
    }
    return get_or(self, values[0], values[1] == NULL ? Py_None : values[1]);
}

/* What attribute lookup comes to when nothing else has `name`. */
static PyObject *hit_getattr(PyObject *self, PyObject *name)
{
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "attribute name must be string, not '%.200s'",
                     Py_TYPE(name)->tp_name);
        return NULL;
    }
    if (PyUnicode_CompareWithASCIIString(name, "entity") == 0) {
        return Py_NewRef(self);
    }
    PyObject *value = PyObject_GetItem(self, name);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_KeyError)) {
        PyErr_Clear();
        PyErr_Format(PyExc_AttributeError, "'%.100s' object has no attribute '%U'",
                     Py_TYPE(self)->tp_name, name);
    }
    return value;
}

static PyObject *hit_getattro(PyObject *self, PyObject *name)
{
    /* A miss would cost an AttributeError. Hit itself cannot change, so for its own instances it is
     * known which names can only be items. */
    PyMvn_State *state = state_of(self);
    if (Py_IS_TYPE(self, state->hit_type) && !has_dict(self) && PyUnicode_CheckExact(name)) {
        int known = PySet_Contains(state->hit_names, name);
        if (known <= 0) {
            return known < 0 ? NULL : hit_getattr(self, name);
        }
    }
    PyObject *value = PyObject_GenericGetAttr(self, name);
    if (value != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return value;
    }
    PyErr_Clear();
    return hit_getattr(self, name);
}

static PyObject *hit_to_dict(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self);
}

/* (Hit, (), (__dict__, {"_pk_name": name}), None, items): the second state is what pickle and copy
 * set by setattr. copyreg.__newobj__ would not do, since pickle wants its class to be the object's
 * __class__; nor would Hit.__new__, whose module YAML asks for. A subclass may want arguments. */
static PyObject *hit_reduce_ex(PyObject *self, PyObject *Py_UNUSED(protocol))
{
    PyObject *make = NULL, *arguments = NULL, *items = NULL, *iterator = NULL;
    PyObject *pk_name = pk_name_of(self), *attributes = NULL, *result = NULL;

    if (Py_IS_TYPE(self, state_of(self)->hit_type)) {
        make = Py_NewRef(Py_TYPE(self));
        arguments = PyTuple_New(0);
    } else {
        make = PyObject_GetAttrString((PyObject *)state_of(self)->hit_type, "__new__");
        arguments = PyTuple_Pack(1, Py_TYPE(self));
    }
    if (make == NULL || arguments == NULL) {
        goto done;
    }
    items = PyDict_Items(self);
    if (items == NULL) {
        goto done;
    }
    iterator = PyObject_GetIter(items);
    if (iterator == NULL) {
        goto done;
    }
    attributes = PyObject_GenericGetDict(self, NULL);
    if (attributes == NULL) {
        goto done;
    }
    result = Py_BuildValue("OO(O{sO})OO", make, arguments, attributes, "_pk_name", pk_name,
                           Py_None, iterator);
done:
    Py_DECREF(pk_name);
    Py_XDECREF(attributes);
    Py_XDECREF(make);
    Py_XDECREF(arguments);
    Py_XDECREF(items);
    Py_XDECREF(iterator);
    return result;
}

/* pymilvus's Hit once that is imported, so that isinstance(hit, pymilvus.Hit) is true; see
 * milvus_native/kinship.py. A program's own subclass is itself. */
static PyObject *hit_class(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *name = NULL, *module = NULL, *counterpart = NULL;

    if (Py_IS_TYPE(self, state_of(self)->hit_type)) {
        name = PyUnicode_FromString("pymilvus.client.search_result");
        if (name == NULL) {
            goto done;
        }
        module = PyImport_GetModule(name);
        if (module == NULL) {
            if (!PyErr_Occurred()) {
                counterpart = Py_NewRef(Py_TYPE(self));
            }
            goto done;
        }
        counterpart = PyObject_GetAttrString(module, "Hit");
        if (counterpart != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError)) {
            goto done;
        }
        PyErr_Clear(); /* still being imported */
    }
    counterpart = Py_NewRef(Py_TYPE(self));
done:
    Py_XDECREF(name);
    Py_XDECREF(module);
    return counterpart;
}

static PyObject *hit_pk(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *name = pk_name_of(self);
    PyObject *value = get_or(self, name, Py_None);
    Py_DECREF(name);
    return value;
}

static PyObject *hit_distance(PyObject *self, void *Py_UNUSED(closure))
{
    return get_or(self, state_of(self)->str_distance, Py_None);
}

static PyObject *hit_highlight(PyObject *self, void *Py_UNUSED(closure))
{
    return get_or(self, state_of(self)->str_highlight, Py_None);
}

static PyObject *hit_fields(PyObject *self, void *Py_UNUSED(closure))
{
    return get_or(self, state_of(self)->str_entity, Py_None);
}

static PyObject *hit_entity(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self);
}

static PyMethodDef hit_methods[] = {
    {"get", (PyCFunction)(void (*)(void))hit_get, METH_FASTCALL | METH_KEYWORDS,
     "get($self, key, default=None)\n--\n\n"
     "Item `key` of the hit, or of its entity, or `default`."},
    {"to_dict", hit_to_dict, METH_NOARGS, "to_dict($self)\n--\n\nThe hit itself."},
    {"__getattr__", hit_getattr, METH_O, "Item `name`; `entity` is the hit itself."},
    {"__reduce_ex__", hit_reduce_ex, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef hit_getset[] = {
    {"id", hit_pk, NULL, "The primary key.", NULL},
    {"pk", hit_pk, NULL, "The primary key.", NULL},
    {"distance", hit_distance, NULL, "Distance or similarity, as the metric says.", NULL},
    {"score", hit_distance, NULL, "The same as distance.", NULL},
    {"highlight", hit_highlight, NULL,
     "dict of field name to fragments and scores, None without a highlighter.", NULL},
    {"fields", hit_fields, NULL, "dict of the output fields.", NULL},
    {"entity", hit_entity, NULL, "The hit itself, which finds the output fields too.", NULL},
    {"__class__", hit_class, NULL, NULL, NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef hit_members[] = {
    {"_pk_name", T_OBJECT_EX, offsetof(hit_object, pk_name), 0, "Key of the primary key."},
    {"__dictoffset__", T_PYSSIZET, offsetof(hit_object, attributes), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(hit_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot hit_slots[] = {
    {Py_tp_doc,
     "Hit(*args, pk_name='', **kwargs)\n--\n\n"
     "One row of a search result: {pk_name: key, 'distance': float, 'entity': {field: value}}.\n"
     "Items of the entity can be had from the hit itself, and items as attributes."},
    {Py_tp_new, hit_new},
    {Py_tp_init, hit_init},
    {Py_tp_dealloc, hit_dealloc},
    {Py_tp_traverse, hit_traverse},
    {Py_tp_clear, hit_clear},
    {Py_tp_getattro, hit_getattro},
    {Py_mp_subscript, hit_subscript},
    {Py_tp_methods, hit_methods},
    {Py_tp_getset, hit_getset},
    {Py_tp_members, hit_members},
    {0, NULL},
};

static PyType_Spec hit_spec = {
    .name = "milvus_native._core.Hit",
    .basicsize = sizeof(hit_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = hit_slots,
};

int PyMvn_Hit_Init(PyObject *module, PyMvn_State *state)
{
    PyObject *bases = PyTuple_Pack(1, (PyObject *)&PyDict_Type);
    if (bases == NULL) {
        return -1;
    }
    state->hit_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &hit_spec, bases);
    Py_DECREF(bases);
    if (state->hit_type == NULL) {
        return -1;
    }
    PyObject *names = PyObject_Dir((PyObject *)state->hit_type);
    if (names == NULL) {
        return -1;
    }
    state->hit_names = PyFrozenSet_New(names);
    Py_DECREF(names);
    if (state->hit_names == NULL) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "Hit", (PyObject *)state->hit_type);
}
