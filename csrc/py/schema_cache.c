#include "schema_cache.h"

#include <stdbool.h>
#include <stdint.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <time.h>
#endif

#include "schema.h"

#define DEFAULT_CAPACITY 4096
#define NO_AGE (-1.0)

/* Invalidated keys that are remembered one by one; beyond them all fetches under way are refused. */
#define MAX_DROPPED 1024

/* What the table maps a key to. Not reachable from Python. */
typedef struct Entry {
    PyObject_HEAD
    PyObject *key;       /* strong */
    PyObject *schema;    /* strong */
    struct Entry *older; /* borrowed, as `newer`: both are in the table, or NULL */
    struct Entry *newer;
    uint64_t generation; /* in which its fetch started */
    double stored;       /* monotonic seconds */
} Entry;

typedef struct {
    PyObject_HEAD
    PyObject *table;     /* dict of key to Entry */
    Entry *oldest;       /* borrowed: the entries of `table` by their last use, linked by `newer` */
    Entry *newest;
    PyObject *dropped;   /* dict of key to the generation that its invalidation began */
    PyTypeObject *entry_type;
    uint64_t generation; /* grows with every invalidation */
    uint64_t floor;      /* fetches started in an earlier generation are refused, whatever the key */
    Py_ssize_t capacity;
    double max_age; /* seconds, or NO_AGE */
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

static double monotonic(void)
{
#ifdef _WIN32
    return (double)GetTickCount64() / 1000.0;
#else
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
#endif
}

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

static void entry_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(((Entry *)object)->key);
    Py_XDECREF(((Entry *)object)->schema);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot entry_slots[] = {
    {Py_tp_dealloc, entry_dealloc},
    {0, NULL},
};

static PyType_Spec entry_spec = {
    .name = "milvus_native._core._SchemaEntry",
    .basicsize = sizeof(Entry),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = entry_slots,
};

/* Makes `entry` the one used last. Locked. */
static void link_newest(Cache *self, Entry *entry)
{
    entry->older = self->newest;
    entry->newer = NULL;
    *(self->newest == NULL ? &self->oldest : &self->newest->newer) = entry;
    self->newest = entry;
}

/* Takes `entry` out of the order of use; for one that leaves the table, too. Locked. */
static void unlink_entry(Cache *self, Entry *entry)
{
    *(entry->older == NULL ? &self->oldest : &entry->older->newer) = entry->newer;
    *(entry->newer == NULL ? &self->newest : &entry->newer->older) = entry->older;
}

/* Takes `entry`, of which the caller holds a reference, out of the table. Locked. 0 or -1. */
static int remove_entry(Cache *self, Entry *entry)
{
    if (PyDict_DelItem(self->table, entry->key) < 0) {
        return -1;
    }
    unlink_entry(self, entry);
    return 0;
}

static bool is_expired(const Cache *self, const Entry *entry)
{
    return self->max_age >= 0 && monotonic() - entry->stored >= self->max_age;
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
    Entry *entry = (Entry *)PyDict_GetItemWithError(self->table, key); /* borrowed */
    if (entry != NULL && is_expired(self, entry)) {
        expired = Py_NewRef((PyObject *)entry); /* dropped outside the lock */
        if (remove_entry(self, entry) == 0) {
            self->expirations++;
        }
        entry = NULL;
    }
    if (entry != NULL) {
        if (entry != self->newest) {
            unlink_entry(self, entry);
            link_newest(self, entry);
        }
        self->hits++;
        found = Py_NewRef(entry->schema);
    } else {
        self->misses++;
    }
    UNLOCK(self);
    Py_XDECREF(expired);
    if (found == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    return found;
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
    Entry *entry = (Entry *)PyDict_GetItemWithError(self->table, key); /* borrowed */
    if (entry != NULL && !is_expired(self, entry)) {
        found = Py_NewRef(entry->schema);
    }
    UNLOCK(self);
    if (found == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    return found;
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
    while (PyDict_GET_SIZE(self->table) > self->capacity) {
        Entry *oldest = (Entry *)Py_NewRef((PyObject *)self->oldest);
        int status = remove_entry(self, oldest);
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
    Entry *entry = (Entry *)PyDict_GetItemWithError(self->table, key); /* borrowed */
    if (entry == NULL) {
        return PyErr_Occurred() ? -1 : 1;
    }
    return entry->generation <= generation;
}

/* put, locked: takes `entry` over into the table, in place of `replaced` (borrowed, or NULL), when
 * it is current. 1, 0, or -1. */
static int put_entry(Cache *self, Entry *entry, Entry *replaced)
{
    int current = is_current(self, entry->key, entry->generation);
    if (current <= 0 || self->capacity == 0) {
        self->refused += current == 0;
        return current;
    }
    if (PyDict_SetItem(self->table, entry->key, (PyObject *)entry) < 0) {
        return -1;
    }
    if (replaced != NULL) {
        unlink_entry(self, replaced);
    }
    link_newest(self, entry);
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
    PyObject *key = NULL, *schema = NULL, *replaced = NULL; /* the first two: borrowed */
    Entry *entry = NULL;
    uint64_t generation = 0;

    if (parse_put(args, state->schema_type, &key, &schema, &generation) < 0) {
        return NULL;
    }
    entry = (Entry *)self->entry_type->tp_alloc(self->entry_type, 0);
    if (entry == NULL) {
        return NULL;
    }
    entry->key = Py_NewRef(key);
    entry->schema = Py_NewRef(schema);
    entry->generation = generation;
    entry->stored = monotonic();
    LOCK(self);
    replaced = Py_XNewRef(PyDict_GetItemWithError(self->table, key)); /* dropped outside the lock */
    int stored = replaced == NULL && PyErr_Occurred() ? -1 : put_entry(self, entry, (Entry *)replaced);
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
    PyObject *old = NULL;
    if (check_key(key) < 0) {
        return NULL;
    }
    LOCK(self);
    int status = remember_drop(self, key);
    old = Py_XNewRef(PyDict_GetItemWithError(self->table, key)); /* dropped outside the lock */
    if (old != NULL && remove_entry(self, (Entry *)old) < 0) {
        status = -1;
    }
    self->invalidations += old != NULL;
    UNLOCK(self);
    PyObject *answer = status < 0 || PyErr_Occurred() ? NULL : PyBool_FromLong(old != NULL);
    Py_XDECREF(old);
    return answer;
}

/* Drops `entry` if the table still has it. 1, 0, or -1. */
static int drop_entry(Cache *self, PyObject *key, PyObject *entry)
{
    LOCK(self);
    int same = PyDict_GetItemWithError(self->table, key) == entry;
    int status = same ? remove_entry(self, (Entry *)entry) : 0;
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
    PyObject *items = PyDict_Items(self->table);
    UNLOCK(self);
    if (items == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i); /* borrowed: `items` is ours alone */
        PyObject *key = PyTuple_GET_ITEM(pair, 0), *entry = PyTuple_GET_ITEM(pair, 1);
        PyObject *answer = PyObject_CallFunctionObjArgs(predicate, key, ((Entry *)entry)->schema,
                                                        NULL);
        int drop = answer == NULL ? -1 : PyObject_IsTrue(answer);
        Py_XDECREF(answer);
        if (drop > 0) {
            drop = drop_entry(self, key, entry);
        }
        if (drop < 0) {
            Py_DECREF(items);
            return NULL;
        }
        count += drop;
    }
    Py_DECREF(items);
    return PyLong_FromSsize_t(count);
}

PyDoc_STRVAR(clear_doc,
             "clear($self, /)\n--\n\n"
             "Drop everything, and refuse all fetches that are under way.");

static PyObject *cache_clear(PyObject *object, PyObject *unused)
{
    Cache *self = (Cache *)object;
    PyObject *empty = PyDict_New();
    (void)unused;
    if (empty == NULL) {
        return NULL;
    }
    LOCK(self);
    PyObject *old = self->table; /* dropped outside the lock */
    self->table = empty;
    self->oldest = self->newest = NULL;
    self->invalidations += (uint64_t)PyDict_GET_SIZE(old);
    raise_floor(self);
    UNLOCK(self);
    Py_DECREF(old);
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

/* Memory of the schemas that are kept. Locked. */
static size_t sum_nbytes(const Cache *self)
{
    PyObject *key = NULL, *value = NULL; /* borrowed */
    Py_ssize_t pos = 0;
    size_t total = 0;
    while (PyDict_Next(self->table, &pos, &key, &value)) {
        total += PyMvn_Schema_Size((PyMvn_Schema *)((Entry *)value)->schema);
    }
    return total;
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
    Py_ssize_t size = PyDict_GET_SIZE(self->table);
    size_t nbytes = sum_nbytes(self);
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
    Py_ssize_t size = PyDict_GET_SIZE(self->table);
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
    self->entry_type =
        (PyTypeObject *)Py_NewRef((PyObject *)PyMvn_StateOfType(type)->schema_entry_type);
    self->capacity = capacity;
    self->max_age = age;
    self->table = PyDict_New();
    self->dropped = PyDict_New();
    if (self->table == NULL || self->dropped == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

/* Keys are plain and schemas hold nothing that could lead back: no cycle can pass through the
 * table, so only the types are visited. */
static int cache_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((Cache *)object)->entry_type);
    return 0;
}

static void cache_dealloc(PyObject *object)
{
    Cache *self = (Cache *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    Py_XDECREF(self->table);
    Py_XDECREF(self->dropped);
    Py_XDECREF(self->entry_type);
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
    state->schema_entry_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &entry_spec, NULL);
    state->schema_cache_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &cache_spec, NULL);
    if (state->schema_entry_type == NULL || state->schema_cache_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->schema_cache_type);
}
