#include "schema_cache.h"

#include "schema_entries.h"

#define DEFAULT_CAPACITY 4096
#define NO_AGE (-1.0)

/* Invalidated keys that are remembered one by one; beyond them all fetches under way are refused. */
#define MAX_DROPPED 1024

typedef struct {
    PyObject_HEAD
    PyMvn_SchemaEntries entries;
    PyObject *dropped;   /* dict of key to the generation that its invalidation began */
    uint64_t generation; /* grows with every invalidation */
    uint64_t floor;      /* fetches started in an earlier generation are refused, whatever the key */
    Py_ssize_t capacity;
    double max_age;      /* seconds, or NO_AGE */
    uint64_t hits, misses, evictions, expirations, invalidations, refused;
#ifdef Py_GIL_DISABLED
    PyMutex mutex;
#endif
} Cache;

#ifdef Py_GIL_DISABLED
#define LOCK(self) PyMutex_Lock(&(self)->mutex)
#define UNLOCK(self) PyMutex_Unlock(&(self)->mutex)
#else
#define LOCK(self) ((void)(self))
#define UNLOCK(self) ((void)(self))
#endif

static bool is_plain(PyObject *item)
{
    return PyUnicode_CheckExact(item) || PyLong_CheckExact(item) || item == Py_None;
}

/* 0, or -1 with TypeError for a key whose hash or equality might be Python code. */
static int check_key(PyObject *key)
{
    bool plain = PyTuple_CheckExact(key);
    for (Py_ssize_t i = 0; plain && i < PyTuple_GET_SIZE(key); i++) {
        plain = is_plain(PyTuple_GET_ITEM(key, i));
    }
    if (!plain) {
        PyErr_SetString(PyExc_TypeError, "a key must be a tuple of str, int and None");
        return -1;
    }
    return 0;
}

/* What a look-up gives: `found` (stolen), None for NULL, NULL for an exception. */
static PyObject *found_or_none(PyObject *found)
{
    if (found == NULL && !PyErr_Occurred()) {
        return Py_NewRef(Py_None);
    }
    return found;
}

PyDoc_STRVAR(get_doc,
             "get($self, key, /)\n--\n\n"
             "The schema stored under a key, or None; counts a hit or a miss.");

static PyObject *cache_get(PyObject *object, PyObject *key)
{
    Cache *self = (Cache *)object;
    PyObject *found = NULL, *expired = NULL;
    if (check_key(key) < 0) {
        return NULL;
    }
    LOCK(self);
    PyMvn_SchemaEntry *entry = PyMvn_SchemaEntries_Find(&self->entries, key);
    if (entry != NULL && PyMvn_SchemaEntry_IsExpired(entry, self->max_age)) {
        expired = Py_NewRef((PyObject *)entry); /* dropped outside the lock */
        if (PyMvn_SchemaEntries_Remove(&self->entries, entry) == 0) {
            self->expirations++;
        }
        entry = NULL;
    }
    if (entry != NULL) {
        PyMvn_SchemaEntries_Use(&self->entries, entry);
        self->hits++;
        found = Py_NewRef(entry->schema);
    } else {
        self->misses++;
    }
    UNLOCK(self);
    Py_XDECREF(expired);
    return found_or_none(found);
}

PyDoc_STRVAR(peek_doc,
             "peek($self, key, /)\n--\n\n"
             "The schema stored under a key, or None, without being counted or taken for a use.");

static PyObject *cache_peek(PyObject *object, PyObject *key)
{
    Cache *self = (Cache *)object;
    PyObject *found = NULL;
    if (check_key(key) < 0) {
        return NULL;
    }
    LOCK(self);
    const PyMvn_SchemaEntry *entry = PyMvn_SchemaEntries_Find(&self->entries, key);
    if (entry != NULL && !PyMvn_SchemaEntry_IsExpired(entry, self->max_age)) {
        found = Py_NewRef(entry->schema);
    }
    UNLOCK(self);
    return found_or_none(found);
}

PyDoc_STRVAR(generation_doc,
             "generation($self, /)\n--\n\n"
             "The current generation: taken before a fetch starts, given to put after it.");

static PyObject *cache_generation(PyObject *object, PyObject *unused)
{
    Cache *self = (Cache *)object;
    (void)unused;
    LOCK(self);
    uint64_t generation = self->generation;
    UNLOCK(self);
    return PyLong_FromUnsignedLongLong(generation);
}

/* Removes the entries that were used least recently until `capacity` is kept. Locked. 0 or -1. */
static int evict(Cache *self)
{
    while (PyMvn_SchemaEntries_Count(&self->entries) > self->capacity) {
        PyMvn_SchemaEntry *oldest = self->entries.oldest;
        Py_INCREF(oldest);
        int status = PyMvn_SchemaEntries_Remove(&self->entries, oldest);
        Py_DECREF(oldest); /* a schema: no code of Python's runs */
        if (status < 0) {
            return -1;
        }
        self->evictions++;
    }
    return 0;
}

/* Whether a schema fetched since `generation` is still as good as any. Locked. 1, 0, or -1. */
static int is_current(Cache *self, PyObject *key, uint64_t generation)
{
    if (generation < self->floor) {
        return 0;
    }
    PyObject *dropped = PyDict_GetItemWithError(self->dropped, key); /* borrowed */
    if (dropped != NULL) {
        return PyLong_AsUnsignedLongLong(dropped) <= generation;
    }
    if (PyErr_Occurred()) {
        return -1;
    }
    const PyMvn_SchemaEntry *entry = PyMvn_SchemaEntries_Find(&self->entries, key);
    if (entry == NULL) {
        return PyErr_Occurred() ? -1 : 1;
    }
    return entry->generation <= generation;
}

/* put, locked: takes in `entry`, in place of `replaced` (or NULL), if it is current. 1, 0 or -1. */
static int put_entry(Cache *self, PyMvn_SchemaEntry *entry, PyMvn_SchemaEntry *replaced)
{
    int current = is_current(self, entry->key, entry->generation);
    if (current <= 0 || self->capacity == 0) {
        self->refused += current == 0;
        return current;
    }
    if (PyMvn_SchemaEntries_Put(&self->entries, entry, replaced) < 0) {
        return -1;
    }
    return evict(self) < 0 ? -1 : 1;
}

PyDoc_STRVAR(is_current_doc,
             "is_current($self, key, generation, /)\n--\n\n"
             "Whether put would take a schema whose fetch began in `generation`.");

/* The arguments of is_current, and of put if `schema` is not NULL. 0, or -1. */
static int parse_put(PyObject *args, PyTypeObject *schema_type, PyObject **key, PyObject **schema,
                     uint64_t *generation)
{
    PyObject *number = NULL; /* as all here: borrowed */
    int parsed = schema == NULL
        ? PyArg_ParseTuple(args, "OO!:is_current", key, &PyLong_Type, &number)
        : PyArg_ParseTuple(args, "OO!O!:put", key, schema_type, schema, &PyLong_Type, &number);
    if (!parsed || check_key(*key) < 0) {
        return -1;
    }
    *generation = PyLong_AsUnsignedLongLong(number);
    return *generation == (uint64_t)-1 && PyErr_Occurred() ? -1 : 0;
}

static PyObject *cache_is_current(PyObject *object, PyObject *args)
{
    Cache *self = (Cache *)object;
    PyObject *key = NULL; /* borrowed */
    uint64_t generation = 0;
    if (parse_put(args, NULL, &key, NULL, &generation) < 0) {
        return NULL;
    }
    LOCK(self);
    int current = is_current(self, key, generation);
    UNLOCK(self);
    return current < 0 ? NULL : PyBool_FromLong(current);
}

PyDoc_STRVAR(put_doc,
             "put($self, key, schema, generation, /)\n--\n\n"
             "Store a schema whose fetch began in `generation`. False, and nothing is stored, when\n"
             "the key (or everything) was invalidated since, or a later fetch was stored already.");

static PyObject *cache_put(PyObject *object, PyObject *args)
{
    Cache *self = (Cache *)object;
    PyMvn_State *state = PyMvn_StateOfType(Py_TYPE(object));
    PyObject *key = NULL, *schema = NULL; /* borrowed */
    uint64_t generation = 0;

    if (parse_put(args, state->schema_type, &key, &schema, &generation) < 0) {
        return NULL;
    }
    PyMvn_SchemaEntry *entry = PyMvn_SchemaEntry_New(state, key, schema, generation);
    if (entry == NULL) {
        return NULL;
    }
    LOCK(self);
    PyMvn_SchemaEntry *replaced = PyMvn_SchemaEntries_Find(&self->entries, key);
    Py_XINCREF(replaced); /* dropped outside the lock */
    int stored = replaced == NULL && PyErr_Occurred() ? -1 : put_entry(self, entry, replaced);
    UNLOCK(self);
    Py_DECREF(entry);
    Py_XDECREF(replaced);
    return stored < 0 ? NULL : PyBool_FromLong(stored);
}

/* From now on fetches under way are refused for every key. Locked. */
static void raise_floor(Cache *self)
{
    self->floor = ++self->generation;
    PyDict_Clear(self->dropped);
}

/* From now on fetches of this key that are under way are refused. Locked. 0 or -1. */
static int remember_drop(Cache *self, PyObject *key)
{
    if (PyDict_GET_SIZE(self->dropped) >= MAX_DROPPED) {
        raise_floor(self);
        return 0;
    }
    PyObject *generation = PyLong_FromUnsignedLongLong(++self->generation);
    int status = generation == NULL ? -1 : PyDict_SetItem(self->dropped, key, generation);
    Py_XDECREF(generation);
    if (status < 0) {
        raise_floor(self); /* the promise holds even without memory */
    }
    return status;
}

PyDoc_STRVAR(invalidate_doc,
             "invalidate($self, key, /)\n--\n\n"
             "Drop one key, and refuse the fetches of it that are under way. Whether it was there.");

static PyObject *cache_invalidate(PyObject *object, PyObject *key)
{
    Cache *self = (Cache *)object;
    if (check_key(key) < 0) {
        return NULL;
    }
    LOCK(self);
    int status = remember_drop(self, key);
    PyMvn_SchemaEntry *old = PyMvn_SchemaEntries_Find(&self->entries, key);
    Py_XINCREF(old); /* dropped outside the lock */
    if (old != NULL && PyMvn_SchemaEntries_Remove(&self->entries, old) < 0) {
        status = -1;
    }
    self->invalidations += old != NULL;
    UNLOCK(self);
    PyObject *answer = status < 0 || PyErr_Occurred() ? NULL : PyBool_FromLong(old != NULL);
    Py_XDECREF(old);
    return answer;
}

/* Drops `entry` if it is still there. 1, 0, or -1. */
static int drop_entry(Cache *self, PyMvn_SchemaEntry *entry)
{
    LOCK(self);
    int same = PyMvn_SchemaEntries_Find(&self->entries, entry->key) == entry;
    int status = same ? PyMvn_SchemaEntries_Remove(&self->entries, entry) : 0;
    self->invalidations += same ? 1 : 0;
    UNLOCK(self);
    return status < 0 || PyErr_Occurred() ? -1 : same;
}

PyDoc_STRVAR(invalidate_if_doc,
             "invalidate_if($self, predicate, /)\n--\n\n"
             "Drop what predicate(key, schema) says, and refuse all fetches that are under way:\n"
             "nobody can tell what they will bring. The number of keys dropped.");

static PyObject *cache_invalidate_if(PyObject *object, PyObject *predicate)
{
    Cache *self = (Cache *)object;
    Py_ssize_t count = 0;
    LOCK(self);
    raise_floor(self);
    PyObject *list = PyMvn_SchemaEntries_List(&self->entries);
    UNLOCK(self);
    if (list == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        /* Borrowed: `list` is ours alone. */
        PyMvn_SchemaEntry *entry = (PyMvn_SchemaEntry *)PyList_GET_ITEM(list, i);
        PyObject *answer = PyObject_CallFunctionObjArgs(predicate, entry->key, entry->schema, NULL);
        int drop = answer == NULL ? -1 : PyObject_IsTrue(answer);
        Py_XDECREF(answer);
        if (drop > 0) {
            drop = drop_entry(self, entry);
        }
        if (drop < 0) {
            Py_DECREF(list);
            return NULL;
        }
        count += drop;
    }
    Py_DECREF(list);
    return PyLong_FromSsize_t(count);
}

PyDoc_STRVAR(clear_doc,
             "clear($self, /)\n--\n\n"
             "Drop everything, and refuse all fetches that are under way.");

static PyObject *cache_clear(PyObject *object, PyObject *unused)
{
    Cache *self = (Cache *)object;
    PyMvn_SchemaEntries empty;
    (void)unused;
    if (PyMvn_SchemaEntries_Open(&empty) < 0) {
        return NULL;
    }
    LOCK(self);
    PyMvn_SchemaEntries old = self->entries; /* dropped outside the lock */
    self->entries = empty;
    self->invalidations += (uint64_t)PyMvn_SchemaEntries_Count(&old);
    raise_floor(self);
    UNLOCK(self);
    PyMvn_SchemaEntries_Close(&old);
    return Py_NewRef(Py_None);
}

/* An age in seconds from None or a number. 0 or -1. */
static int parse_age(PyObject *value, double *age)
{
    if (value == Py_None) {
        *age = NO_AGE;
        return 0;
    }
    double seconds = PyFloat_AsDouble(value);
    if (seconds == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    if (!(seconds >= 0)) {
        PyErr_SetString(PyExc_ValueError, "max_age must be None or seconds, not negative");
        return -1;
    }
    *age = seconds;
    return 0;
}

static int parse_capacity(PyObject *value, Py_ssize_t *capacity)
{
    Py_ssize_t number = PyNumber_AsSsize_t(value, PyExc_OverflowError);
    if (number == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (number < 0) {
        PyErr_SetString(PyExc_ValueError, "capacity must not be negative");
        return -1;
    }
    *capacity = number;
    return 0;
}

PyDoc_STRVAR(configure_doc,
             "configure($self, /, capacity=None, max_age=<unchanged>)\n--\n\n"
             "Change what is given: capacity is a number of schemas (None leaves it), max_age is\n"
             "seconds, or None for schemas that never grow old.");

static PyObject *cache_configure(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *const keywords[] = {"capacity", "max_age", NULL};
    Cache *self = (Cache *)object;
    PyObject *capacity_arg = Py_None, *age_arg = NULL; /* borrowed */
    Py_ssize_t capacity = 0;
    double age = NO_AGE;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:configure", (char **)keywords,
                                     &capacity_arg, &age_arg) ||
        (capacity_arg != Py_None && parse_capacity(capacity_arg, &capacity) < 0) ||
        (age_arg != NULL && parse_age(age_arg, &age) < 0)) {
        return NULL;
    }
    LOCK(self);
    if (capacity_arg != Py_None) {
        self->capacity = capacity;
    }
    if (age_arg != NULL) {
        self->max_age = age;
    }
    int status = evict(self);
    UNLOCK(self);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(stats_doc,
             "stats($self, /)\n--\n\n"
             "A dict of counters since the cache was made, and its present state: hits, misses,\n"
             "evictions, expirations, invalidations, refused, entries, capacity, max_age,\n"
             "generation, bytes (of the schemas kept).");

static PyObject *cache_stats(PyObject *object, PyObject *unused)
{
    Cache *self = (Cache *)object;
    (void)unused;
    LOCK(self);
    Cache seen = *self; /* its references stay the cache's */
    Py_ssize_t size = PyMvn_SchemaEntries_Count(&self->entries);
    size_t nbytes = PyMvn_SchemaEntries_Size(&self->entries);
    UNLOCK(self);
    PyObject *age = seen.max_age < 0 ? Py_NewRef(Py_None) : PyFloat_FromDouble(seen.max_age);
    return Py_BuildValue("{sKsKsKsKsKsKsnsnsNsKsn}", "hits", seen.hits, "misses", seen.misses,
                         "evictions", seen.evictions, "expirations", seen.expirations,
                         "invalidations", seen.invalidations, "refused", seen.refused, "entries",
                         size, "capacity", seen.capacity, "max_age", age, "generation",
                         seen.generation, "bytes", (Py_ssize_t)nbytes);
}

static Py_ssize_t cache_length(PyObject *object)
{
    Cache *self = (Cache *)object;
    LOCK(self);
    Py_ssize_t size = PyMvn_SchemaEntries_Count(&self->entries);
    UNLOCK(self);
    return size;
}

static PyObject *cache_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *const keywords[] = {"capacity", "max_age", NULL};
    PyObject *capacity_arg = NULL, *age_arg = Py_None; /* borrowed */
    Py_ssize_t capacity = DEFAULT_CAPACITY;
    double age = NO_AGE;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:SchemaCache", (char **)keywords,
                                     &capacity_arg, &age_arg) ||
        (capacity_arg != NULL && parse_capacity(capacity_arg, &capacity) < 0) ||
        parse_age(age_arg, &age) < 0) {
        return NULL;
    }
    Cache *self = (Cache *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->capacity = capacity;
    self->max_age = age;
    self->dropped = PyDict_New();
    if (PyMvn_SchemaEntries_Open(&self->entries) < 0 || self->dropped == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

/* Keys are plain and schemas hold nothing that could lead back: no cycle can pass through the
 * entries, so only the type is visited. */
static int cache_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    return 0;
}

static void cache_dealloc(PyObject *object)
{
    Cache *self = (Cache *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    PyMvn_SchemaEntries_Close(&self->entries);
    Py_XDECREF(self->dropped);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef cache_methods[] = {
    {"get", cache_get, METH_O, get_doc},
    {"peek", cache_peek, METH_O, peek_doc},
    {"generation", cache_generation, METH_NOARGS, generation_doc},
    {"is_current", cache_is_current, METH_VARARGS, is_current_doc},
    {"put", cache_put, METH_VARARGS, put_doc},
    {"invalidate", cache_invalidate, METH_O, invalidate_doc},
    {"invalidate_if", cache_invalidate_if, METH_O, invalidate_if_doc},
    {"clear", cache_clear, METH_NOARGS, clear_doc},
    {"configure", (PyCFunction)(void (*)(void))cache_configure, METH_VARARGS | METH_KEYWORDS,
     configure_doc},
    {"stats", cache_stats, METH_NOARGS, stats_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(cache_doc,
             "SchemaCache(capacity=4096, max_age=None)\n--\n\n"
             "Compiled schemas by key (a tuple of str, int and None), least recently used out\n"
             "first. Safe to share between threads.");

static PyType_Slot cache_slots[] = {
    {Py_tp_doc, (void *)cache_doc},
    {Py_tp_new, cache_new},
    {Py_tp_dealloc, cache_dealloc},
    {Py_tp_traverse, cache_traverse},
    {Py_tp_methods, cache_methods},
    {Py_mp_length, cache_length},
    {0, NULL},
};

static PyType_Spec cache_spec = {
    .name = "milvus_native._core.SchemaCache",
    .basicsize = sizeof(Cache),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = cache_slots,
};

int PyMvn_SchemaCache_Init(PyObject *module, PyMvn_State *state)
{
    state->schema_cache_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &cache_spec, NULL);
    if (state->schema_cache_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->schema_cache_type);
}
