#include "schema_entries.h"

#include "clock.h"
#include "schema.h"

/* ---- an entry ---- */

PyMvn_SchemaEntry *PyMvn_SchemaEntry_New(PyMvn_State *state, PyObject *key, PyObject *schema,
                                         uint64_t generation)
{
    PyTypeObject *type = state->schema_entry_type;
    PyMvn_SchemaEntry *entry = (PyMvn_SchemaEntry *)type->tp_alloc(type, 0);
    if (entry != NULL) {
        entry->key = Py_NewRef(key);
        entry->schema = Py_NewRef(schema);
        entry->generation = generation;
        entry->stored = PyMvn_Now();
    }
    return entry;
}

bool PyMvn_SchemaEntry_IsExpired(const PyMvn_SchemaEntry *entry, double max_age)
{
    return max_age >= 0 && (double)(PyMvn_Now() - entry->stored) * 1e-9 >= max_age;
}

static void entry_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(((PyMvn_SchemaEntry *)object)->key);
    Py_XDECREF(((PyMvn_SchemaEntry *)object)->schema);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot entry_slots[] = {
    {Py_tp_dealloc, entry_dealloc},
    {0, NULL},
};

static PyType_Spec entry_spec = {
    .name = "milvus_native._core._SchemaEntry",
    .basicsize = sizeof(PyMvn_SchemaEntry),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = entry_slots,
};

/* ---- the table, and the order of use ---- */

int PyMvn_SchemaEntries_Open(PyMvn_SchemaEntries *entries)
{
    *entries = (PyMvn_SchemaEntries){.table = PyDict_New()};
    return entries->table == NULL ? -1 : 0;
}

void PyMvn_SchemaEntries_Close(PyMvn_SchemaEntries *entries)
{
    PyObject *table = entries->table;
    *entries = (PyMvn_SchemaEntries){NULL, NULL, NULL};
    Py_XDECREF(table);
}

static void link_newest(PyMvn_SchemaEntries *entries, PyMvn_SchemaEntry *entry)
{
    entry->older = entries->newest;
    entry->newer = NULL;
    *(entries->newest == NULL ? &entries->oldest : &entries->newest->newer) = entry;
    entries->newest = entry;
}

static void unlink_entry(PyMvn_SchemaEntries *entries, PyMvn_SchemaEntry *entry)
{
    *(entry->older == NULL ? &entries->oldest : &entry->older->newer) = entry->newer;
    *(entry->newer == NULL ? &entries->newest : &entry->newer->older) = entry->older;
}

PyMvn_SchemaEntry *PyMvn_SchemaEntries_Find(const PyMvn_SchemaEntries *entries, PyObject *key)
{
    return (PyMvn_SchemaEntry *)PyDict_GetItemWithError(entries->table, key);
}

void PyMvn_SchemaEntries_Use(PyMvn_SchemaEntries *entries, PyMvn_SchemaEntry *entry)
{
    if (entry != entries->newest) {
        unlink_entry(entries, entry);
        link_newest(entries, entry);
    }
}

int PyMvn_SchemaEntries_Put(PyMvn_SchemaEntries *entries, PyMvn_SchemaEntry *entry,
                            PyMvn_SchemaEntry *replaced)
{
    if (PyDict_SetItem(entries->table, entry->key, (PyObject *)entry) < 0) {
        return -1;
    }
    if (replaced != NULL) {
        unlink_entry(entries, replaced);
    }
    link_newest(entries, entry);
    return 0;
}

int PyMvn_SchemaEntries_Remove(PyMvn_SchemaEntries *entries, PyMvn_SchemaEntry *entry)
{
    if (PyDict_DelItem(entries->table, entry->key) < 0) {
        return -1;
    }
    unlink_entry(entries, entry);
    return 0;
}

PyObject *PyMvn_SchemaEntries_List(const PyMvn_SchemaEntries *entries)
{
    return PyDict_Values(entries->table);
}

Py_ssize_t PyMvn_SchemaEntries_Count(const PyMvn_SchemaEntries *entries)
{
    return PyDict_GET_SIZE(entries->table);
}

size_t PyMvn_SchemaEntries_Size(const PyMvn_SchemaEntries *entries)
{
    size_t total = 0;
    for (const PyMvn_SchemaEntry *at = entries->oldest; at != NULL; at = at->newer) {
        total += PyMvn_Schema_Size((PyMvn_Schema *)at->schema);
    }
    return total;
}

int PyMvn_SchemaEntries_Init(PyObject *module, PyMvn_State *state)
{
    state->schema_entry_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &entry_spec, NULL);
    return state->schema_entry_type == NULL ? -1 : 0;
}
